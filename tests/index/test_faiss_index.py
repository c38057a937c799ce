"""An index finds the nearest vectors and tells their true distances, in both metrics, by FAISS and in a database."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from databases import new_database
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import clustered_unit_rows, grid_vectors, random_unit_rows, repeatable
from sqlalchemy import URL

from dedup.artifacts import writing
from dedup.distance import cross_distances, distance
from dedup.errors import ArtifactDamaged, DedupError
from dedup.index import FaissIndex, TableIndex
from dedup.questions import Float32, Metric
from dedup.settings import IndexKind
from dedup.store import Store

ALIVE = np.zeros(1500, dtype=bool)
metrics = pytest.mark.parametrize("metric", list(Metric))
of_faiss = pytest.mark.parametrize("kind", [IndexKind.FLAT, IndexKind.PQ])
kinds = pytest.mark.parametrize("kind", [IndexKind.FLAT, IndexKind.PQ, IndexKind.PGVECTOR])


def index_of(
    vectors: Float32, metric: Metric, kind: IndexKind, proposed: int = 16, tables: Store | None = None
) -> FaissIndex | TableIndex:
    if kind is IndexKind.FLAT:
        return FaissIndex.flat(vectors, metric)
    if kind is IndexKind.PGVECTOR:
        assert tables is not None
        table = tables.create_vectors(
            f"generation-{uuid.uuid4().hex}", vectors, metric, graph=True, advance=lambda _count: None
        )
        return TableIndex(table, metric, 1.0, 100, np.zeros(len(vectors), dtype=bool))
    index = FaissIndex.codes(vectors, metric)
    index.proposed = proposed
    return index


@pytest.fixture(scope="module")
def tables(postgresql_server: URL) -> Iterator[Store]:
    """A PostgreSQL database that has pgvector."""
    with new_database(postgresql_server) as url, Store.open(url) as store:
        store.require_vectors()
        yield store


def kth_distance(queries: Float32, stored: Float32, metric: Metric, k: int) -> Float32:
    """Return the distance of each query to its true k-th neighbour, (n_queries, 1)."""
    return np.sort(cross_distances(queries, stored, metric), axis=1)[:, k - 1 : k]


@pytest.fixture(scope="module")
def vectors() -> Float32:
    return clustered_unit_rows(1, 1500, 24, groups=100, spread=0.6)


@pytest.fixture(scope="module")
def queries() -> Float32:
    return clustered_unit_rows(1, 1600, 24, groups=100, spread=0.6)[1500:]


@metrics
@pytest.mark.parametrize("kind_and_proposed", [(IndexKind.FLAT, 1), (IndexKind.PQ, 150)], ids=["flat", "every row"])
@pytest.mark.parametrize("queries_at_once", [1, 100])
def test_searching_everything_is_exact(metric, kind_and_proposed, queries_at_once, vectors, queries):
    """FAISS answers many queries at once through BLAS, and a few without."""
    index = index_of(vectors, metric, *kind_and_proposed)
    expected = np.sort(cross_distances(queries, vectors, metric), axis=1)[:, :10]
    for start in range(0, len(queries), 25 if queries_at_once == 1 else queries_at_once):
        found = index.search(queries[start : start + queries_at_once], 10)
        np.testing.assert_allclose(found.distance, expected[start : start + queries_at_once], rtol=1e-6)


@metrics
@kinds
def test_distances_are_true_and_rows_distinct_and_sorted(metric, kind, tables, vectors, queries):
    found = index_of(vectors, metric, kind, tables=tables).search(queries, 15)
    assert (found.rows >= 0).all()
    for query, rows, measured in zip(queries, found.rows, found.distance, strict=True):
        np.testing.assert_array_equal(measured, distance(query[None, :], vectors[rows], metric))
        assert (np.diff(measured) >= 0).all()
        assert len(set(rows.tolist())) == len(rows)


@metrics
def test_more_candidates_find_more_and_recall_by_distance_is_high(metric, vectors, queries):
    index = index_of(vectors, metric, IndexKind.PQ)
    reach = kth_distance(queries, vectors, metric, 10) * (1 + 1e-6)
    recall = []
    for index.proposed in (1, 2, 16):
        recall.append((index.search(queries, 10).distance <= reach).mean())
    assert recall == sorted(recall)
    assert recall[0] < 0.97 < 0.99 < recall[-1]


@metrics
@kinds
def test_near_copies_are_told_apart(metric, kind, tables):
    """In L2 by BLAS, distances under 3e-4 are noise: the order and the values must come from elsewhere."""
    vectors = random_unit_rows(3, 200, 384)
    steps = np.array([1e-5, 3e-5, 1e-4, 3e-4, 1e-3], dtype=np.float32)
    near = vectors[:1] + steps[:, None] * random_unit_rows(4, 5, 384)
    stored = np.concatenate([vectors, near[::-1]]).astype(np.float32)
    found = index_of(stored, metric, kind, proposed=100, tables=tables).search(vectors[:30], 6)
    assert found.rows[0].tolist() == [0, 204, 203, 202, 201, 200]
    np.testing.assert_array_equal(found.distance[0, 1:], distance(vectors[:1], near, metric))
    assert found.distance[0, 0] == 0


@metrics
@kinds
@settings(repeatable, max_examples=40)
@given(vectors=grid_vectors(24, fewest_rows=16), k=st.integers(1, 27))
def test_equal_distances_go_by_row_and_missing_neighbours_are_marked(metric, kind, tables, vectors, k):
    index = index_of(vectors, metric, kind, proposed=100, tables=tables)
    found = index.search(vectors, k)
    truth = np.sort(cross_distances(vectors, vectors, metric), axis=1)
    padded = np.full((len(vectors), k), np.inf, dtype=np.float32)
    padded[:, : min(k, len(vectors))] = truth[:, :k]
    np.testing.assert_array_equal(found.distance, padded)
    assert ((found.rows == -1) == np.isinf(padded)).all()
    assert found.rows.shape == found.distance.shape == (len(vectors), k)
    for rows, measured in zip(found.rows, found.distance, strict=True):
        real = rows >= 0
        answer = list(zip(measured[real].tolist(), rows[real].tolist(), strict=True))
        assert answer == sorted(set(answer))


@metrics
@kinds
def test_distances_that_rounding_makes_equal_go_by_row(metric, kind, tables, vectors, queries):
    """FAISS orders by squares, or by sums in another order, that differ where the distance no longer does."""
    found = index_of(vectors, metric, kind, proposed=150, tables=tables).search(queries, len(vectors))
    assert (np.diff(found.distance) == 0).sum() > 10
    for rows, measured in zip(found.rows, found.distance, strict=True):
        np.testing.assert_array_equal(np.lexsort((rows, measured)), np.arange(len(vectors)))


@metrics
@kinds
def test_one_query_has_one_answer_alone_or_among_others(metric, kind, tables, vectors, queries):
    index = index_of(vectors, metric, kind, tables=tables)
    together = index.search(queries, 5)
    for at in range(0, len(queries), 7):
        alone = index.search(queries[at : at + 1], 5)
        np.testing.assert_array_equal(alone.rows[0], together.rows[at])
        np.testing.assert_array_equal(alone.distance[0], together.distance[at])


@metrics
@kinds
def test_added_rows_are_found_and_dead_ones_are_not(metric, kind, tables, vectors, queries):
    """Also where all that is nearest to a query is dead."""
    index = index_of(vectors[:1200], metric, kind, proposed=64, tables=tables)
    nearest = np.unique(index.search(queries[:3], 100).rows)
    dead = np.zeros(1500, dtype=bool)
    dead[nearest] = True
    if isinstance(index, TableIndex):
        amended = index.amended(vectors[1200:], dead)
    else:
        amended = index.amended(vectors[1200:], dead, vectors)
    assert (len(amended), amended.rows) == (1500 - len(nearest), 1500)
    found = amended.search(queries, 10)
    assert (found.rows >= 0).all()
    assert not dead[found.rows].any()
    alive = np.flatnonzero(~dead)
    reach = kth_distance(queries, vectors[alive], metric, 10) * (1 + 1e-6)
    assert (found.distance <= reach).mean() > 0.99
    assert (found.rows >= 1200).any()


@metrics
def test_dead_rows_change_no_answer_to_what_is_asked_beside(metric, vectors, queries):
    """Where what is near one query is dead more is looked at; the others' answers stay as they are alone."""
    index = index_of(vectors, metric, IndexKind.PQ, proposed=4, tables=None)
    dead = np.zeros(len(vectors), dtype=bool)
    dead[index.search(queries[:1], 400).rows] = True
    index = index.amended(vectors[:0], dead, vectors)
    together = index.search(queries, 5)
    for at in range(len(queries)):
        alone = index.search(queries[at : at + 1], 5)
        np.testing.assert_array_equal(alone.rows[0], together.rows[at])
        np.testing.assert_array_equal(alone.distance[0], together.distance[at])


