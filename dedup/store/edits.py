"""Questions added, changed and deleted one at a time, between two runs.

What a run found about a question goes at once with its text: its pairs, and its place in its cluster. The cluster's
other questions stay together, with figures that still hold.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, delete, insert, or_, select, update

from dedup.errors import KeyReused, NoGeneration
from dedup.questions import Question, question_key
from dedup.store.audit import record_act
from dedup.store.bulk import batched, rows_among
from dedup.store.changes import Given, record_latest
from dedup.store.database import Database
from dedup.store.limits import refuse_unstorable, refuse_unstorable_text
from dedup.store.models import ClusterRow, MemberRow, PairRow, QuestionRow, ServiceRow
from dedup.store.ranking import RankedColumns, canonical_rank
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
            _leave_clusters(connection, sorted(latest.moved))
            if latest.added or latest.changed:
                raise_corpus_revision(connection)
                about = {"questions": [f"{each.source}/{each.id}" for each in batch]}
                record_act(connection, actor, "put questions", about)
            edited = Edited(len(latest.added), len(latest.changed), len(latest.unchanged), corpus_revision(connection))
            if key is not None:
                _remember(connection, actor, key, request, edited)
        return edited

    def delete_questions(self, numbers: Sequence[int], *, actor: str = "dedup") -> int:
        """Delete those of the questions that are recorded, with their pairs and their places in clusters.

        Returns how many they were. A cluster that loses its canonical question has the best-ranked of the others.
        """
        with self._database.writing() as connection:
            statement = select(QuestionRow.id, QuestionRow.source, QuestionRow.external_id)
            known = list(rows_among(connection, statement, QuestionRow.id, sorted(set(numbers))))
            if not known:
                return 0
            found = [row.id for row in known]
            _leave_clusters(connection, found)
            for some in batched(found):
                connection.execute(delete(QuestionRow).where(QuestionRow.id.in_(some)))
            raise_corpus_revision(connection)
            names = [f"{row.source}/{row.external_id}" for row in known]
            record_act(connection, actor, "delete questions", {"questions": names})
        return len(found)

    def recorded_revision(self) -> int:
        """Return the corpus revision: it goes up with every change of the questions."""
        with self._database.reading() as connection:
            return corpus_revision(connection)


def _leave_clusters(connection: Connection, numbers: Sequence[int]) -> None:
    """Forget the pairs of some questions, ascending, and take them out of their clusters."""
    touched: set[int] = set()
    for some in batched(numbers):
        touched.update(
            connection.scalars(select(MemberRow.cluster_id).where(MemberRow.question_id.in_(some)).distinct())
        )
        connection.execute(delete(PairRow).where(or_(PairRow.left_id.in_(some), PairRow.right_id.in_(some))))
        connection.execute(delete(MemberRow).where(MemberRow.question_id.in_(some)))
    for cluster_id in sorted(touched):
        _mend(connection, cluster_id)


def _mend(connection: Connection, cluster_id: int) -> None:
    """Make a cluster's figures those of the questions that are left in it."""
    statement = select(
        QuestionRow.id,
        QuestionRow.source,
        QuestionRow.external_id,
        QuestionRow.created_at,
        QuestionRow.score,
        QuestionRow.views,
    ).join(MemberRow, MemberRow.question_id == QuestionRow.id)
    columns = RankedColumns()
    for row in connection.execute(statement.where(MemberRow.cluster_id == cluster_id)):
        columns.append(*row)
    if not columns.ids:
        connection.execute(delete(ClusterRow).where(ClusterRow.id == cluster_id))
        return
    cluster = connection.execute(
        select(ClusterRow.canonical_id, ClusterRow.weakest_probability).where(ClusterRow.id == cluster_id)
    ).one()
    stays = cluster.canonical_id in columns.ids
    canonical = cluster.canonical_id if stays else columns.ids[int(canonical_rank(columns).argmin())]
    values: dict[str, float] = {"canonical_id": canonical, "size": len(columns.ids)}
    if len(columns.ids) == 1:
        values["weakest_probability"] = 1.0
    connection.execute(update(ClusterRow).where(ClusterRow.id == cluster_id).values(**values))
    if not stays:
        _measure_against(connection, cluster_id, canonical, cluster.weakest_probability)


def _measure_against(connection: Connection, cluster_id: int, canonical: int, weakest: float) -> None:
    """State how probably each member asks what the new canonical question asks.

    Of two questions without a recorded pair, as of exact copies of a text that the pair names by another, only that
    they are at least as probable as the cluster's weakest link is known.
    """
    pairs = select(PairRow.left_id, PairRow.right_id, PairRow.probability).where(
        or_(PairRow.left_id == canonical, PairRow.right_id == canonical)
    )
    known = {left + right - canonical: probability for left, right, probability in connection.execute(pairs)}
    members = connection.scalars(select(MemberRow.question_id).where(MemberRow.cluster_id == cluster_id)).all()
    for number in members:
        probability = 1.0 if number == canonical else known.get(number, weakest)
        connection.execute(update(MemberRow).where(MemberRow.question_id == number).values(probability=probability))


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
