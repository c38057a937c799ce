"""How time grows with the number of questions: a power law, from what was measured, to what would take too long."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

_LEAST_EXPONENT = 1.0  # with one measurement alone: nothing here takes less than twice as long for twice as much


@dataclass(frozen=True, slots=True)
class Law:
    """seconds = factor * size ** exponent."""

    factor: float
    exponent: float
    sizes: tuple[int, ...]  # that it was found from

    def seconds(self, size: int) -> float:
        """Return what so many questions take."""
        return self.factor * math.pow(size, self.exponent)


def law_of(seconds: Mapping[int, float]) -> Law | None:
    """Return the law through the two largest sizes that were measured; None where there is none.

    The two largest alone, because what a start costs bends the law of small sizes.
    """
    if not seconds:
        return None
    sizes = tuple(sorted(seconds)[-2:])
    small, large = sizes[0], sizes[-1]
    exponent = _LEAST_EXPONENT
    if small < large:
        exponent = max(_LEAST_EXPONENT, math.log(seconds[large] / seconds[small]) / math.log(large / small))
    return Law(seconds[large] / math.pow(large, exponent), exponent, sizes)
