"""Measurements on disk: one file each, so that what was interrupted goes on, and all of them in results.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.competitors import Competitor, Corpus
from benchmarks.laws import Law, law_of

RESULTS = "results.json"
LABELLED = "labelled"
"""The name of the corpus of labelled pairs' questions; others are named by their size."""


@dataclass(frozen=True, slots=True)
class FollowUp:
    """What a further command took; the median of several where it is short."""

    seconds: float
    peak_mib: float


@dataclass(frozen=True, slots=True)
class Measurement:
    """One competitor on one corpus.

    ``seconds`` is the process's wall clock where questions were given; where vectors were, it is the stages but
    reading them. None: it was ended at the limit, or failed (``fault`` says how).
    """

    competitor: str
    title: str
    task: str
    tier: str
    metric: str
    about: str
    corpus: str
    size: int
    seconds: float | None
    peak_mib: float
    process_seconds: float
    stages: Mapping[str, float] = field(default_factory=dict)
    found: Mapping[str, int] = field(default_factory=dict)
    recall: float | None = None
    scores: Mapping[str, float] = field(default_factory=dict)  # pairwise, on labelled pairs
    follow_ups: Mapping[str, FollowUp] = field(default_factory=dict)
    fault: str | None = None
    over_limit: bool = False


class Measured:
    """What has been measured on one dump so far."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def _file(self, competitor: str, corpus: str) -> Path:
        return self._folder / f"{competitor}--{corpus}.json"

    def get(self, competitor: Competitor, corpus: str) -> Measurement | None:
        """Return a measurement that was finished, or ended at the limit; one that failed is taken again."""
        file = self._file(competitor.name, corpus)
        if not file.exists():
            return None
        done = read_measurement(json.loads(file.read_text("utf-8")))
        return done if done.fault is None or done.over_limit else None

    def keep(self, measurement: Measurement) -> None:
        """Keep a measurement; it is whole on disk, or not there."""
        file = self._file(measurement.competitor, measurement.corpus)
        beside = file.with_suffix(".unfinished")
        beside.write_text(json.dumps(asdict(measurement), indent=1), "utf-8")
        beside.rename(file)

    def forget(self, competitor: Competitor) -> None:
        """Drop every measurement of one competitor."""
        for file in self._folder.glob(f"{competitor.name}--*.json"):
            file.unlink()

    def seconds(self, competitor: Competitor) -> dict[int, float]:
        """Return what a competitor took, by size; the labelled corpus is another kind of text, and left out."""
        own = (each for each in self.all() if each.competitor == competitor.name)
        return {each.size: each.seconds for each in own if each.corpus != LABELLED and each.seconds is not None}

    def law(self, competitor: Competitor) -> Law | None:
        """Return how a competitor's time grows with the size, as far as measured."""
        return law_of(self.seconds(competitor))

    def all(self) -> list[Measurement]:
        """Return every finished measurement."""
        files = sorted(self._folder.glob("*--*.json"))
        return [read_measurement(json.loads(file.read_text("utf-8"))) for file in files]


def read_measurement(stored: Mapping[str, Any]) -> Measurement:
    """Return a measurement from what JSON says of it."""
    follow_ups = {name: FollowUp(**each) for name, each in stored["follow_ups"].items()}
    return Measurement(**{**stored, "follow_ups": follow_ups})


def begin(competitor: Competitor, corpus: Corpus) -> dict[str, Any]:
    """Return what a measurement says of its competitor and corpus."""
    return {
        "competitor": competitor.name,
        "title": competitor.title,
        "task": str(competitor.task),
        "tier": str(competitor.tier),
        "metric": competitor.metric,
        "about": competitor.about,
        "corpus": corpus.name,
        "size": corpus.size,
    }
