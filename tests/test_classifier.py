"""The probability is scikit-learn's, its inverse is its inverse, and a file that is not a classifier is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import repeatable
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from dedup import classifier as module
from dedup.classifier import (
    Classifier,
    Feature,
    fit_classifier,
    load_classifier,
    save_classifier,
    shipped_classifier,
)
from dedup.errors import ClassifierError, NoClassifier
from dedup.questions import NATURAL_PRIOR, Metric

ENCODER, FINGERPRINT = "trigrams", "ab" * 32
CROWDING = Feature("crowding", 2.5, 0.8, 0.5, 1.25)
SWAPPED = Feature("swapped", -1.5, 0.0, 0.0, 1.0)


def labelled(seed: int, pairs: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    duplicate = random.random(pairs) < 0.2
    return np.abs(random.normal(np.where(duplicate, 0.6, 1.0), 0.2)), duplicate


def fitted(distance, duplicate, features=None, **fit) -> Classifier:
    return fit_classifier(
        distance,
        duplicate,
        features,
        encoder=ENCODER,
        fingerprint=FINGERPRINT,
        metric=Metric.EUCLIDEAN,
        pairs="pairs.csv",
        **fit,
    )


def made(slope: float, intercept: float, *features: Feature) -> Classifier:
    return Classifier(ENCODER, FINGERPRINT, Metric.EUCLIDEAN, slope, intercept, features, NATURAL_PRIOR, {})


def described(seed: int, pairs: int = 20_000) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Return distances, labels and features that come true as often as a classifier says that is known."""
    random = np.random.default_rng(seed)
    distance = random.uniform(0, 2, pairs)
    features = {"crowding": random.normal(0.8, 0.15, pairs), "swapped": (random.random(pairs) < 0.1).astype(float)}
    truth = made(6.0, -5.0, CROWDING, SWAPPED).probability(distance, features)
    return distance, random.random(pairs) < truth, features


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


@pytest.mark.parametrize("prior", [0.1, 0.5])
def test_probabilities_with_features_are_those_of_scikit_learn_on_what_the_features_say(prior):
    distance, duplicate, features = described(5)
    features["crowding"][:500] = np.nan
    low, high = np.nanquantile(features["crowding"], [0.01, 0.99])
    crowding = np.clip(np.nan_to_num(features["crowding"], nan=np.nanmedian(features["crowding"])), low, high)
    columns = np.column_stack([distance, crowding, features["swapped"]])
    share = duplicate.mean()
    oracle = LogisticRegression(C=1e12, solver="newton-cholesky", tol=1e-10)
    oracle.fit(columns, duplicate, sample_weight=np.where(duplicate, prior / share, (1 - prior) / (1 - share)))
    classifier = fitted(distance, duplicate, features, prior=prior)
    assert classifier.feature_names == ("crowding", "swapped")
    assert classifier.prior == prior
    np.testing.assert_allclose(
        classifier.probability(distance, features), oracle.predict_proba(columns)[:, 1], atol=1e-5
    )


def test_the_true_weights_of_the_features_are_found_again():
    distance, duplicate, features = described(6, 200_000)
    crowding, swapped = fitted(distance, duplicate, features, prior=float(duplicate.mean())).features
    assert (crowding.weight, swapped.weight) == pytest.approx((2.5, -1.5), abs=0.15)
    assert (crowding.typical, crowding.low, crowding.high) == pytest.approx((0.8, 0.451, 1.149), abs=0.01)
    assert (swapped.typical, swapped.low, swapped.high) == (0.0, 0.0, 1.0)  # rarer than a quantile would see


@pytest.mark.parametrize("value", [3.0, 1.0, 0.0, np.nan])
def test_a_feature_that_does_not_vary_is_left_out(value):
    distance, duplicate, features = described(7, 2000)
    with_length = {**features, "length": np.full(2000, value)}
    assert fitted(distance, duplicate, with_length) == fitted(distance, duplicate, features)


