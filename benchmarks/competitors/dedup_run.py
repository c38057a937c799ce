"""question-dedup as its users run it: `dedup run` into SQLite, the same again, and `dedup query`."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from benchmarks.competitors.protocol import ENCODERS, Corpus, Outcome, Task, Tier

_COUNTS = ("candidate_pairs", "duplicate_pairs", "clusters")


@dataclass(frozen=True, slots=True)
class DedupRun:
    """`dedup run`, from Parquet to rows in SQLite."""

    tier: Tier
    metric: str
    title: str = "dedup run"
    task: Task = Task.WHOLE
    peer: bool = False

    @property
    def name(self) -> str:
        """See `Competitor.name`."""
        return f"dedup-run-{self.tier}-{self.metric}"

    @property
    def about(self) -> str:
        """See `Competitor.about`."""
        return f"{ENCODERS[self.tier]}, every default"

    def command(self, python: str, corpus: Corpus, folder: Path) -> list[str]:
        """See `Competitor.command`."""
        fast = ["--fast"] if self.tier is Tier.STATIC else []
        run = [python, "-m", "dedup.cli", "-q", "run", str(corpus.questions), "--metric", self.metric, "--json"]
        return [*run, *fast]

    def follow_ups(self, python: str, corpus: Corpus, folder: Path) -> Mapping[str, list[str]]:
        """See `Competitor.follow_ups`."""
        query = [python, "-m", "dedup.cli", "query", corpus.sample, "--json"]
        return {"query": query, "rerun": self.command(python, corpus, folder)}

    def outcome(self, python: str, folder: Path) -> Outcome:
        """See `Competitor.outcome`."""
        with closing(sqlite3.connect(folder / "dedup.db")) as database:
            stages, counts = database.execute("SELECT seconds, counts FROM runs ORDER BY id LIMIT 1").fetchone()
        counted = json.loads(counts)
        clusters = folder / "clusters.csv"
        export = [python, "-m", "dedup.cli", "export", "clusters", str(clusters)]
        subprocess.run(export, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        return Outcome(
            stages=json.loads(stages),
            found={name: counted[name] for name in _COUNTS},
            recall=counted["pair_recall"],
            clusters=clusters,
        )
