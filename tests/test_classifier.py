"""The probability is scikit-learn's, its inverse is its inverse, and a file that is not a classifier is refused."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import repeatable
from sklearn.linear_model import LogisticRegression

from dedup.classifier import Classifier, fit_classifier, load_classifier, save_classifier
from dedup.errors import ClassifierError
from dedup.questions import Metric

ENCODER, FINGERPRINT = "trigrams", "ab" * 32


def labelled(seed: int, pairs: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    duplicate = random.random(pairs) < 0.2
    return np.abs(random.normal(np.where(duplicate, 0.6, 1.0), 0.2)), duplicate


def fitted(distance, duplicate, **fit) -> Classifier:
    return fit_classifier(
        distance, duplicate, encoder=ENCODER, fingerprint=FINGERPRINT, metric=Metric.EUCLIDEAN, pairs="pairs.csv", **fit
    )


def made(slope: float, intercept: float) -> Classifier:
    return Classifier(ENCODER, FINGERPRINT, Metric.EUCLIDEAN, slope, intercept, {})


@pytest.mark.parametrize("prior", [0.1, 0.369, 0.5])
def test_probabilities_are_those_of_scikit_learn_weighted_to_the_prior(prior):
    distance, duplicate = labelled(1)
    share = duplicate.mean()
    weight = np.where(duplicate, prior / share, (1 - prior) / (1 - share))
    oracle = LogisticRegression(C=1e12, solver="newton-cholesky", tol=1e-10)
    oracle.fit(distance[:, None], duplicate, sample_weight=weight)
    asked = np.linspace(0, 2, 101)
    probability = fitted(distance, duplicate, prior=prior).probability(asked)
    np.testing.assert_allclose(probability, oracle.predict_proba(asked[:, None])[:, 1], atol=1e-5)
    assert np.average(fitted(distance, duplicate, prior=prior).probability(distance), weights=weight) == pytest.approx(
        prior, abs=1e-5
    )


def test_the_true_coefficients_are_found_again():
    random = np.random.default_rng(2)
    distance = random.uniform(0, 2, 200_000)
    duplicate = random.random(len(distance)) < made(6.0, -5.0).probability(distance)
    classifier = fitted(distance, duplicate, prior=float(duplicate.mean()))
    assert (classifier.slope, classifier.intercept) == pytest.approx((6.0, -5.0), abs=0.15)


@repeatable
@given(st.floats(0.01, 1000), st.floats(-100, 100), st.floats(0.001, 0.999))
def test_max_distance_is_the_inverse_of_probability(slope, intercept, probability):
    classifier = made(slope, intercept)
    assert classifier.probability(classifier.max_distance(probability)) == pytest.approx(probability, rel=1e-9)


@repeatable
@given(st.floats(0.01, 1000), st.floats(-100, 100), st.lists(st.floats(0, 1e6), min_size=2))
def test_farther_apart_is_never_more_probable(slope, intercept, distances):
    probability = made(slope, intercept).probability(np.sort(distances))
    assert (np.diff(probability) <= 0).all()
    assert ((probability >= 0) & (probability <= 1)).all()


@pytest.mark.parametrize("distance", [0.0, 1e-300, 1e300, np.inf, np.float32(3.4e38)])
def test_extreme_distances_neither_overflow_nor_warn(distance):
    near = made(1e3, -1e3).probability(distance)
    assert near == (1.0 if distance < 1 else 0.0)


def test_the_shape_of_the_distances_is_kept():
    classifier = made(2.0, -1.0)
    assert classifier.probability(np.ones((3, 4), dtype=np.float32)).shape == (3, 4)
    assert classifier.probability(0.5).shape == ()
    assert classifier.probability([]).shape == (0,)


def test_a_probability_that_not_even_equal_vectors_have_is_at_a_negative_distance():
    assert made(2.0, 1.0).max_distance(0.5) < 0


@pytest.mark.parametrize(("duplicate", "found"), [([False] * 4, 0), ([True] * 4, 4), ([], 0)])
def test_labels_of_one_kind_are_refused(duplicate, found):
    with pytest.raises(ClassifierError, match=rf"pairs\.csv has {found} duplicates among {len(duplicate)} .*both"):
        fitted(np.linspace(0, 1, len(duplicate)), duplicate)


def test_swapped_labels_are_refused():
    distance, duplicate = labelled(3)
    with pytest.raises(ClassifierError, match=r"duplicates are not nearer .*check that the labels are not swapped"):
        fitted(distance, ~duplicate)


def test_a_classifier_is_read_as_it_was_written(tmp_path):
    classifier = fitted(*labelled(4))
    indexes = tmp_path / "not yet" / "there"
    file = save_classifier(classifier, indexes)
    assert [path for path in indexes.rglob("*") if path.is_file()] == [file]
    read = load_classifier(indexes, ENCODER, FINGERPRINT, Metric.EUCLIDEAN)
    assert read == classifier
    assert read.identity == classifier.identity
    assert read.fit["labelled"] == 2000


def test_a_second_calibration_replaces_the_first(tmp_path):
    save_classifier(made(2.0, -1.0), tmp_path)
    save_classifier(made(3.0, -1.0), tmp_path)
    assert load_classifier(tmp_path, ENCODER, FINGERPRINT, Metric.EUCLIDEAN).slope == 3.0


def test_identity_differs_wherever_a_probability_could():
    one = made(2.0, -1.0)
    others = [
        made(np.nextafter(2.0, 3.0), -1.0),
        made(2.0, np.nextafter(-1.0, 0.0)),
        Classifier(ENCODER, "cd" * 32, Metric.EUCLIDEAN, 2.0, -1.0, {}),
        Classifier(ENCODER, FINGERPRINT, Metric.MANHATTAN, 2.0, -1.0, {}),
    ]
    assert len({one.identity, *(other.identity for other in others)}) == 5
    assert Classifier("another name", FINGERPRINT, Metric.EUCLIDEAN, 2.0, -1.0, {"pairs": "x"}).identity == one.identity


def test_none_for_this_encoder_or_metric_says_how_to_get_one(tmp_path):
    save_classifier(made(2.0, -1.0), tmp_path)
    for fingerprint, metric in (("cd" * 32, Metric.EUCLIDEAN), (FINGERPRINT, Metric.MANHATTAN)):
        with pytest.raises(ClassifierError, match=f"dedup calibrate PAIRS --encoder trigrams --metric {metric}"):
            load_classifier(tmp_path, ENCODER, fingerprint, metric)


def without(key):
    return lambda fields: fields.pop(key)


@pytest.mark.parametrize(
    "change",
    [
        without("format"),
        without("slope"),
        without("metric"),
        lambda fields: fields.update(format=2),
        lambda fields: fields.update(more=1),
        lambda fields: fields.update(metric="cosine"),
        lambda fields: fields.update(slope="2"),
        lambda fields: fields.update(slope=None),
        lambda fields: fields.update(slope=-2.0),
        lambda fields: fields.update(slope=0),
        lambda fields: fields.update(slope=float("nan")),
        lambda fields: fields.update(intercept=float("inf")),
        lambda fields: fields.update(intercept=10**400),
    ],
)
def test_a_file_with_other_contents_is_refused_by_name(tmp_path, change):
    classifier = made(2.0, -1.0)
    fields = classifier.to_json()
    change(fields)
    file = save_classifier(classifier, tmp_path)
    file.write_text(json.dumps(fields))
    with pytest.raises(ClassifierError, match=rf"{file.name} is not a classifier .*run `dedup calibrate`"):
        load_classifier(tmp_path, ENCODER, FINGERPRINT, Metric.EUCLIDEAN)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"3", b"\xff\xfe\x00", b'{"format": 1}'])
def test_a_damaged_file_is_refused_by_name(tmp_path, content):
    file = save_classifier(made(2.0, -1.0), tmp_path)
    file.write_bytes(content)
    with pytest.raises(ClassifierError, match=rf"{file.name} is not a classifier"):
        load_classifier(tmp_path, ENCODER, FINGERPRINT, Metric.EUCLIDEAN)


@pytest.mark.parametrize(
    "other",
    [
        Classifier("another", FINGERPRINT[:16] + "c" * 48, Metric.EUCLIDEAN, 2.0, -1.0, {}),
        Classifier("another", FINGERPRINT, Metric.MANHATTAN, 2.0, -1.0, {}),
    ],
)
def test_a_file_of_another_encoder_or_metric_is_refused(tmp_path, other):
    file = save_classifier(made(2.0, -1.0), tmp_path)
    file.write_text(json.dumps(other.to_json()))
    with pytest.raises(ClassifierError, match=r"belongs to the encoder another with the \w+ distance, asked for was"):
        load_classifier(tmp_path, ENCODER, FINGERPRINT, Metric.EUCLIDEAN)
