"""A run by processes that is killed goes on from what was finished, and ends as an undisturbed run by threads does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from corpora import many_questions, write_csv
from processes import until

from dedup.settings import Settings
from dedup.store import Recorded, Store

QUESTIONS = 3000


def command(settings: Settings, dump: str, *more: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DEDUP_")}
    environment |= {
        "DEDUP_DB": settings.db,
        "DEDUP_INDEXES": str(settings.indexes),
        "DEDUP_REPORTS": str(settings.reports),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    arguments = [sys.executable, "-m", "dedup.cli", "run", dump, "--fast", "--threshold", "0.8", "--index", "flat"]
    return subprocess.Popen([*arguments, *more], env=environment, stderr=subprocess.PIPE, text=True)


def settings_in(folder: Path) -> Settings:
    folder.mkdir()
    return Settings(db=f"sqlite:///{folder / 'dedup.db'}", indexes=folder / "indexes", reports=folder / "reports")


def recorded(settings: Settings) -> Recorded:
    with Store.open(settings.db, create=False) as store:
        return store.recorded()


def test_a_killed_run_goes_on_and_ends_as_one_by_threads(tmp_path):
    dump = write_csv(tmp_path / "questions.csv", many_questions(QUESTIONS))
    settings, undisturbed = settings_in(tmp_path / "killed"), settings_in(tmp_path / "threads")
    shards = ("--workers", "2", "--shard-size", "500")
    work = settings.indexes / "work"
    with command(settings, dump, *shards) as killed:
        until(lambda: any(work.glob("compare-*/described-*")) or killed.poll() is not None)
        assert killed.poll() is None, "the run had ended before it could be killed"
        killed.kill()
    for run in (command(settings, dump, *shards), command(undisturbed, dump)):
        with run:
            assert run.wait(120) == 0, run.stderr and run.stderr.read()
    assert not any(work.iterdir())
    ours, theirs = recorded(settings), recorded(undisturbed)
    for column in ("left", "right", "distance", "probability"):
        assert np.array_equal(getattr(ours.pairs, column), getattr(theirs.pairs, column))
    for column in ("question", "cluster", "probability", "weakest"):
        assert np.array_equal(getattr(ours.clusters, column), getattr(theirs.clusters, column))
    assert len(ours.pairs.left) > 100
