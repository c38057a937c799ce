"""What an earlier join found, so that only what is new since has to be compared.

All pairs within the earlier cut-off are known. A pair is in the later join without being looked for where neither of
its rows may now be farther from others than the earlier join looked around it; every other row is fresh.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from dedup.join.cutoff import Cutoff
from dedup.join.found import FoundPairs
from dedup.questions import Float32, Int64, Pairs


@dataclass(frozen=True, slots=True)
class Known:
    """The pairs of an earlier join among n rows, some of which it did not have."""

    pairs: Pairs  # by the rows of now
    distance: float  # of the earlier `Cutoff`
    shortfall: Float32  # (n,) of the earlier `Cutoff`; +inf of a row that was not there

    @classmethod
    def nothing(cls, rows: int) -> Self:
        """Return what is known where nothing has been joined yet."""
        none = Pairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))
        return cls(none, 0.0, np.full(rows, np.inf, dtype=np.float32))

    def fresh(self, cutoff: Cutoff) -> NDArray[np.bool_]:
        """Tell which rows have to be compared with all others for a join under ``cutoff``, (n,)."""
        rows = len(self.shortfall)
        if cutoff.distance != self.distance:
            return np.ones(rows, dtype=bool)
        return np.asarray(cutoff.shortfalls(rows) < self.shortfall)

    def covering(self, cutoff: Cutoff, fresh: NDArray[np.bool_], margin: float) -> Cutoff:
        """Return the cut-off under which fresh rows are joined: theirs, with a margin; of the others, as before."""
        return Cutoff(
            cutoff.distance, np.where(fresh, cutoff.shortfalls(len(fresh)) - np.float32(margin), self.shortfall)
        )

    def still(self, fresh: NDArray[np.bool_]) -> FoundPairs:
        """Return the pairs of rows that are not fresh."""
        left, right, distance = self.pairs.left, self.pairs.right, self.pairs.distance
        kept = ~(fresh[left] | fresh[right])
        return FoundPairs(left[kept] * np.int64(len(self.shortfall)) + right[kept], distance[kept])


def moved(pairs: Pairs, cutoff: Cutoff, row: Int64, rows: int) -> Known:
    """Return what a join found, by the rows of another corpus.

    Parameters
    ----------
    row
        (n_rows_then,) which of the ``rows`` of now each was; -1 where it is gone. In ascending order, but for those.
    """
    left, right = row[pairs.left], row[pairs.right]
    there = (left >= 0) & (right >= 0)
    shortfall = np.full(rows, np.inf, dtype=np.float32)
    shortfall[row[row >= 0]] = cutoff.shortfalls(len(row))[row >= 0]
    return Known(Pairs(left[there], right[there], pairs.distance[there]), cutoff.distance, shortfall)
