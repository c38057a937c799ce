"""A job that is killed again and again, beside an undisturbed one that is given the same."""

from __future__ import annotations

import logging
import os
import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from subprocess import Popen, TimeoutExpired
from typing import Any

from corpora import fake_classifier, many_questions, write_csv
from fakes import HashingEncoder
from processes import ended, started

from dedup.classifier import save_classifier
from dedup.index import generation_names
from dedup.pipeline import run
from dedup.progress import Silent
from dedup.queries import Answer, Searcher
from dedup.settings import Settings
from dedup.soundness import examine
from dedup.store import Store, database_lock

KILLS = int(os.environ.get("TORTURE_KILLS", "3"))
"""How often a job of each kind is killed; `make torture` sets it."""

SEED = int(os.environ.get("TORTURE_SEED", "641"))
JOBS: dict[str, tuple[str, ...]] = {
    "run": ("run",),
    "reindex": ("reindex",),
    "compaction": ("reindex", "--compact-share=0.01"),  # the index is built anew each time
}
FLOORS = {"threshold": 0.9, "candidate_floor": 0.6}
FLAGS = tuple(f"--{name.replace('_', '-')}={value}" for name, value in FLOORS.items())

_KILLS_A_STEP = 3
_FIRST, _NEW, _CHANGED = 1200, 150, 40  # questions: at the start, and in each step
_STABLE = 5  # the first questions, which never change: what is asked for meanwhile
_ANSWERED = 3

log = logging.getLogger(__name__)

Row = tuple[str, str, int]


@dataclass(frozen=True)
class Twins:
    """Two places with the same questions: one where jobs are killed, one where they are not."""

    tortured: Settings
    undisturbed: Settings
    folder: Path


@dataclass(frozen=True)
class Span:
    """How long a job took: until it was in the book, and in all, in seconds."""

    begun: float
    whole: float


