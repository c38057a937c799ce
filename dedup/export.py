"""Results as files: CSV, JSON lines or Parquet, by the file's name; streamed, and complete or not there at all.

Every row has the column ``source`` where more than one source is recorded.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TypeAlias

from dedup.artifacts import replacing
from dedup.errors import DedupError
from dedup.store import Store

Columns: TypeAlias = Mapping[str, type[str] | type[float] | type[int]]
Row: TypeAlias = tuple[str | float | int | None, ...]

_PARQUET_ROWS = 65_536


def export_pairs(store: Store, file: Path, min_probability: float) -> int:
    """Write the pairs at least so probable, and return how many they were; in each, the smaller id is left."""
    several = len(store.sources()) > 1
    columns: Columns = {
        "left_id": str,
        "right_id": str,
        "left": str,
        "right": str,
        "distance": float,
        "probability": float,
        **({"left_source": str, "right_source": str} if several else {}),
    }

    def rows() -> Iterator[Row]:
        for pair in store.iter_pairs(min_probability):
            left = (pair.left_source, pair.left_id, pair.left_text)
            right = (pair.right_source, pair.right_id, pair.right_text)
            if _natural(right) < _natural(left):
                left, right = right, left
            sources = (left[0], right[0]) if several else ()
            yield left[1], right[1], left[2], right[2], pair.distance, pair.probability, *sources

    return write_rows(file, columns, rows())


def export_clusters(store: Store, file: Path) -> int:
    """Write every question with its cluster and how probably it asks what the canonical question asks."""
    several = len(store.sources()) > 1
    columns: Columns = {
        "id": str,
        "question": str,
        "cluster": int,
        "canonical_id": str,
        "probability": float,
        **({"source": str, "canonical_source": str} if several else {}),
    }
    rows = (
        (m.id, m.text, m.cluster_id, m.canonical_id, m.probability)
        + ((m.source, m.canonical_source) if several else ())
        for m in store.iter_clusters()
    )
    return write_rows(file, columns, rows)


def export_canonical(store: Store, file: Path) -> int:
    """Write the canonical question of every cluster: the corpus without its duplicates."""
    several = len(store.sources()) > 1
    columns: Columns = {"id": str, "question": str, "cluster": int, "size": int, **({"source": str} if several else {})}
    rows = ((q.id, q.text, q.cluster_id, q.size) + ((q.source,) if several else ()) for q in store.iter_canonical())
    return write_rows(file, columns, rows)


def export_labels(store: Store, file: Path) -> int:
    """Write what all reviewers of a pair agree on, as a file of labelled pairs."""
    columns: Columns = {"question1": str, "question2": str, "is_duplicate": int}
    labels = store.review_labels()
    rows = ((label.left_text, label.right_text, int(label.duplicate)) for label in labels)
    return write_rows(file, columns, rows)


def _natural(side: tuple[str, str, str]) -> tuple[str, int, str]:
    """Order by source, then by id: shorter ids first, so that numbers go by value."""
    return side[0], len(side[1]), side[1]


def write_rows(file: Path, columns: Columns, rows: Iterable[Row]) -> int:
    """Write ``rows`` to ``file`` in the format of its suffix (.csv, .jsonl or .parquet) and return how many they were.

    Raises
    ------
    DedupError
        If the suffix is none of these, or the file cannot be written.
    """
    write = _WRITERS.get(file.suffix.lower())
    if write is None:
        raise DedupError(f"{file} ends in {file.suffix or 'no suffix'}; expected one of {', '.join(_WRITERS)}")
    counted = _Counted(rows)
    with replacing(file) as beside:
        write(beside, columns, counted)
    return counted.count


class _Counted:
    """Rows that are counted as they go by."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = rows
        self.count = 0

    def __iter__(self) -> Iterator[Row]:
        for row in self._rows:
            self.count += 1
            yield row


def _write_csv(file: Path, columns: Columns, rows: Iterable[Row]) -> None:
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows(rows)


def _write_jsonl(file: Path, columns: Columns, rows: Iterable[Row]) -> None:
    with file.open("w", encoding="utf-8") as stream:
        for row in rows:
            stream.write(json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False) + "\n")


def _write_parquet(file: Path, columns: Columns, rows: Iterable[Row]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    arrow = {str: pa.string(), float: pa.float64(), int: pa.int64()}
    schema = pa.schema([(name, arrow[kind]) for name, kind in columns.items()])
    each = iter(rows)
    with parquet.ParquetWriter(file, schema) as writer:
        while some := list(islice(each, _PARQUET_ROWS)):
            arrays = [
                pa.array(column, kind) for column, kind in zip(zip(*some, strict=True), schema.types, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


_WRITERS: dict[str, Callable[[Path, Columns, Iterable[Row]], None]] = {
    ".csv": _write_csv,
    ".jsonl": _write_jsonl,
    ".parquet": _write_parquet,
}
