"""Pairs on their way: met in a tile, measured there, and put in order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedup.distance import pair_distances
from dedup.gathering import Gathering
from dedup.join.cutoff import Cutoff
from dedup.memory import spacious
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
class Found:
    """Pairs within the cut-off, in no order; there can be tens of millions, so each takes twelve bytes."""

    number: Int64  # (n_pairs,) left * rows + right, with left < right
    distance: Float32  # (n_pairs,) exact


def measured(embeddings: Float32, metric: Metric, cutoff: Cutoff, tiles: Iterable[Met]) -> Found:
    """Measure the pairs of some tiles, and return those that lie within the cut-off."""
    return _joined([_measured(embeddings, metric, cutoff, met) for met in tiles if len(met.row)])


def _measured(embeddings: Float32, metric: Metric, cutoff: Cutoff, met: Met) -> Found:
    used = np.zeros(len(met.others), dtype=bool)
    used[met.other] = True
    place = len(met.rows) - 1 + np.cumsum(used)
    vectors = np.asarray(embeddings[np.concatenate([met.rows, met.others[used]])])  # each is read once
    distance = pair_distances(vectors, met.row, place[met.other], metric)
    left, right = met.left, met.right
    kept = distance <= cutoff.of(left, right)
    left, right = left[kept], right[kept]
    return Found(np.minimum(left, right) * np.int64(len(embeddings)) + np.maximum(left, right), distance[kept])


def in_order(found: Iterable[Found], rows: int) -> Pairs:
    """Return pairs, of which none is there twice, sorted by (left, right)."""
    gathering = Gathering(np.int64, np.float32)
    for some in found:
        gathering.add(some.number, some.distance)
    right, distance = gathering.in_order()
    left = spacious((len(right),), np.int64)
    np.floor_divide(right, max(1, rows), out=left)
    np.remainder(right, max(1, rows), out=right)
    return Pairs(left, right, distance)


def _joined(found: list[Found]) -> Found:
    return Found(
        np.concatenate([np.empty(0, dtype=np.int64), *(some.number for some in found)]),
        np.concatenate([np.empty(0, dtype=np.float32), *(some.distance for some in found)]),
    )
