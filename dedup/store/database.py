"""One database: its address, its connections and its two kinds of transactions.

Readers never wait, and see one state of the database from their first statement to their last. Writers come one at a
time, on both databases: SQLite does it with BEGIN IMMEDIATE, PostgreSQL with an advisory lock that ends with the
transaction. So two writers cannot deadlock, and what a writer read before it writes is still true when it commits.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from dedup.errors import StoreError

CONNECT_SECONDS = 10
WRITER_SECONDS = 120  # how long a writer waits for the one before it
_SECONDS_BETWEEN_TRIES = 0.01
_WRITER_LOCK = int.from_bytes(b"dedup")
_IMMEDIATE = "dedup_immediate"
_ATTACHED = "dedup_attached"
_SECRETS = ("password", "sslpassword")
_EXPECTED = "expected sqlite:///dedup.db or postgresql://user@host/name"


def parse_address(url: str) -> URL:
    """Return a database's address, with the one driver that dedup uses for its kind.

    ``postgresql://`` and ``postgres://`` mean ``postgresql+psycopg://``. Raises StoreError for what is not an address,
    for other kinds of databases and for a SQLite database in memory; the message never has the password.
    """
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):  # their messages may quote the whole address
        raise StoreError(f"the database's address cannot be read; {_EXPECTED}") from None
    match address.get_backend_name():
        case "postgresql" | "postgres":
            return address.set(drivername="postgresql+psycopg")
        case "sqlite" if address.database in (None, "", ":memory:"):
            raise StoreError("a SQLite database in memory is forgotten at once; give a file: sqlite:///dedup.db")
        case "sqlite":
            return address.set(drivername="sqlite")
        case other:
            raise StoreError(f"the database's address begins with {other}, which dedup does not know; {_EXPECTED}")


def display_url(url: str) -> str:
    """Return a database's address as it may be shown: without its password. StoreError as in `parse_address`."""
    return _without_secrets(parse_address(url))


def has_password(url: str) -> bool:
    """Whether a database's address has a password in it. StoreError as in `parse_address`."""
    address = parse_address(url)
    return address.password is not None or any(name in address.query for name in _SECRETS)


def database_file(url: str) -> Path | None:
    """Return the file of a SQLite database; None for a server. StoreError as in `parse_address`."""
    return _file(parse_address(url))


def storable(text: str) -> str:
    """Return ``text`` as both databases can hold it: a file's name, or what an error says of one, may be no Unicode.

    Half a surrogate pair becomes a backslash and its number, a NUL character U+FFFD.
    """
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


class Database:
    """The connections to one database. Nothing is opened before the first transaction.

    Whatever a driver raises comes out of `reading` and `writing` as a StoreError of one line, with the driver's own
    error as its cause.
    """

    def __init__(self, url: str) -> None:
        self.address = parse_address(url)
        self.is_sqlite = self.address.get_backend_name() == "sqlite"
        connect_args: dict[str, Any] = (
            {"timeout": WRITER_SECONDS} if self.is_sqlite else {"connect_timeout": CONNECT_SECONDS}
        )
        unchanging = self.file is not None and _is_unchanging(self.file)
        opened = _as_unchanging(self.address) if unchanging else self.address
        # The connection used last is used next: what it holds in its cache is what is asked for again.
        self.engine = create_engine(opened, connect_args=connect_args, hide_parameters=True, pool_use_lifo=True)
        self._reading_engine: Engine = self.engine
        if self.is_sqlite:
            event.listen(self.engine, "connect", _begin_nothing if unchanging else _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
            event.listen(self.engine, "checkin", _detach_sqlite)
        else:  # by default each statement sees what was committed before it; SQLite's transactions see one state
            self._reading_engine = self.engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        assert self.engine.dialect.loaded_dbapi is not None
        self._driver_error: type[Exception] = self.engine.dialect.loaded_dbapi.Error

    @property
    def display_url(self) -> str:
        """The address as it may be shown: without its password."""
        return _without_secrets(self.address)

    @property
    def file(self) -> Path | None:
        """The file of a SQLite database; None for a server."""
        return _file(self.address)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection in a transaction that only reads, and reads one state of the database."""
        with self._translating(), self._connect(self._reading_engine) as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection in the one transaction that may write now; it commits at the end, or leaves no trace."""
        with self._translating(), self._connect(self.engine) as connection, self._begin_writing(connection):
            yield connection

    @contextmanager
    def session(self) -> Iterator[Connection]:
        """Give a connection of its own, each statement its own transaction: what the session holds ends with it."""
        with self._translating(), self._connect(self.engine) as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.detach()  # back in the pool it would go on holding
            yield connection

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        """Give a writer's connection on which tables may be rebuilt.

        SQLite changes a table by copying it and dropping the old one, which would delete, by cascade, the rows that
        refer to it: its foreign keys are off meanwhile, and checked before the commit.
        """
        with self._translating(), self._connect(self.engine) as connection:
            if not self.is_sqlite:
                with self._begin_writing(connection):
                    yield connection
                return
            driver: Any = connection.connection.driver_connection
            driver.execute("PRAGMA foreign_keys=OFF")  # SQLite ignores it inside a transaction
            try:
                with self._begin_writing(connection):
                    yield connection
                    if broken := connection.exec_driver_sql("PRAGMA foreign_key_check").first():
                        raise StoreError(
                            f"a row of table {broken[0]} refers to a row of {broken[2]} that is not there; nothing was "
                            "changed, restore the database from a backup"
                        )
            finally:
                driver.execute("PRAGMA foreign_keys=ON")

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    @contextmanager
    def _begin_writing(self, connection: Connection) -> Iterator[None]:
        with connection.execution_options(**{_IMMEDIATE: True}).begin():
            if not self.is_sqlite:
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{WRITER_SECONDS}s'")
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITER_LOCK})")
            yield

    def _connect(self, engine: Engine) -> Connection:
        try:
            return engine.connect()
        except (DBAPIError, self._driver_error) as error:
            advice = (
                "check that it is a SQLite file and that its folder can be written"
                if self.is_sqlite
                else "check the address, and that the server runs"
            )
            raise StoreError(f"the database {self.display_url} cannot be opened: {_reason(error)}; {advice}") from error

    @contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, self._driver_error) as error:
            raise StoreError(
                f"the database {self.display_url} refused: {_reason(error)}; nothing of this step was recorded, "
                "mend the cause and run it again"
            ) from error


