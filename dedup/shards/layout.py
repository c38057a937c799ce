"""Which cells are compared together, in one task: few enough for its memory, and a hot cell in several."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from dedup.questions import Int64


@dataclass(frozen=True, slots=True)
class Layout:
    """Cells in bins. A hot cell has several bins to itself, among which its rows are dealt out by their number."""

    first: Int64  # (n_cells,) the first bin of each cell
    parts: Int64  # (n_cells,) how many bins it has
    bins: int
    largest_cell: int  # rows, visitors included
    largest_bin: (
        int  # rows; of a hot cell's bins on average, for its rows are dealt out by numbers that are as if drawn
    )

    @property
    def hot_cells(self) -> int:
        """How many cells are cut up."""
        return int((self.parts > 1).sum())

    def bins_of(self, row: Int64, near: NDArray[np.int16]) -> Int64:
        """Return the bins in which each row is met: (n, visits), for ``row`` (n,) and its cells, (n, visits)."""
        return self.first[near] + row[:, None] % self.parts[near]

    def together(self) -> list[tuple[int, int, Int64]]:
        """Return what is compared: each bin with itself, those of a hot cell with each other too, and which cells."""
        compared: list[tuple[int, int, Int64]] = []
        order = np.argsort(self.first, kind="stable")
        bins, starts = np.unique(self.first[order], return_index=True)
        for first, cells in zip(bins.tolist(), np.split(order, starts[1:]), strict=True):
            parts = range(first, first + int(self.parts[cells[0]]))
            compared += [(one, other, cells) for one, other in combinations_with_replacement(parts, 2)]
        return compared


def lay_out(rows_in: Int64, most: int) -> Layout:
    """Put cells of so many rows into bins of at most ``most``, in order; a cell of more gets bins of its own."""
    parts = np.maximum(1, -(-rows_in // most))
    first = np.empty(len(rows_in), dtype=np.int64)
    bins = filled = largest = 0
    shared = False  # whether cells have been put into the bin that is being filled: empty ones too
    for cell, (rows, cut) in enumerate(zip(rows_in.tolist(), parts.tolist(), strict=True)):
        if shared and (cut > 1 or filled + rows > most):
            bins, filled, shared = bins + 1, 0, False
        first[cell] = bins
        if cut > 1:
            bins += cut
            largest = max(largest, -(-rows // cut))
        else:
            filled, shared = filled + rows, True
            largest = max(largest, filled)
    return Layout(first, parts, bins + shared, int(rows_in.max(initial=0)), largest)
