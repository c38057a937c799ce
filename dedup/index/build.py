"""Choosing, training and tuning an index so that it keeps the recall it promises."""

from __future__ import annotations

import math

import faiss
import numpy as np

from dedup.index.faiss_index import FaissIndex
from dedup.progress import Progress
from dedup.questions import Float32, Int64, Metric, Neighbours
from dedup.settings import IndexKind

FLAT_UP_TO = 20_000
"""Rows up to which everything is compared with everything: a few seconds, exact, nothing to tune."""

_CELLS_PER_ROOT = 4  # cells = 4 * sqrt(n): visits to a cell and the search for the cell then cost about the same
_TRAINING_ROWS_PER_CELL = 48
_TRAINING_ROUNDS = 8
_SEED = 641
_SAMPLE = 256
_SAMPLE_K = 10


def train_centroids(vectors: Float32, kind: IndexKind) -> Float32 | None:
    """Return the centroids of an IVF index's cells, (c, d) float32, or None where a flat index is the right one.

    A function of the vectors in their order alone: k-means with a fixed seed (Lloyd, 1982; FAISS's implementation).
    """
    rows, dimension = vectors.shape
    if kind is IndexKind.FLAT or (kind is IndexKind.AUTO and rows <= FLAT_UP_TO) or rows < 4:
        return None
    cells = max(2, min(round(_CELLS_PER_ROOT * math.sqrt(rows)), rows // 2))
    kmeans = faiss.Kmeans(
        dimension,
        cells,
        niter=_TRAINING_ROUNDS,
        seed=_SEED,
        min_points_per_centroid=1,
        max_points_per_centroid=_TRAINING_ROWS_PER_CELL,
    )
    kmeans.train(vectors)
    return np.asarray(kmeans.centroids, dtype=np.float32)


def build_index(
    vectors: Float32, metric: Metric, centroids: Float32 | None, *, recall_floor: float, progress: Progress
) -> FaissIndex:
    """Build the index of ``vectors``, (n, d) float32, and measure its recall.

    An IVF index looks into more and more cells until its recall on a sample, against exact search in the same metric,
    reaches the floor; the recall it then states is measured on another sample. Where that one is under the floor it
    looks into all of them.
    """
    with progress.stage("index", "vectors", total=len(vectors)) as advance:
        if centroids is None:
            index = FaissIndex.flat(vectors, metric)
        else:
            index = FaissIndex.ivf(vectors, metric, centroids)
            _tune(index, vectors, recall_floor)
        advance(len(vectors))
    return index


def _tune(index: FaissIndex, vectors: Float32, recall_floor: float) -> None:
    chosen = np.random.default_rng(_SEED).permutation(len(vectors))[: 2 * _SAMPLE].astype(np.int64)
    exact = FaissIndex.flat(vectors, index.metric)
    tuning, held_out = chosen[0::2], chosen[1::2]
    truth = _others(exact, vectors, tuning)
    index.probes = 1 if recall_floor < 1 else index.cells  # no sample shows that nothing at all is missed
    while index.probes < index.cells and _recall(_others(index, vectors, tuning), truth) < (1 + recall_floor) / 2:
        index.probes = min(2 * index.probes, index.cells)
    index.recall = _recall(_others(index, vectors, held_out), _others(exact, vectors, held_out))
    if index.recall < recall_floor:
        index.probes, index.recall = index.cells, 1.0


def _others(index: FaissIndex, vectors: Float32, sample: Int64) -> Neighbours:
    """Search with stored vectors and drop each one's self, by its row: it would count as a neighbour found."""
    found = index.search(vectors[sample], _SAMPLE_K + 1)
    is_self = found.rows == sample[:, None]
    is_self[~is_self.any(axis=1), -1] = True  # not among its own neighbours (approximate search): drop the farthest
    return Neighbours(found.rows[~is_self].reshape(len(sample), -1), found.distance[~is_self].reshape(len(sample), -1))


def _recall(found: Neighbours, truth: Neighbours) -> float:
    """Return the share of true neighbours found, by distance to the k-th one: equal distances are equally right."""
    reached = np.isfinite(found.distance) & (found.distance <= truth.distance[:, -1:] * (1 + 1e-6))
    wanted = np.isfinite(truth.distance).sum(axis=1, keepdims=True)
    return float(np.minimum(reached.sum(axis=1, keepdims=True), wanted).sum() / max(1, wanted.sum()))
