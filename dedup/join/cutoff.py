"""How far apart two vectors may be to be a pair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dedup.questions import Float32, Int64


@dataclass(frozen=True, slots=True)
class Cutoff:
    """How far apart a pair may be: ``distance``, less what falls short on either side.

    Questions in sparse surroundings have to be nearer to be a candidate: joining all of them as far as the most crowded
    ones would find ten times as many pairs, to drop them again.
    """

    distance: float
    shortfall: Float32 | None = None  # (n,) of each row; None: of none

    def of(self, left: Int64, right: Int64) -> Float32 | float:
        """Return the cut-off of each pair of rows; the two are broadcast against each other."""
        if self.shortfall is None:
            return self.distance
        # The sum first: so it is the same whichever row is left.
        allowed: Float32 = np.float32(self.distance) - (self.shortfall[left] + self.shortfall[right])
        return allowed

    def shortfalls(self, rows: int) -> Float32:
        """Return what each row falls short of ``distance``, (rows,)."""
        return np.zeros(rows, dtype=np.float32) if self.shortfall is None else self.shortfall

    def widened(self, by: float, rows: int) -> Cutoff:
        """Return the cut-off with so much more on either side of a pair."""
        return Cutoff(self.distance, self.shortfalls(rows) - np.float32(by))

    def halves(self, rows: int) -> Float32:
        """Return what each row brings to the cut-off of its pairs, (rows,): the sum of two is that of the pair."""
        if self.shortfall is None:
            return np.full(rows, self.distance / 2, dtype=np.float32)
        return np.float32(self.distance / 2) - self.shortfall
