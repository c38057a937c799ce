"""The cells of a corpus: a vector lives in that of its nearest reference vector, and visits those of its next-nearest.

Residents of a cell are compared with each other and with its visitors. Visits go both ways, so a pair can be met in two
cells; one of the two gives it up. Where only a few rows are to be compared with all, they alone visit, and more cells:
every row is then read once, and not in each cell that it visits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedup.join.found import Met
from dedup.memory import spacious
from dedup.questions import Float32, Int64, places_of
from dedup.reference import REFERENCE_SIZE, LookUp, Near, nearest_reference

RESIDENTS = 128
"""Rows that live in a cell on average, at the least: small products are slow."""

NONE = -1


def cell_count(rows: int) -> int:
    """Return into how many cells so many rows are cut, of a corpus that has all its reference vectors."""
    return min(REFERENCE_SIZE, max(1, rows // RESIDENTS))


def grouping(reference: Float32, rows: int) -> NDArray[np.int16] | None:
    """Return the cell of each reference vector, (m,), for a join of so many rows; None where each makes its own.

    Where there are many for the number of rows, those around a few of them make one cell.
    """
    count = cell_count(rows)
    if len(reference) <= count:
        return None
    return nearest_reference(reference, reference[:count], count=1).row[:, 0]


def cells_around(near: Near, groups: NDArray[np.int16] | None) -> NDArray[np.int16]:
    """Return the cells around which each row lies, nearest first: (n, k); -1 where it is one of those before.

    Parameters
    ----------
    groups
        What `grouping` returned.
    """
    if groups is None:
        return near.row
    cells = groups[near.row]
    for column in range(1, cells.shape[1]):
        before = (cells[:, :column] == cells[:, column : column + 1]).any(axis=1)
        cells[before, column] = NONE
    return cells


class NearestCells:
    """Tells around which cells the rows of a corpus lie; what looking for them takes is prepared once.

    The first ``references`` of the embeddings, (n, d), are the reference vectors.
    """

    def __init__(self, embeddings: Float32, references: int) -> None:
        reference = np.ascontiguousarray(embeddings[:references])
        self._embeddings = embeddings
        self._reference = LookUp(reference)
        self._groups = grouping(reference, len(embeddings))

    def around(self, near: Near) -> NDArray[np.int16]:
        """Return the cells around which rows lie that have been looked up, as `cells_around` does."""
        return cells_around(near, self._groups)

    def around_all(self, count: int) -> NDArray[np.int16]:
        """Return the cells of the ``count`` nearest reference vectors of every row, (n, k)."""
        return self.around(self._reference.nearest(self._embeddings, count=count))

    def around_some(self, rows: Int64, count: int) -> NDArray[np.int16]:
        """Return those of some rows, (len(rows), k), which may be there often: each is looked up once."""
        some, place = np.unique(rows, return_inverse=True)
        vectors = np.ascontiguousarray(self._embeddings[some])
        return self.around(self._reference.nearest(vectors, count=count))[place]


@dataclass(frozen=True, slots=True)
class Cells:
    """Which rows live in which cell, and which visit it, when each row is in up to ``visits``, its home included."""

    near: NDArray[np.int16]  # (n, most visits) the cells of each row, its home first, as `cells_around` returns them
    visits: int

    @property
    def count(self) -> int:
        """How many cells there are."""
        return int(self.near.max(initial=NONE)) + 1

    def members(self) -> tuple[list[NDArray[np.int32]], list[NDArray[np.int32]]]:
        """Return the residents and the visitors of each cell, as rows in ascending order."""
        return _grouped(self.near[:, :1], self.count), _grouped(self.near[:, 1 : self.visits], self.count)

    def once(self, met: Met) -> Met:
        """Give up the pairs of a cell's residents that are also met in the other one's home, if that comes first."""
        return _once(met, self.near[:, 0], lambda rows: self.near[rows, 1 : self.visits])


@dataclass(frozen=True, slots=True)
class FewVisitors:
    """Which rows live in which cell, and which of some rows visit it; all others stay at home."""

    home: NDArray[np.int16]  # (n,) the cell of each row
    rows: Int64  # (m,) ascending, those that visit
    near: NDArray[np.int16]  # (m, k) the cells of these, home first, as `cells_around` returns them

    @property
    def count(self) -> int:
        """See `Cells.count`."""
        return max(int(self.home.max(initial=NONE)), int(self.near.max(initial=NONE))) + 1

    def members(self) -> tuple[list[NDArray[np.int32]], list[NDArray[np.int32]]]:
        """See `Cells.members`."""
        visitors = _grouped(self.near[:, 1:], self.count)
        return _grouped(self.home[:, None], self.count), [self.rows[some].astype(np.int32) for some in visitors]

    def once(self, met: Met) -> Met:
        """See `Cells.once`."""

        def visited(rows: Int64) -> NDArray[np.int16]:
            cells = np.full((len(rows), self.near.shape[1] - 1), NONE, dtype=np.int16)
            place = places_of(self.rows, rows)
            cells[place >= 0] = self.near[place[place >= 0], 1:]
            return cells

        return _once(met, self.home, visited)


def _once(met: Met, home: NDArray[np.int16], visited: Callable[[Int64], NDArray[np.int16]]) -> Met:
    """See `Cells.once`; ``visited`` gives the cells that rows visit beside their own, (n_rows, k)."""
    resident, other = met.left, met.right
    away = home[other]
    earlier = np.flatnonzero(away < home[resident])
    kept = np.ones(len(resident), dtype=bool)
    kept[earlier] = (visited(resident[earlier]) != away[earlier, None]).all(axis=1)
    return met.where(kept)


def meet(left: NDArray[np.int16], right: NDArray[np.int16], visits: int) -> NDArray[np.bool_]:
    """Tell which pairs are compared when each row is in up to so many of its nearest cells; (n_pairs,).

    Parameters
    ----------
    left, right
        (n_pairs, k) the nearest cells of either row.
    """
    left_visits = (left[:, :visits] == right[:, :1]).any(axis=1)
    right_visits = (right[:, :visits] == left[:, :1]).any(axis=1)
    return np.asarray(left_visits | right_visits)


def _grouped(cells: NDArray[np.int16], count: int) -> list[NDArray[np.int32]]:
    """Return, for each cell, the rows that stand in it, ascending.

    Column by column: the rows of one column are few enough to be sorted without being noticed.
    """
    columns = [np.where(column == NONE, count, column) for column in cells.T]  # who is nowhere is in one more, for now
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
