"""The cells of a corpus: a vector lives in that of its nearest reference vector, and visits those of its next-nearest.

Residents of a cell are compared with each other and with its visitors. Visits go both ways, so a pair can be met in two
cells; one of the two gives it up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedup.join.gathered import Met
from dedup.memory import spacious
from dedup.questions import Int64
from dedup.reference import Near


@dataclass(frozen=True, slots=True)
class Cells:
    """Which rows live in which cell, and which visit it, when each row is in ``visits`` cells, its home included."""

    near: NDArray[np.int16]  # (n, most visits) the cells of each row, its home first
    visits: int

    @property
    def count(self) -> int:
        """How many cells there are."""
        return int(self.near.max(initial=-1)) + 1

    def members(self) -> tuple[list[NDArray[np.int32]], list[NDArray[np.int32]]]:
        """Return the residents and the visitors of each cell, as rows in ascending order."""
        return _grouped(self.near[:, :1], self.count), _grouped(self.near[:, 1 : self.visits], self.count)

    def once(self, met: Met) -> Met:
        """Give up the pairs of a cell's residents that are also met in the other one's home, if that comes first."""
        resident, other = met.left, met.right
        home, away = self.near[resident, 0], self.near[other, 0]
        earlier = np.flatnonzero(away < home)
        kept = np.ones(len(resident), dtype=bool)
        kept[earlier] = (self.near[resident[earlier], 1 : self.visits] != away[earlier, None]).all(axis=1)
        return met.where(kept)


def meet(near: Near, left: Int64, right: Int64, visits: int) -> NDArray[np.bool_]:
    """Tell which pairs are compared when each row is in so many cells; (n_pairs,)."""
    left_visits = (near.row[left, :visits] == near.row[right, :1]).any(axis=1)
    right_visits = (near.row[right, :visits] == near.row[left, :1]).any(axis=1)
    return np.asarray(left_visits | right_visits)


def _grouped(cells: NDArray[np.int16], count: int) -> list[NDArray[np.int32]]:
    """Return, for each cell, the rows that stand in it, ascending.

    Column by column: the rows of one column are few enough to be sorted without being noticed.
    """
    sizes = np.array([np.bincount(column, minlength=count) for column in cells.T], dtype=np.int64).reshape(-1, count)
    starts = np.concatenate([[0], np.cumsum(sizes.sum(axis=0))])
    members = spacious((int(starts[-1]),), np.int32)
    filled = starts[:-1].copy()
    for column, size in zip(cells.T, sizes, strict=True):
        order = np.argsort(column, kind="stable")
        members[np.arange(len(order)) + np.repeat(filled - np.cumsum(size) + size, size)] = order
        filled += size
    grouped = np.split(members, starts[1:-1])
    for some in grouped:
        some.sort()
    return grouped
