"""A competitor that is a module of this folder: it reads its input, does its work by stages and says what they took."""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.competitors.protocol import ENCODERS, Corpus, Outcome, Task, Tier

_OUTCOME = "outcome.json"
_CLUSTERS = "clusters.csv"
_PAIRS = "pairs.npy"


@dataclass(frozen=True, slots=True)
class Script:
    """A module that is run with `Given`'s options."""

    name: str
    title: str
    task: Task
    tier: Tier
    metric: str
    about: str
    module: str
    peer: bool = False

    def command(self, python: str, corpus: Corpus, folder: Path) -> list[str]:
        """See `Competitor.command`."""
        read = corpus.questions if self.task is Task.WHOLE else corpus.vectors / ENCODERS[self.tier]
        run = [python, "-m", f"benchmarks.competitors.{self.module}", str(read)]
        return [*run, "--rows", str(corpus.size), "--tier", self.tier, "--metric", self.metric]

    def follow_ups(self, python: str, corpus: Corpus, folder: Path) -> Mapping[str, list[str]]:
        """See `Competitor.follow_ups`: there are none."""
        return {}

    def outcome(self, python: str, folder: Path) -> Outcome:
        """See `Competitor.outcome`."""
        said = json.loads((folder / _OUTCOME).read_text("utf-8"))
        clusters, pairs = folder / _CLUSTERS, folder / _PAIRS
        return Outcome(
            stages=said["stages"],
            found=said["found"],
            clusters=clusters if clusters.exists() else None,
            pairs=pairs if pairs.exists() else None,
        )


@dataclass(frozen=True, slots=True)
class Given:
    """What a module is told to work on."""

    read: Path  # the corpus, or the folder of its vectors
    rows: int
    tier: Tier
    metric: str


def given() -> Given:
    """Read the command line of a module."""
    parser = argparse.ArgumentParser()
    parser.add_argument("read", type=Path)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--tier", type=Tier, required=True)
    parser.add_argument("--metric", required=True)
    asked = parser.parse_args()
    return Given(asked.read, asked.rows, asked.tier, asked.metric)


def say(stages: Mapping[str, float], **found: int) -> None:
    """Leave word of the seconds of each stage and of what was found."""
    rounded = {stage: round(seconds, 4) for stage, seconds in stages.items()}
    Path(_OUTCOME).write_text(json.dumps({"stages": rounded, "found": found}), "utf-8")


def write_clusters(rows: Iterable[tuple[str, str, int]]) -> None:
    """Write (id, question, cluster) of every question, as `dedup export clusters` names its columns."""
    with Path(_CLUSTERS).open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", "question", "cluster"])
        writer.writerows(rows)


def pairs_file() -> Path:
    """Return where a join leaves its pairs: (n, 2) int64 rows, in NumPy's format."""
    return Path(_PAIRS)
