import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from dedup.errors import StoreError
from dedup.store import Store, display_url
from dedup.store.database import Database, parse_address


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u@h/d", "postgresql+psycopg://u@h/d"),
        ("postgres://u@h/d", "postgresql+psycopg://u@h/d"),
        ("postgresql+psycopg2://u@h/d", "postgresql+psycopg://u@h/d"),
        ("sqlite:///a.db", "sqlite:///a.db"),
        ("sqlite+aiosqlite:///a.db", "sqlite:///a.db"),
    ],
)
def test_an_address_gets_the_driver_that_is_used(url: str, expected: str) -> None:
    assert parse_address(url).render_as_string(hide_password=False) == expected


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_database_in_memory_is_refused(url: str) -> None:
    with pytest.raises(StoreError, match=r"give a file: sqlite:///dedup\.db"):
        Store.open(url)


@pytest.mark.parametrize(
    "url", ["hunter2", "postgresql://u:hunter2@h:port/d", "://u:hunter2@h", "mysql://u:hunter2@h/d"]
)
def test_an_unreadable_address_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(StoreError, match=r"expected sqlite:///dedup\.db or postgresql://user@host/name") as refusal:
        Store.open(url)
    assert "hunter2" not in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "url", ["postgresql://me:hunter2@127.0.0.1:1/d", "postgresql://me@127.0.0.1:1/d?password=hunter2"]
)
def test_an_unreachable_server_is_one_line_without_the_password(url: str) -> None:
    with pytest.raises(
        StoreError, match=r"cannot be opened: .*; check the address, and that the server runs$"
    ) as refusal:
        Store.open(url)
    assert "\n" not in str(refusal.value)
    assert "hunter2" not in str(refusal.value)
    assert "127.0.0.1:1/d" in str(refusal.value)
    assert "hunter2" not in Database(url).display_url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgres://me:hunter2@h:1/d", "postgresql+psycopg://me:***@h:1/d"),
        (
            "postgresql://me@h/d?password=hunter2&sslmode=require",
            "postgresql+psycopg://me@h/d?password=%2A%2A%2A&sslmode=require",
        ),
        ("postgresql://me@h/d?sslpassword=hunter2", "postgresql+psycopg://me@h/d?sslpassword=%2A%2A%2A"),
        ("sqlite:///folder/dedup.db", "sqlite:///folder/dedup.db"),
    ],
)
def test_an_address_is_shown_without_its_password(url: str, shown: str) -> None:
    assert display_url(url) == Database(url).display_url == shown


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a database, and long enough to have a header " * 10)
    with pytest.raises(StoreError, match=r"cannot be opened: file is not a database; check that it is a SQLite file"):
        Store.open(f"sqlite:///{tmp_path / 'notes.txt'}")


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="unable to open database file"):
        Store.open(f"sqlite:///{tmp_path}")


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"the folder .*file/below cannot be made: .*; choose another place"):
        Store.open(f"sqlite:///{tmp_path / 'file' / 'below' / 'dedup.db'}")


def test_a_file_that_may_not_be_written(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'folder' / 'dedup.db'}"
    with Store.open(url):
        pass
    folder = tmp_path / "folder"
    for path in (folder / "dedup.db", folder):
        path.chmod(path.stat().st_mode & ~0o222)
    try:
        try:
            (folder / "probe").touch()
        except OSError:
            with (
                pytest.raises(StoreError, match=r"^the database .*(readonly|unable to open)[^\n]*$"),
                Store.open(url) as s,
            ):
                s.register_encoder("f", "n", 1, 1)
        else:
            pytest.skip("this user may write to read-only folders")
    finally:
        folder.chmod(0o755)


def test_where_nobody_can_write_a_sqlite_file_is_still_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path / 'dedup.db'}"
    with Store.open(url) as store:
        store.register_encoder("f", "n", 1, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["dedup.db"]
    monkeypatch.setattr(os, "access", lambda *_: False)
    with Store.open(url, create=False) as store:
        assert store.encoder(1).name == "n"
        assert [path.name for path in tmp_path.iterdir()] == ["dedup.db"]
        with pytest.raises(StoreError, match=r"^the database .* refused: attempt to write a readonly database[^\n]*$"):
            store.register_encoder("g", "n", 1, 1)


def test_a_failed_transaction_leaves_no_trace_and_becomes_a_store_error(database_url: str) -> None:
    database = Database(database_url)
    insert = text("INSERT INTO encoders VALUES (:id, 'f', 'n', 1, 1, '2020-01-01 00:00:00')")
    expected = r"refused: [^\n]*nothing of this step was recorded"
    with pytest.raises(StoreError, match=expected) as refusal, database.writing() as connection:
        connection.execute(insert, [{"id": 1}, {"id": 2}])
    assert "UNIQUE" in str(refusal.value).upper()
    with database.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM encoders")).scalar_one() == 0
    database.close()


def test_a_writer_does_not_make_readers_wait_and_they_see_nothing_half_done(database_url: str) -> None:
    database = Database(database_url)
    count = text("SELECT count(*) FROM encoders")
    with database.writing() as writer:
        writer.execute(text("INSERT INTO encoders VALUES (1, 'f', 'n', 1, 1, '2020-01-01 00:00:00')"))
        with database.reading() as reader:
            assert reader.execute(count).scalar_one() == 0
    with database.reading() as reader:
        assert reader.execute(count).scalar_one() == 1
    database.close()


def test_a_reader_sees_one_state_from_its_first_statement_to_its_last(database_url: str) -> None:
    database = Database(database_url)
    count = text("SELECT count(*) FROM encoders")
    with database.reading() as reader:
        assert reader.execute(count).scalar_one() == 0
        with database.writing() as writer:
            writer.execute(text("INSERT INTO encoders VALUES (1, 'f', 'n', 1, 1, '2020-01-01 00:00:00')"))
        assert reader.execute(count).scalar_one() == 0
    with database.writing() as writer:  # the next user of the same connection may write, and sees it
        assert writer.execute(count).scalar_one() == 1
        writer.execute(text("DELETE FROM encoders"))
    database.close()


def test_sqlite_is_opened_in_wal_durable_with_foreign_keys(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'dedup.db'}"
    with Store.open(url):
        pass
    database = Database(url)
    with database.reading() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar_one() == "wal"
        assert connection.execute(text("PRAGMA synchronous")).scalar_one() == 2  # FULL
        assert connection.execute(text("PRAGMA foreign_keys")).scalar_one() == 1
        assert connection.execute(text("PRAGMA busy_timeout")).scalar_one() == 120_000
    database.close()


def test_another_programs_lock_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dedup.store.database.WRITER_SECONDS", 0.05)
    with Store.open(f"sqlite:///{tmp_path / 'dedup.db'}") as store:
        other = sqlite3.connect(tmp_path / "dedup.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(
            StoreError, match=re.escape("refused: database is locked; nothing of this step was recorded")
        ):
            store.register_encoder("f", "n", 1, 1)
        other.execute("ROLLBACK")
        other.close()
        assert store.register_encoder("f", "n", 1, 1) == 1


def test_several_processes_can_open_a_new_file_at_once(tmp_path: Path) -> None:
    """SQLite does not wait for a lock while it switches a new file to its log: it once failed here, at times."""
    opening = f"from dedup.store import Store; Store.open('sqlite:///{tmp_path / 'new.db'}').close()"
    command = [sys.executable, "-c", opening]
    started = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    assert [process.communicate(timeout=60)[1] for process in started] == [""] * 4
