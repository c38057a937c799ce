"""Many rows at once: the only module that knows how each database takes them fastest.

Columns go into a temporary table (SQLite: many rows a statement, PostgreSQL: COPY), and one statement merges it into
the real one in the order of its key. That is an order of magnitude faster than row by row, and tells what changed. Rows
that are certainly new go in without that detour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Column, Connection, LargeBinary, MetaData, Select, Table, delete, or_, select, true, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from dedup.errors import StoreError
from dedup.store.database import attach
from dedup.store.models import Base, table
from dedup.store.sqlite_file import write_table

Columns: TypeAlias = Mapping[str, NDArray[Any] | Sequence[Any]]
"""Values by column, all of one length; None is NULL."""

T = TypeVar("T")

_CHUNK = 20_000  # rows turned into Python objects at a time
_TOGETHER = 1_000  # rows in one INSERT for SQLite, three times as fast as one; it takes at most 32,766 values
_WORTH_A_FILE = 1 << 18  # rows; fewer are inserted within a second
_LISTED = 5_000  # values in one IN (...); PostgreSQL takes at most 65,535 parameters, SQLite 32,766


@contextmanager
def staged(connection: Connection, model: type[Base], columns: Columns, *, key: Sequence[str] = ()) -> Iterator[Table]:
    """Load ``columns`` into a temporary table with the types of ``model``'s, for as long as the context lasts.

    Parameters
    ----------
    key
        The columns by which the rows are sorted and differ: what compares the two tables then goes through both in one
        order. PostgreSQL needs no such help.
    """
    target = table(model)
    keyed = key if connection.dialect.name == "sqlite" else ()
    rows = Table(
        f"staged_{target.name}",
        MetaData(),
        *(
            Column(name, target.c[name].type, nullable=True, autoincrement=False, primary_key=name in keyed)
            for name in columns
        ),
        prefixes=["TEMPORARY"],
        sqlite_with_rowid=not keyed,
    )
    rows.create(connection, checkfirst=False)
    load(connection, rows, columns)
    yield rows
    rows.drop(connection, checkfirst=False)  # after an error the rollback does it


def is_empty(connection: Connection, model: type[Base]) -> bool:
    """Tell whether a table has no row."""
    return connection.execute(select(true()).select_from(table(model)).limit(1)).first() is None


def append(connection: Connection, model: type[Base], columns: Columns) -> None:
    """Add rows that are not there yet, in the order of the primary key."""
    load(connection, table(model), columns)


def fill(connection: Connection, model: type[Base], columns: Columns) -> None:
    """Add rows, in the order of the primary key, to a table that has none.

    SQLite makes the table's indexes afterwards: it sorts once instead of looking for the place of every row. In
    PostgreSQL that would keep readers waiting. Where there are many rows of numbers, SQLite copies table and indexes
    from a file beside the database (`dedup.store.sqlite_file`), for which the disk needs room.
    """
    if _worth_a_file(connection, table(model), columns):
        _copy_from_file(connection, table(model), columns)
        return
    indexes = table(model).indexes if connection.dialect.name == "sqlite" else ()
    for index in indexes:
        index.drop(connection)
    append(connection, model, columns)
    for index in indexes:
        index.create(connection)


def _worth_a_file(connection: Connection, rows: Table, columns: Columns) -> bool:
    return (
        connection.dialect.name == "sqlite"
        and rows.dialect_options["sqlite"]["with_rowid"] is False
        and list(columns) == rows.c.keys()
        and all(isinstance(values, np.ndarray) for values in columns.values())
        and len(next(iter(columns.values()))) >= _WORTH_A_FILE
    )


def _copy_from_file(connection: Connection, rows: Table, columns: Columns) -> None:
    """Have SQLite copy rows and indexes from a file that is written for it; one that a kill leaves is written over."""
    name, of_table = rows.name, "FROM sqlite_master WHERE tbl_name = ? AND sql IS NOT NULL ORDER BY type = 'index'"
    path = connection.exec_driver_sql("SELECT file FROM pragma_database_list WHERE name = 'main'").scalar_one()
    statements = connection.exec_driver_sql(f"SELECT sql {of_table}", (name,)).scalars().all()
    file = Path(f"{path}-filling")
    try:
        key = rows.primary_key.columns.keys()
        write_table(file, statements, name, key, {column: np.asarray(columns[column]) for column in columns})
        attach(connection, file, "filling")
        connection.exec_driver_sql(f"INSERT INTO main.{name} SELECT * FROM filling.{name}")
    except OSError as error:
        raise StoreError(
            f"{file} cannot be written ({error.strerror}); rows are put there on their way into the database: "
            "make room beside it"
        ) from error
    finally:
        file.unlink(missing_ok=True)


def merge(
    connection: Connection,
    model: type[Base],
    rows: Table,
    *,
    key: Sequence[str],
    kept: Sequence[str] = (),
    compared: Sequence[str] = (),
) -> None:
    """Insert the staged ``rows``; where one with the same ``key`` is there, update it.

    Parameters
    ----------
    key
        The columns of the primary key or of a unique constraint; staged rows must differ in it.
    kept
        Columns that an update leaves as they are.
    compared
        Update only where one of these columns differs; empty: always.
    """
    target = table(model)
    names = rows.c.keys()
    # "WHERE true": without it SQLite reads ON CONFLICT as the ON of a join. In key order: so the target's pages are
    # visited once each, and everyone locks rows in one order.
    statement = _insert_for(connection)(target).from_select(
        names, select(rows).where(true()).order_by(*(rows.c[name] for name in key))
    )
    differs = [target.c[name].is_distinct_from(statement.excluded[name]) for name in compared]
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=list(key),
            set_={name: statement.excluded[name] for name in names if name not in (*key, *kept)},
            where=or_(*differs) if differs else None,
        )
    )


def upsert(connection: Connection, model: type[Base], columns: Columns, *, key: Sequence[str]) -> None:
    """Insert rows; where one with the same ``key``, the primary key, is there, update it. They are in its order.

    SQLite does so as fast as it inserts; PostgreSQL takes them by COPY and merges them.
    """
    if connection.dialect.name != "sqlite":
        with staged(connection, model, columns, key=key) as rows:
            merge(connection, model, rows, key=key)
        return
    updated = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in key)
    load(connection, table(model), columns, f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {updated}")


def remove(connection: Connection, model: type[Base], rows: Table, *, key: Sequence[str]) -> None:
    """Delete the rows of a table whose ``key`` is among the staged ``rows``.

    By IN, for which SQLite looks up the few that go; of an EXISTS it would ask every row of the table.
    """
    target = table(model)
    of_target, of_staged = (tuple_(*(columns[name] for name in key)) for columns in (target.c, rows.c))
    connection.execute(delete(target).where(of_target.in_(select(*of_staged.clauses))))


def rows_among(
    connection: Connection, statement: Select[*tuple[Any, ...]], column: InstrumentedAttribute[T], values: Sequence[T]
) -> Iterator[Any]:
    """Yield the rows of ``statement`` whose ``column`` is one of ``values``, however many there are."""
    for part in batched(values):
        yield from connection.execute(statement.where(column.in_(part))).all()  # one by one takes twice as long


def batched(values: Sequence[T], size: int = _LISTED) -> Iterator[Sequence[T]]:
    """Yield ``values`` in slices of ``size``, by default as many as one IN (...) takes; the last one may be shorter."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def load(connection: Connection, rows: Table, columns: Columns, on_conflict: str = "") -> None:
    """Add rows to a table as it stands in the database, in the order in which they are given.

    ``on_conflict`` is a clause for SQLite alone.
    """
    names = ", ".join(columns)
    if connection.dialect.name == "sqlite":
        for chunk in _chunks(connection, rows, columns):
            _insert(connection, f"INSERT INTO {rows.name} ({names}) VALUES ", on_conflict, chunk)
        return
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY {rows.name} ({names}) FROM STDIN") as copy:
        for chunk in _chunks(connection, rows, columns):
            for row in zip(*chunk, strict=True):
                copy.write_row(row)