class Steps:
    """What happens to a corpus, step by step: new questions, and in every second step other texts for some."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self._texts = iter(many_questions(30_000))
        self.rows: list[Row] = [next(self._texts) for _ in range(_FIRST)]

    def next(self, *, changes: bool) -> list[Row]:
        """Return the dump of the next step."""
        dump = [next(self._texts) for _ in range(_NEW)]
        if changes:
            for at in self.random.sample(range(_STABLE, len(self.rows)), _CHANGED):
                changed = (self.rows[at][0], next(self._texts)[1], self.rows[at][2])
                self.rows[at] = changed
                dump.append(changed)
        self.rows += dump[:_NEW]
        return dump


def twins(settings: Settings, database_url: str, encoder: HashingEncoder, folder: Path) -> Twins:
    """Return two places with nothing in them; the undisturbed one is a SQLite file."""
    tortured = replace(settings, db=database_url, **FLOORS)
    undisturbed = replace(tortured, db=f"sqlite:///{folder / 'undisturbed.db'}", indexes=folder / "undisturbed")
    save_classifier(fake_classifier(settings.metric, encoder), undisturbed.indexes)
    return Twins(tortured, undisturbed, folder)


def torture(place: Twins, job: str, kills: int, seed: int) -> None:
    """Kill a job of `JOBS` so often, at moments drawn over its duration; after each few let it finish, and compare.

    While it runs, and after each kill, queries are asked: they have to be answered, from what was published last.
    """
    log.info("torture of %s with seed %d", job, seed)
    command, *more = JOBS[job]
    flags = (*more, *FLAGS)
    steps = Steps(seed)
    first = write_csv(place.folder / "first.csv", steps.rows)
    run([first], place.undisturbed)
    span = _measured(place.tortured, ("run", first, *FLAGS))
    compare(place)
    done = 0
    for step in range(kills):
        if done >= kills:
            return
        changes = step % 2 == 1
        dump = write_csv(place.folder / f"step-{step}.csv", steps.next(changes=changes))
        before = answers(place.undisturbed, steps.rows)
        run([dump], place.undisturbed)
        after = answers(place.undisturbed, steps.rows)
        ask = partial(_check_answers, place.tortured, steps.rows, None if changes else (before, after))
        for _ in range(min(_KILLS_A_STEP, kills - done)):
            moment = steps.random.uniform(0.8 * span.begun, 1.05 * span.whole)
            asked = killed(place.tortured, (command, dump, *flags), moment, ask)
            log.info("step %d, killed after %.3f s, %d times asked meanwhile", step, moment, asked)
            done += 1
        code, _, err = ended(place.tortured, command, dump, *flags, "--wait", "30")
        assert code in (0, 3), err
        compare(place)


def killed(settings: Settings, arguments: Sequence[str], moment: float, ask: Callable[[], None]) -> int:
    """Start a job, SIGKILL it after ``moment`` seconds unless it has ended, and ask all the while; return how often."""
    asked = 0
    with started(settings, *arguments) as process:
        until = time.monotonic() + moment
        while time.monotonic() < until and process.poll() is None:
            ask()
            asked += 1
            with suppress(TimeoutExpired):
                process.wait(max(0.0, min(0.1, until - time.monotonic())))
        process.kill()
        process.wait()
    ask()
    return asked + 1


def compare(place: Twins) -> None:
    """Assert that both places hold the same questions, pairs, clusters and answers, and that all is sound."""
    assert results(place.tortured) == results(place.undisturbed)
    with Store.open(place.tortured.db) as store:
        asked = next(iter(store.texts(store.corpus().keys)))[1][:50]
        assert store.pending_questions() == 0
        assert database_lock(place.tortured.db).holder() is None
        recorded = {each.name for each in store.generations()}
    assert set(generation_names(place.tortured.indexes)) <= recorded, "what a killed job wrote is gone by now"
    found = [_ids(_query(each, asked)) for each in (place.tortured, place.undisturbed)]
    assert found[0] == found[1]
    assert examine(place.tortured, Silent()).damages == ()


def results(settings: Settings) -> list[Any]:
    """Return every question, pair and cluster."""
    with Store.open(settings.db) as store:
        return [*store.iter_clusters(), *store.iter_pairs(0.0), *store.iter_canonical()]


def answers(settings: Settings, rows: Sequence[Row]) -> list[Any]:
    """Return the nearest questions to some that never change, with distances and probabilities."""
    return _ids(_query(settings, [text for _, text, _ in rows[:_STABLE]]))


def _check_answers(settings: Settings, rows: Sequence[Row], expected: tuple[list[Any], list[Any]] | None) -> None:
    found = answers(settings, rows)
    for (id_, _, _), near in zip(rows[:_STABLE], found, strict=True):
        assert near[0][0] == 0.0, f"{id_} is not found: {near}"
    assert expected is None or found in expected


def _query(settings: Settings, texts: Sequence[str]) -> list[Answer]:
    with Store.open(settings.db, create=False) as store:
        return Searcher.load(store, settings).query_many(texts, _ANSWERED, settings.threshold)


def _ids(found: Sequence[Answer]) -> list[Any]:
    """Return who is near, without those as far as the farthest: of equals, the first recorded come first."""
    answers = [
        [(round(match.distance, 5), round(match.probability, 5), match.question.id) for match in answer.matches]
        for answer in found
    ]
    return [sorted(near for near in answer if near[0] < answer[-1][0] or near[0] == 0.0) for answer in answers]


def _measured(settings: Settings, arguments: Sequence[str]) -> Span:
    """Run a job to its end, and return how long it took."""
    start = time.monotonic()
    with started(settings, *arguments) as process:
        begun = _begun(settings, process) - start
        _, err = process.communicate(timeout=600)
        assert process.returncode == 0, err
    return Span(begun, time.monotonic() - start)


def _begun(settings: Settings, process: Popen[str]) -> float:
    while process.poll() is None:
        if database_lock(settings.db).holder() is not None:
            break
        time.sleep(0.02)
    return time.monotonic()
