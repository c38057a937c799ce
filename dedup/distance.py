"""The two distances, exact, in NumPy: the definition of correct that every index and join is tested against."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from dedup.cores import alone
from dedup.questions import Float32, Int64, Metric

_CHUNK_BYTES = 256 << 10  # what a block of differences may take: it and its vectors stay in the processor's cache

_FEW = 4096  # pairs: to wake another core for them takes a hundred times as long as to measure them


def distance(left: Float32, right: Float32, metric: Metric) -> Float32:
    """Return the distance between ``left[i]`` and ``right[i]`` for every i; 0 for equal rows, in both metrics.

    Parameters
    ----------
    left, right
        Vectors, shape (n, d) or broadcastable to it.

    Returns
    -------
    (n,) float32, >= 0: the sum of absolute differences (Manhattan, L1) or the root of the sum of squares (Euclidean,
    L2). From the differences themselves, never from the expansion ``|a|^2 + |b|^2 - 2ab``, whose cancellation makes
    near-duplicates of equal vectors.
    """
    difference = np.subtract(left, right, dtype=np.float32)
    if metric is Metric.MANHATTAN:
        summed: Float32 = np.abs(difference, out=difference).sum(axis=-1)
        return summed
    root: Float32 = np.sqrt(np.einsum("...d,...d->...", difference, difference))
    return root


def pair_distances(embeddings: Float32, left: Int64, right: Int64, metric: Metric) -> Float32:
    """Return the distance of each pair of rows ``embeddings[left[i]]``, ``embeddings[right[i]]``; shape (n_pairs,)."""
    found = np.empty(len(left), dtype=np.float32)
    step = max(1, _CHUNK_BYTES // (4 * embeddings.shape[1]))
    for start, stop in pairwise([*range(0, len(left), step), len(left)]):
        found[start:stop] = distance(embeddings[left[start:stop]], embeddings[right[start:stop]], metric)
    return found


def squared_distances(left: Float32, right: Float32, left_rows: Int64, right_rows: Int64) -> Float32:
    """Return the squared L2 distance of each ``left[left_rows[i]]`` and ``right[right_rows[i]]``; shape (n_pairs,).

    Summed in FAISS's order: in the last digit it is not that of `distance`. Far faster where the vectors are few enough
    to stay in the processor's cache.
    """
    import faiss

    found = np.empty(len(left_rows), dtype=np.float32)
    pointer = faiss.swig_ptr
    with alone(where=len(found) < _FEW):
        faiss.pairwise_indexed_L2sqr(  # type: ignore[attr-defined]
            left.shape[1],
            len(found),
            pointer(left),
            pointer(left_rows),
            pointer(right),
            pointer(right_rows),
            pointer(found),
        )
    return found


def cross_distances(queries: Float32, stored: Float32, metric: Metric) -> Float32:
    """Return every distance between two sets of vectors: (n, d) and (m, d) give (n, m)."""
    found = np.empty((len(queries), len(stored)), dtype=np.float32)
    for at, query in enumerate(queries):
        found[at] = distance(query[None, :], stored, metric)
    return found