def _file(address: URL) -> Path | None:
    return Path(address.database) if address.get_backend_name() == "sqlite" and address.database else None


def _without_secrets(address: URL) -> str:
    hidden = {name: "***" for name in address.query if name in _SECRETS}
    return address.update_query_dict(hidden).render_as_string(hide_password=True)


def _reason(error: Exception) -> str:
    """Return the first line of what the driver said; the lines after it are hints for someone at psql."""
    said = str(error.orig if isinstance(error, DBAPIError) else error).strip()
    return said.splitlines()[0].rstrip(" :") if said else type(error).__name__


def _is_unchanging(file: Path) -> bool:
    """Tell whether a SQLite file is all there is to read, and in a folder where nobody can write beside it.

    There SQLite has no place for what readers and writers tell each other, and opens it only as one that never changes.
    """
    log = file.with_name(f"{file.name}-wal")  # where there is one, somebody else may write
    return file.is_file() and not log.exists() and not os.access(file.absolute().parent, os.W_OK)


def _as_unchanging(address: URL) -> URL:
    file = Path(address.database or "").absolute().as_uri()
    return address.set(database=file).update_query_dict({"immutable": "1", "uri": "true"})


def _begin_nothing(connection: sqlite3.Connection, entry: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # the driver begins no transactions of its own: `_begin_sqlite` does


def _prepare_sqlite(connection: sqlite3.Connection, entry: ConnectionPoolEntry) -> None:
    _begin_nothing(connection, entry)
    _log_ahead(connection)
    connection.execute(
        "PRAGMA synchronous=FULL"
    )  # a commit outlives a power cut; under WAL some builds default to less
    connection.execute("PRAGMA foreign_keys=ON")
    # Copying each commit's pages from the log into the file at once, as by default, would write most of them many times
    # over during a bulk write: its questions lie all over the indexes.
    connection.execute("PRAGMA wal_autocheckpoint=65536")  # pages: 256 MiB
    connection.execute("PRAGMA cache_size=-65536")  # 64 MiB: bulk writes touch pages all over the indexes


def _log_ahead(connection: sqlite3.Connection) -> None:
    """Have SQLite write to a log beside the file first: readers go on while someone writes.

    Where others open a new file at the same time it does not wait for them, as it does everywhere else.
    """
    until = time.monotonic() + WRITER_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
        time.sleep(_SECONDS_BETWEEN_TRIES)


def attach(connection: Connection, file: Path, name: str) -> None:
    """Have SQLite read another file too, under a name of its own, until the connection is given back."""
    connection.exec_driver_sql(f"ATTACH ? AS {name}", (str(file),))
    connection.info[_ATTACHED] = name


def _detach_sqlite(connection: sqlite3.Connection | None, entry: ConnectionPoolEntry) -> None:
    """Let go of what was attached; SQLite does not within a transaction."""
    if (name := entry.info.pop(_ATTACHED, None)) is not None and connection is not None:
        connection.execute(f"DETACH {name}")


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later would fail at once where another wrote meanwhile, without waiting.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get(_IMMEDIATE) else "BEGIN")
