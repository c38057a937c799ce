"""Reads for those who ask again and again: pages of lists, a question's duplicates, what is in service now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import and_, or_, select

from dedup.questions import Keys
from dedup.store.browse import CLUSTER, ClusterSummary, QuestionRecord, read_questions, read_summaries
from dedup.store.bulk import rows_among
from dedup.store.database import Database, storable
from dedup.store.models import ClusterRow, CorpusRow, GenerationRow, MemberRow, PairRow, QuestionRow, RunRow, ServiceRow
from dedup.store.runs import RUN, RunRecord, run_record
from dedup.text import key_array

_FETCHED = 50_000


@dataclass(frozen=True, slots=True)
class ServiceState:
    """What is in service, in few words: enough to see that it is something else than before."""

    generation: str
    run_id: int
    published_revision: int  # of the corpus that the run read
    corpus_revision: int  # of what is recorded now


class ClusterOrder(StrEnum):
    """How clusters are listed: the largest first, or those with the weakest link first."""

    SIZE = "size"
    WEAKEST = "weakest"


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A question that asks the same as another."""

    question: QuestionRecord
    distance: float
    probability: float


class Pages:
    """The store's answers to the service."""

    _database: Database

    def service_state(self) -> ServiceState | None:
        """Return what is in service and where the corpus stands; None before the first run."""
        statement = select(
            GenerationRow.name, ServiceRow.run_id, ServiceRow.corpus_revision, CorpusRow.revision
        ).select_from(ServiceRow)
        with self._database.reading() as connection:
            row = connection.execute(
                statement.join(GenerationRow, GenerationRow.id == ServiceRow.generation_id).join(
                    CorpusRow, CorpusRow.id == ServiceRow.id
                )
            ).one_or_none()
        return None if row is None else ServiceState(*row)

    def recorded_keys(self) -> Keys:
        """Return the text key of every recorded question, (n,) S16, in no order."""
        keys = bytearray()
        with self._database.reading() as connection:
            statement = select(QuestionRow.text_key).execution_options(yield_per=_FETCHED)
            for some in connection.execute(statement).scalars().partitions():
                keys += b"".join(some)
        return key_array([bytes(keys)])

    def duplicates(self, question: QuestionRecord, probability: float) -> list[Duplicate]:
        """Return the questions that ask the same as a recorded one: its exact copies, and the others of its pairs.

        The most probable first, then by number. Pairs name one of the copies of a text; all copies are returned.

        Parameters
        ----------
        probability
            Of the pairs that count, the lowest.
        """
        with self._database.reading() as connection:
            same = select(QuestionRow.id).where(QuestionRow.text_key == question.text_key)
            copies = list(connection.scalars(same))
            near: dict[bytes, tuple[float, float]] = {question.text_key: (0.0, 1.0)}
            for mine, other in ((PairRow.left_id, PairRow.right_id), (PairRow.right_id, PairRow.left_id)):
                pairs = (
                    select(QuestionRow.text_key, PairRow.distance, PairRow.probability)
                    .join(QuestionRow, QuestionRow.id == other)
                    .where(PairRow.probability >= probability)
                )
                for key, far, sure in rows_among(connection, pairs, mine, copies):
                    near.setdefault(key, (far, sure))
            numbers = {
                row.id: row.text_key
                for row in rows_among(
                    connection, select(QuestionRow.id, QuestionRow.text_key), QuestionRow.text_key, sorted(near)
                )
            }
            numbers.pop(question.number, None)
            found = read_questions(connection, sorted(numbers))
        duplicates = [Duplicate(found[number], *near[key]) for number, key in numbers.items()]
        return sorted(duplicates, key=lambda each: (-each.probability, each.question.number))

    def with_keys(self, keys: Sequence[bytes]) -> list[QuestionRecord]:
        """Return the questions that have one of these text keys, by number."""
        with self._database.reading() as connection:
            numbers = [row.id for row in rows_among(connection, select(QuestionRow.id), QuestionRow.text_key, keys)]
            found = read_questions(connection, sorted(numbers))
        return [found[number] for number in sorted(found)]

    def cluster_page(
        self,
        order: ClusterOrder,
        limit: int,
        *,
        after: tuple[float, int] | None = None,
        smallest: int = 2,
        weakest: float = 1.0,
        text: str = "",
    ) -> list[ClusterSummary]:
        """Return the next clusters in an order; at equal rank by id.

        Parameters
        ----------
        after
            The size or the weakest probability, and the id, of the last one that was seen.
        smallest
            Clusters of fewer questions are left out.
        weakest
            Clusters whose weakest link is more probable are left out.
        text
            Clusters of which no question has this in it, in upper or lower case, are left out.
        """
        largest_first = order is ClusterOrder.SIZE
        ranked = ClusterRow.size if largest_first else ClusterRow.weakest_probability
        beyond = []
        if after is not None:
            value, seen = after
            later = ranked < value if largest_first else ranked > value
            beyond = [or_(later, and_(ranked == value, ClusterRow.id > seen))]
        with self._database.reading() as connection:
            statement = CLUSTER.where(ClusterRow.size >= smallest, *beyond)
            if weakest < 1:
                statement = statement.where(ClusterRow.weakest_probability <= weakest)
            if text:
                has_text = QuestionRow.text.icontains(storable(text), autoescape=True)
                members = select(MemberRow.cluster_id).join(QuestionRow, QuestionRow.id == MemberRow.question_id)
                statement = statement.where(ClusterRow.id.in_(members.where(has_text)))
            in_order = statement.order_by(ranked.desc() if largest_first else ranked, ClusterRow.id)
            return read_summaries(connection, in_order.limit(limit))

    def run_page(self, limit: int, *, before: int | None = None) -> list[RunRecord]:
        """Return the runs that began last, the newest first; with ``before``, those before that one."""
        statement = RUN if before is None else RUN.where(RunRow.id < before)
        with self._database.reading() as connection:
            return [run_record(row) for row in connection.execute(statement.order_by(RunRow.id.desc()).limit(limit))]
