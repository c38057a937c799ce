"""Where everything in an evaluation's pictures stands, in percent of the plot, as in `dedup.report.charts`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dedup.evaluation import Evaluation, PrecisionRecall, ReliabilityBin
from dedup.questions import Float64, Int64
from dedup.report.charts import Axis, Tick, rounded

_TABLE_EVERY = 10  # points of the curve: one row for 5% of recall


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """A row of the precision-recall curve's table."""

    recall: float
    precision: float
    low: float
    high: float
    probability: float


@dataclass(frozen=True, slots=True)
class PrecisionRecallChart:
    """The curve and its band as SVG paths in a box of 100 by 100, and the threshold's place, from left and top."""

    curve: str
    band: str
    across: float
    down: float
    points: tuple[CurvePoint, ...]


@dataclass(frozen=True, slots=True)
class ReliabilityPoint:
    """A bin as a point with its interval, from left and top; ``bin`` has its figures."""

    bin: ReliabilityBin
    across: float
    down: float
    top: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle, from left and top."""

    left: float
    width: float
    top: float
    height: float
    label: str


@dataclass(frozen=True, slots=True)
class ReliabilityChart:
    """The reliability diagram, and under it how the weight of the pairs is spread over the probabilities."""

    points: tuple[ReliabilityPoint, ...]
    said: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class DistanceBin:
    """Pairs between two distances."""

    low: float
    high: float
    duplicates: int
    others: int


@dataclass(frozen=True, slots=True)
class DistanceChart:
    """Distances of duplicates above the middle and of other pairs below, each as shares of their own kind."""

    bins: tuple[DistanceBin, ...]
    duplicates: tuple[Bar, ...]
    others: tuple[Bar, ...]
    x_ticks: tuple[Tick, ...]
    top: float  # the share at the upper and the lower edge


def draw_precision_recall(curve: PrecisionRecall, evaluation: Evaluation) -> PrecisionRecallChart:
    """Draw a curve with its band, and where the threshold is on it."""
    there = _points(curve.recall, curve.high)
    back = _points(curve.recall[::-1], curve.low[::-1])
    rows = slice(None, None, _TABLE_EVERY)
    columns = (curve.recall, curve.precision, curve.low, curve.high, curve.probability)
    return PrecisionRecallChart(
        curve=f"M{_points(curve.recall, curve.precision)}",
        band=f"M{there} L{back} Z",
        across=rounded(100 * evaluation.scores["recall"]),
        down=rounded(100 - 100 * evaluation.scores["precision"]),
        points=tuple(CurvePoint(*map(float, row)) for row in zip(*(column[rows] for column in columns), strict=True)),
    )


def draw_reliability(bins: tuple[ReliabilityBin, ...], said: Float64) -> ReliabilityChart:
    """Draw bins of the reliability diagram, and the (n,) weights of equal bins of probability from 0 to 1."""
    width, highest = 100 / len(said), float(said.max())
    return ReliabilityChart(
        points=tuple(
            ReliabilityPoint(
                bin=one,
                across=rounded(100 * one.said),
                down=rounded(100 - 100 * one.came_true),
                top=rounded(100 - 100 * one.high),
                bottom=rounded(100 - 100 * one.low),
            )
            for one in bins
        ),
        said=tuple(
            Bar(
                left=rounded(width * at),
                width=rounded(width),
                top=rounded(100 - 100 * share / highest),
                height=rounded(100 * share / highest),
                label=f"{width * at / 100:g} to {width * (at + 1) / 100:g}: {share:.1%}",
            )
            for at, share in enumerate(said.tolist())
        ),
    )


def draw_distances(edges: Float64, duplicates: Int64, others: Int64) -> DistanceChart:
    """Draw two histograms over the same (bins + 1,) edges, mirrored; both have pairs."""
    axis = Axis.over(edges, float(edges[0]))
    shares = [counts / counts.sum() for counts in (duplicates, others)]
    top = float(np.max(shares))
    left = [axis.percent(edge) for edge in edges.tolist()]

    def bars(share: Float64, counts: Int64, sign: int) -> tuple[Bar, ...]:
        return tuple(
            Bar(
                left=rounded(left[at]),
                width=rounded(left[at + 1] - left[at]),
                top=rounded(50 - 50 * share[at] / top if sign > 0 else 50.0),
                height=rounded(50 * share[at] / top),
                label=f"{edges[at]:.4g} to {edges[at + 1]:.4g}: {counts[at]:,} pairs",
            )
            for at in np.flatnonzero(counts).tolist()
        )

    return DistanceChart(
        bins=tuple(
            DistanceBin(*row)
            for row in zip(edges[:-1].tolist(), edges[1:].tolist(), duplicates.tolist(), others.tolist(), strict=True)
        ),
        duplicates=bars(shares[0], duplicates, 1),
        others=bars(shares[1], others, -1),
        x_ticks=axis.ticks(),
        top=top,
    )


def _points(recall: Float64, precision: Float64) -> str:
    return " L".join(f"{x:.2f},{y:.2f}" for x, y in zip(100 * recall, 100 - 100 * precision, strict=True))
