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
from dedup.questions import Float32, Int64
from dedup.reference import Near, nearest_reference

_RESIDENTS = 128  # of a cell on average, at the least: small products are slow
_NONE = -1


def nearest_cells(embeddings: Float32, near: Near) -> NDArray[np.int16]:
    """Return the cells around which each row lies, nearest first: (n, k); -1 where it is one of those before.

    A reference vector makes a cell; where there are many for the number of rows, those around a few of them make one.

    Parameters
    ----------
    near
        The nearest of the reference vectors, which are the first of the embeddings.
    """
    references, count = int(near.row.max(initial=-1)) + 1, max(1, len(embeddings) // _RESIDENTS)
    if references <= count:
        return near.row
    around = nearest_reference(embeddings[:references], embeddings[:count], count=1).row[:, 0]
    cells = around[near.row]
    for column in range(1, cells.shape[1]):
        before = (cells[:, :column] == cells[:, column : column + 1]).any(axis=1)
        cells[before, column] = _NONE
    return cells


@dataclass(frozen=True, slots=True)
class Cells:
    """Which rows live in which cell, and which visit it, when each row is in up to ``visits``, its home included."""

    near: NDArray[np.int16]  # (n, most visits) the cells of each row, its home first, as `nearest_cells` returns them
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


def meet(cells: NDArray[np.int16], left: Int64, right: Int64, visits: int) -> NDArray[np.bool_]:
    """Tell which pairs are compared when each row is in up to so many of its nearest cells; (n_pairs,)."""
    left_visits = (cells[left, :visits] == cells[right, :1]).any(axis=1)
    right_visits = (cells[right, :visits] == cells[left, :1]).any(axis=1)
    return np.asarray(left_visits | right_visits)


def _grouped(cells: NDArray[np.int16], count: int) -> list[NDArray[np.int32]]:
    """Return, for each cell, the rows that stand in it, ascending.

    Column by column: the rows of one column are few enough to be sorted without being noticed.
    """
    columns = [np.where(column == _NONE, count, column) for column in cells.T]  # who is nowhere is in one more, for now
    sizes = np.array([np.bincount(column, minlength=count + 1) for column in columns], dtype=np.int64)
    sizes = sizes.reshape(-1, count + 1)
    starts = np.concatenate([[0], np.cumsum(sizes.sum(axis=0))])
    members = spacious((int(starts[-1]),), np.int32)
    filled = starts[:-1].copy()
    for column, size in zip(columns, sizes, strict=True):
        order = np.argsort(column, kind="stable")
        members[np.arange(len(order)) + np.repeat(filled - np.cumsum(size) + size, size)] = order
        filled += size
    grouped = np.split(members, starts[1:-1])[:count]
    for some in grouped:
        some.sort()
    return grouped
