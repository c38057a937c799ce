"""A dump as a table: named columns, rows of values. What CSV, TSV, JSONL and Parquet have in common."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from dedup.dumps.columns import QuestionColumns
from dedup.dumps.rows import (
    id_fault,
    id_of_text,
    id_text,
    parse_created,
    parse_tags,
    parse_whole,
    rejected,
    string_fault,
)
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
    """Read a table's questions.

    Without an id column, a question's id is its text's (`rows.id_of_text`); the second, third, ... row with that text
    key has "-2", "-3", ... behind it. Every row then is a question of its own, and the ids of a dump stay what they are
    when rows are added to it or change places. A count of each text key is remembered.
    """
    counts: dict[int, int] | None = None
    if columns.id is None:
        counts = {}
        _log.warning("%s has no id column: ids are made from the texts", file)
    text_name = f"text (column {table.columns[columns.text]})"
    wanted = (columns.id, columns.text, columns.created, columns.score, columns.views, columns.tags)
    for row in table.rows(wanted):
        if isinstance(row, Rejected):
            yield row
            continue
        number, (own_id, text, created, score, views, tags) = row
        fault = string_fault(text, text_name)
        if fault is None and counts is None:
            own_id = id_text(own_id)
            fault = id_fault(own_id, "id")
        if fault is not None:
            yield rejected(file, number, fault, (own_id, text))
            continue
        assert type(text) is str
        if counts is not None:
            own_id = _numbered(id_of_text(text), counts)
        assert type(own_id) is str
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


def _numbered(own_id: str, counts: dict[int, int]) -> str:
    key = int(own_id[1:], 16)
    count = counts[key] = counts.get(key, 0) + 1
    return own_id if count == 1 else f"{own_id}-{count}"
