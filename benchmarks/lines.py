"""What results.json says, arranged for tables and pictures: each competitor's seconds by size, measured or not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.competitors import Task
from benchmarks.laws import Law
from benchmarks.results import LABELLED, Measurement, read_measurement


@dataclass(frozen=True, slots=True)
class Point:
    """What so many questions take: measured, extrapolated, or at least what it had taken when it was ended."""

    size: int
    seconds: float
    measured: Measurement | None
    at_least: bool = False

    @property
    def mark(self) -> str:
        """What stands before the figure where it was not measured."""
        return "" if self.measured else "> " if self.at_least else "≈ "


@dataclass(frozen=True, slots=True)
class Line:
    """One competitor: its points at the sizes that were asked for, ascending, and what else is known of it."""

    first: Measurement  # any of its measurements: its title, tier and metric
    points: tuple[Point, ...]
    law: Law | None
    labelled: Measurement | None  # on the questions of the labelled pairs

    @property
    def largest(self) -> Measurement | None:
        """The measurement of the largest corpus, of those that ended."""
        return next((point.measured for point in reversed(self.points) if point.measured is not None), None)

    def at(self, size: int) -> Point | None:
        """Return the point of one size."""
        return next((point for point in self.points if point.size == size), None)


@dataclass(frozen=True, slots=True)
class Results:
    """Everything of one results.json."""

    machine: Mapping[str, Any]
    versions: Mapping[str, str]
    conditions: Mapping[str, Any]
    sizes: tuple[int, ...]
    lines: tuple[Line, ...]

    def of(self, task: Task) -> tuple[Line, ...]:
        """Return the competitors of one task."""
        return tuple(line for line in self.lines if line.first.task == task)


def read_results(file: Path) -> Results:
    """Read what `make bench` wrote; competitors are in the order of the registry."""
    said = json.loads(file.read_text("utf-8"))
    measurements: dict[str, list[Measurement]] = {name: [] for name in said["competitors"]}
    for stored in said["measurements"]:
        measurements.setdefault(stored["competitor"], []).append(read_measurement(stored))
    laws = {name: Law(law["factor"], law["exponent"], tuple(law["sizes"])) for name, law in said["laws"].items()}
    sizes = tuple(said["conditions"]["sizes"])
    lines = tuple(_line(found, sizes, laws.get(name)) for name, found in measurements.items() if found)
    return Results(said["machine"], said["versions"], said["conditions"], sizes, lines)


def _line(found: list[Measurement], sizes: tuple[int, ...], law: Law | None) -> Line:
    by_size = {each.size: each for each in found if each.corpus != LABELLED and each.seconds is not None}
    over = [each for each in found if each.corpus != LABELLED and each.over_limit]
    labelled = next((each for each in found if each.corpus == LABELLED), None)
    points = []
    for size in sizes:
        done = by_size.get(size)
        if done is not None and done.seconds is not None:
            points.append(Point(size, done.seconds, done))
            continue
        # What was ended at the limit takes longer than that, whatever smaller sizes say.
        ended = max((each.process_seconds * size / each.size for each in over if each.size <= size), default=0.0)
        told = law.seconds(size) if law is not None and len(law.sizes) == 2 and size > law.sizes[-1] else 0.0
        if ended or told:
            points.append(Point(size, max(ended, told), None, at_least=ended >= told))
    return Line(found[0], tuple(points), law, labelled)