def _insert(connection: Connection, insert: str, on_conflict: str, chunk: Sequence[Sequence[Any]]) -> None:
    """Insert a chunk of columns, many rows a statement; a value that they all share is given once a statement."""
    rows = len(chunk[0])
    shared = tuple(column.count(column[0]) == rows for column in chunk)
    common = tuple(column[0] for column, one in zip(chunk, shared, strict=True) if one)
    own = [column for column, one in zip(chunk, shared, strict=True) if not one]
    values: list[Any] = [None] * (rows * len(own))
    for at, column in enumerate(own):
        values[at :: len(own)] = column
    whole = rows // _TOGETHER * _TOGETHER
    for first, last, together in ((0, whole, _TOGETHER), (whole, rows, rows - whole)):
        statements = [
            common + tuple(values[start * len(own) : (start + together) * len(own)])
            for start in range(first, last, max(1, together))
        ]
        if statements:
            connection.exec_driver_sql(insert + _places(shared, together) + on_conflict, statements)


@lru_cache(maxsize=64)
def _places(shared: tuple[bool, ...], rows: int) -> str:
    """Return the places of so many rows' values: those that rows share come first, and are named in each row."""
    common, own = iter(range(1, len(shared) + 1)), count(sum(shared) + 1)
    same = [f"?{next(common)}" if one else None for one in shared]
    return ", ".join(f"({', '.join(place or f'?{next(own)}' for place in same)})" for _ in range(rows))


def _chunks(connection: Connection, rows: Table, columns: Columns) -> Iterator[Sequence[Sequence[Any]]]:
    """Yield columns as the driver takes them, chunk by chunk.

    NumPy's own scalars would be slow, and SQLite refuses them.
    """
    dialect = connection.dialect
    write = [
        None
        # Both drivers take bytes and an array's numbers as they are.
        if isinstance(values, np.ndarray) or isinstance(rows.c[name].type, LargeBinary)
        else rows.c[name].type.dialect_impl(dialect).bind_processor(dialect)
        for name, values in columns.items()
    ]
    length = len(next(iter(columns.values())))
    for start in range(0, length, _CHUNK):
        chunk = [_python(values[start : start + _CHUNK]) for values in columns.values()]
        yield [_written(values, process) if process else values for values, process in zip(chunk, write, strict=True)]


def _written(values: Sequence[Any], process: Callable[[Any], Any]) -> Sequence[Any]:
    """Return values as the driver takes them; an object that many rows share (None, no tags) is looked at once."""
    distinct = {id(value): value for value in values}
    done = {place: process(value) for place, value in distinct.items()}
    return [done[id(value)] for value in values]


def _python(values: NDArray[Any] | Sequence[Any]) -> Sequence[Any]:
    if isinstance(values, np.ndarray):
        listed: list[Any] = values.tolist()
        return listed
    return values


def _insert_for(connection: Connection) -> Any:
    # Only these two dialects have ON CONFLICT, each under its own name; SQLAlchemy's common insert has none.
    if connection.dialect.name == "sqlite":
        from sqlalchemy.dialects.sqlite import insert as sqlite_insert

        return sqlite_insert
    from sqlalchemy.dialects.postgresql import insert as postgresql_insert

    return postgresql_insert
