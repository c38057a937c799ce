"""Arrays as columns of Arrow record batches, and back: without a copy where it can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup.features import Described
from dedup.features.lexical import Idf, TextTraits, Words, words_one_after_another

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

    def whole(values: list[Any]) -> Any:
        return words_one_after_another(values) if isinstance(values[0], Words) else np.concatenate(values)

    return {name: whole([part[name] for part in parts]) for name in parts[0]}


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
