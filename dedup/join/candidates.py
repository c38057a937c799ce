"""Which of two sets of rows may be pairs: quickly, and never too few.

In L2 a whole tile is one matrix product. With a half of the cut-off brought by each side, h(x) + h(y), a pair is one if

    |x - y|^2 <= (h(x) + h(y))^2,  which is  <x, y> + h(x) h(y) + c(x) + c(y) >= 0  with  c(x) = (h(x)^2 - |x|^2) / 2

and that is the inner product of the two vectors with a few more columns. Where the cut-off is negative, there is no
pair and the square lets some through; all are measured anyway.
"""

from __future__ import annotations

from typing import Protocol

import faiss
import numpy as np

from dedup.cores import spread
from dedup.distance import pair_distances
from dedup.join.cutoff import Cutoff
from dedup.memory import spacious
from dedup.products import Arithmetic, Operand
from dedup.questions import Float32, Int64, Metric

_FOLDED = 8192  # rows made ready at once
COLUMNS = 5
"""Of the vectors that are multiplied, beside their components: h, c in two parts, two constants."""
_SHORT_BITS = 128.0  # seven bits of a number fit every arithmetic: what is split there is hardly rounded
# FAISS sums L1 distances in another order than `dedup.distance`, by which a pair is in or out.
_SLACK = 1.0001


class Candidates(Protocol):
    """Proposes pairs."""

    def within(self, rows: Int64, others: Int64) -> tuple[Int64, Int64]:
        """Return places ``i``, ``j`` in ``rows`` and ``others``, of all pairs within the cut-off and a few more."""


class EuclideanCandidates:
    """Pairs within a cut-off in L2, each row with its own half of it."""

    def __init__(self, embeddings: Float32, halves: Float32, arithmetic: Arithmetic) -> None:
        self._arithmetic = arithmetic
        self._folded = _fold(embeddings, halves, arithmetic)
        self._dimension = embeddings.shape[1]

    def within(self, rows: Int64, others: Int64) -> tuple[Int64, Int64]:
        """See `Candidates.within`."""
        left, right = self._folded.take(rows), self._folded.take(others)
        first = self._dimension + 1  # each side's own terms meet the other side's constants
        right.values[:, first : first + 4] = right.values[:, [first + 2, first + 3, first, first + 1]]
        near = self._arithmetic.not_negative(left, right)
        row, other = np.divmod(np.flatnonzero(near), max(1, len(others)))
        return row, other


class Strictly:
    """Those of the proposed pairs that lie within the cut-off in L2 by their measured distance, and no others.

    For what is measured in another metric afterwards: which pairs a product lets through beyond the cut-off depends on
    what is multiplied together, and must not show in the result.
    """

    def __init__(self, proposed: Candidates, embeddings: Float32, halves: Float32) -> None:
        self._proposed = proposed
        self._embeddings = embeddings
        self._halves = halves

    def within(self, rows: Int64, others: Int64) -> tuple[Int64, Int64]:
        """See `Candidates.within`."""
        row, other = self._proposed.within(rows, others)
        left, right = rows[row], others[other]
        apart = pair_distances(self._embeddings, left, right, Metric.EUCLIDEAN)
        kept = apart <= self._halves[left] + self._halves[right]
        return row[kept], other[kept]


class ManhattanCandidates:
    """Pairs within a cut-off in L1, by looking at every component: slow, and exact."""

    def __init__(self, embeddings: Float32, cutoff: Cutoff) -> None:
        self._embeddings = embeddings
        self._cutoff = cutoff

    def within(self, rows: Int64, others: Int64) -> tuple[Int64, Int64]:
        """See `Candidates.within`."""
        left, right = self._embeddings[rows], self._embeddings[others]
        allowed = np.maximum(self._cutoff.of(rows[:, None], others[None, :]), 0) * _SLACK
        row, other = np.nonzero(faiss.pairwise_distances(left, right, metric=faiss.METRIC_L1) <= allowed)
        return row, other


def _fold(embeddings: Float32, halves: Float32, arithmetic: Arithmetic) -> Operand:
    def fold(start: int) -> Operand:
        some = slice(start, start + _FOLDED)
        return arithmetic.operand(_with_columns(np.asarray(embeddings[some], dtype=np.float32), halves[some]))

    starts = range(0, max(1, len(embeddings)), _FOLDED)
    first = fold(0)
    values = spacious((len(embeddings), first.values.shape[1]), first.values.dtype)
    length = rounded = 0.0
    for start, block in zip(starts, spread(fold, starts), strict=True):
        values[start : start + _FOLDED] = block.values
        length, rounded = max(length, block.length), max(rounded, block.rounded)
    return Operand(values, len(values), length, rounded)


def _with_columns(vectors: Float32, halves: Float32) -> Float32:
    """Append h, c in two parts, and the constants that the other side's parts are multiplied by.

    c is doubled and the constants halved: the shorter the columns, the smaller the error of a product.
    """
    dimension = vectors.shape[1]
    folded = np.empty((len(vectors), dimension + COLUMNS), dtype=np.float32)
    folded[:, :dimension] = vectors
    folded[:, dimension] = halves
    own = np.square(halves, dtype=np.float64) - np.einsum("nd,nd->n", vectors, vectors)
    mantissa, exponent = np.frexp(own)
    short = np.ldexp(np.floor(mantissa * _SHORT_BITS) / _SHORT_BITS, exponent)
    folded[:, dimension + 1] = short
    folded[:, dimension + 2] = own - short
    folded[:, dimension + 3 :] = 0.5
    return folded
