"""Shards that are handed out in the database: each is claimed once, and none is lost with its worker."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from processes import until

from dedup.errors import EngineError
from dedup.store import Store
from dedup.store.database import Database


@pytest.fixture
def database_kind() -> str:
    return "postgresql"


def test_what_is_put_is_claimed_in_order_and_comes_back(store):
    with store.task_queue() as queue, store.task_claims(1) as claims:
        numbers = [queue.put(name, name.encode() * 3) for name in ("a", "b")]
        first, second, third = claims.claim(), claims.claim(), claims.claim()
        assert (first.number, first.name, first.content) == (numbers[0], "a", b"aaa")
        assert (second.number, third) == (numbers[1], None)
        assert queue.taken_back() == []
        claims.finish(second.number, b"done")
        assert queue.taken_back() == [(numbers[1], b"done")]
        assert queue.taken_back() == []


def test_of_many_workers_at_once_each_gets_another(store):
    with store.task_queue() as queue:
        numbers = [queue.put("shard", b"") for _ in range(200)]

        def worked(_: int) -> list[int]:
            found = []
            with store.task_claims(1) as claims:
                while (claimed := claims.claim()) is not None:
                    found.append(claimed.number)
                    claims.finish(claimed.number, b"")
            return found

        with ThreadPoolExecutor(8) as workers:
            claimed = [number for some in workers.map(worked, range(8)) for number in some]
        assert Counter(claimed) == Counter(numbers)
        assert sorted(queue.taken_back()) == [(number, b"") for number in numbers]


def test_a_claim_does_not_wait_for_another_that_is_under_way(store, database_url):
    with (
        store.task_queue() as queue,
        store.task_claims(1) as claims,
        Database(database_url).session() as other,
    ):
        first, second = queue.put("first", b""), queue.put("second", b"")
        other.exec_driver_sql("BEGIN")
        other.exec_driver_sql(f"SELECT id FROM shard_tasks WHERE id = {first} FOR UPDATE")
        assert claims.claim().number == second
        assert claims.claim() is None
        other.exec_driver_sql("ROLLBACK")
        assert claims.claim().number == first


def test_a_worker_that_is_gone_has_lost_what_it_had(store):
    with store.task_queue() as queue:
        number, other = queue.put("lost", b""), queue.put("finished", b"")
        with store.task_claims(1) as claims:
            claims.claim()
            claims.finish(claims.claim().number, b"done")
            assert queue.taken_back() == [(other, b"done")]
        back: list[tuple[int, bytes | None]] = []
        until(lambda: back.extend(queue.taken_back()) or bool(back))
        assert back == [(number, None)]
        assert queue.taken_back() == []


def test_what_is_given_back_is_claimed_by_another_and_not_lost(store):
    with store.task_queue() as queue, store.task_claims(1) as other:
        number = queue.put("shard", b"")
        with store.task_claims(1) as claims:
            claims.give_back([claims.claim().number])
        assert queue.taken_back() == []
        assert other.claim().number == number
        assert queue.taken_back() == []


def test_what_a_killed_run_left_is_neither_claimed_nor_handed_on(store, database_url):
    with store.task_claims(1) as claims:
        with store.task_queue() as queue:
            late = queue.put("late", b"")
            claims.claim()
            queue.put("left", b"")
            with Database(database_url).session() as copy:  # as a killed run leaves it
                copy.exec_driver_sql("CREATE TABLE kept AS SELECT * FROM shard_tasks")
        with Database(database_url).session() as left:
            left.exec_driver_sql("INSERT INTO shard_tasks OVERRIDING SYSTEM VALUE SELECT * FROM kept")
        assert claims.claim() is None
        claims.finish(late, b"too late")
        with store.task_queue() as queue:
            assert claims.claim() is None
            assert queue.taken_back() == []
            number = queue.put("new", b"")
            assert claims.claim().number == number


def test_how_many_shards_are_worked_on_at_once_is_known(store):
    with store.task_queue() as queue:
        assert queue.workers() == 0
        with store.task_claims(2), store.task_claims(3), store.task_claims(3):
            assert queue.workers() == 8
        until(lambda: queue.workers() == 0)


def test_another_version_s_shards_are_left_to_its_workers(store, monkeypatch):
    with store.task_queue() as queue:
        queue.put("shard", b"")
        monkeypatch.setattr("dedup.store.tasks.__version__", "0.0.1")
        with store.task_claims(1) as claims:
            assert queue.workers() == 0
            assert claims.claim() is None


def test_schemas_of_one_database_have_workers_of_their_own(store, database_url):
    with Database(database_url).session() as connection:
        connection.exec_driver_sql("CREATE SCHEMA other")
    separator = "&" if "?" in database_url else "?"
    with (
        Store.open(f"{database_url}{separator}options=-csearch_path%3Dother") as elsewhere,
        store.task_queue() as queue,
        elsewhere.task_claims(1) as claims,
    ):
        queue.put("shard", b"")
        assert claims.claim() is None
        assert queue.workers() == 0


def test_sqlite_is_refused_with_what_to_do(tmp_path):
    with (
        Store.open(f"sqlite:///{tmp_path / 'dedup.db'}") as store,
        pytest.raises(EngineError, match=r"is SQLite; give --db postgresql:.*or another --engine"),
        store.task_queue(),
    ):
        pass
