"""Which of a few vectors are nearest to each of many: exact, whatever arithmetic proposes them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedup.cores import spread
from dedup.distance import squared_distances
from dedup.memory import spacious
from dedup.products import Arithmetic, Operand, arithmetic_for
from dedup.progress import Advance
from dedup.questions import Float32

REFERENCE_SIZE = 4096
"""How many reference vectors there are, at the most."""

NEAREST = 32
"""How many of them tell how crowded it is around a vector, and around how many it is compared, as a rule."""

_BLOCK = 256  # vectors at once: their products with all reference vectors stay in the processor's cache


@dataclass(frozen=True, slots=True)
class Near:
    """The reference vectors nearest to each of n vectors in L2, nearest first; of equally near ones the first."""

    row: NDArray[np.int16]  # (n, k) of the reference
    squared: Float32  # (n, k) the squared L2 distances
    references: int  # of how many

    def __len__(self) -> int:
        return len(self.row)

    def first(self, count: int) -> Near:
        """Return the nearest ``count`` alone, or all where there are fewer."""
        return Near(self.row[:, :count], self.squared[:, :count], self.references)


class LookUp:
    """Looks for the nearest of some reference vectors, (m, d); what that takes is prepared once."""

    def __init__(self, reference: Float32) -> None:
        self._reference = reference
        self._stored: dict[type[Arithmetic], Operand] = {}

    def nearest(self, embeddings: Float32, advance: Advance = lambda _count: None, count: int = NEAREST) -> Near:
        """Return for each of ``embeddings``, (n, d), the k = min(m, ``count``) nearest.

        Exact, whatever arithmetic proposes the candidates: their distances are measured one by one.
        """
        references = len(self._reference)
        k = min(count, references)
        near = Near(spacious((len(embeddings), k), np.int16), spacious((len(embeddings), k), np.float32), references)
        arithmetic = arithmetic_for(float(embeddings.size) * references)
        stored = self._prepared(arithmetic)

        def look(start: int) -> int:
            some = slice(start, start + _BLOCK)
            asked = np.ascontiguousarray(embeddings[some], dtype=np.float32)
            near.row[some], near.squared[some] = _look(arithmetic, asked, self._reference, stored, k)
            return len(asked)

        for done in spread(look, range(0, len(embeddings), _BLOCK)):
            advance(done)
        return near

    def _prepared(self, arithmetic: Arithmetic) -> Operand:
        kind = type(arithmetic)
        if kind not in self._stored:
            reference = self._reference
            half = np.einsum("nd,nd->n", reference, reference) / 2
            self._stored[kind] = arithmetic.operand(_beside(reference, -half))
        return self._stored[kind]


def nearest_reference(
    embeddings: Float32, reference: Float32, advance: Advance = lambda _count: None, count: int = NEAREST
) -> Near:
    """Return for each of ``embeddings``, (n, d), the nearest of ``reference``, (m, d), as `LookUp.nearest` does."""
    return LookUp(reference).nearest(embeddings, advance, count)


def _look(
    arithmetic: Arithmetic, asked: Float32, reference: Float32, stored: Operand, k: int
) -> tuple[NDArray[np.int64], Float32]:
    """Look among the candidates by <x, y> - |y|^2 / 2, which has the order of -|x - y|."""
    one, other = arithmetic.largest(arithmetic.operand(_beside(asked, np.ones(len(asked)))), stored, k)
    squared = squared_distances(asked, reference, one, other)
    # A row's candidates side by side, the distance above the place: the bits of a number >= 0 are in its order.
    found = np.bincount(one, minlength=len(asked))
    ranked = np.full((len(asked), int(found.max(initial=0))), np.iinfo(np.int64).max)
    ranked[one, np.arange(len(one)) - np.repeat(np.cumsum(found) - found, found)] = (
        squared.view(np.int32).astype(np.int64) << 32
    ) | other
    nearest = np.partition(ranked, k - 1, axis=1)[:, :k]
    nearest.sort(axis=1)
    return nearest & 0xFFFFFFFF, (nearest >> 32).astype(np.int32).view(np.float32)


def _beside(vectors: Float32, column: NDArray[np.floating]) -> Float32:
    return np.column_stack([vectors, column]).astype(np.float32, copy=False)
