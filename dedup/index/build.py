"""Choosing and tuning an index so that it keeps the recall it promises."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dedup.index.faiss_index import FaissIndex
from dedup.index.protocol import Index, VectorTables
from dedup.index.ranking import exact_neighbours, recall
from dedup.index.table_index import BREADTHS, TableIndex
from dedup.progress import Progress
from dedup.questions import Float32, Int64, Keys, Metric, Neighbours
from dedup.settings import IndexKind

log = logging.getLogger(__name__)

FLAT_UP_TO = 20_000
"""Rows up to which everything is compared with everything: a few seconds, exact, nothing to tune."""

_FEWEST_CODED = 64  # rows from which a few can stand for all when codes are made
_SEED = 641
_SAMPLE = 128  # vectors of each of the two samples
_TABLE_SAMPLE = 512  # of a graph: there are a few vectors that it hardly finds, and a small sample has many or none
_SAMPLE_K = 10
_PROPOSED = (8, 16, 32, 64, 128)  # candidates for each neighbour asked for


@dataclass(frozen=True, slots=True)
class IndexedRows:
    """An index with the text keys of its rows, the dead ones included."""

    index: FaissIndex | TableIndex
    keys: Keys  # (rows,)
    base: int  # rows there were when the index was last built


def approximates(rows: int, kind: IndexKind) -> bool:
    """Tell whether a corpus of so many vectors is joined in cells, with measured recall; and searched by codes.

    What pgvector searches is joined as it would be without: a table that is shared changes no result.
    """
    by_size = kind in (IndexKind.AUTO, IndexKind.PGVECTOR) and rows > FLAT_UP_TO
    return rows >= _FEWEST_CODED and (kind is IndexKind.PQ or by_size)


def build_index(
    vectors: Float32, metric: Metric, kind: IndexKind, *, recall_floor: float, progress: Progress
) -> FaissIndex:
    """Build the index of ``vectors``, (n, d) float32, and measure its recall.

    An index of codes proposes more and more candidates until its recall on a sample, against exact search in the
    metric, is half-way from the floor to 1; the recall it then states is measured on another sample. Where that one is
    under the floor, or nothing at all may be missed, the index is flat, which is exact.
    """
    with progress.stage("index", "vectors", total=len(vectors)) as advance:
        coded = approximates(len(vectors), kind) and recall_floor < 1
        index = _of_codes(vectors, metric, recall_floor) if coded else None
        advance(len(vectors))
        return index or FaissIndex.flat(vectors, metric)


def build_table(
    vectors: Float32, metric: Metric, tables: VectorTables, generation: str, *, recall_floor: float, progress: Progress
) -> TableIndex:
    """Put ``vectors``, (n, d) float32, into a table of their own, named after their generation, and measure its recall.

    As in `build_index`: more and more candidates are kept in view until the recall is half-way from the floor to 1; on
    another sample it is stated. Under the floor every row is compared.

    Raises
    ------
    StoreError
        Where the database has no pgvector, or cannot take them.
    """
    with progress.stage("index", "vectors", total=len(vectors)) as advance:
        alive = np.zeros(len(vectors), dtype=bool)
        graph = recall_floor < 1 and len(vectors) >= _FEWEST_CODED
        table = tables.create_vectors(generation, vectors, metric, graph=graph, advance=advance)
        index = TableIndex(table, metric, 1.0, 0, alive)
        if graph and not _tuned(index, vectors, BREADTHS, recall_floor, sample=_TABLE_SAMPLE):
            index = TableIndex(table, metric, 1.0, 0, alive)
    return index


def _of_codes(vectors: Float32, metric: Metric, recall_floor: float) -> FaissIndex | None:
    index = FaissIndex.codes(vectors, metric)
    return index if _tuned(index, vectors, _PROPOSED, recall_floor) else None


def _tuned(
    index: FaissIndex | TableIndex,
    vectors: Float32,
    proposed: Sequence[int],
    recall_floor: float,
    *,
    sample: int = _SAMPLE,
) -> bool:
    """Let an index look at as much as it has to, state its recall, and tell whether that keeps the floor."""
    metric = index.metric
    chosen = np.random.default_rng(_SEED).permutation(len(vectors))[: 2 * sample]
    tuning, held_out = np.sort(chosen[0::2]), np.sort(chosen[1::2])
    truth = exact_neighbours(vectors, tuning, _SAMPLE_K, metric)
    for index.proposed in proposed:
        if recall(_others(index, vectors[tuning], tuning), truth) >= (1 + recall_floor) / 2:
            break
    index.recall = _recall_of(index, vectors, held_out, held_out)
    if index.recall >= recall_floor:
        return True
    what = "codes find" if index.kind is IndexKind.PQ else "graph finds"
    log.warning("the %s %.4f of the neighbours, the recall floor is %g: a flat index", what, index.recall, recall_floor)
    return False


def measured_recall(index: Index, vectors: Float32, row: Int64) -> float:
    """Return the recall of an index that was not built just now, on a sample, against exact search.

    Parameters
    ----------
    vectors
        (n, d) all that are searched, in any order.
    row
        (n,) where each stands in the index.
    """
    if index.kind is IndexKind.FLAT or not index.proposed:
        return 1.0
    sample = np.sort(np.random.default_rng(_SEED).permutation(len(vectors))[:_SAMPLE])
    return _recall_of(index, vectors, sample, row[sample])


def _recall_of(index: Index, vectors: Float32, sample: Int64, own: Int64) -> float:
    truth = exact_neighbours(vectors, sample, _SAMPLE_K, index.metric)
    return recall(_others(index, vectors[sample], own), truth)


def _others(index: Index, asked: Float32, own: Int64) -> Neighbours:
    """Search with stored vectors and drop each one's self, by its row: it would count as a neighbour found."""
    found = index.search(asked, _SAMPLE_K + 1)
    is_self = found.rows == own[:, None]
    is_self[~is_self.any(axis=1), -1] = True  # not among its own neighbours (approximate search): drop the farthest
    return Neighbours(found.rows[~is_self].reshape(len(asked), -1), found.distance[~is_self].reshape(len(asked), -1))
