"""The two distances are SciPy's, and distances."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import grid_vectors, random_unit_rows, repeatable
from scipy.spatial.distance import cdist

from dedup.distance import cross_distances, distance, pair_distances
from dedup.questions import Metric

SCIPY = {Metric.MANHATTAN: "cityblock", Metric.EUCLIDEAN: "euclidean"}
metrics = pytest.mark.parametrize("metric", list(Metric))


@metrics
@pytest.mark.parametrize("dimension", [1, 7, 384])
def test_distances_are_those_of_scipy_in_double_precision(metric, dimension):
    queries, stored = random_unit_rows(1, 40, dimension), random_unit_rows(2, 60, dimension)
    expected = cdist(queries.astype(np.float64), stored.astype(np.float64), SCIPY[metric])
    np.testing.assert_allclose(cross_distances(queries, stored, metric), expected, rtol=2e-6, atol=1e-7)


@metrics
def test_a_distance_does_not_depend_on_what_else_is_measured_with_it(metric):
    vectors = random_unit_rows(3, 500, 384)
    left, right = np.divmod(np.arange(0, 250_000, 7), 500)
    at_once = pair_distances(vectors, left, right, metric)
    np.testing.assert_array_equal(at_once, cross_distances(vectors, vectors, metric)[left, right])
    for at in range(0, len(left), 997):
        alone = distance(vectors[left[at]][None, :], vectors[right[at]][None, :], metric)
        assert alone[0] == at_once[at]


@metrics
@pytest.mark.parametrize("pairs", [0, 1, 9, 10, 11])
def test_pairs_are_measured_across_the_border_of_a_block(metric, pairs, monkeypatch):
    monkeypatch.setattr("dedup.distance._CHUNK_BYTES", 5 * 4 * 16)  # blocks of 5 pairs
    vectors = random_unit_rows(4, 12, 16)
    left, right = np.arange(pairs), np.arange(pairs)[::-1].copy()
    expected = cdist(vectors, vectors, SCIPY[metric])[left, right]
    np.testing.assert_allclose(pair_distances(vectors, left, right, metric), expected, rtol=1e-5, atol=1e-6)


@metrics
@repeatable
@given(grid_vectors(8))
def test_symmetric_and_zero_exactly_between_equal_rows(metric, vectors):
    found = cross_distances(vectors, vectors, metric)
    np.testing.assert_array_equal(found, found.T)
    equal = (vectors[:, None, :] == vectors[None, :, :]).all(axis=2)
    np.testing.assert_array_equal(found == 0, equal)


@metrics
@repeatable
@given(st.integers(0, 2**32 - 1))
def test_no_detour_is_shorter(metric, seed):
    found = cross_distances(*[random_unit_rows(seed, 9, 24)] * 2, metric)
    detour = (found[:, :, None] + found[None, :, :]).min(axis=1)
    assert (found <= detour * (1 + 1e-5)).all()


@metrics
def test_near_duplicates_keep_their_distance(metric):
    """The expansion |a|^2 + |b|^2 - 2ab gives 0, or not a number, here."""
    vector = random_unit_rows(5, 1, 384)
    for step in (1e-3, 1e-5, 1e-6):
        moved = (vector.astype(np.float64) + step * random_unit_rows(6, 1, 384)).astype(np.float32)
        expected = cdist(vector.astype(np.float64), moved.astype(np.float64), SCIPY[metric])
        np.testing.assert_allclose(distance(vector, moved, metric), expected[0], rtol=1e-5)
        assert distance(vector, moved, metric)[0] > 0


@metrics
@pytest.mark.parametrize(("queries", "stored"), [(0, 3), (3, 0), (0, 0)])
def test_nothing_measured_against_something_is_an_empty_table(metric, queries, stored):
    found = cross_distances(random_unit_rows(7, queries, 5), random_unit_rows(8, stored, 5), metric)
    assert found.shape == (queries, stored)
    assert found.dtype == np.float32
