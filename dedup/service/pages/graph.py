"""A cluster as a picture: its questions on a circle, its recorded pairs as lines, the weakest of them marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi, sin

from dedup.store import Member, PairRecord

SHOWN = 40
"""Questions that a picture has at most: with more, its lines cannot be told apart."""

SIZE = 320.0
"""The width and the height of the picture, in its own units."""

_RADIUS = 132.0
_DOT = 11.0


@dataclass(frozen=True, slots=True)
class Dot:
    """A question; ``number`` is its place among the cluster's members, from 1."""

    number: int
    x: float
    y: float
    radius: float
    canonical: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A recorded pair, from dot to dot; the more probable, the wider."""

    left: Dot
    right: Dot
    probability: float
    width: float
    weakest: bool


@dataclass(frozen=True, slots=True)
class Graph:
    """Dots and lines, the weakest line last: it lies over all others."""

    dots: tuple[Dot, ...]
    lines: tuple[Line, ...]

    @property
    def weakest(self) -> Line | None:
        """The least probable of the recorded pairs; None where there is none."""
        return self.lines[-1] if self.lines else None


def draw_cluster(members: Sequence[Member], pairs: Sequence[PairRecord]) -> Graph:
    """Return the picture of a cluster's first `SHOWN` members, the canonical question at the top."""
    shown = members[:SHOWN]
    radius = _DOT if len(shown) <= 20 else _DOT * 20 / len(shown)
    dots = {}
    for at, member in enumerate(shown):
        angle = 2 * pi * at / len(shown) - pi / 2
        x, y = (round(SIZE / 2 + _RADIUS * turn(angle), 2) for turn in (cos, sin))
        dots[member.question.number] = Dot(at + 1, x, y, round(radius, 2), canonical=at == 0)
    within = [pair for pair in pairs if pair.left in dots and pair.right in dots]
    within.sort(key=lambda pair: (-pair.probability, pair.left, pair.right))
    lines = tuple(
        Line(
            dots[pair.left],
            dots[pair.right],
            pair.probability,
            round(0.75 + 2.25 * pair.probability, 2),
            weakest=at == len(within) - 1,
        )
        for at, pair in enumerate(within)
    )
    return Graph(tuple(dots.values()), lines)
