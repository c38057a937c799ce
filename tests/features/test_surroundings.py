"""Crowding against exact search, and that it depends on the corpus alone."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import clustered_unit_rows, random_unit_rows
from scipy.spatial.distance import cdist

from dedup.features.surroundings import FEWEST, Reference, choose_reference, crowding
from dedup.questions import Float32, Keys, Metric
from dedup.reference import REFERENCE_SIZE
from dedup.text import key_array

SCIPY = {Metric.MANHATTAN: "cityblock", Metric.EUCLIDEAN: "euclidean"}
STEP = 1 / 64  # half a step of six binary digits, at the most
TOLERANCE = {Metric.MANHATTAN: STEP + 0.015, Metric.EUCLIDEAN: STEP + 1e-6}
metrics = pytest.mark.parametrize("metric", list(Metric))


def some_keys(seed: int, n: int) -> Keys:
    random = np.random.default_rng(seed)
    return key_array([random.bytes(16) for _ in range(n)])


def corpus(n: int, dimension: int = 64) -> tuple[Keys, Float32]:
    return some_keys(n, n), clustered_unit_rows(n, n, dimension, groups=max(2, n // 40), spread=0.8)


def exactly(keys: Keys, vectors: Float32, reference: Reference, metric: Metric, first: int, last: int) -> np.ndarray:
    apart = cdist(vectors.astype(np.float64), reference.vectors.astype(np.float64), SCIPY[metric])
    apart[keys[:, None] == reference.keys[None, :]] = np.inf
    return 1 / np.sort(apart, axis=1)[:, first - 1 : last].mean(axis=1)


@metrics
@pytest.mark.parametrize(("n", "first", "last"), [(5000, 5, 15), (2048, 2, 8), (FEWEST, 2, 5)])
def test_crowding_is_the_inverse_of_a_mean_distance(metric: Metric, n: int, first: int, last: int) -> None:
    keys, vectors = corpus(n)
    reference = choose_reference(keys, vectors)
    assert reference.ranks == (first, last)
    asked = slice(0, 600)
    expected = exactly(keys[asked], vectors[asked], reference, metric, first, last)
    found = crowding(keys[asked], vectors[asked], reference, metric)
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE[metric])
    assert np.corrcoef(found, expected)[0, 1] > 0.98
    assert found.dtype == np.float32


def test_the_reference_is_the_smallest_keys_whatever_the_order() -> None:
    keys, vectors = corpus(REFERENCE_SIZE + 500, dimension=8)
    order = np.random.default_rng(1).permutation(len(keys))
    reference, shuffled = choose_reference(keys, vectors), choose_reference(keys[order], vectors[order])
    np.testing.assert_array_equal(reference.keys, np.sort(keys)[:REFERENCE_SIZE])
    np.testing.assert_array_equal(reference.keys, shuffled.keys)
    np.testing.assert_array_equal(reference.vectors, shuffled.vectors)


@metrics
def test_a_question_does_not_depend_on_those_asked_with_it(metric: Metric, monkeypatch: pytest.MonkeyPatch) -> None:
    keys, vectors = corpus(1500, dimension=96)
    reference = choose_reference(keys, vectors)
    at_once = crowding(keys, vectors, reference, metric)
    order = np.random.default_rng(2).permutation(len(keys))
    monkeypatch.setattr("dedup.reference.nearest._BLOCK", 101)
    monkeypatch.setattr("dedup.features.surroundings._BLOCK", 7)
    np.testing.assert_array_equal(crowding(keys[order], vectors[order], reference, metric), at_once[order])
    for at in range(0, 1500, 250):
        np.testing.assert_array_equal(crowding(keys[[at]], vectors[[at]], reference, metric), at_once[[at]])


def test_itself_is_known_by_its_key_and_equal_vectors_of_others_count() -> None:
    keys, vectors = corpus(FEWEST)
    vectors[:5] = vectors[0]
    reference = choose_reference(keys, vectors)
    inside = crowding(keys[:1], vectors[:1], reference, Metric.EUCLIDEAN)
    outside = crowding(some_keys(99, 1), vectors[:1], reference, Metric.EUCLIDEAN)
    fifth = exactly(keys[:1], vectors[:1], reference, Metric.EUCLIDEAN, 5, 5)
    assert outside == pytest.approx(100, rel=STEP)  # the second to the fifth of five equal ones: the most there is
    assert inside == pytest.approx(4 * fifth, rel=STEP)


@metrics
def test_a_question_among_many_is_more_crowded_than_one_by_itself(metric: Metric) -> None:
    crowd = clustered_unit_rows(5, 1000, 64, groups=1, spread=0.3)
    alone = random_unit_rows(7, 300, 64)
    vectors, keys = np.concatenate([crowd, alone]), some_keys(6, 1300)
    found = crowding(keys, vectors, choose_reference(keys, vectors), metric)
    assert found[:1000].min() > found[1000:].max()


def test_a_small_corpus_has_no_surroundings() -> None:
    keys, vectors = corpus(FEWEST - 1, dimension=8)
    reference = choose_reference(keys, vectors)
    assert np.isnan(crowding(keys, vectors, reference, Metric.EUCLIDEAN)).all()
    assert reference.ranks[0] == 1  # the nearest of all: why it is too small


@metrics
def test_the_same_questions_are_about_as_crowded_whatever_the_size_of_the_corpus(metric: Metric) -> None:
    """The ranks are in proportion, so that what a classifier was fitted on can be compared with what it judges."""
    vectors, keys = random_unit_rows(8, 5000, 64), some_keys(9, 5000)
    means = [
        float(crowding(keys[:300], vectors[:300], choose_reference(keys[:n], vectors[:n]), metric).mean())
        for n in (FEWEST, 2500, 5000)
    ]
    assert max(means) / min(means) < 1.01


@metrics
def test_a_few_other_questions_in_the_sample_leave_most_questions_as_crowded_as_they_were(metric: Metric) -> None:
    """Else every night would write all pairs anew."""
    keys, vectors = corpus(REFERENCE_SIZE)
    others = clustered_unit_rows(12, 40, 64, groups=40, spread=0.8)
    before, after = Reference(keys, vectors), Reference(keys, np.concatenate([others, vectors[40:]]))
    then, now = (crowding(keys[:800], vectors[:800], each, metric) for each in (before, after))
    assert (then != now).mean() < 0.2
    np.testing.assert_allclose(then, now, rtol=0.04)


def test_no_question_asked_about() -> None:
    keys, vectors = corpus(FEWEST)
    assert crowding(keys[:0], vectors[:0], choose_reference(keys, vectors), Metric.EUCLIDEAN).shape == (0,)
