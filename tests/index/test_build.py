"""An index is tuned until it keeps the recall floor, states the recall it has, and is the same every time."""

import numpy as np
import pytest
from oracles import clustered_unit_rows, random_unit_rows

from dedup.distance import cross_distances
from dedup.index import FLAT_UP_TO, FaissIndex, approximates, build, build_index, ranking
from dedup.index.ranking import exact_neighbours, recall
from dedup.progress import Silent
from dedup.questions import Float32, Metric, Neighbours
from dedup.settings import IndexKind

metrics = pytest.mark.parametrize("metric", list(Metric))
K = 10


@pytest.fixture(scope="module")
def vectors() -> Float32:
    return clustered_unit_rows(11, 3000, 24, groups=100, spread=0.8)


def built(vectors: Float32, metric: Metric, floor: float, kind: IndexKind = IndexKind.PQ) -> FaissIndex:
    return build_index(vectors, metric, kind, recall_floor=floor, progress=Silent())


def recall_among_others(index: FaissIndex, vectors: Float32, rows: np.ndarray) -> float:
    """Return the share of each row's true neighbours found, by distance to the k-th, the row itself aside."""
    truth = np.sort(cross_distances(vectors[rows], vectors, index.metric), axis=1)[:, K : K + 1]
    found = index.search(vectors[rows], K + 1)
    others = np.where(found.rows == rows[:, None], np.inf, found.distance)
    return float(((others <= truth * (1 + 1e-6)).sum(axis=1).clip(max=K) / K).mean())


@metrics
@pytest.mark.parametrize("floor", [0.8, 0.95, 0.99])
def test_the_floor_is_kept_and_the_recall_stated_is_the_recall_there_is(metric, floor, vectors):
    index = built(vectors, metric, floor)
    others = np.random.default_rng(12).choice(len(vectors), 500, replace=False)
    measured = recall_among_others(index, vectors, others)
    assert index.recall >= floor
    assert index.recall == pytest.approx(measured, abs=0.02)
    assert measured >= floor - 0.01
    assert index.kind is IndexKind.PQ


@metrics
def test_a_higher_floor_proposes_more_candidates_but_not_the_most_for_nothing(metric, vectors, monkeypatch):
    monkeypatch.setattr(build, "_PROPOSED", (1, 2, 4, 8, 256))
    proposed = [built(vectors, metric, floor).proposed for floor in (0.5, 0.9, 0.99)]
    assert proposed == sorted(proposed)
    assert proposed[0] < proposed[-1] < 256


@metrics
@pytest.mark.parametrize("kind", [IndexKind.FLAT, IndexKind.PQ])
def test_where_nothing_may_be_missed_search_is_exact_and_says_so(metric, kind, vectors):
    index = built(vectors, metric, 1.0, kind)
    assert (index.kind, index.recall) == (IndexKind.FLAT, 1.0)
    assert recall_among_others(index, vectors, np.arange(200)) == 1.0


@metrics
def test_where_the_second_sample_is_under_the_floor_the_index_is_flat(metric, vectors, monkeypatch, caplog):
    said = iter([1.0, 0.5])  # the tuning sample is content at once, the other one is not
    monkeypatch.setattr(build, "recall", lambda *_: next(said))
    index = built(vectors, metric, 0.99)
    assert (index.kind, index.recall) == (IndexKind.FLAT, 1.0)
    assert recall_among_others(index, vectors, np.arange(200)) == 1.0
    assert "the codes find 0.5000 of the neighbours, the recall floor is 0.99" in caplog.text


@metrics
@pytest.mark.parametrize("rows", [5, 8, 11, 12])
def test_recall_on_a_few_rows_is_not_made_up_of_neighbours_there_are_none_of(metric, rows):
    vectors = random_unit_rows(13, rows, 8)
    every = np.arange(rows)
    truth = exact_neighbours(vectors, every, K, metric)
    assert np.isfinite(truth.distance).sum() == rows * min(K, rows - 1)
    assert recall(truth, truth) == 1.0
    fewer = Neighbours(truth.rows.copy(), truth.distance.copy())
    fewer.distance[:, 0] = np.inf
    assert recall(fewer, truth) == pytest.approx(1 - 1 / min(K, rows - 1))


@metrics
def test_exact_neighbours_are_those_of_brute_force_without_the_row_itself(metric, vectors, monkeypatch):
    monkeypatch.setattr(ranking, "_BLOCK", 700)
    asked = np.array([3, 700, 2999])
    table = cross_distances(vectors[asked], vectors, metric)
    table[np.arange(3), asked] = np.inf
    found = exact_neighbours(vectors, asked, K, metric)
    np.testing.assert_array_equal(found.rows, np.argsort(table, axis=1, kind="stable")[:, :K])
    np.testing.assert_array_equal(found.distance, np.sort(table, axis=1)[:, :K])


@metrics
def test_building_twice_gives_the_same_index(metric, vectors, tmp_path):
    for name in ("one", "other"):
        built(vectors, metric, 0.95).save(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


@pytest.mark.parametrize(
    ("kind", "rows", "approximate"),
    [
        (IndexKind.FLAT, 10**9, False),
        (IndexKind.AUTO, 1000, False),
        (IndexKind.PQ, 1000, True),
        (IndexKind.PQ, 3, False),
        (IndexKind.AUTO, FLAT_UP_TO, False),
        (IndexKind.AUTO, FLAT_UP_TO + 1, True),
    ],
)
def test_codes_are_for_large_corpora_and_for_those_who_ask(kind, rows, approximate):
    assert approximates(rows, kind) == approximate


@metrics
def test_a_thousand_equal_vectors_are_indexed_all_the_same(metric):
    vectors = np.repeat(random_unit_rows(15, 1, 8), 1000, axis=0)
    index = built(vectors, metric, 0.99)
    assert index.recall == 1.0
    assert index.search(vectors[:1], 5).distance.tolist() == [[0.0] * 5]
