"""Competitors that need no model and no package: they do what they are told, or take too long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.competitors import Corpus, Outcome, Task, Tier

# Everyone is on his own, but for questions that differ in case alone.
LOWER_CASE = """
import csv, sys
import pyarrow.parquet as pq
texts = pq.read_table(sys.argv[1])["text"].to_pylist()
with open("clusters.csv", "w", encoding="utf-8", newline="") as stream:
    csv.writer(stream).writerows([("question", "cluster"), *((text, text.lower()) for text in texts)])
"""


@dataclass(frozen=True)
class StandIn:
    """A program of Python, and what it says of itself."""

    program: str
    name: str = "stand-in"
    title: str = "stand-in"
    task: Task = Task.WHOLE
    tier: Tier = Tier.WORDS
    metric: str = "jaccard"
    about: str = "made up"
    peer: bool = False

    def command(self, python: str, corpus: Corpus, folder: Path) -> list[str]:
        return [python, "-c", self.program, str(corpus.questions), str(corpus.size)]

    def follow_ups(self, python: str, corpus: Corpus, folder: Path) -> Mapping[str, list[str]]:
        return {}

    def outcome(self, python: str, folder: Path) -> Outcome:
        clusters = folder / "clusters.csv"
        return Outcome({"all": 1.0}, clusters=clusters if clusters.exists() else None)
