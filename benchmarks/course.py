"""One competitor on one corpus: what it is given is made ready, it is warmed up, measured, judged and cleared away."""

from __future__ import annotations

import json
import logging
import shutil
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.competitors import ENCODERS, Competitor, Corpus, Outcome, Task
from benchmarks.measure import Taken, conditions, measure
from benchmarks.results import LABELLED, FollowUp, Measured, Measurement, begin

_WARM_UP = 200  # questions: enough to have every library and model read from disk
_REPEATS = 5  # of a query, of which the median counts: it is short, and starts of processes vary
_SMALLEST = 1000  # no law is looked for below

log = logging.getLogger("bench")


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where and under which conditions everything is measured."""

    root: Path  # of the project
    place: Path  # for everything that belongs to this dump
    dump: Path
    labelled: Path | None
    limit: float  # seconds
    threads: int


class Course:
    """Takes measurements, one after the other."""

    def __init__(self, workplace: Workplace, measured: Measured) -> None:
        self._at = workplace
        self._kept = measured
        self._environment = conditions(workplace.threads, workplace.root)
        self._warm: set[str] = set()

    def take(self, competitor: Competitor, python: str, corpus: str) -> None:
        """Measure a competitor on a corpus, by name, unless that is done, or would take longer than the limit.

        Where the limit forbids it, smaller corpora are measured until there are two, and with them a law.
        """
        if corpus == LABELLED:
            self._take(competitor, python, corpus)
            return
        size, law = int(corpus), self._kept.law(competitor)
        wanted = 2  # sizes, for a law
        if law is None or law.seconds(size) <= self._at.limit:
            if not self._take(competitor, python, corpus).over_limit:
                return
            wanted = max(wanted, len(self._kept.seconds(competitor)) + 1)  # the law there was said too little
        else:
            log.info("%s on %d would take %.0f s: left to extrapolation", competitor.name, size, law.seconds(size))
        while size // 2 >= _SMALLEST and len(self._kept.seconds(competitor)) < wanted:
            size //= 2
            self._take(competitor, python, str(size))

    def child_json(self, command: Sequence[str | Path]) -> Any:
        """Run a process that is not measured, and return what it prints."""
        ran = subprocess.run(command, cwd=self._at.root, env=self._environment, stdout=subprocess.PIPE, check=True)
        return json.loads(ran.stdout)

    def _take(self, competitor: Competitor, python: str, corpus: str) -> Measurement:
        done = self._kept.get(competitor, corpus)
        if done is None:
            log.info("%s on %s", competitor.name, corpus)
            done = self._measure(competitor, python, self._corpus(corpus))
            self._kept.keep(done)
            log.info("%s on %s: %s", competitor.name, corpus, _in_words(done))
        return done

    def _measure(self, competitor: Competitor, python: str, corpus: Corpus) -> Measurement:
        folder = self._empty("work")
        if competitor.name not in self._warm:
            taken = self._run(competitor, python, self._corpus(str(_WARM_UP)), folder)
            if taken.code:
                return self._without_result(competitor, corpus, taken)
            self._warm.add(competitor.name)
            folder = self._empty("work")
        taken = self._run(competitor, python, corpus, folder)
        done = self._without_result(competitor, corpus, taken)
        if done.fault is not None:
            return done
        outcome = competitor.outcome(python, folder)
        work = sum(seconds for stage, seconds in outcome.stages.items() if stage != "load")
        done = replace(
            done,
            seconds=taken.seconds if competitor.task is Task.WHOLE else round(work, 4),
            stages=outcome.stages,
            found=outcome.found,
            recall=outcome.recall,
            follow_ups=self._follow_up(competitor.follow_ups(python, corpus, folder), folder),
        )
        done = self._judge(done, competitor, corpus, outcome)
        shutil.rmtree(folder)
        return done

    def _without_result(self, competitor: Competitor, corpus: Corpus, taken: Taken) -> Measurement:
        return Measurement(
            **begin(competitor, corpus),
            seconds=None,
            peak_mib=taken.peak_mib,
            process_seconds=taken.seconds,
            fault=self._fault(taken),
            over_limit=taken.over_limit,
        )

    def _run(self, competitor: Competitor, python: str, corpus: Corpus, folder: Path) -> Taken:
        if competitor.task is Task.JOIN:
            self._make_vectors(competitor, corpus)
        _read_once(corpus.questions)
        return measure(competitor.command(python, corpus, folder), folder, self._at.limit, self._environment)

    def _follow_up(self, commands: Mapping[str, Sequence[str]], folder: Path) -> dict[str, FollowUp]:
        found = {}
        for name, command in commands.items():
            rounds = []
            for _ in range(_REPEATS if name == "query" else 1):
                rounds.append(measure(command, folder, self._at.limit, self._environment))
                if rounds[-1].code:
                    raise RuntimeError(f"{name}: {self._fault(rounds[-1])}; {rounds[-1].complained}")
            seconds = statistics.median(each.seconds for each in rounds)
            found[name] = FollowUp(seconds, max(each.peak_mib for each in rounds))
        return found

    def _judge(self, done: Measurement, competitor: Competitor, corpus: Corpus, outcome: Outcome) -> Measurement:
        judge = [sys.executable, "-m", "benchmarks.judging"]
        if outcome.pairs is not None:
            vectors = corpus.vectors / ENCODERS[competitor.tier]
            metric = "euclidean" if competitor.metric == "cosine" else competitor.metric  # of unit vectors: one order
            judged = self.child_json([*judge, "pairs", outcome.pairs, vectors, metric, str(corpus.size)])
            return replace(done, recall=judged["recall"])
        if outcome.clusters is not None and corpus.labelled and self._at.labelled is not None:
            return replace(done, scores=self.child_json([*judge, "clusters", outcome.clusters, self._at.labelled]))
        return done

    def _corpus(self, name: str) -> Corpus:
        """Make a corpus, unless it is there already."""
        self._at.place.mkdir(parents=True, exist_ok=True)
        file = self._at.place / f"questions-{name}.parquet"
        described = file.with_suffix(".json")
        if not described.exists():
            given: list[str | Path] = [] if name == LABELLED else ["--dump", self._at.dump, "--size", name]
            labelled: list[str | Path] = [] if self._at.labelled is None else ["--labelled", self._at.labelled]
            made = self.child_json([sys.executable, "-m", "benchmarks.corpora", file, *given, *labelled])
            described.write_text(json.dumps(made), "utf-8")
        vectors = self._at.place / ("vectors-labelled" if name == LABELLED else "vectors")
        said = json.loads(described.read_text("utf-8"))
        return Corpus(name, said["size"], file, vectors, said["sample"], said["labelled"])

    def _make_vectors(self, competitor: Competitor, corpus: Corpus) -> None:
        encoder = ENCODERS[competitor.tier]
        make = [sys.executable, "-m", "benchmarks.vectors", corpus.questions, corpus.vectors / encoder, encoder]
        subprocess.run([str(each) for each in make], cwd=self._at.root, env=self._environment, check=True)

    def _empty(self, name: str) -> Path:
        folder = self._at.place / name
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        return folder

    def _fault(self, taken: Taken) -> str | None:
        if not taken.code:
            return None
        if taken.over_limit:
            return f"over the limit of {self._at.limit:g} s"
        last = taken.complained.strip().splitlines()
        return f"ended with {taken.code}: {last[-1] if last else 'nothing said'}"


def _read_once(file: Path) -> None:
    """Have a file in the page cache, where all competitors find it."""
    with file.open("rb") as stream:
        while stream.read(1 << 20):
            pass


def _in_words(done: Measurement) -> str:
    if done.seconds is None:
        return str(done.fault)
    recall = "" if done.recall is None else f", recall {done.recall:.4f}"
    f1 = f", F1 {done.scores['f1']:.3f}" if done.scores else ""
    return f"{done.seconds:.2f} s, {done.peak_mib:.0f} MiB{recall}{f1}"