@metrics
def test_an_empty_index_has_no_neighbours(metric):
    index = FaissIndex.flat(np.empty((0, 8), dtype=np.float32), metric)
    found = index.search(random_unit_rows(5, 3, 8), 4)
    assert (found.rows == -1).all()
    assert np.isinf(found.distance).all()
    assert len(index) == 0


@metrics
@kinds
def test_no_queries_have_no_answers(metric, kind, tables, vectors):
    found = index_of(vectors, metric, kind, tables=tables).search(np.empty((0, 24), dtype=np.float32), 4)
    assert found.rows.shape == found.distance.shape == (0, 4)


@metrics
@of_faiss
def test_an_index_read_back_answers_as_before(metric, kind, vectors, queries, tmp_path):
    index = index_of(vectors, metric, kind, proposed=3)
    before = index.search(queries, 10)
    index.save(tmp_path / "index.faiss")
    read = FaissIndex.load(tmp_path / "index.faiss", vectors, metric, recall=0.9, proposed=3, dead=ALIVE)
    assert (read.kind, read.metric, read.recall) == (kind, metric, 0.9)
    assert (len(read), read.proposed) == (1500, 3)
    after = read.search(queries, 10)
    np.testing.assert_array_equal(after.rows, before.rows)
    np.testing.assert_array_equal(after.distance, before.distance)
    np.testing.assert_array_equal(read.vectors(np.array([1499, 0])), vectors[[1499, 0]])


