"""A clustering from a file: what `dedup export clusters` wrote, another tool's result, or a person's labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dedup.dumps import DumpOptions, delimited, jsonl, parquet
from dedup.dumps.compression import BrokenStream, Opened, open_dump
from dedup.dumps.detection import Signs, find_format
from dedup.dumps.rows import excerpt, id_text
from dedup.dumps.tables import Table
from dedup.errors import DumpError
from dedup.questions import Int64, Rejected

_TABLES: Mapping[str, tuple[Signs, Callable[[Opened], Table]]] = {
    "csv": (delimited.CSV_SIGNS, delimited.csv_table),
    "tsv": (delimited.TSV_SIGNS, delimited.tsv_table),
    "jsonl": (jsonl.SIGNS, jsonl.jsonl_table),
    "parquet": (parquet.SIGNS, parquet.parquet_table),
}


@dataclass(frozen=True, slots=True)
class Clustering:
    """Which cluster each question is in, by its text or by its own id; what the file does not have is empty."""

    name: str  # of the file, for people
    by_text: Mapping[str, str]  # text, exactly as it is -> cluster; of several the last
    by_id: Mapping[str, str]  # own id -> cluster
    clusters: int  # of two questions or more


def read_clustering(file: str, options: DumpOptions) -> tuple[Clustering, int]:
    """Read a table with the column ``cluster`` and ``question``, ``id`` or both, and count the rows at fault.

    Of a table with a column ``source``, the rows of the options' source alone are read.

    Raises
    ------
    DumpError
        If the file cannot be read, or has not these columns.
    """
    by_text: dict[str, str] = {}
    by_id: dict[str, str] = {}
    size: Counter[str] = Counter()
    faults = 0
    try:
        with open_dump(file, options.max_bytes, []) as opened:
            form = find_format({name: signs for name, (signs, _) in _TABLES.items()}, opened, None)
            table = _TABLES[form][1](opened)
            for row in table.rows(_wanted(file, table.columns)):
                cluster, text, own_id, source = (None,) * 4 if isinstance(row, Rejected) else map(id_text, row[1])
                if source is not None and source != options.source:
                    continue
                if not isinstance(cluster, str) or not cluster:
                    faults += 1
                    continue
                size[cluster] += 1
                if isinstance(text, str):
                    by_text[text] = cluster
                if isinstance(own_id, str):
                    by_id[own_id] = cluster
    except BrokenStream as fault:
        raise DumpError(f"{file}: {fault}; read {sum(size.values()):,} rows before that; get the file anew") from fault
    return Clustering(file, by_text, by_id, sum(count >= 2 for count in size.values())), faults


def number_clusters(clusters: Sequence[str | None]) -> Int64:
    """Return clusters by name as numbers from 0, (n,); each None is a cluster of its own."""
    numbers: dict[str | int, int] = {}
    named = (place if cluster is None else cluster for place, cluster in enumerate(clusters))
    return np.array([numbers.setdefault(name, len(numbers)) for name in named], dtype=np.int64)


def _wanted(file: str, columns: Sequence[str]) -> tuple[int | None, ...]:
    places = [columns.index(name) if name in columns else None for name in ("cluster", "question", "id", "source")]
    cluster, text, own_id, _ = places
    if cluster is None or (text is None and own_id is None):
        raise DumpError(
            f"{file}: the columns are {excerpt(', '.join(columns)) or 'none'}; clusters have the column cluster, and "
            "question, id or both, as `dedup export clusters` writes them"
        )
    return tuple(places)
