"""Shards of work that are handed out in the database: a run puts them there, workers on any machine claim them.

A worker claims the first that nobody has (``FOR UPDATE SKIP LOCKED``: of two that look at once neither waits, and each
gets another one), and holds an advisory lock of it until its result is there. That lock ends with the worker's session,
however the session ends: what is claimed, has no result and is not locked has lost its worker. In the same way the run
is there as long as it holds a lock, and each worker says by one how many shards it works on at once.

The table is there once it was needed, beside those of the schema, in PostgreSQL only. It is not logged: what is in it
is worth nothing once the run has ended.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, text

from dedup import __version__
from dedup.errors import EngineError
from dedup.store.database import Database
from dedup.store.locking import keep_alive

_TABLE = (
    "CREATE UNLOGGED TABLE IF NOT EXISTS shard_tasks (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "
    "version text NOT NULL, name text NOT NULL, content bytea NOT NULL, holder integer, result bytea)"
)
_HELD = (  # of the locks of two numbers, those of this database and of the first number
    "SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2 AND "
    "classid::bigint = :space AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
_RUN = 0  # no shard has this number
_CLAIM = text(
    "WITH next AS (SELECT id FROM shard_tasks WHERE holder IS NULL AND version = :version "
    f"AND EXISTS ({_HELD} AND objid = {_RUN}) ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) "
    "UPDATE shard_tasks SET holder = pg_backend_pid() FROM next WHERE shard_tasks.id = next.id "
    "RETURNING shard_tasks.id, name, content, pg_try_advisory_lock(:space, shard_tasks.id)"
)
_ENDED = text("DELETE FROM shard_tasks WHERE result IS NOT NULL RETURNING id, result")
_LOST = text(f"SELECT id, holder FROM shard_tasks WHERE holder IS NOT NULL AND result IS NULL AND id NOT IN ({_HELD})")
_FORGET_LOST = text("DELETE FROM shard_tasks WHERE id = :id AND holder = :holder AND result IS NULL RETURNING id")


@dataclass(frozen=True, slots=True)
class ClaimedTask:
    """A shard of work that a worker has claimed."""

    number: int
    name: str
    content: bytes


class TaskQueue:
    """What a run hands out, and gets back."""

    def __init__(self, connection: Connection, spaces: _Spaces) -> None:
        self._connection = connection
        self._spaces = spaces

    def put(self, name: str, content: bytes) -> int:
        """Hand out a shard of work; return its number."""
        statement = text(
            "INSERT INTO shard_tasks (version, name, content) VALUES (:version, :name, :content) RETURNING id"
        )
        about = {"version": __version__, "name": name, "content": content}
        return int(self._connection.execute(statement, about).scalar_one())

    def taken_back(self) -> list[tuple[int, bytes | None]]:
        """Return what has ended since it was last asked, by number; None where the worker was lost."""
        ended = self._connection.execute(_ENDED)
        found: list[tuple[int, bytes | None]] = [(number, bytes(result)) for number, result in ended]
        # Locks are seen as they are, rows as they were when the statement began: one that had no result by then may
        # have got it, or another worker, before its lock was looked for. So it is asked again.
        lost = self._connection.execute(_LOST, {"space": self._spaces.tasks}).all()
        for number, holder in lost:
            if self._connection.execute(_FORGET_LOST, {"id": number, "holder": holder}).first() is not None:
                found.append((number, None))
        return found

    def workers(self) -> int:
        """Return how many shards the workers that are there work on at once."""
        return sum(self._connection.execute(text(_HELD), {"space": self._spaces.workers}).scalars())


class TaskClaims:
    """What a worker claims, and has to bring back."""

    def __init__(self, connection: Connection, spaces: _Spaces) -> None:
        self._connection = connection
        self._spaces = spaces

    def claim(self) -> ClaimedTask | None:
        """Claim a shard of work; None where there is none."""
        about = {"version": __version__, "space": self._spaces.tasks}
        found = self._connection.execute(_CLAIM, about).first()
        return None if found is None else ClaimedTask(found.id, found.name, bytes(found.content))

    def finish(self, number: int, result: bytes) -> None:
        """Bring a result back; of a run that has ended meanwhile, it is dropped."""
        self._update(number, "result = :result", result=result)

    def give_back(self, numbers: Sequence[int]) -> None:
        """Let others claim shards of work that this worker will not finish."""
        for number in numbers:
            self._update(number, "holder = NULL")

    def _update(self, number: int, change: str, **values: object) -> None:
        held = text(f"UPDATE shard_tasks SET {change} WHERE id = :id AND holder = pg_backend_pid()")
        self._connection.execute(held, {"id": number, **values})
        free = text("SELECT pg_advisory_unlock(:space, :id)")
        self._connection.execute(free, {"id": number, "space": self._spaces.tasks})


@dataclass(frozen=True, slots=True)
class _Spaces:
    """The first numbers of the locks of a schema, for this version: what others put there is not for it."""

    tasks: int
    workers: int

    @classmethod
    def of(cls, connection: Connection) -> _Spaces:
        schema = connection.exec_driver_sql("SELECT current_schema()").scalar_one()
        names = (f"dedup {__version__} {what} in {schema}" for what in ("shards", "workers"))
        digests = (hashlib.blake2b(name.encode(), digest_size=4).digest() for name in names)
        return cls(*(int.from_bytes(digest, "big") >> 1 for digest in digests))  # the server's numbers have a sign


class SharedTasks:
    """The store's table of shards that are handed out."""

    _database: Database

    @contextmanager
    def task_queue(self) -> Iterator[TaskQueue]:
        """Let workers claim shards of work until the context ends; for the holder of the lock of jobs.

        Raises
        ------
        EngineError
            Where the database is SQLite.
        """
        with self._tasks_session() as (connection, spaces):
            forget = text("DELETE FROM shard_tasks")  # those of runs that were killed, too
            connection.execute(forget)
            connection.execute(text("SELECT pg_advisory_lock(:space, :run)"), {"space": spaces.tasks, "run": _RUN})
            yield TaskQueue(connection, spaces)
            connection.execute(forget)

    @contextmanager
    def task_claims(self, slots: int) -> Iterator[TaskClaims]:
        """Be a worker that works on so many shards at once, until the context ends; EngineError as `task_queue`."""
        with self._tasks_session() as (connection, spaces):
            there = text("SELECT pg_advisory_lock_shared(:space, :slots)")
            connection.execute(there, {"space": spaces.workers, "slots": slots})
            yield TaskClaims(connection, spaces)

    @contextmanager
    def _tasks_session(self) -> Iterator[tuple[Connection, _Spaces]]:
        if self._database.is_sqlite:
            raise EngineError(
                f"workers claim shards in a PostgreSQL database, and {self._database.display_url} is SQLite; "
                "give --db postgresql://user@host/name, or another --engine"
            )
        with self._database.reading() as connection:
            there = connection.exec_driver_sql("SELECT to_regclass('shard_tasks')").scalar_one() is not None
        if not there:
            with self._database.writing() as connection:
                connection.exec_driver_sql(_TABLE)
        with self._database.session() as connection:
            keep_alive(connection)
            yield connection, _Spaces.of(connection)
