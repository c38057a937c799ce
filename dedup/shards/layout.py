"""Which cells are compared together, in one task: few enough for its memory, and a hot cell in several."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement, product

import numpy as np
from numpy.typing import NDArray

from dedup.join.cells import NONE
from dedup.questions import Float32, Int64

_OF_A_ROW = 2_000  # bytes a row takes in a task beside its vector: words, features, pairs
_COPIES = 4  # of a vector in a task: as it is read, put together, folded, and multiplied
_BINS_A_SLOT = 4  # at the least, where there is enough to do: so that no worker waits long for the last one
_POWERS = 12  # steps of the power method: a direction is good enough long before it is exact
_TINY = 1e-30
_FEWEST_ROWS = 2_048  # of a bin: of smaller ones, more time is spent on files than on comparing


@dataclass(frozen=True, slots=True)
class Layout:
    """Cells in bins. The residents of a hot cell have bins to themselves, and so have its visitors.

    Among those they are dealt out by their numbers. Visitors are not compared with each other, so their bins need not
    meet: a cell of many visitors is read a few times, and not as often as it has bins.
    """

    first: Int64  # (2, n_cells) the first bin of the residents of each cell, and that of its visitors
    parts: Int64  # (2, n_cells) how many bins they have; of no visitors, none
    bins: int
    largest_cell: int  # rows, visitors included

    @property
    def hot(self) -> NDArray[np.bool_]:
        """Which cells are cut up, (n_cells,)."""
        return np.asarray(self.first[0] != self.first[1])

    def bins_of(self, row: Int64, near: NDArray[np.int16]) -> Int64:
        """Return the bins in which each row is met: (n, visits), for ``row`` (n,) and its cells, (n, visits).

        Where a row is nowhere else, it is at home.
        """
        number, parts = row[:, None], np.maximum(self.parts, 1)
        home, visited = near[:, :1], near[:, 1:]
        at_home = self.first[0][home] + number % parts[0][home]
        away = self.first[1][visited] + number % parts[1][visited]
        return np.concatenate([at_home, np.where(visited == NONE, at_home, away)], axis=1)

    def together(self) -> list[tuple[int, int, Int64]]:
        """Return what is compared: each bin with itself, those of a hot cell with each other too, and which cells."""
        compared: list[tuple[int, int, Int64]] = []
        for cell in np.flatnonzero(self.hot).tolist():
            homes, away = (
                range(first, first + parts)
                for first, parts in zip(self.first[:, cell].tolist(), self.parts[:, cell].tolist(), strict=True)
            )
            met = [*combinations_with_replacement(homes, 2), *product(homes, away)]
            compared += [(one, other, np.array([cell])) for one, other in met]
        shared = np.flatnonzero(~self.hot)
        shared = shared[np.argsort(self.first[0][shared], kind="stable")]
        bins, starts = np.unique(self.first[0][shared], return_index=True)
        cells = np.split(shared, starts[1:]) if len(shared) else []
        return compared + [(bin_, bin_, theirs) for bin_, theirs in zip(bins.tolist(), cells, strict=True)]


def lay_out(residents: Int64, visitors: Int64, order: Int64, *, alone: int, meeting: int) -> Layout:
    """Put cells of so many rows, (n_cells,) each, into bins, in the ``order`` that is given.

    Parameters
    ----------
    alone
        How many rows a bin may have that is compared with itself only: cells are put together up to that, each row
        counted in each of them. A cell of more is hot.
    meeting
        How many rows a bin of a hot cell may have, which meets others; at most ``alone``.
    """
    first, parts = np.empty((2, len(residents)), dtype=np.int64), np.ones((2, len(residents)), dtype=np.int64)
    bins = filled = 0
    shared = False  # whether cells have been put into the bin that is being filled: empty ones too
    for cell, living, visiting in zip(
        *(each.tolist() for each in (order, residents[order], visitors[order])), strict=True
    ):
        hot = living + visiting > alone
        if shared and (hot or filled + living + visiting > alone):
            bins, filled, shared = bins + 1, 0, False
        if hot:
            cut = [max(1, -(-living // meeting)), -(-visiting // meeting)]
            first[:, cell], parts[:, cell] = [bins, bins + cut[0]], cut
            bins += sum(cut)
        else:
            first[:, cell] = bins
            filled, shared = filled + living + visiting, True
    return Layout(first, parts, bins + shared, int((residents + visitors).max(initial=0)))


def near_together(vectors: Float32) -> Int64:
    """Return an order of some vectors, (n,) of (n, d), in which those near each other mostly follow each other.

    Halves of halves, each cut at the median of its first principal component: what visits the cells around neighbours
    then goes to fewer bins. Source: Boley (1998), "Principal direction divisive partitioning".
    """
    if len(vectors) < 3:
        return np.arange(len(vectors))
    centred = vectors - vectors.mean(axis=0)
    direction = np.ones(vectors.shape[1], dtype=np.float32)
    for _ in range(_POWERS):
        direction = centred.T @ (centred @ direction)
        direction /= max(float(np.linalg.norm(direction)), _TINY)
    along = np.argsort(centred @ direction, kind="stable")
    low, high = along[: len(along) // 2], along[len(along) // 2 :]
    return np.concatenate([low[near_together(vectors[low])], high[near_together(vectors[high])]])


def rows_of_a_bin(dimension: int, memory_per_task: int, rows: int, slots: int, *, together: int) -> int:
    """Return how many rows a bin may have: few enough for a task's memory, and for every worker to have some bins.

    Parameters
    ----------
    rows
        That are sent to bins, each as often as it is.
    together
        Bins that a task has in memory: one, or two that meet.
    slots
        Tasks that are worked on at once.
    """
    fit = memory_per_task // (together * (dimension * 4 * _COPIES + _OF_A_ROW))
    return max(1, min(fit, max(_FEWEST_ROWS, rows // (_BINS_A_SLOT * slots))))