@repeatable
@given(st.floats(-10, 10), st.one_of(st.floats(-100, 100), st.just(float("nan"))))
def test_a_feature_says_no_more_beyond_its_range_and_nothing_where_it_is_not_known(weight, value):
    feature = Feature("crowding", weight, 0.8, 0.5, 1.25)
    added = float(feature.log_odds(value))
    inside = 0.8 if np.isnan(value) else min(max(value, 0.5), 1.25)
    assert added == pytest.approx(weight * (inside - 0.8), abs=1e-12)
    assert added <= feature.most


def test_without_features_all_are_typical():
    classifier = made(6.0, -5.0, CROWDING, SWAPPED)
    distance = np.linspace(0, 2, 9)
    typical = {"crowding": np.full(9, 0.8), "swapped": np.zeros(9)}
    np.testing.assert_array_equal(classifier.probability(distance), classifier.probability(distance, typical))
    unknown = {"crowding": np.full(9, np.nan), "swapped": np.full(9, np.nan)}
    np.testing.assert_array_equal(classifier.probability(distance), classifier.probability(distance, unknown))


@repeatable
@given(st.floats(0.01, 100), st.floats(-20, 20), st.floats(0.001, 0.999), st.floats(-5, 5), st.floats(-5, 5))
def test_beyond_its_reach_no_pair_has_the_probability_and_at_it_the_best_one_has(slope, intercept, wanted, one, other):
    classifier = made(slope, intercept, replace(CROWDING, weight=one), replace(SWAPPED, weight=other))
    best = {
        "crowding": np.array(1.25 if one > 0 else 0.5),
        "swapped": np.array(1.0 if other > 0 else 0.0),
    }
    reach = classifier.reach(wanted)
    assert classifier.probability(reach, best) == pytest.approx(wanted, rel=1e-9)
    for crowding in (0.0, 0.5, 0.8, 1.25, 9.0):
        for swapped in (0.0, 1.0):
            features = {"crowding": np.array(crowding), "swapped": np.array(swapped)}
            assert classifier.probability(reach, features) <= wanted * (1 + 1e-9)


@repeatable
@given(st.floats(0.001, 0.999), st.floats(0.001, 0.999), st.floats(0, 2))
def test_another_prior_scales_the_odds_and_there_is_a_way_back(before, after, distance):
    classifier = replace(made(6.0, -5.0, CROWDING), prior=before)
    moved = classifier.at_prior(after)
    shift = logit(after) - logit(before)
    assert moved.probability(distance) == pytest.approx(expit(logit(classifier.probability(distance)) + shift))
    assert moved.prior == after
    assert moved.at_prior(before).intercept == pytest.approx(classifier.intercept, abs=1e-9)


def test_the_classifier_at_another_prior_is_the_one_that_is_fitted_for_it():
    distance, duplicate, features = described(8, 200_000)
    there = fitted(distance, duplicate, features, prior=0.5)
    moved = fitted(distance, duplicate, features, prior=0.2).at_prior(0.5)
    np.testing.assert_allclose(moved.probability(distance, features), there.probability(distance, features), atol=0.01)


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


def test_labels_that_the_distance_separates_without_a_mistake_are_refused():
    distance = np.linspace(0, 1, 40)
    with pytest.raises(ClassifierError, match=r"40 labelled pairs of pairs\.csv can be separated without a mistake"):
        fitted(distance, distance < 0.5)


@pytest.mark.parametrize("prior", [0.0, 1.0, -0.5, np.nan])
def test_a_prior_that_cannot_be_is_refused(prior):
    with pytest.raises(ClassifierError, match="expected a share of duplicates above 0 and below 1"):
        fitted(*labelled(4), prior=prior)


def test_a_classifier_is_read_as_it_was_written(tmp_path):
    classifier = fitted(*described(4, 2000))
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
        replace(one, fingerprint="cd" * 32),
        replace(one, metric=Metric.MANHATTAN),
        one.at_prior(0.3),
        made(2.0, -1.0, CROWDING),
        *(
            made(2.0, -1.0, replace(CROWDING, **{field: np.nextafter(getattr(CROWDING, field), 9.0)}))
            for field in ("weight", "typical", "low", "high")
        ),
        made(2.0, -1.0, replace(CROWDING, name="length")),
    ]
    assert len({one.identity, *(other.identity for other in others)}) == 1 + len(others)
    assert replace(one, encoder="another name", fit={"pairs": "x"}).identity == one.identity


