"""What a format of dumps consists of. Tables are read as questions or as pairs, as their columns say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from dedup.dumps.columns import no_pair_columns, pair_columns, question_columns
from dedup.dumps.compression import Opened
from dedup.dumps.detection import Signs, find_format
from dedup.dumps.options import DumpOptions
from dedup.dumps.pairs import pair_labels, pairs
from dedup.dumps.tables import Table, questions
from dedup.questions import Label, Record, Rejected


@dataclass(frozen=True, slots=True)
class Format:
    """One format of dumps."""

    signs: Signs | None
    """How it is told; None where it is only read when asked for by name."""
    read: Callable[[Opened, DumpOptions], Iterator[Record]]
    labels: Callable[[Opened, DumpOptions], Iterator[Label | Rejected]] | None
    """Reads the labels alone; None where the format has none."""
    member: str | None = None
    """The name it has in a published 7z archive."""


@dataclass(frozen=True, slots=True)
class TableFormat:
    """One format of tables."""

    signs: Signs
    open: Callable[[Opened], Table]

    def as_dump(self) -> Format:
        """Return the format of dumps that are such tables."""
        return Format(self.signs, self._read, self._labels)

    def _read(self, opened: Opened, options: DumpOptions) -> Iterator[Record]:
        table = self.open(opened)
        if options.text_column is None and options.id_column is None:
            columns = pair_columns(opened.file, table.columns)
            if columns is not None:
                return pairs(table, columns, opened.file, options.source)
        return questions(table, question_columns(opened.file, table.columns, options), opened.file, options.source)

    def _labels(self, opened: Opened, options: DumpOptions) -> Iterator[Label | Rejected]:
        return _pair_labels(self.open(opened), opened, options)


def pair_format(tables: Mapping[str, TableFormat]) -> Format:
    """Return the format of pair files, which are tables in any of ``tables``."""
    signs = {name: table.signs for name, table in tables.items()}

    def opened_table(opened: Opened) -> Table:
        return tables[find_format(signs, opened, None)].open(opened)

    def read(opened: Opened, options: DumpOptions) -> Iterator[Record]:
        table = opened_table(opened)
        columns = pair_columns(opened.file, table.columns)
        if columns is None:
            raise no_pair_columns(opened.file, table.columns)
        return pairs(table, columns, opened.file, options.source)

    def labels(opened: Opened, options: DumpOptions) -> Iterator[Label | Rejected]:
        return _pair_labels(opened_table(opened), opened, options)

    return Format(None, read, labels)


def _pair_labels(table: Table, opened: Opened, options: DumpOptions) -> Iterator[Label | Rejected]:
    columns = pair_columns(opened.file, table.columns)
    if columns is None or columns.is_duplicate is None:
        raise no_pair_columns(opened.file, table.columns)
    return pair_labels(table, columns, opened.file, options.source)
