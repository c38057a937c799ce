"""One job at a time, in processes of their own, on both databases; what was killed is known to have been."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import Popen

import pytest
from corpora import KITCHEN, write_csv
from processes import ended, started, until

from dedup.errors import Locked, StoreError
from dedup.jobs import last_run
from dedup.pipeline import RunResult
from dedup.settings import Settings
from dedup.store import KILLED, RunState, Store, database_lock

RunCsv = Callable[..., RunResult]


@pytest.fixture
def shared(settings: Settings, database_url: str) -> Settings:
    """The settings, with each kind of database."""
    return replace(settings, db=database_url)


@contextmanager
def at_work(settings: Settings, run: int = 1) -> Iterator[Popen[str]]:
    """A job that holds its locks, and is recorded under this id: it waits for a dump on its standard input."""
    with started(settings, "run", "-") as process:
        until(lambda: begun(settings, run))
        yield process


def begun(settings: Settings, run: int) -> bool:
    try:
        with Store.open(settings.db, create=False) as store:
            last = store.last_run()
            return last is not None and last.id == run and last.state is RunState.RUNNING
    except StoreError:  # it has no tables yet
        return False


def test_a_second_start_ends_at_once_and_names_the_holder(shared: Settings, run_csv: RunCsv, tmp_path: Path) -> None:
    run_csv(KITCHEN, db=shared.db)
    with at_work(shared, 2) as process:
        with pytest.raises(Locked) as refused:
            run_csv(KITCHEN, db=shared.db, indexes=tmp_path / "others")
        holder = refused.value.holder
        assert (holder.command, holder.pid, holder.host) == ("dedup run", process.pid, socket.gethostname())
        assert timedelta(0) <= datetime.now(UTC) - holder.since < timedelta(minutes=2)
        code, out, err = ended(shared, "run", write_csv(tmp_path / "kitchen.csv", KITCHEN))
        assert (code, out) == (4, "")
        assert f"is in use by dedup run, process {process.pid} on {socket.gethostname()}, since " in err
        out, _ = process.communicate("id,question\n77,Who was first on the moon?\n")
        assert process.returncode == 0
        assert "1 new questions" in out
    assert database_lock(shared.db).holder() is None
    assert run_csv(KITCHEN, db=shared.db).questions == len(KITCHEN) + 1


@pytest.mark.slow
def test_readers_need_no_lock_and_status_names_the_job(shared: Settings, run_csv: RunCsv) -> None:
    run_csv(KITCHEN, db=shared.db)
    with at_work(shared, 2) as process:
        code, out, err = ended(shared, "status", "--json")
        assert code == 0, err
        status = json.loads(out)
        assert status["job"]["pid"] == process.pid
        assert status["job"]["command"] == "dedup run"
        assert status["last_run"]["state"] == "running"
        assert (status["last_success"]["run_id"], status["last_error"]) == (1, None)
        for arguments in (("query", "Can cats eat rice?"), ("export", "clusters", "out.csv"), ("clusters",)):
            assert ended(shared, *arguments)[0] == 0


def test_a_killed_job_leaves_no_lock_and_is_recorded_as_killed(shared: Settings, run_csv: RunCsv) -> None:
    run_csv(KITCHEN, db=shared.db)
    with at_work(shared, 2) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        until(lambda: database_lock(shared.db).holder() is None)  # the server needs a moment to see it
        with Store.open(shared.db) as store:
            last, holder = last_run(store, shared)
            assert (last.id, last.state, last.error, holder) == (2, RunState.FAILED, KILLED, None)
            assert store.run(2).state is RunState.RUNNING  # nobody has recorded it yet
        status = json.loads(ended(shared, "status", "--json")[1])
        assert (status["job"], status["last_error"]["error"]) == (None, KILLED)
        assert run_csv(KITCHEN, db=shared.db).reused
    with Store.open(shared.db) as store:
        assert (store.run(2).state, store.run(2).error) == (RunState.FAILED, KILLED)
        assert store.last_run().state is RunState.DONE


@pytest.mark.slow
def test_a_start_that_waits_goes_on_when_the_holder_is_done(shared: Settings, tmp_path: Path) -> None:
    dump = write_csv(tmp_path / "kitchen.csv", KITCHEN)
    with at_work(shared) as first, started(shared, "run", dump, "--wait", "60", "--json") as second:
        assert f"is in use by dedup run, process {first.pid} on " in second.stderr.readline()
        first.communicate("id,question\n77,Who was first on the moon?\n")
        out, err = second.communicate()
        assert second.returncode == 0, err
    assert first.returncode == 0
    assert (json.loads(out)["run_id"], json.loads(out)["read"]) == (2, len(KITCHEN))
    with Store.open(shared.db) as store:
        assert {"77", "1"} <= {question.id for question in store.questions(store.corpus().ids.tolist()).values()}


def test_a_start_that_waited_in_vain_is_refused(settings: Settings, tmp_path: Path) -> None:
    with at_work(settings):
        assert ended(settings, "run", write_csv(tmp_path / "kitchen.csv", KITCHEN), "--wait", "1")[0] == 4


def test_two_databases_do_not_share_an_indexes_folder_at_once(settings: Settings, run_csv: RunCsv, tmp_path) -> None:
    elsewhere = f"sqlite:///{tmp_path / 'other.db'}"
    with at_work(settings):
        with pytest.raises(Locked, match=f"the indexes folder {settings.indexes} is in use by dedup run"):
            run_csv(KITCHEN, db=elsewhere)
        assert not (tmp_path / "other.db").exists()
    until(lambda: database_lock(settings.db).holder() is None)
    assert run_csv(KITCHEN, db=elsewhere).questions == len(KITCHEN)


def test_one_file_under_two_names_is_one_database(settings: Settings, run_csv: RunCsv, tmp_path: Path) -> None:
    run_csv(KITCHEN)
    (tmp_path / "link.db").symlink_to(tmp_path / "dedup.db")
    with at_work(settings, 2), pytest.raises(Locked, match="the database"):
        run_csv(KITCHEN, db=f"sqlite:///{tmp_path / 'link.db'}", indexes=tmp_path / "others")


def test_a_job_that_fails_gives_its_locks_back(shared: Settings, run_csv: RunCsv, trigrams) -> None:
    trigrams.fails_after = 0
    with pytest.raises(InterruptedError):
        run_csv(KITCHEN, db=shared.db)
    assert database_lock(shared.db).holder() is None
    trigrams.fails_after = None
    assert run_csv(KITCHEN, db=shared.db).questions == len(KITCHEN)
    assert (shared.indexes / ".lock").stat().st_size == 0
