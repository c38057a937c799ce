"""A dump as a table: named columns, rows of values. What CSV, TSV, JSONL and Parquet have in common."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from dedup.dumps.columns import QuestionColumns
from dedup.dumps.rows import id_text, parse_created, parse_tags, parse_whole, rejected, string_fault
from dedup.questions import Question, Rejected

_log = logging.getLogger(__name__)

Row: TypeAlias = tuple[int, Sequence[object]]
"""The row's number, from 1, and its values."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table that is open for reading, once."""

    columns: tuple[str, ...]
    rows: Callable[[Sequence[int | None]], Iterator[Row | Rejected]]
    """Given the positions of the wanted columns, the rows: as many values as positions, None for position None and
    for what the row does not have."""


def questions(table: Table, columns: QuestionColumns, file: str, source: str) -> Iterator[Question | Rejected]:
    """Read a table's questions; without an id column, a question's id is its row number."""
    numbered = columns.id is None
    if numbered:
        _log.warning("%s has no id column: the row numbers are the ids, and change when rows are added before", file)
    text_name = f"text (column {table.columns[columns.text]})"
    wanted = (columns.id, columns.text, columns.created, columns.score, columns.views, columns.tags)
    for row in table.rows(wanted):
        if isinstance(row, Rejected):
            yield row
            continue
        number, (own_id, text, created, score, views, tags) = row
        if type(own_id) is not str:
            own_id = str(number) if numbered else id_text(own_id)
        fault = string_fault(text, text_name) or string_fault(own_id, "id")
        if fault is not None:
            yield rejected(file, number, fault, (own_id, text))
            continue
        assert type(own_id) is str
        assert type(text) is str
        yield Question(
            own_id,
            text,
            source,
            None if created is None else parse_created(created),
            None if score is None else parse_whole(score),
            None if views is None else parse_whole(views),
            () if tags is None else parse_tags(tags),
            number,
        )
