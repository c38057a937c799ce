"""The lock of a database: of one schema, for as long as its session lives."""

from __future__ import annotations

import os

import pytest
from sqlalchemy import make_url

from dedup.errors import Locked
from dedup.store import Store, database_lock
from dedup.store.database import Database


def test_it_is_free_held_and_free_again(database_url: str) -> None:
    lock, other = database_lock(database_url), database_lock(database_url)
    assert lock.holder() is None
    for _ in range(2):
        with lock.taken("dedup reindex"):
            assert (other.holder().command, other.holder().pid) == ("dedup reindex", os.getpid())
            with pytest.raises(Locked), other.taken("dedup run"):
                pass
        assert other.holder() is None


def test_who_holds_it_keeps_no_reader_and_no_writer_away(database_url: str) -> None:
    with database_lock(database_url).taken("dedup run"), Store.open(database_url) as store:
        assert store.pending_questions() == 0
        assert store.register_encoder("f", "name", 3, 1) == 1


@pytest.fixture
def postgresql_url(database_kind: str, database_url: str) -> str:
    if database_kind != "postgresql":
        pytest.skip("SQLite has neither sessions nor schemas")
    return database_url


def test_it_ends_with_its_session(postgresql_url: str) -> None:
    lock = database_lock(postgresql_url)
    with lock.taken("dedup run"):
        with Database(postgresql_url).session() as connection:
            connection.exec_driver_sql(  # in this database alone, and not before the session is gone
                "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        with lock.taken("dedup reindex"):
            assert lock.holder().command == "dedup reindex"
        assert lock.holder() is None


def test_two_schemas_of_a_database_have_two_locks(postgresql_url: str) -> None:
    with Database(postgresql_url).session() as connection:
        connection.exec_driver_sql("CREATE SCHEMA other")
    other = make_url(postgresql_url).update_query_dict({"options": "-csearch_path=other"})
    lock = database_lock(other.render_as_string(hide_password=False))
    with database_lock(postgresql_url).taken("dedup run"):
        assert lock.holder() is None
        with lock.taken("dedup reindex"):
            assert lock.holder().command == "dedup reindex"
        assert database_lock(postgresql_url).holder().command == "dedup run"


def test_a_host_with_an_endless_name_is_named_as_far_as_the_server_keeps_it(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "h" * 200)
    with database_lock(postgresql_url).taken("dedup run"):
        holder = database_lock(postgresql_url).holder()
        assert holder.pid == os.getpid()
        assert holder.host.startswith("hhhh")
