"""An index is tuned until it keeps the recall floor, states the recall it has, and is the same every time."""

import numpy as np
import pytest
from oracles import clustered_unit_rows, random_unit_rows

from dedup.distance import cross_distances
from dedup.index import FLAT_UP_TO, FaissIndex, build, build_index, train_centroids
from dedup.progress import Silent
from dedup.questions import Float32, Metric
from dedup.settings import IndexKind

metrics = pytest.mark.parametrize("metric", list(Metric))
K = 10


@pytest.fixture(scope="module")
def vectors() -> Float32:
    return clustered_unit_rows(11, 3000, 24, groups=100, spread=0.8)


@pytest.fixture(scope="module")
def centroids(vectors) -> Float32:
    return train_centroids(vectors, IndexKind.IVF)


def built(vectors: Float32, metric: Metric, centroids: Float32 | None, floor: float) -> FaissIndex:
    return build_index(vectors, metric, centroids, recall_floor=floor, progress=Silent())


def recall_among_others(index: FaissIndex, vectors: Float32, rows: np.ndarray) -> float:
    """Return the share of each row's true neighbours found, by distance to the k-th, the row itself aside."""
    truth = np.sort(cross_distances(vectors[rows], vectors, index.metric), axis=1)[:, K : K + 1]
    found = index.search(vectors[rows], K + 1)
    others = np.where(found.rows == rows[:, None], np.inf, found.distance)
    return float(((others <= truth * (1 + 1e-6)).sum(axis=1).clip(max=K) / K).mean())


@metrics
@pytest.mark.parametrize("floor", [0.8, 0.95, 0.99])
def test_the_floor_is_kept_and_the_recall_stated_is_the_recall_there_is(metric, floor, vectors, centroids):
    index = built(vectors, metric, centroids, floor)
    others = np.random.default_rng(12).choice(len(vectors), 500, replace=False)
    measured = recall_among_others(index, vectors, others)
    assert index.recall >= floor
    assert index.recall == pytest.approx(measured, abs=0.02)
    assert measured >= floor - 0.01
    assert index.kind is IndexKind.IVF


@metrics
def test_a_higher_floor_looks_into_more_cells_but_not_into_all_for_nothing(metric, vectors, centroids):
    probes = [built(vectors, metric, centroids, floor).probes for floor in (0.5, 0.9, 0.99)]
    assert probes == sorted(probes)
    assert probes[0] < probes[-1] < len(centroids)


@metrics
def test_a_floor_of_one_is_kept(metric, vectors, centroids):
    index = built(vectors, metric, centroids, 1.0)
    assert index.recall == recall_among_others(index, vectors, np.arange(len(vectors))) == 1.0


@metrics
def test_without_cells_search_is_exact_and_says_so(metric, vectors):
    index = built(vectors, metric, None, 1.0)
    assert (index.kind, index.recall, index.cells, index.probes) == (IndexKind.FLAT, 1.0, 1, 1)
    assert recall_among_others(index, vectors, np.arange(200)) == 1.0


@metrics
def test_where_the_second_sample_is_under_the_floor_every_cell_is_looked_into(metric, vectors, centroids, monkeypatch):
    said = iter([1.0, 0.5])  # the tuning sample is content with one cell, the other one is not
    monkeypatch.setattr(build, "_recall", lambda *_: next(said))
    index = built(vectors, metric, centroids, 0.99)
    assert (index.probes, index.recall) == (len(centroids), 1.0)
    assert recall_among_others(index, vectors, np.arange(200)) == 1.0


@metrics
@pytest.mark.parametrize("rows", [4, 5, 8, 11, 12])
def test_recall_on_a_few_rows_is_not_made_up_of_neighbours_there_are_none_of(metric, rows, monkeypatch):
    monkeypatch.setattr(FaissIndex, "cells", 1)
    vectors = random_unit_rows(13, rows, 8)
    index = built(vectors, metric, train_centroids(vectors, IndexKind.IVF), 0.0)
    sampled = np.random.default_rng(build._SEED).permutation(rows)[1::2]
    found = index.search(vectors[sampled], K + 1)
    others = ((found.rows >= 0) & (found.rows != sampled[:, None])).sum(axis=1).clip(max=K)
    assert index.recall == pytest.approx(others.sum() / (min(K, rows - 1) * len(sampled)))
    assert index.recall < 1


@metrics
def test_building_twice_gives_the_same_index(metric, vectors, centroids, tmp_path):
    again = train_centroids(vectors, IndexKind.IVF)
    np.testing.assert_array_equal(again, centroids)
    for name, cells in (("one", centroids), ("other", again)):
        built(vectors, metric, cells, 0.95).save(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


@pytest.mark.parametrize(
    ("kind", "rows", "flat"),
    [
        (IndexKind.FLAT, 1000, True),
        (IndexKind.AUTO, 1000, True),
        (IndexKind.IVF, 1000, False),
        (IndexKind.IVF, 3, True),
        (IndexKind.IVF, 4, False),
        (IndexKind.AUTO, FLAT_UP_TO, True),
        (IndexKind.AUTO, FLAT_UP_TO + 1, False),
    ],
)
def test_cells_are_for_large_corpora_and_for_those_who_ask(kind, rows, flat):
    centroids = train_centroids(random_unit_rows(14, rows, 2), kind)
    assert (centroids is None) == flat
    if centroids is not None:
        assert 2 <= len(centroids) <= rows // 2


@metrics
def test_a_thousand_equal_vectors_are_indexed_all_the_same(metric):
    vectors = np.repeat(random_unit_rows(15, 1, 8), 1000, axis=0)
    index = built(vectors, metric, train_centroids(vectors, IndexKind.IVF), 0.99)
    assert index.recall == 1.0
    assert index.search(vectors[:1], 5).distance.tolist() == [[0.0] * 5]
