"""Questions and labels on their way in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import itemgetter

from sqlalchemy import Connection, Text, and_, cast, delete, func, or_, select, update

from dedup.questions import Label, Question, question_key
from dedup.store.bulk import Columns, append, batched, is_empty, merge, staged
from dedup.store.changes import Given, record_changes
from dedup.store.database import Database, storable
from dedup.store.limits import refuse_unstorable, refuse_unstorable_text
from dedup.store.models import LabelRow, QuestionRow, table
from dedup.store.retries import retried
from dedup.store.revision import raise_corpus_revision
from dedup.text import normalise, text_key

_LABEL_KEY = ("source", "left_external_id", "right_external_id", "origin")
_NAMED = ("source", "external_id")
_DESCRIBED = ("text", "text_key", "created_at", "score", "views", "tags")


@dataclass(frozen=True, slots=True)
class RecordedBatch:
    """What became of a batch: every question is counted once, or is one of the conflicts."""

    added: int
    changed: int  # recorded by an earlier run with another text
    unchanged: int
    conflicts: tuple[Question, ...]  # an id that this run has seen with another text key; the first one stays


def identify(batch: Sequence[Question]) -> list[Given]:
    """Return questions with their numbers and text keys.

    Raises
    ------
    StoreError
        Where a question cannot be stored (a NUL character, half a surrogate pair, an id over
        `dedup.questions.MAX_NAME_BYTES`).
    """
    refuse_unstorable(batch)
    numbers = [question_key(question.source, question.id) for question in batch]
    keys = [text_key(normalise(question.text)) for question in batch]
    return list(zip(numbers, keys, batch, strict=True))


class Ingest:
    """The store's writes of what a dump holds."""

    _database: Database

    def record_questions(self, run_id: int, batch: Sequence[Question]) -> RecordedBatch:
        """Record a batch as `record_identified` does; StoreError as there and in `identify`."""
        return self.record_identified(run_id, identify(batch))

    @retried
    def record_identified(self, run_id: int, given: Sequence[Given]) -> RecordedBatch:
        """Record a batch in one transaction; a rerun of the same batch changes nothing.

        A question of an earlier run takes the text, time, score, views and tags it has now. One that this run has
        already seen with another text key is a conflict, and the first one stays. With the same text key it is a
        repetition, and what is recorded does not depend on which came first: most views, highest score, oldest time,
        the tags of all, and of texts that differ only in what `normalise` removes the first by code points.

        Whatever is added or changes, metadata included, raises the corpus revision.

        Raises
        ------
        StoreError
            Where the number of a question belongs to another one. Nothing of the batch is recorded then.
        """
        numbers = [number for number, _, _ in given]
        in_order = sorted(given, key=itemgetter(0))
        repeated = _repeated(numbers)
        with self._database.writing() as connection:
            known = _known(connection, sorted(set(numbers)))
            new = [each for each in in_order if each[0] not in known and each[0] not in repeated]
            again = [each for each in in_order if each[0] in known and each[0] not in repeated]
            append(connection, QuestionRow, _columns(new, run_id))
            single = repeated | _seen_again(connection, run_id, again)
            changes = record_changes(connection, run_id, [each for each in given if each[0] in single])
            if new or changes.is_new:
                raise_corpus_revision(connection)
        added = len(new) + changes.added
        unchanged = len(given) - added - changes.changed - len(changes.conflicts)
        return RecordedBatch(added, changes.changed, unchanged, changes.conflicts)

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
        refuse_unstorable_text(f"the file name {origin!a}", (origin,), ())
        latest: dict[tuple[str, str, str], Label] = {}
        for given in batch:
            texts = [text for text in (given.left_text, given.right_text) if text is not None]
            about = f"the label of {given.left!a} and {given.right!a} in {origin}"
            refuse_unstorable_text(about, (given.source, given.left, given.right), texts)
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


def _repeated(numbers: Sequence[int]) -> set[int]:
    """Return the numbers that occur more than once."""
    if len(set(numbers)) == len(numbers):
        return set()
    return {number for number, count in Counter(numbers).items() if count > 1}


def _known(connection: Connection, numbers: Sequence[int]) -> set[int]:
    """Return those of ``numbers``, ascending, under which a question is recorded."""
    if is_empty(connection, QuestionRow):
        return set()
    with staged(connection, QuestionRow, {"id": numbers}, key=("id",)) as rows:
        return set(connection.scalars(select(rows.c.id).join(QuestionRow, QuestionRow.id == rows.c.id)))


def _columns(given: Sequence[Given], run_id: int) -> Columns:
    questions = [question for _, _, question in given]
    tags = {question.tags: list(question.tags) for question in questions}
    return {
        "id": [number for number, _, _ in given],
        "source": [question.source for question in questions],
        "external_id": [question.id for question in questions],
        "text": [question.text for question in questions],
        "text_key": [key for _, key, _ in given],
        "created_at": [question.created for question in questions],
        "score": [question.score for question in questions],
        "views": [question.views for question in questions],
        "tags": [tags[question.tags] for question in questions],
        "first_run_id": [run_id] * len(given),
        "last_run_id": [run_id] * len(given),
    }


def _seen_again(connection: Connection, run_id: int, again: Sequence[Given]) -> set[int]:
    """Note that this run has seen questions that are recorded as they are given; return the numbers of the others.

    Those are recorded otherwise, or this run has seen them before. In a run with little news, no recorded question
    becomes a Python object.
    """
    if not again:
        return set()
    with staged(connection, QuestionRow, _columns(again, run_id), key=("id",)) as rows:
        recorded = table(QuestionRow)
        differs = [
            # As texts: PostgreSQL cannot compare JSON.
            cast(recorded.c[name], Text).is_distinct_from(cast(rows.c[name], Text))
            if name == "tags"
            else recorded.c[name].is_distinct_from(rows.c[name])
            for name in (*_NAMED, *_DESCRIBED)
        ]
        both = select(rows.c.id).join(recorded, recorded.c.id == rows.c.id)
        others = set(connection.scalars(both.where(or_(recorded.c.last_run_id == run_id, *differs))))
        for some in batched(list(others)):
            connection.execute(delete(rows).where(rows.c.id.in_(some)))
        same = recorded.c.id.in_(select(rows.c.id))
        connection.execute(update(recorded).where(same).values(last_run_id=run_id))
    return others
