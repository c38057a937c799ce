"""Questions and labels on their way in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple, TypeVar

from sqlalchemy import Connection, and_, func, select

from dedup.errors import StoreError
from dedup.questions import MAX_NAME_BYTES, Label, Question, question_key
from dedup.store.bulk import Columns, merge, rows_among, staged
from dedup.store.database import Database, storable
from dedup.store.models import LabelRow, QuestionRow, table
from dedup.store.revision import raise_corpus_revision
from dedup.text import normalise, text_key

T = TypeVar("T", int, datetime)

_LABEL_KEY = ("source", "left_external_id", "right_external_id", "origin")
_COUNTS = range(-(2**63) + 1, 2**63)  # the lowest 64-bit number stands for None in the canonical order


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a batch: every question is counted once, or is one of the conflicts."""

    added: int
    changed: int  # recorded by an earlier run with another text
    unchanged: int
    conflicts: tuple[Question, ...]  # an id that this run has seen with another text key; the first one stays


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


class Ingest:
    """The store's writes of what a dump holds."""

    _database: Database

    def record_questions(self, run_id: int, batch: Sequence[Question]) -> Recorded:
        """Record a batch in one transaction; a rerun of the same batch changes nothing.

        A question of an earlier run takes the text, time, score, views and tags it has now. One that this run has
        already seen with another text key is a conflict, and the first one stays. With the same text key it is a
        repetition, and what is recorded does not depend on which came first: most views, highest score, oldest time,
        the tags of all, and of texts that differ only in what `normalise` removes the first by code points.

        Whatever is added or changes, metadata included, raises the corpus revision.

        Raises
        ------
        StoreError
            Where a question cannot be stored (a NUL character, half a surrogate pair, an id over
            `dedup.questions.MAX_NAME_BYTES`), or its number belongs to another question. Nothing of the batch is
            recorded then.
        """
        for question in batch:
            _refuse_unstorable(question)
        numbers = [question_key(question.source, question.id) for question in batch]
        keys = [text_key(normalise(question.text)) for question in batch]
        with self._database.writing() as connection:
            before = _recorded(connection, sorted(set(numbers)))
            after = dict(before)
            conflicts = []
            for question, number, key in zip(batch, numbers, keys, strict=True):
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
            if any(number not in before or before[number][:-1] != row[:-1] for number, row in written.items()):
                raise_corpus_revision(connection)
        added = len(after) - len(before)
        changed = sum(
            number in before and before[number].last_run_id != run_id and before[number].text != row.text
            for number, row in written.items()
        )
        return Recorded(added, changed, len(batch) - added - changed - len(conflicts), tuple(conflicts))

    def record_labels(self, run_id: int, origin: str, batch: Sequence[Label]) -> int:
        """Record a file's labels in one transaction and return how many are new.

        ``origin`` is the file's name: two files may say different things of the same two questions, and both are kept.
        What one file says last of two questions, in either order, is what counts for that file.

        Raises
        ------
        StoreError
            Where a label cannot be stored; nothing of the batch is recorded then.
        """
        if not batch:
            return 0
        origin = storable(origin)  # a file may be named in bytes that are no Unicode
        _refuse_unstorable_text(f"the file name {origin!a}", (origin,), ())
        latest: dict[tuple[str, str, str], Label] = {}
        for given in batch:
            texts = [text for text in (given.left_text, given.right_text) if text is not None]
            about = f"the label of {given.left!a} and {given.right!a} in {origin}"
            _refuse_unstorable_text(about, (given.source, given.left, given.right), texts)
            label = _in_order(given)
            latest[label.source, label.left, label.right] = label
        names = sorted(latest)
        labels = [latest[name] for name in names]
        columns: Columns = {
            "source": [label.source for label in labels],
            "left_external_id": [label.left for label in labels],
            "right_external_id": [label.right for label in labels],
            "left_text": [label.left_text for label in labels],
            "right_text": [label.right_text for label in labels],
            "duplicate": [label.duplicate for label in labels],
            "origin": [origin] * len(labels),
            "run_id": [run_id] * len(labels),
        }
        with self._database.writing() as connection, staged(connection, LabelRow, columns) as rows:
            recorded = table(LabelRow)
            same = and_(*(recorded.c[name] == rows.c[name] for name in _LABEL_KEY))
            known = connection.scalars(select(func.count()).select_from(recorded.join(rows, same))).one()
            compared = ("duplicate", "left_text", "right_text")
            merge(connection, LabelRow, rows, key=_LABEL_KEY, compared=compared)
        return len(labels) - known


def _in_order(label: Label) -> Label:
    """Return a label with the smaller own id on the left: of two questions it does not matter which is named first."""
    if label.left <= label.right:
        return label
    return replace(label, left=label.right, right=label.left, left_text=label.right_text, right_text=label.left_text)


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


def _refuse_unstorable(question: Question) -> None:
    about = f"question {question.id!a} of source {question.source!a}"
    _refuse_unstorable_text(about, (question.source, question.id), (question.text, *question.tags))
    for count in (question.score, question.views):
        if count is not None and count not in _COUNTS:
            raise StoreError(f"{about} has a score or views of more than 63 bits; mend it in the dump")


def _refuse_unstorable_text(about: str, names: Iterable[str], texts: Iterable[str]) -> None:
    """Refuse, on both databases, what PostgreSQL cannot hold: a corpus must be able to move from one to the other."""
    try:
        for name in names:
            if len(name.encode()) > MAX_NAME_BYTES:
                raise StoreError(
                    f"{about[:200]} has a name of {len(name.encode()):,} bytes; expected at most {MAX_NAME_BYTES}, "
                    "shorten it in the dump"
                )
            if "\0" in name:
                raise _unstorable(about, "a NUL character")
        for text in texts:
            text.encode()
            if "\0" in text:
                raise _unstorable(about, "a NUL character")
    except UnicodeEncodeError:
        raise _unstorable(about, "half a surrogate pair, which is no character") from None


def _unstorable(about: str, found: str) -> StoreError:
    return StoreError(f"{about[:200]} has {found}; no database can hold it, remove it from the dump")


def _same_number(number: int, row: _Row, known: _Row) -> StoreError:
    return StoreError(
        f"question {row.external_id!a} of source {row.source!a} and question {known.external_id!a} of source "
        f"{known.source!a} have the same number {number}; record one of them under another source"
    )
