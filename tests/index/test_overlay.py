"""A generation and what was recorded since are searched as one index of both would be."""

from dataclasses import replace

import numpy as np
import pytest
from oracles import clustered_unit_rows

from dedup.distance import cross_distances
from dedup.index import Generation, Overlay, Sample, build_index
from dedup.progress import Silent
from dedup.questions import Metric
from dedup.settings import IndexKind
from dedup.text import key_array, text_key

VECTORS = clustered_unit_rows(3, 400, 16, groups=40, spread=0.5)
KEYS = np.sort(key_array(text_key(str(n)) for n in range(400)))
NO_WORDS = np.empty((2, 0), dtype=np.int32)


def overlay(metric, rows=250):
    index = build_index(VECTORS[:rows], metric, IndexKind.FLAT, recall_floor=0.9, progress=Silent())
    return Overlay(Generation("g", index, KEYS[:rows], rows, Sample(KEYS[:50], VECTORS[:50], NO_WORDS), None, {}))


@pytest.mark.parametrize("metric", list(Metric))
@pytest.mark.parametrize("k", [1, 7, 500])
def test_it_finds_what_exact_search_of_everything_finds(metric, k):
    grown = overlay(metric)
    for start in range(250, 400, 50):
        grown = grown.adding(KEYS[start : start + 50], VECTORS[start : start + 50])
    asked = clustered_unit_rows(4, 9, 16, groups=3, spread=0.5)
    found = grown.search(asked, k)
    truth = cross_distances(asked, VECTORS, metric)
    nearest = np.argsort(truth, axis=1, kind="stable")[:, :k]
    count = nearest.shape[1]
    np.testing.assert_allclose(found.distance[:, :count], np.take_along_axis(truth, nearest, axis=1), rtol=1e-6)
    assert np.isinf(found.distance[:, count:]).all()
    np.testing.assert_array_equal(grown.keys(found.rows[:, :count]), KEYS[found.rows[:, :count]])
    rows = np.array([0, 249, 250, 399, 251])
    np.testing.assert_array_equal(grown.vectors(rows), VECTORS[rows])
    assert len(grown) == 400


def test_what_was_made_before_is_not_touched_by_what_is_added():
    first = overlay(Metric.EUCLIDEAN).adding(KEYS[250:251], VECTORS[250:251])
    found = first.search(VECTORS[250:260], 5)
    second = first
    for row in range(251, 400):  # beyond the room that there is at first
        second = second.adding(KEYS[row : row + 1], VECTORS[row : row + 1])
    again = first.search(VECTORS[250:260], 5)
    np.testing.assert_array_equal(found.rows, again.rows)
    np.testing.assert_array_equal(found.distance, again.distance)
    assert (len(first), len(second)) == (251, 400)
    np.testing.assert_array_equal(second.added_vectors, VECTORS[250:])


def test_missing_are_the_keys_that_it_has_not():
    grown = overlay(Metric.EUCLIDEAN).adding(KEYS[300:310], VECTORS[300:310])
    asked = np.concatenate([KEYS[[320, 5, 305, 399]], KEYS[[320, 249]]])
    np.testing.assert_array_equal(grown.missing(asked), KEYS[[320, 399]])
    assert len(grown.missing(KEYS[:0])) == 0


def test_over_an_amended_index_the_dead_are_missing_and_the_appended_are_not():
    base, rows = 200, 260
    dead = np.zeros(rows, dtype=bool)
    dead[[3, 150, 255]] = True
    order = np.concatenate([np.arange(base), np.arange(rows - 1, base - 1, -1)])  # what is appended need not ascend
    keys, vectors = KEYS[order], VECTORS[order]
    index = build_index(vectors[:base], Metric.EUCLIDEAN, IndexKind.FLAT, recall_floor=0.9, progress=Silent())
    index = index.amended(vectors[base:], dead, vectors)
    grown = Overlay(Generation("g", index, keys, base, Sample(KEYS[:50], VECTORS[:50], NO_WORDS), None, {}))
    np.testing.assert_array_equal(np.sort(grown.missing(KEYS)), np.sort(np.concatenate([keys[dead], KEYS[rows:]])))
    grown = grown.adding(keys[[3]], vectors[[3]])  # a text that comes back
    found = grown.search(vectors[[3, 255]], 1)
    np.testing.assert_array_equal(grown.keys(found.rows)[0], keys[[3]])
    assert grown.keys(found.rows)[1] != keys[255]
    np.testing.assert_array_equal(grown.vectors(found.rows[0]), vectors[[3]])
    assert len(grown) == rows - 3 + 1


def test_of_what_lies_over_a_generation_the_crowding_is_not_known():
    crowding = np.linspace(1, 2, 250, dtype=np.float32)
    known = Overlay(replace(overlay(Metric.EUCLIDEAN).generation, crowding=crowding))
    grown = known.adding(KEYS[250:252], VECTORS[250:252])
    np.testing.assert_array_equal(grown.crowding(np.array([249, 251, 3])), [crowding[249], np.nan, crowding[3]])
    assert np.isnan(overlay(Metric.EUCLIDEAN).crowding(np.array([0, 249]))).all()
