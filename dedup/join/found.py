"""Pairs on their way: met in a tile, measured there, and put in order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedup.distance import pair_distances
from dedup.external_sort import ExternalSort
from dedup.join.cutoff import Cutoff
from dedup.memory import ease, spacious
from dedup.questions import Float32, Int64, Metric, Pairs


@dataclass(frozen=True, slots=True)
class Met:
    """Pairs of different rows that may lie within the cut-off, all of one tile: ``rows`` against ``others``."""

    rows: Int64
    others: Int64
    row: Int64  # (n_pairs,) places in ``rows``
    other: Int64  # (n_pairs,) places in ``others``

    @property
    def left(self) -> Int64:
        """The pairs' rows on the one side, (n_pairs,)."""
        return self.rows[self.row]

    @property
    def right(self) -> Int64:
        """The pairs' rows on the other side, (n_pairs,)."""
        return self.others[self.other]

    def where(self, kept: NDArray[np.bool_]) -> Met:
        """Return those pairs that are marked, (n_pairs,) of bool."""
        return Met(self.rows, self.others, self.row[kept], self.other[kept])


@dataclass(frozen=True, slots=True)
class FoundPairs:
    """Pairs within the cut-off, in no order; there can be tens of millions, so each takes twelve bytes."""

    number: Int64  # (n_pairs,) left * rows + right, with left < right
    distance: Float32  # (n_pairs,) exact


def measured(embeddings: Float32, metric: Metric, cutoff: Cutoff, tiles: Iterable[Met]) -> FoundPairs:
    """Measure the pairs of some tiles, and return those that lie within the cut-off."""
    return _joined([_measured(embeddings, metric, cutoff, met) for met in tiles if len(met.row)])


def _measured(embeddings: Float32, metric: Metric, cutoff: Cutoff, met: Met) -> FoundPairs:
    ease()
    used = np.zeros(len(met.others), dtype=bool)
    used[met.other] = True
    place = len(met.rows) - 1 + np.cumsum(used)
    vectors = np.asarray(embeddings[np.concatenate([met.rows, met.others[used]])])  # each is read once
    distance = pair_distances(vectors, met.row, place[met.other], metric)
    left, right = met.left, met.right
    kept = distance <= cutoff.of(left, right)
    left, right = left[kept], right[kept]
    return FoundPairs(np.minimum(left, right) * np.int64(len(embeddings)) + np.maximum(left, right), distance[kept])


def in_order(found: Iterable[FoundPairs], rows: int, known: FoundPairs | None = None) -> Pairs:
    """Return pairs, of which none is there twice, sorted by (left, right).

    ``known`` are in order, and far more than those that were ``found``: they are not sorted again.
    """
    sorting = ExternalSort(np.int64, np.float32)
    for some in found:
        sorting.add(some.number, some.distance)
    number, distance = sorting.in_order()
    if known is not None and len(known.number):
        number, distance = _filled_up(known, FoundPairs(number, distance))
    return as_pairs(number, distance, rows)


def as_pairs(number: Int64, distance: Float32, rows: int) -> Pairs:
    """Return pairs by their numbers, left * ``rows`` + right; these become the right rows, in place."""
    left = spacious((len(number),), np.int64)
    np.floor_divide(number, max(1, rows), out=left)
    return Pairs(left, np.remainder(number, max(1, rows), out=number), distance)


def _filled_up(known: FoundPairs, found: FoundPairs) -> tuple[Int64, Float32]:
    """Return what is known with what was found put in its place, both in order."""
    count = len(known.number) + len(found.number)
    is_found = np.zeros(count, dtype=bool)
    is_found[np.searchsorted(known.number, found.number) + np.arange(len(found.number))] = True
    number, distance = spacious((count,), np.int64), spacious((count,), np.float32)
    for column, new, old in ((number, found.number, known.number), (distance, found.distance, known.distance)):
        column[is_found] = new
        column[~is_found] = old
    return number, distance


def _joined(found: list[FoundPairs]) -> FoundPairs:
    return FoundPairs(
        np.concatenate([np.empty(0, dtype=np.int64), *(some.number for some in found)]),
        np.concatenate([np.empty(0, dtype=np.float32), *(some.distance for some in found)]),
    )
