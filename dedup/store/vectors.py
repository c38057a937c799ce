"""Vectors in PostgreSQL: one table of them for each index that was built, with pgvector's graph over it.

Loaded by COPY in its binary form, and the graph made afterwards: adding to one is a hundred times slower, row by row.
Vectors stand in the table's own pages, never beside them, for a search reads many. Writers of other tables are not
kept waiting meanwhile: nobody reads a table before its generation is published.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

import numpy as np
from sqlalchemy import Connection

from dedup.errors import ArtifactDamaged, StoreError
from dedup.progress import Advance
from dedup.questions import Float32, Int64, Metric, Proposed
from dedup.store.database import Database
from dedup.store.retries import retried, sqlstate
from dedup.store.shared import longest

log = logging.getLogger(__name__)

LINKS = 32
"""How many neighbours a vector is linked with, of which the lowest layer has twice as many (pgvector's ``m``).

With pgvector's own 16, and 64 candidates, a search of 100,000 real questions does not come to .99 of the neighbours
however much it keeps in view (docs/shared-serving.md).
"""

CANDIDATES = 128
"""How many of them are looked at for each vector while the graph is made (pgvector's ``ef_construction``)."""

_OLDEST = (0, 8)  # pgvector's version that goes on searching until it has as many rows as were asked for
_LONGEST = 2000  # components that its graph takes
_OPERATOR = {Metric.MANHATTAN: "<+>", Metric.EUCLIDEAN: "<->"}
_CLASS = {Metric.MANHATTAN: "vector_l1_ops", Metric.EUCLIDEAN: "vector_l2_ops"}
_LOADED = 8_192  # vectors sent, or asked for, at once
_COPY_HEADER, _COPY_END = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"
_OF_A_NODE = 200 + 2 * LINKS * 16  # bytes for each vector beside it while the graph is made; pgvector's src/hnsw.h
_MOST_MEMORY = 2 << 30  # bytes that making it may take, where the server's own setting is not higher
_ASKED_EVERY = 1.0  # seconds between two questions how far it is
_NO_TABLE = "42P01"  # PostgreSQL's manual, appendix A
_NAME = re.compile(r"dedup_vectors_[a-z0-9_]{1,45}")


class PostgresVectors:
    """A table of vectors. Satisfies `dedup.index.VectorTable`."""

    def __init__(self, database: Database, name: str, dimension: int, metric: Metric) -> None:
        if not _NAME.fullmatch(name):
            raise ArtifactDamaged(f"{name!r} is not the name of a table of vectors; run `dedup run` to build the index")
        self._database = database
        self.name = name
        self._record = _record(dimension)
        nearness = f"embedding {_OPERATOR[metric]} %b::float8[]::vector"
        self._nearest = f"SELECT number, embedding FROM {name} ORDER BY {nearness} FETCH FIRST {{}} ROWS WITH TIES"

    def nearest(self, queries: Float32, count: int, *, breadth: int | None) -> Sequence[Proposed]:
        """See `dedup.index.VectorTable.nearest`."""
        settings = {"enable_indexscan": "off"}
        if breadth is not None:
            settings = {
                "hnsw.ef_search": str(breadth),
                "hnsw.iterative_scan": "relaxed_order",
                "enable_seqscan": "off",  # what is measured as the graph's recall has to be the graph's answer
            }
        statement = self._nearest.format(int(count))
        with self._reading() as cursor:
            configured = ", ".join(["set_config(%s, %s, true)"] * len(settings))
            cursor.execute(f"SELECT {configured}", [word for setting in settings.items() for word in setting])
            # Never prepared: a plan that is kept would not follow the settings.
            return [self._read(cursor.execute(statement, [query.tolist()], prepare=False)) for query in queries]

    def __getitem__(self, rows: Int64, /) -> Float32:
        """Return the vectors of ``rows``, (len(rows), dimension) float32; ArtifactDamaged where one is not there."""
        wanted = np.unique(rows)
        with self._reading() as cursor:
            parts = [
                self._read(
                    cursor.execute(
                        f"SELECT number, embedding FROM {self.name} WHERE number = ANY(%b) ORDER BY number",
                        [wanted[start : start + _LOADED].tolist()],
                    )
                )
                for start in range(0, len(wanted), _LOADED)
            ]
        found = np.concatenate([part.rows for part in parts]) if parts else wanted
        if len(found) != len(wanted):
            raise ArtifactDamaged(f"the table {self.name} lacks {len(wanted) - len(found)} of its vectors; {_REMEDY}")
        dimension = self._record["vector"].shape[0]
        vectors = np.concatenate([part.vectors for part in parts]) if parts else np.empty((0, dimension), np.float32)
        taken: Float32 = vectors[np.searchsorted(wanted, rows)]
        return taken

    @retried
    def append(self, first: int, vectors: Float32) -> None:
        """See `dedup.index.VectorTable.append`."""
        with self._database.writing() as connection:
            connection.exec_driver_sql(f"DELETE FROM {self.name} WHERE number >= {int(first)}")
            load_vectors(connection, self.name, first, vectors)

    def shared_rows(self) -> int:
        """See `dedup.index.VectorTable.shared_rows`."""
        with self._database.reading() as connection:
            return longest(connection, self.name)

    def damage(self, rows: int) -> str | None:
        """Return what is wrong where a generation has so many rows here; None where nothing is."""
        with self._reading() as cursor:
            cursor.execute(f"SELECT count(*) FROM {self.name} WHERE number < {int(rows)}")
            if (found := cursor.fetchone()[0]) != rows:
                return f"the table {self.name} has {found} of the generation's {rows} vectors"
            cursor.execute(
                "SELECT count(*) FROM pg_index WHERE indrelid = %s::regclass AND NOT indisvalid", [self.name]
            )
            return f"the graph of the table {self.name} was not made whole" if cursor.fetchone()[0] else None

    @contextmanager
    def _reading(self) -> Iterator[Any]:
        if self._database.is_sqlite:  # a backup was restored into another kind of database
            raise ArtifactDamaged(f"the table {self.name} of vectors is in PostgreSQL, not in this database; {_REMEDY}")
        try:
            with self._database.reading() as connection:
                driver: Any = connection.connection.driver_connection
                with driver.cursor(binary=True) as cursor:
                    yield cursor
        except StoreError as error:
            if sqlstate(error) == _NO_TABLE:
                raise ArtifactDamaged(f"the table {self.name} of vectors is not in the database; {_REMEDY}") from error
            raise

    def _read(self, cursor: Any) -> Proposed:
        rows = cursor.fetchall()
        stored = np.frombuffer(b"".join(vector for _, vector in rows), dtype=self._record)
        return Proposed(np.array([row for row, _ in rows], dtype=np.int64), stored["vector"].astype(np.float32))


_REMEDY = "run `dedup run` to build the index again"
_HOW_FAR = "SELECT tuples_done FROM pg_stat_progress_create_index WHERE pid = %(pid)s"


class SharedVectors:
    """The store's tables of vectors. Satisfies `dedup.index.VectorTables`."""

    _database: Database

    @property
    def takes_vectors(self) -> bool:
        """Whether the database is of the kind that `require_vectors` asks for."""
        return not self._database.is_sqlite

    def require_vectors(self) -> None:
        """Make sure that vectors can be put here and searched.

        Raises
        ------
        StoreError
            Where the database is SQLite, or has no pgvector and this role may not create it, or one that is too old.
        """
        shown = self._database.display_url
        if self._database.is_sqlite:
            raise StoreError(
                f"--index pgvector needs PostgreSQL, the database is {shown}; "
                "give --db postgresql://user@host/name, or another --index"
            )
        if (version := self._version()) is None:
            try:
                with self._database.session() as connection:
                    connection.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS vector")
            except StoreError as error:
                raise StoreError(
                    f"the database {shown} has no pgvector, which --index pgvector needs; install it on the server "
                    "(the package postgresql-NN-pgvector) and let a superuser say CREATE EXTENSION vector there"
                ) from error
            version = self._version() or ""
        if tuple(map(int, version.split(".")[:2])) < _OLDEST:
            raise StoreError(
                f"the database {shown} has pgvector {version}, needed is 0.8 or later; install that and say "
                "ALTER EXTENSION vector UPDATE there"
            )

    def create_vectors(
        self, generation: str, vectors: Float32, metric: Metric, *, graph: bool, advance: Advance
    ) -> PostgresVectors:
        """See `dedup.index.VectorTables.create_vectors`.

        Raises
        ------
        StoreError
            As `require_vectors` does, where vectors are longer than pgvector's graph takes, or the server refuses.
        """
        self.require_vectors()
        if (dimension := vectors.shape[1]) > _LONGEST:
            raise StoreError(
                f"the vectors have {dimension} components, pgvector's graph takes {_LONGEST}; give another --index"
            )
        name = "dedup_vectors_" + generation.removeprefix("generation-").replace("-", "_").lower()
        table = PostgresVectors(self._database, name, dimension, metric)
        with self._database.session() as connection:
            connection.exec_driver_sql(
                f"CREATE TABLE {name} (number integer PRIMARY KEY, embedding vector({dimension}) NOT NULL)"
            )
            try:
                connection.exec_driver_sql(f"ALTER TABLE {name} ALTER embedding SET STORAGE PLAIN")
                load_vectors(connection, name, 0, vectors)
                if not graph:
                    advance(len(vectors))
                else:
                    _give_memory(connection, len(vectors) * (4 * dimension + _OF_A_NODE))
                    with self._shown(connection, len(vectors), advance):
                        _make_graph(connection, name, metric)
                connection.exec_driver_sql(f"ANALYZE {name}")
            except BaseException:
                connection.exec_driver_sql(f"DROP TABLE IF EXISTS {name}")
                raise
        return table

    def open_vectors(self, name: str, dimension: int, metric: Metric) -> PostgresVectors:
        """See `dedup.index.VectorTables.open_vectors`."""
        return PostgresVectors(self._database, name, dimension, metric)

    @contextmanager
    def _shown(self, maker: Connection, rows: int, advance: Advance) -> Iterator[None]:
        """Say how many of so many rows are in an index that ``maker`` makes meanwhile, as the server counts them."""
        driver: Any = maker.connection.dbapi_connection
        making, ended, seen = driver.info.backend_pid, Event(), 0
        stopped: list[BaseException] = []

        def watch() -> None:
            nonlocal seen
            try:
                while not ended.wait(_ASKED_EVERY):
                    with self._database.reading() as connection:
                        done = connection.exec_driver_sql(_HOW_FAR, {"pid": making}).scalar_one_or_none() or 0
                    advance(max(0, done - seen))
                    seen = max(seen, done)
            except StoreError:
                return  # the maker says so as well
            except BaseException as stop:  # by a signal: nobody waits half an hour for the rest
                stopped.append(stop)
                driver.cancel_safe()

        watcher = Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        except Exception:
            if stopped:
                raise stopped[0] from None
            raise
        finally:
            ended.set()
            watcher.join()
        advance(rows - seen)

    def _version(self) -> str | None:
        with self._database.reading() as connection:
            statement = "SELECT extversion FROM pg_extension WHERE extname = 'vector'"
            version: str | None = connection.exec_driver_sql(statement).scalar_one_or_none()
        return version


def load_vectors(connection: Connection, name: str, first: int, vectors: Float32) -> None:
    """Copy ``vectors``, (n, dimension), into a table, numbered from ``first`` on."""
    driver: Any = connection.connection.dbapi_connection  # also of a session, which is detached
    with driver.cursor() as cursor, cursor.copy(f"COPY {name} FROM STDIN (FORMAT BINARY)") as copy:
        copy.write(_COPY_HEADER)
        for start in range(0, len(vectors), _LOADED):
            copy.write(_as_copied(first + start, np.asarray(vectors[start : start + _LOADED])))
        copy.write(_COPY_END)


def _give_memory(connection: Connection, needed: int) -> None:
    """Let a session use so many bytes to make a graph, or as many as it may have."""
    connection.exec_driver_sql(
        "SELECT set_config('maintenance_work_mem', greatest(setting::bigint, %(kb)s)::text || 'kB', false) "
        "FROM pg_settings WHERE name = 'maintenance_work_mem'",
        {"kb": min(needed, _MOST_MEMORY) >> 10},
    )
    statement = "SELECT setting::bigint << 10 FROM pg_settings WHERE name = 'maintenance_work_mem'"
    if needed > (given := connection.exec_driver_sql(statement).scalar_one()):
        log.warning(
            "the graph takes %.1f GB while it is made, the server gives %.1f: what does not fit is made several times "
            "slower; a higher maintenance_work_mem of the server helps",
            needed / 1e9,
            given / 1e9,
        )


def _make_graph(connection: Connection, name: str, metric: Metric) -> None:
    connection.exec_driver_sql(
        f"CREATE INDEX ON {name} USING hnsw (embedding {_CLASS[metric]}) "
        f"WITH (m = {LINKS}, ef_construction = {CANDIDATES})"
    )


def _record(dimension: int) -> np.dtype[np.void]:
    """Return a vector as pgvector sends and takes it: its length, two bytes for later use, its components."""
    return np.dtype([("dimension", ">i2"), ("unused", ">i2"), ("vector", ">f4", (dimension,))])


def _as_copied(first: int, vectors: Float32) -> bytes:
    """Return rows as COPY takes them: how many columns, then each column's length in bytes before its value."""
    vector = _record(vectors.shape[1])
    rows = np.zeros(
        len(vectors),
        dtype=[("columns", ">i2"), ("wide", ">i4"), ("number", ">i4"), ("long", ">i4"), ("stored", vector)],
    )
    rows["columns"], rows["wide"], rows["long"] = 2, 4, vector.itemsize
    rows["number"] = np.arange(first, first + len(vectors))
    rows["stored"]["dimension"] = vectors.shape[1]
    rows["stored"]["vector"] = vectors
    return rows.tobytes()
