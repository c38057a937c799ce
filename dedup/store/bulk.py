"""Many rows at once: the only module that knows how each database takes them fastest.

Columns go into a temporary table (SQLite: the driver's executemany, PostgreSQL: COPY), and one statement merges it into
the real one in the order of its key. That is an order of magnitude faster than row by row, and tells what changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Column, Connection, MetaData, Select, Table, delete, except_, or_, select, true, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from dedup.store.models import Base, table

Columns: TypeAlias = Mapping[str, NDArray[Any] | Sequence[Any]]
"""Values by column, all of one length; None is NULL."""

T = TypeVar("T")

_CHUNK = 50_000  # rows turned into Python objects at a time
_LISTED = 5_000  # values in one IN (...); PostgreSQL takes at most 65,535 parameters, SQLite 32,766


@contextmanager
def staged(connection: Connection, model: type[Base], columns: Columns) -> Iterator[Table]:
    """Load ``columns`` into a temporary table with the types of ``model``'s, for as long as the context lasts."""
    target = table(model)
    rows = Table(
        f"staged_{target.name}",
        MetaData(),
        *(Column(name, target.c[name].type, nullable=True, autoincrement=False) for name in columns),
        prefixes=["TEMPORARY"],
    )
    rows.create(connection, checkfirst=False)
    _load(connection, rows, columns)
    yield rows
    rows.drop(connection, checkfirst=False)  # after an error the rollback does it


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


def prune(connection: Connection, model: type[Base], rows: Table, *, key: Sequence[str]) -> None:
    """Delete the rows of a table whose ``key`` is not among the staged ``rows``."""
    target = table(model)
    vanished = except_(select(*(target.c[name] for name in key)), select(*(rows.c[name] for name in key)))
    connection.execute(delete(target).where(tuple_(*(target.c[name] for name in key)).in_(vanished)))


def rows_among(
    connection: Connection, statement: Select[*tuple[Any, ...]], column: InstrumentedAttribute[T], values: Sequence[T]
) -> Iterator[Any]:
    """Yield the rows of ``statement`` whose ``column`` is one of ``values``, however many there are."""
    for part in batched(values, _LISTED):
        yield from connection.execute(statement.where(column.in_(part)))


def batched(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Yield ``values`` in slices of ``size``; the last one may be shorter."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def _load(connection: Connection, rows: Table, columns: Columns) -> None:
    names = ", ".join(rows.c.keys())
    if connection.dialect.name == "sqlite":
        places = ", ".join("?" * len(columns))
        tuples = _tuples(connection, rows, columns)
        while chunk := list(islice(tuples, _CHUNK)):
            connection.exec_driver_sql(f"INSERT INTO {rows.name} ({names}) VALUES ({places})", chunk)
        return
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY {rows.name} ({names}) FROM STDIN") as copy:
        for row in _tuples(connection, rows, columns):
            copy.write_row(row)


def _tuples(connection: Connection, rows: Table, columns: Columns) -> Iterator[tuple[Any, ...]]:
    """Yield rows as the driver takes them, chunk by chunk: NumPy's own scalars would be slow, and refused by SQLite."""
    write = [rows.c[name].type.dialect_impl(connection.dialect).bind_processor(connection.dialect) for name in columns]
    length = len(next(iter(columns.values())))
    for start in range(0, length, _CHUNK):
        chunk = [values[start : start + _CHUNK] for values in columns.values()]
        yield from zip(
            *(
                [process(value) for value in _python(values)] if process else _python(values)
                for values, process in zip(chunk, write, strict=True)
            ),
            strict=True,
        )


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
