"""Apache Parquet, batch by batch."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from typing import IO, Any

from dedup.dumps.compression import BrokenStream, Opened
from dedup.dumps.detection import Signs
from dedup.dumps.tables import Row, Table
from dedup.errors import DumpError

SIGNS = Signs((".parquet", ".pq"), lambda head: head.startswith(b"PAR1"), is_text=False)

_BATCH_ROWS = 64
"""Rows decoded at once. One text of a few MiB, repeated through a dictionary, takes next to nothing in the file and so
many times its size in a batch; larger batches are a third faster at most."""
_PAGE_BUFFER = 1 << 20
"""Bytes of a column read at once; without it, Arrow reads a whole row group's column into memory."""


def parquet_table(opened: Opened) -> Table:
    """Open a Parquet file; one that comes out of a decompressor or a pipe is first written to a temporary file.

    Raises BrokenStream where it is cut short, DumpError where two columns have one name.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    source = _spooled(opened) if opened.path is None else str(opened.path)
    try:
        file = opened.closing.enter_context(pq.ParquetFile(source, buffer_size=_PAGE_BUFFER, pre_buffer=False))
        names = tuple(file.schema_arrow.names)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as fault:
        raise _broken(fault) from fault
    if len(set(names)) < len(names):
        raise DumpError(f"{opened.file}: two columns have one name; rename one of {', '.join(names)}")
    return Table(names, partial(_rows, opened, file))


def _rows(opened: Opened, file: Any, wanted: Sequence[int | None]) -> Iterator[Row]:
    import pyarrow as pa

    names = [None if place is None else file.schema_arrow.names[place] for place in wanted]
    needed = list(dict.fromkeys(name for name in names if name is not None))
    groups = [file.metadata.row_group(place) for place in range(file.metadata.num_row_groups)]
    opened.limit.check(sum(group.total_byte_size for group in groups))
    number = 0
    expanded = 0
    try:
        for batch in file.iter_batches(_BATCH_ROWS, columns=needed, use_threads=False):
            columns = {name: _plain(batch.column(name)) for name in needed}
            expanded += sum(column.nbytes for column in columns.values())
            opened.limit.check(expanded)
            absent = [None] * batch.num_rows
            values = [absent if name is None else _values(columns[name]) for name in names]
            for row in zip(*values, strict=True):
                number += 1
                yield number, row
    except (pa.ArrowException, OSError) as fault:
        raise _broken(fault) from fault


def _plain(column: Any) -> Any:
    import pyarrow as pa

    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _values(column: Any) -> list[Any]:
    """Return a column's values as Python objects.

    Strings keep what is not UTF-8 as lone surrogates; what Python has no object for (a time in the year 30,000) is
    None.
    """
    import pyarrow as pa

    kind = column.type
    if pa.types.is_timestamp(kind) and kind.unit == "ns":  # Python's datetime has microseconds
        column = column.cast(pa.timestamp("us", kind.tz), safe=False)
    try:
        if not (pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
            return list(column.to_pylist())
    except (ValueError, OverflowError):
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
            return [_object(value) for value in column]
        column = column.cast(pa.large_binary())
    return [None if value is None else value.decode("utf-8", "surrogateescape") for value in column.to_pylist()]


def _object(value: Any) -> Any:
    try:
        return value.as_py()
    except (ValueError, OverflowError):
        return None


def _spooled(opened: Opened) -> IO[bytes]:
    spool = tempfile.TemporaryFile(prefix="dedup-")  # noqa: SIM115  (closed with the stream, on the next line)
    opened.closing.enter_context(spool)
    try:
        shutil.copyfileobj(opened.stream, spool)
        spool.seek(0)
    except OSError as fault:
        raise DumpError(
            f"{opened.file}: cannot be written to a temporary file ({fault.strerror}); make room in "
            f"{tempfile.gettempdir()} or set TMPDIR"
        ) from fault
    return spool


def _broken(fault: Exception) -> BrokenStream:
    return BrokenStream(f"the Parquet file is cut short or damaged ({fault})")
