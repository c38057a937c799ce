"""Questions and labels on their way in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, and_, func, select

from dedup.errors import StoreError
from dedup.questions import Label, Question, question_key
from dedup.store.bulk import Columns, merge, rows_among, staged
from dedup.store.database import Database
from dedup.store.models import LabelRow, QuestionRow, table
from dedup.text import normalise, text_key

MAX_NAME_BYTES = 600
"""The longest id, source or file name that is taken. PostgreSQL indexes at most 2,704 bytes; four of these fit."""

_LABEL_KEY = ("source", "left_external_id", "right_external_id", "origin")
_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a batch: every question is counted once, or is one of the conflicts."""

    added: int
    changed: int  # recorded by an earlier run with another text
    unchanged: int
    conflicts: tuple[Question, ...]  # an id that this run has seen with another text key; the first one stays


class _Known(NamedTuple):
    """What is recorded under a number, or will be."""

    source: str
    external_id: str
    text: str
    text_key: bytes
    last_run_id: int


class Ingest:
    """The store's writes of what a dump holds."""

    _database: Database

    def record_questions(self, run_id: int, batch: Sequence[Question]) -> Recorded:
        """Record a batch in one transaction; a rerun of the same batch changes nothing.

        A question of an earlier run takes the text, time, score, views and tags it has now. One that this run has
        already seen stays as it is: with the same text key it is a repetition, with another a conflict.

        Raises
        ------
        StoreError
            Where a question cannot be stored (a NUL character, half a surrogate pair, an id over `MAX_NAME_BYTES`), or
            its number belongs to another question. Nothing of the batch is recorded then.
        """
        for question in batch:
            _refuse_unstorable(question)
        numbers = [question_key(question.source, question.id) for question in batch]
        keys = [text_key(normalise(question.text)) for question in batch]
        with self._database.writing() as connection:
            known = _known(connection, sorted(set(numbers)))
            accepted: dict[int, tuple[Question, bytes]] = {}
            conflicts = []
            added = changed = 0
            for question, number, key in zip(batch, numbers, keys, strict=True):
                before = known.get(number)
                if before is not None and before[:2] != (question.source, question.id):
                    raise _same_number(number, question, before)
                if before is not None and before.last_run_id == run_id:
                    if before.text_key != key:
                        conflicts.append(question)
                    continue
                added += before is None
                changed += before is not None and before.text != question.text
                accepted[number] = question, key
                known[number] = _Known(question.source, question.id, question.text, key, run_id)
            if accepted:
                _write(connection, run_id, accepted)
        return Recorded(added, changed, len(batch) - added - changed - len(conflicts), tuple(conflicts))

    def record_labels(self, run_id: int, origin: str, batch: Sequence[Label]) -> int:
        """Record a file's labels in one transaction and return how many are new.

        ``origin`` is the file's name: two files may say different things of the same two questions, and both are kept.
        What one file says last of two questions is what counts for that file.

        Raises
        ------
        StoreError
            Where a label cannot be stored; nothing of the batch is recorded then.
        """
        _refuse_unstorable_text(f"the file name {origin!a}", (origin,), ())
        latest: dict[tuple[str, str, str], Label] = {}
        for label in batch:
            texts = [text for text in (label.left_text, label.right_text) if text is not None]
            about = f"the label of {label.left!a} and {label.right!a} in {origin}"
            _refuse_unstorable_text(about, (label.source, label.left, label.right), texts)
            latest[label.source, label.left, label.right] = label
        if not latest:
            return 0
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


def _known(connection: Connection, numbers: Sequence[int]) -> dict[int, _Known]:
    statement = select(
        QuestionRow.id,
        QuestionRow.source,
        QuestionRow.external_id,
        QuestionRow.text,
        QuestionRow.text_key,
        QuestionRow.last_run_id,
    )
    return {number: _Known(*rest) for number, *rest in rows_among(connection, statement, QuestionRow.id, numbers)}


def _write(connection: Connection, run_id: int, accepted: dict[int, tuple[Question, bytes]]) -> None:
    numbers = sorted(accepted)
    questions = [accepted[number][0] for number in numbers]
    columns: Columns = {
        "id": numbers,
        "source": [question.source for question in questions],
        "external_id": [question.id for question in questions],
        "text": [question.text for question in questions],
        "text_key": [accepted[number][1] for number in numbers],
        "created_at": [question.created for question in questions],
        "score": [question.score for question in questions],
        "views": [question.views for question in questions],
        "tags": [list(question.tags) for question in questions],
        "first_run_id": [run_id] * len(numbers),
        "last_run_id": [run_id] * len(numbers),
    }
    with staged(connection, QuestionRow, columns) as rows:
        merge(connection, QuestionRow, rows, key=("id",), kept=("source", "external_id", "first_run_id"))


def _refuse_unstorable(question: Question) -> None:
    about = f"question {question.id!a} of source {question.source!a}"
    _refuse_unstorable_text(about, (question.source, question.id), (question.text, *question.tags))
    for count in (question.score, question.views):
        if count is not None and not -_LARGEST <= count <= _LARGEST:
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


def _same_number(number: int, question: Question, before: _Known) -> StoreError:
    return StoreError(
        f"question {question.id!a} of source {question.source!a} and question {before.external_id!a} of source "
        f"{before.source!a} have the same number {number}; record one of them under another source"
    )
