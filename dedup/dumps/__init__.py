"""Readers of question dumps: CSV, TSV, JSONL, Parquet, Stack Exchange's XML and pair files, plain or compressed.

Every dump is streamed; the memory it takes does not grow with its size (that of a pair file and of a table without an
id column does, by some 80 bytes a distinct question). A row at fault is yielded as `Rejected` and the rows around it
are read; a dump at fault is a DumpError.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from dedup.dumps import delimited, jsonl, parquet, stackexchange
from dedup.dumps.compression import STDIN_NAME, BrokenStream, Opened, open_dump
from dedup.dumps.detection import find_format
from dedup.dumps.formats import Format, TableFormat, pair_format
from dedup.dumps.lines import MAX_LINE_BYTES
from dedup.dumps.options import DumpOptions
from dedup.errors import DumpError
from dedup.questions import Label, Record, Rejected

__all__ = ["FORMATS", "FORMAT_NAMES", "MAX_LINE_BYTES", "DumpOptions", "read_dump", "read_labels"]

_TABLES = {
    "csv": TableFormat(delimited.CSV_SIGNS, delimited.csv_table),
    "tsv": TableFormat(delimited.TSV_SIGNS, delimited.tsv_table),
    "jsonl": TableFormat(jsonl.SIGNS, jsonl.jsonl_table),
    "parquet": TableFormat(parquet.SIGNS, parquet.parquet_table),
}
FORMATS: Mapping[str, Format] = {name: table.as_dump() for name, table in _TABLES.items()} | {
    "posts-xml": Format(stackexchange.POSTS_SIGNS, stackexchange.read_posts, None, "Posts.xml"),
    "postlinks-xml": Format(
        stackexchange.POSTLINKS_SIGNS, stackexchange.read_postlinks, stackexchange.read_postlinks, "PostLinks.xml"
    ),
    "pairs": pair_format(_TABLES),
}
"""The formats by name. A new one is a module and a line here."""
FORMAT_NAMES = tuple(FORMATS)
"""What `DumpOptions.format` may be, for a choice of them; none of the libraries that read them is imported for it."""

_R = TypeVar("_R", Record, Label | Rejected)


def read_dump(path: str, options: DumpOptions) -> Iterator[Record]:
    """Read the questions of a dump, the labels it has, and the rows that had to be left out, in the dump's order.

    ``path`` "-" is standard input. Nothing is opened before the first record is asked for. Raises DumpError where the
    dump cannot be read, or no further; what was yielded before stands.
    """
    return _read(path, options, FORMATS, _records)


def read_labels(path: str, options: DumpOptions) -> Iterator[Label | Rejected]:
    """Read only the labels of a dump, and the rows that had to be left out: a PostLinks.xml or a pair file.

    Like `read_dump`; a dump that cannot hold labels is a DumpError.
    """
    return _read(path, options, {name: form for name, form in FORMATS.items() if form.labels is not None}, _labels)


def _records(name: str, opened: Opened, options: DumpOptions) -> Iterator[Record]:
    return FORMATS[name].read(opened, options)


def _labels(name: str, opened: Opened, options: DumpOptions) -> Iterator[Label | Rejected]:
    labels = FORMATS[name].labels
    if labels is None:
        raise DumpError(f"{opened.file}: read as {name}, which has no labels; expected a PostLinks.xml or a pair file")
    return labels(opened, options)


def _read(
    path: str,
    options: DumpOptions,
    formats: Mapping[str, Format],
    read: Callable[[str, Opened, DumpOptions], Iterator[_R]],
) -> Iterator[_R]:
    """Open ``path`` and read it; ``formats`` are the ones whose file is looked for in an archive of several."""
    if options.format is not None and options.format not in FORMATS:
        raise DumpError(f"no dump format is called {options.format!r}; expected one of {', '.join(FORMAT_NAMES)}")
    wanted = formats.values() if options.format is None else [FORMATS[options.format]]
    members = [form.member for form in wanted if form.member is not None]
    records = 0
    try:
        with open_dump(path, options.max_bytes, members) as opened:
            for record in read(_format_of(opened, options.format), opened, options):
                records += 1
                yield record
    except BrokenStream as fault:
        file = STDIN_NAME if path == "-" else path
        raise DumpError(f"{file}: {fault}; read {records:,} records before that; get the file anew") from fault


def _format_of(opened: Opened, asked: str | None) -> str:
    if asked is not None and FORMATS[asked].signs is None:
        return asked
    signs = {name: form.signs for name, form in FORMATS.items() if form.signs is not None}
    return find_format(signs, opened, asked)
