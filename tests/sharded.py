"""Whole runs in shards, as commands with the static encoder, to be stopped and compared with one by threads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from corpora import many_questions, write_csv
from processes import environment_of, until

from dedup.settings import Settings
from dedup.store import Recorded, Store

QUESTIONS = 3000


def command(settings: Settings, name: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a command with the folders and the database of ``settings``."""
    line = [sys.executable, "-m", "dedup.cli", name, *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(line, env=environment_of(settings), stdout=pipe, stderr=pipe, text=True)


def run_command(settings: Settings, dump: str, *more: str) -> subprocess.Popen[str]:
    """Start a run of a dump."""
    return command(settings, "run", dump, "--fast", "--threshold", "0.8", "--index", "flat", *more)


def finish(settings: Settings, dump: str, *more: str) -> str:
    """Run a dump to the end; return what was said."""
    with run_command(settings, dump, *more) as run:
        _, said = run.communicate(timeout=240)
        assert run.returncode == 0, said
        return said


def kill_half_way(settings: Settings, dump: str, *more: str) -> None:
    """Start a run in shards and kill it, by SIGKILL, when some of them have been described."""
    with run_command(settings, dump, *more) as killed:
        until_described(settings, killed)
        assert killed.poll() is None, "the run had ended before it could be killed"
        killed.kill()


def until_described(settings: Settings, run: subprocess.Popen[str]) -> None:
    """Wait until a shard of a run has been described, or the run has ended."""
    work = settings.indexes / "work"
    until(lambda: any(work.glob("*/compare-*/described-*")) or run.poll() is not None)


def settings_in(folder: Path, db: str | None = None) -> Settings:
    """Return settings of a new folder, by default with its own SQLite database."""
    folder.mkdir()
    db = db or f"sqlite:///{folder / 'dedup.db'}"
    return Settings(db=db, indexes=folder / "indexes", reports=folder / "reports")


def recorded(settings: Settings) -> Recorded:
    """Return what is recorded."""
    with Store.open(settings.db, create=False) as store:
        return store.recorded()


def assert_same(ours: Recorded, theirs: Recorded) -> None:
    """Assert that pairs and clusters are the same to the last digit."""
    for column in ("left", "right", "distance", "probability"):
        assert np.array_equal(getattr(ours.pairs, column), getattr(theirs.pairs, column))
    for column in ("question", "cluster", "probability", "weakest"):
        assert np.array_equal(getattr(ours.clusters, column), getattr(theirs.clusters, column))


@pytest.fixture(scope="session")
def many_dump(tmp_path_factory) -> str:
    """A dump of questions."""
    return write_csv(tmp_path_factory.mktemp("dump") / "questions.csv", many_questions(QUESTIONS))


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory, many_dump) -> Recorded:
    """What a run by threads records."""
    settings = settings_in(tmp_path_factory.mktemp("undisturbed") / "threads")
    finish(settings, many_dump)
    found = recorded(settings)
    assert len(found.pairs.left) > 100
    return found