def test_an_index_of_the_other_metric_is_refused(vectors, tmp_path):
    index_of(vectors, Metric.MANHATTAN, IndexKind.FLAT).save(tmp_path / "index.faiss")
    with pytest.raises(ArtifactDamaged, match=r"index\.faiss is not an index of metric euclidean"):
        FaissIndex.load(tmp_path / "index.faiss", vectors, Metric.EUCLIDEAN, recall=1.0, proposed=1, dead=ALIVE)


@pytest.mark.parametrize("content", [b"", b"IxFI", b"not an index at all", bytes(1000)])
def test_what_is_not_an_index_is_refused(content, vectors, tmp_path):
    (tmp_path / "index.faiss").write_bytes(content)
    with pytest.raises(ArtifactDamaged, match="run `dedup run` to rebuild it"):
        FaissIndex.load(tmp_path / "index.faiss", vectors, Metric.EUCLIDEAN, recall=1.0, proposed=1, dead=ALIVE)


def test_a_disk_that_is_full_while_faiss_writes_is_named(vectors, tmp_path):
    """FAISS raises a RuntimeError about a line of its source."""
    index = index_of(vectors, Metric.EUCLIDEAN, IndexKind.FLAT)
    with (
        pytest.raises(DedupError, match=r"cannot be written: .*the disk may be full; free some space"),
        writing(tmp_path / "generation", {}),
    ):
        index.save(Path("/dev/full"))
    assert list(tmp_path.iterdir()) == []
