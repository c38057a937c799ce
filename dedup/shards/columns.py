"""Arrays as columns of Arrow record batches, and back: without a copy where it can be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup.features import Described
from dedup.features.lexical import Idf, TextTraits, Words
from dedup.memory import spacious

_TRAITS = ("numbers", "negated", "asks", "tokens", "bag", "sequence")


def as_batch(columns: Mapping[str, Any]) -> Any:
    """Return (n,) and (n, d) arrays, keys, lists of texts and the words of texts as a pyarrow.RecordBatch."""
    import pyarrow as pa

    return pa.RecordBatch.from_arrays([_as_column(values) for values in columns.values()], list(columns))


def as_arrays(batch: Any) -> dict[str, Any]:
    """Return the columns of a record batch as the arrays that `as_batch` was given; they can only be read."""
    return {name: _as_array(column) for name, column in zip(batch.schema.names, batch.columns, strict=True)}


def joined(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return columns, at least one of each, one after the other."""
    rows = sum(len(next(iter(part.values()))) for part in parts)
    words = sum(len(values.columns) for part in parts for values in part.values() if isinstance(values, Words))
    return stacked(parts, rows, words)


def stacked(parts: Iterable[Mapping[str, Any]], rows: int, words: int) -> dict[str, Any]:
    """Return columns of so many rows and words one after the other, as they come: none is kept as it came.

    In mapped arrays, where there are many (`dedup.memory.spacious`).
    """
    whole: dict[str, Any] = {}
    row = word = 0
    for part in parts:
        for name, values in part.items():
            if name not in whole:
                whole[name] = _room(values, rows, words)
            into = whole[name]
            if isinstance(values, Words):
                into.columns[word : word + len(values.columns)] = values.columns
                into.starts[row + 1 : row + 1 + len(values)] = values.starts[1:] + word
                word += len(values.columns)
            else:
                into[row : row + len(values)] = values
        row += len(next(iter(part.values())))
    return whole


def _room(values: Any, rows: int, words: int) -> Any:
    """Return zeros for so many rows, or words of so many rows, of the kind of some."""
    if isinstance(values, Words):
        return Words(spacious((words,), values.columns.dtype), spacious((rows + 1,), np.int64))
    return spacious((rows, *values.shape[1:]), values.dtype)


def rows_of(columns: Mapping[str, Any], rows: NDArray[np.int64]) -> dict[str, Any]:
    """Return some rows of columns."""
    return {name: values[rows] for name, values in columns.items()}


def described_columns(described: Described) -> dict[str, Any]:
    """Return what is known of questions beside their vectors, as columns."""
    columns: dict[str, Any] = {} if described.crowding is None else {"crowding": described.crowding}
    if described.traits is not None:
        columns |= {name: getattr(described.traits, name) for name in (*_TRAITS, "content")}
    return columns


def described_of(columns: Mapping[str, Any], idf: Idf | None) -> Described:
    """Return what `described_columns` was given; ``idf`` is the corpus's."""
    traits = None if idf is None else TextTraits(**{name: columns[name] for name in (*_TRAITS, "content")})
    return Described(columns.get("crowding"), traits, idf)


def _as_column(values: Any) -> Any:
    import pyarrow as pa

    if isinstance(values, list):
        return pa.array(values, type=pa.large_binary())
    if isinstance(values, Words):
        return pa.ListArray.from_arrays(pa.array(values.starts.astype(np.int32)), pa.array(values.columns))
    if values.dtype.kind == "S":
        return pa.FixedSizeBinaryArray.from_buffers(
            pa.binary(values.dtype.itemsize), len(values), [None, pa.py_buffer(np.ascontiguousarray(values))]
        )
    if values.ndim == 2:
        flat = pa.array(np.ascontiguousarray(values).reshape(-1))
        return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
    return pa.array(values)


def _as_array(column: Any) -> Any:
    import pyarrow as pa

    kind = column.type
    if pa.types.is_large_binary(kind):
        return column.to_pylist()
    if pa.types.is_list(kind):
        starts = column.offsets.to_numpy().astype(np.int64)
        return Words(column.flatten().to_numpy(), starts - starts[0])
    if pa.types.is_fixed_size_binary(kind):
        start = column.offset * kind.byte_width
        raw = np.frombuffer(column.buffers()[1], dtype=np.uint8)[start : start + len(column) * kind.byte_width]
        return raw.view(f"S{kind.byte_width}")
    if pa.types.is_fixed_size_list(kind):
        return column.flatten().to_numpy().reshape(len(column), kind.list_size)
    return column.to_numpy(zero_copy_only=False)
