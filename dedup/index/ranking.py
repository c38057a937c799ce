"""Candidates, measured exactly and put in order: whatever proposes them, the distances are true."""

from __future__ import annotations

from collections.abc import Iterable

import faiss
import numpy as np

from dedup.cores import spread
from dedup.distance import distance
from dedup.index.protocol import Rows
from dedup.questions import Float32, Int64, Metric, Neighbours, Proposed

FAISS_METRIC = {Metric.MANHATTAN: faiss.METRIC_L1, Metric.EUCLIDEAN: faiss.METRIC_L2}

_BLOCK = 1024  # stored vectors compared with all queries at once: they stay in the processor's cache
_SPARE = 4  # times as many as asked for: FAISS's L2 comes from BLAS, whose cancellation can swap near ones


def ranked(queries: Float32, vectors: Rows, rows: Int64, k: int, metric: Metric) -> Neighbours:
    """Return the k nearest of the rows proposed for each query, (n_queries, m), where -1 is none.

    Equal distances go by row, so that the answer is a function of the corpus.
    """

    def proposed(some: Int64) -> Proposed:
        real = some[some >= 0]
        return Proposed(real, vectors[real])

    return ranked_each(queries, (proposed(some) for some in rows), k, metric)


def ranked_each(queries: Float32, proposed: Iterable[Proposed], k: int, metric: Metric) -> Neighbours:
    """Return the k nearest of the candidates of each query, in the order of `ranked`."""
    found = Neighbours(np.full((len(queries), k), -1, dtype=np.int64), np.full((len(queries), k), np.inf, np.float32))
    for at, (query, near) in enumerate(zip(queries, proposed, strict=True)):
        far = distance(query[None, :], near.vectors, metric)
        order = np.lexsort((near.rows, far))[:k]
        found.rows[at, : len(order)], found.distance[at, : len(order)] = near.rows[order], far[order]
    return found


def exact_neighbours(vectors: Float32, asked: Int64, k: int, metric: Metric) -> Neighbours:
    """Return the k nearest other rows of some rows, by comparing them with every row; without its self, by its row."""
    queries = np.asarray(vectors[asked])

    def nearest(start: int) -> tuple[Float32, Int64]:
        block = np.ascontiguousarray(vectors[start : start + _BLOCK], dtype=np.float32)
        far, place = faiss.knn(queries, block, min(k + 1, len(block)), FAISS_METRIC[metric])
        return far, place + start

    blocks = list(spread(nearest, range(0, len(vectors), _BLOCK)))
    far, rows = (np.concatenate(parts, axis=1) for parts in zip(*blocks, strict=True))
    far[rows == asked[:, None]] = np.inf
    spare = min(_SPARE * k, rows.shape[1])
    proposed = np.take_along_axis(rows, np.argpartition(far, spare - 1, axis=1)[:, :spare], axis=1)
    return ranked(queries, vectors, np.where(proposed == asked[:, None], -1, proposed), k, metric)


def recall(found: Neighbours, truth: Neighbours) -> float:
    """Return the share of true neighbours found, by distance to the k-th one: equal distances are equally right."""
    reached = np.isfinite(found.distance) & (found.distance <= truth.distance[:, -1:] * (1 + 1e-6))
    wanted = np.isfinite(truth.distance).sum(axis=1, keepdims=True)
    return float(np.minimum(reached.sum(axis=1, keepdims=True), wanted).sum() / max(1, wanted.sum()))
