"""Runs whose shards are claimed in PostgreSQL by `dedup work` find the same, whoever is stopped or killed meanwhile."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import psutil
import pytest
from processes import until
from sharded import assert_same, command, finish, kill_half_way, recorded, run_command, settings_in

from dedup.settings import Settings
from dedup.store import Store
from dedup.store.database import Database

pytestmark = pytest.mark.slow

SHARDS = ("--engine", "database", "--shard-size", "500")


@pytest.fixture
def database_kind() -> str:
    return "postgresql"


@pytest.fixture
def settings(tmp_path, database_url) -> Settings:
    return settings_in(tmp_path / "claimed", database_url)


@pytest.fixture
def worker(settings) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Starts workers of one process each, that are there when they have been started."""
    with ExitStack() as stack:

        def start() -> subprocess.Popen[str]:
            process = stack.enter_context(_killed_at_the_end(command(settings, "work", "--workers", "1", "--json")))
            assert process.stderr is not None
            assert "waiting for the shards of runs" in process.stderr.readline()
            return process

        yield start


@contextmanager
def _killed_at_the_end(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _held(settings: Settings) -> int:
    with Database(settings.db).session() as connection:
        statement = "SELECT count(*) FROM shard_tasks WHERE holder IS NOT NULL AND result IS NULL"
        return int(connection.exec_driver_sql(statement).scalar_one())


def test_two_workers_find_what_threads_find(settings, worker, many_dump, undisturbed):
    workers = [worker(), worker()]
    finish(settings, many_dump, *SHARDS)
    assert_same(recorded(settings), undisturbed)
    assert not any((settings.indexes / "work").iterdir())
    done = []
    for process in workers:
        process.terminate()
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        done.append(json.loads(out))
    assert all(each["shards"] > 3 and each["given_back"] == 0 for each in done)


def test_a_killed_worker_costs_an_attempt_and_a_stopped_one_nothing(settings, worker, many_dump, undisturbed):
    killed, stopped = worker(), worker()
    with run_command(settings, many_dump, *SHARDS) as run:
        until(lambda: _halted_at_work(settings, killed, stopped))
        killed.kill()
        worker()
        stopped.terminate()
        psutil.Process(stopped.pid).resume()
        out, _ = stopped.communicate(timeout=60)
        assert stopped.returncode == 0
        assert json.loads(out)["given_back"] <= 1
        _, said = run.communicate(timeout=240)
    assert run.returncode == 0, said
    assert said.count("was not finished (a worker was killed): attempt 2") == 1
    assert "attempt 3" not in said
    assert_same(recorded(settings), undisturbed)


def test_a_killed_run_goes_on_with_the_same_workers(settings, worker, many_dump, undisturbed):
    worker(), worker()
    kill_half_way(settings, many_dump, *SHARDS)
    finish(settings, many_dump, *SHARDS)
    assert not any((settings.indexes / "work").iterdir())
    assert_same(recorded(settings), undisturbed)


def test_a_run_waits_for_workers_that_were_announced(settings, worker, many_dump, undisturbed):
    with run_command(settings, many_dump, *SHARDS, "--workers", "2") as run:
        until(lambda: _runs(settings) == 1)
        worker()
        _, said = run.communicate(timeout=240)
    assert run.returncode == 0, said
    assert_same(recorded(settings), undisturbed)


def _halted_at_work(settings: Settings, *workers: subprocess.Popen[str]) -> bool:
    """Suspend the workers where each of them has a shard; else let them go on."""
    processes = [psutil.Process(worker.pid) for worker in workers]
    for process in processes:
        process.suspend()
    if _held(settings) == len(workers):
        return True
    for process in processes:
        process.resume()
    return False


def _runs(settings: Settings) -> int:
    with Store.open(settings.db) as store:
        last = store.last_run()
        return 0 if last is None else last.id


def test_without_workers_or_on_sqlite_it_is_one_line(settings, tmp_path, many_dump):
    for where, says in (
        (settings, "start `dedup work`"),
        (replace(settings, db=f"sqlite:///{tmp_path}/a.db"), "SQLite"),
    ):
        with run_command(where, many_dump, *SHARDS) as run:
            _, said = run.communicate(timeout=240)
        assert run.returncode == 1
        assert says in said.splitlines()[-1]
        assert "Traceback" not in said


def test_a_worker_without_work_ends_when_it_is_told_to(settings):
    with command(settings, "work", "--workers", "2", "--idle", "0.5", "--json") as idle:
        out, said = idle.communicate(timeout=60)
    assert idle.returncode == 0, said
    assert json.loads(out) == {"shards": 0, "given_back": 0, "seconds": pytest.approx(0.5, abs=30)}
