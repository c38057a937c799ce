"""Every table as a file, and back: one state of a database, whichever kind it is of.

Parquet, because it has the types of both databases: what SQLite held can go into PostgreSQL. Rows are read in one
transaction, which sees one state whatever is written meanwhile, and take effect in one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    DateTime,
    Double,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    bindparam,
    delete,
    func,
    select,
    text,
    update,
)

from dedup.errors import StoreError
from dedup.store.bulk import load
from dedup.store.database import Database
from dedup.store.models import Base, GenerationRow, Json, RunRow, ServiceRow, UtcDateTime, table
from dedup.store.schema import HEAD, current, upgrade

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS = 20_000  # of a table at a time, on the way out and on the way in


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was copied: the tables, parents first, with their rows; the generation that was in service."""

    revision: str
    tables: dict[str, int]
    generation: str | None


class Copying:
    """The store's copies of itself."""

    _database: Database

    def copy_out(self, folder: Path) -> Snapshot:
        """Write each table to ``folder/<table>.parquet``, all as they were at one moment; writers go on meanwhile."""
        with self._database.reading() as connection:
            tables = {each.name: _write(connection, each, folder) for each in Base.metadata.sorted_tables}
            in_service = select(table(GenerationRow).c.name).join(ServiceRow)
            return Snapshot(HEAD, tables, connection.scalars(in_service).one_or_none())


def copy_in(url: str, folder: Path, revision: str, tables: Sequence[str], *, replace: bool) -> None:
    """Put into a database what `Copying.copy_out` wrote, in one transaction, and bring it to this program's revision.

    Parameters
    ----------
    replace
        Delete whatever is recorded there now, in the same transaction.

    Raises
    ------
    StoreError
        Where something is recorded there and ``replace`` is not said, or its schema is of another revision than the
        copy's; nothing is changed then.
    """
    found = current(url)
    if found is None:
        upgrade(url, revision)
    database = Database(url)
    try:
        if found not in (None, revision):
            raise StoreError(
                f"the database {database.display_url} is at revision {found}, the backup of revision {revision}; "
                "give an empty database"
            )
        with database.writing() as connection:
            _replace_rows(connection, folder, tables, database.display_url, replace=replace)
    finally:
        database.close()
    upgrade(url)


def is_in_use(url: str) -> bool:
    """Tell whether anything is recorded in a database; one that is not there has nothing."""
    if current(url) is None:
        return False
    database = Database(url)
    try:
        with database.reading() as connection:
            return _runs(connection) > 0
    finally:
        database.close()


def _replace_rows(connection: Connection, folder: Path, tables: Sequence[str], shown: str, *, replace: bool) -> None:
    if _runs(connection) and not replace:
        raise StoreError(f"something is recorded in {shown} already; give an empty database, or --force to replace it")
    metadata = MetaData()
    metadata.reflect(connection, only=list(tables))
    there = [_with_own_types(metadata.tables[name]) for name in tables]
    later = {each.name: _later(each, tables) for each in there}
    for each in there:
        if later[each.name]:
            connection.execute(update(each).values(dict.fromkeys(later[each.name])))
    for each in reversed(there):
        connection.execute(delete(each))
    for each in there:
        for columns in _read(folder / f"{each.name}.parquet", each):
            load(connection, each, {**columns, **{name: [None] * _length(columns) for name in later[each.name]}})
    for each in there:
        if later[each.name]:
            _set_later(connection, folder / f"{each.name}.parquet", each, later[each.name])
        _count_on(connection, each)


def _runs(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(table(RunRow))).scalar_one()


def _later(each: Table, order: Sequence[str]) -> list[str]:
    """Return the columns that refer to rows of tables which are loaded after this one, or of itself."""
    at = order.index(each.name)
    return [key.parent.name for key in each.foreign_keys if order.index(key.column.table.name) >= at]


def _set_later(connection: Connection, file: Path, each: Table, names: Sequence[str]) -> None:
    (key,) = each.primary_key.columns  # what refers ahead has a number of its own
    statement = (
        update(each).where(key == bindparam("its_key")).values({name: bindparam(f"its_{name}") for name in names})
    )
    for columns in _read(file, each):
        rows = [
            {"its_key": own, **{f"its_{name}": columns[name][at] for name in names}}
            for at, own in enumerate(columns[key.name])
        ]
        connection.execute(statement, rows)


def _count_on(connection: Connection, each: Table) -> None:
    """Let PostgreSQL number new rows after those that are there; SQLite does so by itself."""
    if connection.dialect.name != "postgresql" or "id" not in each.c:
        return
    sequence = connection.scalars(select(func.pg_get_serial_sequence(each.name, "id"))).one()
    if sequence is not None:
        last = f"SELECT setval('{sequence}', coalesce(max(id), 0) + 1, false) FROM {each.name}"
        connection.execute(text(last))


def _with_own_types(each: Table) -> Table:
    """Let reflected columns take and give what the models' do: times in UTC, None as NULL."""
    for column in each.c:
        if isinstance(column.type, JSON):
            column.type = Json
        elif isinstance(column.type, DateTime):
            column.type = UtcDateTime()
    return each


def _write(connection: Connection, each: Table, folder: Path) -> int:
    import pyarrow as pa
    from pyarrow import parquet

    columns = list(each.c)
    schema = pa.schema([(column.name, _arrow_type(column)) for column in columns])
    outward = [json.dumps if isinstance(column.type, JSON) else None for column in columns]
    statement = select(each).order_by(*each.primary_key.columns)
    rows = 0
    with (
        parquet.ParquetWriter(folder / f"{each.name}.parquet", schema, compression="zstd") as writer,
        connection.execution_options(yield_per=_ROWS).execute(statement) as result,
    ):
        for some in result.partitions():
            values = [_converted(column, way) for column, way in zip(zip(*some, strict=True), outward, strict=True)]
            arrays = [pa.array(column, field.type) for column, field in zip(values, schema, strict=True)]
            writer.write_batch(pa.record_batch(arrays, schema=schema))
            rows += len(some)
    return rows


def _read(file: Path, each: Table) -> Iterator[dict[str, list[Any]]]:
    from pyarrow import parquet

    inward = {column.name: json.loads if isinstance(column.type, JSON) else None for column in each.c}
    with parquet.ParquetFile(file) as stored:
        for batch in stored.iter_batches(batch_size=_ROWS):
            yield {
                name: _converted(column.to_pylist(), inward[name])
                for name, column in zip(batch.schema.names, batch.columns, strict=True)
            }


def _converted(values: Sequence[Any], way: Callable[[Any], Any] | None) -> list[Any]:
    return list(values) if way is None else [None if value is None else way(value) for value in values]


def _length(columns: dict[str, list[Any]]) -> int:
    return len(next(iter(columns.values())))


def _arrow_type(column: Column[Any]) -> pa.DataType:
    import pyarrow as pa

    kinds: tuple[tuple[type, pa.DataType], ...] = (
        (UtcDateTime, pa.timestamp("us", tz="UTC")),
        (Boolean, pa.bool_()),
        (Integer, pa.int64()),
        (Double, pa.float64()),
        (Float, pa.float64()),
        (LargeBinary, pa.binary()),
    )
    return next((arrow for kind, arrow in kinds if isinstance(column.type, kind)), pa.string())