def test_none_for_this_encoder_or_metric_says_how_to_get_one(tmp_path):
    save_classifier(made(2.0, -1.0), tmp_path)
    for fingerprint, metric in (("cd" * 32, Metric.EUCLIDEAN), (FINGERPRINT, Metric.MANHATTAN)):
        with pytest.raises(NoClassifier, match=f"dedup calibrate PAIRS --encoder trigrams --metric {metric}"):
            load_classifier(tmp_path, ENCODER, fingerprint, metric)


def test_ones_own_classifier_goes_before_the_shipped_one(tmp_path, monkeypatch):
    package = tmp_path / "package"
    shipped = save_classifier(made(2.0, -1.0), package)
    monkeypatch.setattr(module.resources, "files", lambda name: {"dedup": package}[name])
    assert shipped_classifier(FINGERPRINT, Metric.EUCLIDEAN) == made(2.0, -1.0)
    assert shipped_classifier(FINGERPRINT, Metric.MANHATTAN) is None
    indexes = tmp_path / "indexes"
    assert load_classifier(indexes, ENCODER, FINGERPRINT, Metric.EUCLIDEAN).slope == 2.0
    save_classifier(made(3.0, -1.0), indexes)
    assert load_classifier(indexes, ENCODER, FINGERPRINT, Metric.EUCLIDEAN).slope == 3.0
    assert shipped.is_file()


def without(key):
    return lambda fields: fields.pop(key)


@pytest.mark.parametrize(
    "change",
    [
        without("format"),
        without("slope"),
        without("metric"),
        without("prior"),
        lambda fields: fields.update(format=1),
        lambda fields: fields.update(prior=0),
        lambda fields: fields.update(prior=1.5),
        lambda fields: fields.update(prior="0.3"),
        lambda fields: fields.update(features=None),
        lambda fields: fields["features"][0].pop("weight"),
        lambda fields: fields["features"][0].update(weight=float("nan")),
        lambda fields: fields["features"][0].update(high="1"),
        lambda fields: fields["features"][0].update(name="colour"),
        lambda fields: fields["features"][0].update(more=1),
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
    classifier = made(2.0, -1.0, CROWDING)
    fields = json.loads(json.dumps(classifier.to_json()))
    change(fields)
    file = save_classifier(classifier, tmp_path)
    file.write_text(json.dumps(fields))
    with pytest.raises(ClassifierError, match=rf"{file.name} is not a classifier .*run `dedup calibrate`"):
        load_classifier(tmp_path, ENCODER, FINGERPRINT, Metric.EUCLIDEAN)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"3", b"\xff\xfe\x00", b'{"format": 2}'])
def test_a_damaged_file_is_refused_by_name(tmp_path, content):
    file = save_classifier(made(2.0, -1.0), tmp_path)
    file.write_bytes(content)
    with pytest.raises(ClassifierError, match=rf"{file.name} is not a classifier"):
        load_classifier(tmp_path, ENCODER, FINGERPRINT, Metric.EUCLIDEAN)


@pytest.mark.parametrize(
    "other",
    [
        replace(made(2.0, -1.0), encoder="another", fingerprint=FINGERPRINT[:16] + "c" * 48),
        replace(made(2.0, -1.0), encoder="another", metric=Metric.MANHATTAN),
    ],
)
def test_a_file_of_another_encoder_or_metric_is_refused(tmp_path, other):
    file = save_classifier(made(2.0, -1.0), tmp_path)
    file.write_text(json.dumps(other.to_json()))
    with pytest.raises(ClassifierError, match=r"belongs to the encoder another with the \w+ distance, asked for was"):
        load_classifier(tmp_path, ENCODER, FINGERPRINT, Metric.EUCLIDEAN)
