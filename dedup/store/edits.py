"""Questions added and changed one at a time, between two runs.

What a run found about a question goes at once with its text: its pairs, and its place in its cluster. The cluster's
other questions stay together, with figures that still hold.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, delete, insert, select

from dedup.errors import KeyReused, NoGeneration
from dedup.questions import Question, question_key
from dedup.store.audit import record_act
from dedup.store.changes import Given, record_latest
from dedup.store.database import Database
from dedup.store.deletions import leave_clusters
from dedup.store.limits import refuse_unstorable, refuse_unstorable_text
from dedup.store.models import ServiceRow
from dedup.store.retries import retried
from dedup.store.revision import corpus_revision, raise_corpus_revision
from dedup.store.service_models import IdempotencyRow
from dedup.text import normalise, text_key

KEPT = timedelta(hours=24)
"""How long the answer to a write is kept for who sends it again."""


@dataclass(frozen=True, slots=True)
class Edited:
    """What became of some questions; each is counted once."""

    added: int
    changed: int  # recorded otherwise before
    unchanged: int
    revision: int  # of the corpus, once they were recorded
    repeated: bool = False  # the same request was answered before: this is what was said then


class Edits:
    """The store's writes of single questions."""

    _database: Database

    @retried
    def put_questions(self, batch: Sequence[Question], *, actor: str, key: str | None = None) -> Edited:
        """Add questions, or change those that are recorded, in one transaction; of one id the last counts.

        Parameters
        ----------
        actor
            Who does it, for the audit log.
        key
            Names this request. Sent again by the same actor within `KEPT`, nothing is done and the first answer is
            returned.

        Raises
        ------
        StoreError
            Where a question cannot be stored; nothing of the batch is recorded then.
        KeyReused
            Where the key was given to other questions before.
        NoGeneration
            Before the first run.
        """
        refuse_unstorable(batch)
        given: list[Given] = [
            (question_key(question.source, question.id), text_key(normalise(question.text)), question)
            for question in batch
        ]
        request = hashlib.sha256(json.dumps([asdict(each) for each in batch], default=str).encode()).hexdigest()
        if key is not None:
            refuse_unstorable_text("the idempotency key", (key,), ())
        with self._database.writing() as connection:
            if key is not None and (before := _answered(connection, actor, key, request)) is not None:
                return before
            run_id = connection.scalars(select(ServiceRow.run_id)).one_or_none()
            if run_id is None:
                raise NoGeneration("nothing has been indexed yet; run `dedup run DUMP` first")
            latest = record_latest(connection, run_id, given)
            leave_clusters(connection, sorted(latest.moved))
            if latest.added or latest.changed:
                raise_corpus_revision(connection)
                about = {"questions": [f"{each.source}/{each.id}" for each in batch]}
                record_act(connection, actor, "put questions", about)
            edited = Edited(len(latest.added), len(latest.changed), len(latest.unchanged), corpus_revision(connection))
            if key is not None:
                _remember(connection, actor, key, request, edited)
        return edited

    def recorded_revision(self) -> int:
        """Return the corpus revision: it goes up with every change of the questions."""
        with self._database.reading() as connection:
            return corpus_revision(connection)


def _answered(connection: Connection, actor: str, key: str, request: str) -> Edited | None:
    """Return what was answered to a request of this key; KeyReused where it was another request."""
    connection.execute(delete(IdempotencyRow).where(IdempotencyRow.at < datetime.now(UTC) - KEPT))
    row = connection.execute(
        select(IdempotencyRow.request, IdempotencyRow.answer).where(
            IdempotencyRow.actor == actor, IdempotencyRow.key == key
        )
    ).one_or_none()
    if row is None:
        return None
    if row.request != request:
        raise KeyReused("the idempotency key was given to another request before; give each request a key of its own")
    return Edited(**{**row.answer, "repeated": True})


def _remember(connection: Connection, actor: str, key: str, request: str, edited: Edited) -> None:
    row = {"actor": actor, "key": key, "request": request, "answer": asdict(edited), "at": datetime.now(UTC)}
    connection.execute(insert(IdempotencyRow), row)
