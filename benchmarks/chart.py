"""Seconds by number of questions as a picture: an SVG that is readable on a light page and on a dark one.

    python -m benchmarks.chart RESULTS PICTURE

Up to four plots, by task and tier, all axes logarithmic: a straight line is a power law, its slope the exponent.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from benchmarks.competitors import Task, Tier
from benchmarks.lines import Line, Point, Results, read_results
from dedup.report.figures import compact

_WIDTH = 1280
_PLOT_WIDTH, _PLOT_HEIGHT = 300, 280
_LEFT, _TOP, _ACROSS, _DOWN = 70, 100, 620, 370  # of the first plot; from one to the next
_LABEL_HEIGHT = 15
_PLOTS = (
    (Task.WHOLE, (Tier.TRANSFORMER,), "Questions to clusters, transformer"),
    (Task.WHOLE, (Tier.STATIC, Tier.WORDS), "Questions to clusters, static or words"),
    (Task.JOIN, (Tier.TRANSFORMER,), "Vectors to pairs, transformer"),
    (Task.JOIN, (Tier.STATIC,), "Vectors to pairs, static"),
)
_SHORT = {"euclidean": " L2", "manhattan": " L1", "cosine": "", "jaccard": ""}
_KINDS = ("dedup", "semhash", "sentence-transformers", "MinHash", "FAISS")
_STYLE = """
svg { font: 13px system-ui, sans-serif; color-scheme: light dark; }
.page { fill: #ffffff; } text { fill: #24292f; } .faint { fill: #57606a; }
.grid { stroke: #d0d7de; } .axis { stroke: #8c959f; } path, .dot { fill: none; stroke-width: 2; }
.dedup { stroke: #0550ae; } .semhash { stroke: #bc4c00; } .sentence-transformers { stroke: #8250df; }
.MinHash { stroke: #4d7c0f; } .FAISS { stroke: #6e7781; }
.guess { stroke-dasharray: 5 4; } .dot { fill: #ffffff; } .title { font-weight: 600; }
@media (prefers-color-scheme: dark) {
.page { fill: #0d1117; } text { fill: #e6edf3; } .faint { fill: #9da7b3; }
.grid { stroke: #262c36; } .axis { stroke: #6e7681; } .dot { fill: #0d1117; }
.dedup { stroke: #58a6ff; } .semhash { stroke: #f0883e; } .sentence-transformers { stroke: #bc8cff; }
.MinHash { stroke: #a3d65c; } .FAISS { stroke: #9da7b3; }
}
"""


@dataclass(frozen=True, slots=True)
class Axes:
    """Where sizes and seconds stand in a plot, both logarithmic; in pixels from the picture's corner."""

    left: float
    top: float
    sizes: tuple[int, int]
    seconds: tuple[float, float]

    def x(self, size: float) -> float:
        """Return how far from the left a size stands; a single one stands in the middle."""
        low, high = self.sizes
        share = 0.5 if low == high else math.log(size / low) / math.log(high / low)
        return self.left + _PLOT_WIDTH * share

    def y(self, seconds: float) -> float:
        """Return how far from the top a time stands."""
        low, high = self.seconds
        return self.top + _PLOT_HEIGHT * (1 - math.log(max(seconds, low) / low) / math.log(high / low))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("results", type=Path)
    parser.add_argument("picture", type=Path)
    asked = parser.parse_args()
    asked.picture.write_text(draw(read_results(asked.results)), "utf-8")


def draw(results: Results) -> str:
    """Return the picture of all results, as SVG."""
    plots = [
        (title, lines)
        for task, tiers, title in _PLOTS
        if (lines := [line for line in results.of(task) if line.first.tier in tiers and line.points])
    ]
    height = _TOP + _DOWN * math.ceil(len(plots) / 2) - 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" role="img" '
        'aria-labelledby="title">',
        '<title id="title">Seconds by number of questions, question-dedup and others</title>',
        f"<style>{_STYLE}</style>",
        f'<rect class="page" width="{_WIDTH}" height="{height}" rx="8"/>',
        _text(_LEFT - 30, 32, "Seconds by number of questions", "title"),
        _text(
            _LEFT - 30,
            51,
            f"{results.machine['processor']}, {results.conditions['threads']} cores; both axes logarithmic; "
            "dashed: extrapolated",
            "faint",
        ),
    ]
    for place, (title, lines) in enumerate(plots):
        left, top = _LEFT + _ACROSS * (place % 2), _TOP + _DOWN * (place // 2)
        axes = Axes(left, top, (results.sizes[0], results.sizes[-1]), _decades(lines))
        parts += [_text(left, top - 12, title, "title"), *_grid(axes, results.sizes), *_lines(axes, lines)]
    return "\n".join([*parts, "</svg>", ""])


def _decades(lines: Sequence[Line]) -> tuple[float, float]:
    """Return powers of ten around all points."""
    seconds = [max(point.seconds, 1e-3) for line in lines for point in line.points]
    low, high = math.floor(math.log10(min(seconds))), math.ceil(math.log10(max(seconds)))
    return 10.0**low, 10.0 ** max(high, low + 1)


def _grid(axes: Axes, sizes: Sequence[int]) -> list[str]:
    right, floor = axes.left + _PLOT_WIDTH, axes.top + _PLOT_HEIGHT
    low, high = (round(math.log10(each)) for each in axes.seconds)
    drawn = []
    for power in range(low, high + 1):
        at = axes.y(10.0**power)
        drawn.append(_rule(axes.left, at, right, at, "grid" if power > low else "axis"))
        drawn.append(_text(axes.left - 8, at + 4, f"{10.0**power:,g}", "faint", "end"))
    for size in sizes:
        drawn.append(_rule(axes.x(size), axes.top, axes.x(size), floor, "grid"))
        drawn.append(_text(axes.x(size), floor + 18, compact(size), "faint", "middle"))
    return drawn


def _lines(axes: Axes, lines: Sequence[Line]) -> list[str]:
    drawn = []
    for line in lines:
        kind = next((kind for kind in _KINDS if line.first.title.startswith(kind)), "FAISS")
        measured = [point for point in line.points if point.measured is not None]
        guessed = [*measured[-1:], *(point for point in line.points if point.measured is None)]
        drawn += [_path(axes, measured, kind), _path(axes, guessed, f"{kind} guess")]
        drawn += [
            f'<circle class="dot {kind}" cx="{axes.x(point.size):.1f}" cy="{axes.y(point.seconds):.1f}" r="3.5">'
            f"<title>{escape(_said(line, point))}</title></circle>"
            for point in line.points
        ]
    for line, at in zip(lines, _apart([axes.y(line.points[-1].seconds) for line in lines]), strict=True):
        right, last = axes.left + _PLOT_WIDTH, line.points[-1]
        drawn.append(_rule(axes.x(last.size) + 5, axes.y(last.seconds), right + 12, at, "grid"))
        drawn.append(_text(right + 16, at + 4, f"{_name(line)} {_seconds(last)}"))
    return drawn


def _apart(wanted: Sequence[float]) -> list[float]:
    """Return places for labels near the wanted ones, in their order, none on top of another."""
    order = sorted(range(len(wanted)), key=lambda at: wanted[at])
    placed: dict[int, float] = {}
    lowest = -math.inf
    for at in order:
        placed[at] = lowest = max(wanted[at], lowest + _LABEL_HEIGHT)
    return [placed[at] for at in range(len(wanted))]


def _name(line: Line) -> str:
    return line.first.title.removesuffix(" + components") + _SHORT.get(line.first.metric, "")


def _seconds(point: Point) -> str:
    return f"{point.mark}{point.seconds:,.{1 if point.seconds < 100 else 0}f} s"


def _said(line: Line, point: Point) -> str:
    return f"{_name(line)}, {point.size:,}: {_seconds(point)}"


def _path(axes: Axes, points: Sequence[Point], kind: str) -> str:
    if len(points) < 2:
        return ""
    places = " L".join(f"{axes.x(point.size):.1f},{axes.y(point.seconds):.1f}" for point in points)
    return f'<path class="{kind}" d="M{places}"/>'


def _rule(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, said: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(said)}</text>'


if __name__ == "__main__":
    main()
