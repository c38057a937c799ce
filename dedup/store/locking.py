"""The lock of a database: one job at a time may change what is recorded. Readers never ask for it."""

from __future__ import annotations

import hashlib
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, text

from dedup.errors import Locked
from dedup.locks import FileLock, Holder, Lock
from dedup.store.database import Database

_NAME = re.compile(r"(dedup [a-z]+) (\d+)@(.+)")
# Where the host of a holder dies, or the network to it, the server gives the lock free within these two minutes.
_SESSION = (
    "SELECT set_config(name, value, false) FROM pg_settings JOIN (VALUES ('tcp_keepalives_idle', '60'), "
    "('tcp_keepalives_interval', '10'), ('tcp_keepalives_count', '6'), ('idle_session_timeout', '0')) "
    "AS wanted (name, value) USING (name)"
)


def database_lock(url: str) -> Lock:
    """Return the lock of a database: a file beside a SQLite file, or the server's; StoreError as in `Database`."""
    database = Database(url)
    what = f"the database {database.display_url}"
    if database.file is None:
        return ServerLock(database, what)
    file = database.file.resolve()
    return FileLock(Path(f"{file}-lock"), what)


class ServerLock:
    """PostgreSQL's advisory lock of one schema, on a connection of its own: it ends with that.

    The server keeps advisory locks by database; the name of the session says who holds one. Behind a pooler that shares
    connections between transactions this does not hold: connect to the server itself.
    """

    def __init__(self, database: Database, what: str) -> None:
        self._database = database
        self._what = what

    @contextmanager
    def taken(self, command: str) -> Iterator[None]:
        """See `Lock.taken`; StoreError where the server cannot be reached."""
        with self._database.session() as connection:
            key = _key(connection)
            if not connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}).scalar_one():
                raise Locked(self._what, _holder(connection, key) or Holder())
            keep_alive(connection)
            # The last statement of this session: `_holder` takes its time for that since which the lock is held.
            name = {"name": f"{command} {os.getpid()}@{socket.gethostname()}"}
            connection.execute(text("SELECT set_config('application_name', :name, false)"), name)
            yield

    def holder(self) -> Holder | None:
        """See `Lock.holder`; StoreError where the server cannot be reached."""
        with self._database.session() as connection:
            return _holder(connection, _key(connection))


def keep_alive(connection: Connection) -> None:
    """Let a session last as long as its client does, and end where the client's machine, or the network to it, dies."""
    connection.exec_driver_sql(_SESSION)


def _key(connection: Connection) -> int:
    schema = connection.exec_driver_sql("SELECT current_schema()").scalar_one()
    digest = hashlib.blake2b(f"dedup job in {schema}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def _holder(connection: Connection, key: int) -> Holder | None:
    statement = text(
        "SELECT application_name, query_start FROM pg_locks JOIN pg_stat_activity USING (pid) "
        "WHERE locktype = 'advisory' AND granted AND objsubid = 1 "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
        "AND (classid::bigint << 32) | objid::bigint = :key"
    )
    found = connection.execute(statement, {"key": key}).first()
    if found is None:
        return None
    named = _NAME.fullmatch(found.application_name or "")  # another role's session does not show its name
    if named is None:
        return Holder()
    command, pid, host = named.groups()
    return Holder(command, int(pid), host, found.query_start)
