"""Where everything in a picture stands: geometry in percent of the plot, which the templates write as SVG.

Percentages, and no viewBox, so that a chart is as wide as its page while its labels keep their size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from dedup.classifier import Classifier
from dedup.questions import Float64, Int64
from dedup.report.figures import compact

_X_TICKS = 5
_Y_TICKS = 4
_CURVE_POINTS = 97
_STEPS = (1, 2, 5, 10)


@dataclass(frozen=True, slots=True)
class Bin:
    """Candidate pairs between two distances; ``probability`` is that at the middle."""

    low: float
    high: float
    count: int
    probability: float


@dataclass(frozen=True, slots=True)
class Bar:
    """A bin, or the part of it on one side of the threshold, as a rectangle on the plot's floor; in percent."""

    bin: Bin
    left: float
    width: float
    height: float
    duplicates: bool  # at or under the threshold's distance


@dataclass(frozen=True, slots=True)
class Tick:
    """A labelled place on an axis, in percent from the left or from the floor."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Histogram:
    """The distances of the candidate pairs, the threshold among them and the probability over them."""

    bins: tuple[Bin, ...]
    bars: tuple[Bar, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    curve: str  # an SVG path in a box of 100 by 100, from the top left
    threshold: float | None  # in percent from the left; None where no distance reaches it

    @property
    def total(self) -> int:
        """How many pairs there are."""
        return sum(one.count for one in self.bins)

    @property
    def fullest(self) -> Bin:
        """The bin of the most pairs, the nearest of several."""
        return max(self.bins, key=lambda one: one.count)


def draw_histogram(edges: Float64, counts: Int64, cutoff: float, classifier: Classifier) -> Histogram | None:
    """Draw pairs by distance; None where there are no pairs.

    Parameters
    ----------
    edges, counts
        (bins + 1,) ascending and (bins,): the count of pairs in each bin. A bar's height is proportional to its count.
    cutoff
        The distance of the threshold, in view even where no pair is that far; a negative one is not drawn.
    classifier
        Whose probability is drawn.
    """
    if not counts.sum():
        return None
    axis = Axis.over(edges, cutoff)
    step = max(1.0, _round_step(float(counts.max()) / _Y_TICKS))
    top = step * math.ceil(counts.max() / step)
    middle = classifier.probability((edges[:-1] + edges[1:]) / 2)
    bins = tuple(
        Bin(float(low), float(high), int(count), float(probability))
        for low, high, count, probability in zip(edges[:-1], edges[1:], counts, middle, strict=True)
    )
    return Histogram(
        bins=bins,
        bars=tuple(bar for one in bins for bar in _bars(one, axis, top, cutoff)),
        x_ticks=axis.ticks(),
        y_ticks=tuple(Tick(rounded(100 * at / top), compact(at)) for at in np.arange(0, top + step / 2, step).tolist()),
        curve=_curve(axis, classifier),
        threshold=rounded(axis.percent(cutoff)) if cutoff >= 0 else None,
    )


@dataclass(frozen=True, slots=True)
class Axis:
    """The distances that a picture is wide."""

    low: float
    high: float

    @classmethod
    def over(cls, edges: Float64, cutoff: float) -> Axis:
        """Return the axis from the first edge to the last, with the cut-off in view."""
        low, high = min(float(edges[0]), max(cutoff, 0.0)), max(float(edges[-1]), cutoff)
        return cls(low, high if high > low else low + 1.0)

    def percent(self, distance: float) -> float:
        """Return where a distance stands, in percent from the left."""
        return 100 * (distance - self.low) / (self.high - self.low)

    def ticks(self) -> tuple[Tick, ...]:
        """Return some round distances and where they stand."""
        step = _round_step((self.high - self.low) / _X_TICKS)
        decimals = max(0, -math.floor(math.log10(step)))
        multiples = range(math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9) + 1)
        return tuple(Tick(rounded(self.percent(step * i)), f"{step * i:.{decimals}f}") for i in multiples)


def _bars(bin: Bin, axis: Axis, top: float, cutoff: float) -> list[Bar]:
    """Return a bin's bar; the one that the threshold falls into is drawn in two parts of the same height."""
    if not bin.count:
        return []
    border = min(max(cutoff, bin.low), bin.high)
    sides = ((bin.low, border, True), (border, bin.high, False))
    height = rounded(100 * bin.count / top)
    return [
        Bar(bin, rounded(axis.percent(low)), rounded(axis.percent(high) - axis.percent(low)), height, duplicates)
        for low, high, duplicates in sides
        if high > low
    ]


def _curve(axis: Axis, classifier: Classifier) -> str:
    distance = np.linspace(axis.low, axis.high, _CURVE_POINTS)
    across, down = np.linspace(0, 100, _CURVE_POINTS), 100 - 100 * classifier.probability(distance)
    return "M" + " L".join(f"{x:.2f},{y:.2f}" for x, y in zip(across, down, strict=True))


def _round_step(at_least: float) -> float:
    """Return the smallest of 1, 2, 5 times a power of ten that is not below ``at_least``."""
    power = 10.0 ** math.floor(math.log10(at_least))
    return next(power * step for step in _STEPS if power * step >= at_least * (1 - 1e-9))


def rounded(percent: float) -> float:
    """Return a place with as many digits as a page needs."""
    return round(percent, 4)
