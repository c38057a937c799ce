"""Choosing and tuning an index so that it keeps the recall it promises."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np

from dedup.index.faiss_index import FaissIndex
from dedup.index.ranking import exact_neighbours, recall
from dedup.progress import Progress
from dedup.questions import Float32, Int64, Keys, Metric, Neighbours
from dedup.settings import IndexKind

log = logging.getLogger(__name__)

FLAT_UP_TO = 20_000
"""Rows up to which everything is compared with everything: a few seconds, exact, nothing to tune."""

_FEWEST_CODED = 64  # rows from which a few can stand for all when codes are made
_SEED = 641
_SAMPLE = 128  # vectors of each of the two samples
_SAMPLE_K = 10
_PROPOSED = (8, 16, 32, 64, 128)  # candidates for each neighbour asked for


@dataclass(frozen=True, slots=True)
class IndexedRows:
    """An index with the text keys of its rows, the dead ones included."""

    index: FaissIndex
    keys: Keys  # (rows,)
    base: int  # rows there were when the index was last built


def approximates(rows: int, kind: IndexKind) -> bool:
    """Tell whether a corpus of so many vectors is joined in cells and searched by codes, with measured recall."""
    return rows >= _FEWEST_CODED and (kind is IndexKind.PQ or (kind is IndexKind.AUTO and rows > FLAT_UP_TO))


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


def _of_codes(vectors: Float32, metric: Metric, recall_floor: float) -> FaissIndex | None:
    index = FaissIndex.codes(vectors, metric)
    chosen = np.random.default_rng(_SEED).permutation(len(vectors))[: 2 * _SAMPLE]
    tuning, held_out = np.sort(chosen[0::2]), np.sort(chosen[1::2])
    truth = exact_neighbours(vectors, tuning, _SAMPLE_K, metric)
    for index.proposed in _PROPOSED:
        if recall(_others(index, vectors[tuning], tuning), truth) >= (1 + recall_floor) / 2:
            break
    index.recall = _recall_of(index, vectors, held_out, held_out)
    if index.recall >= recall_floor:
        return index
    log.warning(
        "the codes find %.4f of the neighbours, the recall floor is %g: a flat index", index.recall, recall_floor
    )
    return None


def measured_recall(index: FaissIndex, vectors: Float32, row: Int64) -> float:
    """Return the recall of an index that was not built just now, on a sample, against exact search.

    Parameters
    ----------
    vectors
        (n, d) all that are searched, in any order.
    row
        (n,) where each stands in the index.
    """
    if index.kind is IndexKind.FLAT:
        return 1.0
    sample = np.sort(np.random.default_rng(_SEED).permutation(len(vectors))[:_SAMPLE])
    return _recall_of(index, vectors, sample, row[sample])


def _recall_of(index: FaissIndex, vectors: Float32, sample: Int64, own: Int64) -> float:
    truth = exact_neighbours(vectors, sample, _SAMPLE_K, index.metric)
    return recall(_others(index, vectors[sample], own), truth)


def _others(index: FaissIndex, asked: Float32, own: Int64) -> Neighbours:
    """Search with stored vectors and drop each one's self, by its row: it would count as a neighbour found."""
    found = index.search(asked, _SAMPLE_K + 1)
    is_self = found.rows == own[:, None]
    is_self[~is_self.any(axis=1), -1] = True  # not among its own neighbours (approximate search): drop the farthest
    return Neighbours(found.rows[~is_self].reshape(len(asked), -1), found.distance[~is_self].reshape(len(asked), -1))
