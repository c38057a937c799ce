"""Questions that come again otherwise than they are recorded, or twice in one batch: looked at one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, TypeAlias, TypeVar

from sqlalchemy import Connection, select

from dedup.errors import StoreError
from dedup.questions import Question
from dedup.store.bulk import Columns, merge, rows_among, staged
from dedup.store.models import QuestionRow

T = TypeVar("T", int, datetime)

Given: TypeAlias = tuple[int, bytes, Question]
"""A question with its number and its text key."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What became of some questions of a batch."""

    added: int
    changed: int  # recorded by an earlier run with another text
    conflicts: tuple[Question, ...]  # an id that this run has seen with another text key
    is_new: bool  # something is recorded otherwise than before, be it metadata


class _Row(NamedTuple):
    """What is recorded under a number, or will be."""

    source: str
    external_id: str
    text: str
    text_key: bytes
    created: datetime | None
    score: int | None
    views: int | None
    tags: tuple[str, ...]
    last_run_id: int


def record_changes(connection: Connection, run_id: int, given: Sequence[Given]) -> Changes:
    """Record questions one after the other, each as what came before has left it.

    See `dedup.store.ingest.Ingest.record_questions` for what is recorded. Raises StoreError where a number belongs to
    another question.
    """
    before = _recorded(connection, sorted({number for number, _, _ in given}))
    after = dict(before)
    conflicts = []
    for number, key, question in given:
        row, known = _row(question, key, run_id), after.get(number)
        if known is not None and known[:2] != row[:2]:
            raise _same_number(number, row, known)
        if known is None or known.last_run_id != run_id:
            after[number] = row
        elif known.text_key == key:
            after[number] = _merged(known, row)
        else:
            conflicts.append(question)
    written = {number: row for number, row in after.items() if before.get(number) != row}
    if written:
        _write(connection, written)
    return Changes(
        added=len(after) - len(before),
        changed=sum(
            number in before and before[number].last_run_id != run_id and before[number].text != row.text
            for number, row in written.items()
        ),
        conflicts=tuple(conflicts),
        is_new=any(number not in before or before[number][:-1] != row[:-1] for number, row in written.items()),
    )


@dataclass(frozen=True, slots=True)
class Latest:
    """What became of questions that take whatever is said last: their numbers, each in one of the three."""

    added: frozenset[int]
    changed: frozenset[int]
    unchanged: frozenset[int]
    moved: frozenset[int]  # of the changed ones, those that have another text key than before


def record_latest(connection: Connection, run_id: int, given: Sequence[Given]) -> Latest:
    """Record questions as they are given, whoever recorded them before; of several with one number the last counts.

    Raises StoreError where a number belongs to another question.
    """
    rows = {number: _row(question, key, run_id) for number, key, question in given}
    before = _recorded(connection, sorted(rows))
    for number, known in before.items():
        if known[:2] != rows[number][:2]:
            raise _same_number(number, rows[number], known)
    added = frozenset(rows.keys() - before.keys())
    changed = frozenset(number for number, known in before.items() if known[:-1] != rows[number][:-1])
    if written := {number: rows[number] for number in added | changed}:
        _write(connection, written)
    moved = frozenset(number for number in changed if before[number].text_key != rows[number].text_key)
    return Latest(added, changed, frozenset(before.keys() - changed), moved)


def _recorded(connection: Connection, numbers: Sequence[int]) -> dict[int, _Row]:
    statement = select(
        QuestionRow.id,
        QuestionRow.source,
        QuestionRow.external_id,
        QuestionRow.text,
        QuestionRow.text_key,
        QuestionRow.created_at,
        QuestionRow.score,
        QuestionRow.views,
        QuestionRow.tags,
        QuestionRow.last_run_id,
    )
    found = rows_among(connection, statement, QuestionRow.id, numbers)
    return {number: _Row._make((*fields, tuple(tags), last_run)) for number, *fields, tags, last_run in found}


def _row(question: Question, key: bytes, run_id: int) -> _Row:
    return _Row(
        question.source,
        question.id,
        question.text,
        key,
        question.created,
        question.score,
        question.views,
        question.tags,
        run_id,
    )


def _merged(one: _Row, other: _Row) -> _Row:
    """Return what is known of a question from two rows of one run, in whichever order they came."""
    return one._replace(
        text=min(one.text, other.text),
        created=min(_known(one.created, other.created), default=None),
        score=max(_known(one.score, other.score), default=None),
        views=max(_known(one.views, other.views), default=None),
        tags=one.tags if one.tags == other.tags else tuple(sorted({*one.tags, *other.tags})),
    )


def _known(one: T | None, other: T | None) -> list[T]:
    return [value for value in (one, other) if value is not None]


def _write(connection: Connection, written: Mapping[int, _Row]) -> None:
    numbers = sorted(written)
    rows = [written[number] for number in numbers]
    columns: Columns = {
        "id": numbers,
        "source": [row.source for row in rows],
        "external_id": [row.external_id for row in rows],
        "text": [row.text for row in rows],
        "text_key": [row.text_key for row in rows],
        "created_at": [row.created for row in rows],
        "score": [row.score for row in rows],
        "views": [row.views for row in rows],
        "tags": [list(row.tags) for row in rows],
        "first_run_id": [row.last_run_id for row in rows],  # kept where the question is known
        "last_run_id": [row.last_run_id for row in rows],
    }
    with staged(connection, QuestionRow, columns) as staged_rows:
        merge(connection, QuestionRow, staged_rows, key=("id",), kept=("source", "external_id", "first_run_id"))


def _same_number(number: int, row: _Row, known: _Row) -> StoreError:
    return StoreError(
        f"question {row.external_id!a} of source {row.source!a} and question {known.external_id!a} of source "
        f"{known.source!a} have the same number {number}; record one of them under another source"
    )
