"""Reads for people: one question, one cluster, the state of the whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, func, select
from sqlalchemy.orm import aliased

from dedup.errors import UnknownQuestion, UnknownRecord
from dedup.questions import Keys, question_key
from dedup.store.bulk import batched, rows_among
from dedup.store.database import Database
from dedup.store.models import ClusterRow, LabelRow, MemberRow, PairRow, QuestionRow
from dedup.store.ranking import RankedColumns, canonical_rank
from dedup.text import key_bytes, normalise, text_key


@dataclass(frozen=True, slots=True)
class QuestionRecord:
    """A recorded question; ``cluster_id`` is None until a run has put it into one."""

    number: int
    source: str
    id: str
    text: str
    text_key: bytes
    created: datetime | None
    score: int | None
    views: int | None
    tags: tuple[str, ...]
    first_run_id: int
    last_run_id: int
    cluster_id: int | None


@dataclass(frozen=True, slots=True)
class Representative:
    """The best-ranked question of a text, and the canonical question of its cluster (None before the first run)."""

    question: QuestionRecord
    canonical: QuestionRecord | None


@dataclass(frozen=True, slots=True)
class ClusterSummary:
    """A cluster without its members."""

    id: int
    canonical: QuestionRecord
    size: int
    weakest_probability: float
    run_id: int


@dataclass(frozen=True, slots=True)
class Member:
    """A question in a cluster, with the probability that it asks what the canonical question asks."""

    question: QuestionRecord
    probability: float


@dataclass(frozen=True, slots=True)
class ClusterRecord:
    """A cluster with its members: the canonical question first, then by source and id."""

    summary: ClusterSummary
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class PairRecord:
    """A recorded pair, by the questions' numbers: ``left < right``."""

    left: int
    right: int
    distance: float
    probability: float
    run_id: int


@dataclass(frozen=True, slots=True)
class Counts:
    """How much is recorded."""

    questions: int
    texts: int  # distinct text keys
    pairs: int
    duplicates: int  # pairs at or above the threshold asked for
    clusters: int  # of two questions or more
    clustered: int  # questions in them
    labels: int


def natural_order(question: Any) -> tuple[Any, ...]:
    """Return the columns that sort questions by source and own id: shorter ids first, so that numbers go by value."""
    return question.source, func.length(question.external_id), question.external_id


class Browse:
    """The store's answers to people."""

    _database: Database

    def find_question(self, id_or_text: str, source: str | None = None) -> list[QuestionRecord]:
        """Return the questions with this own id, in every source or in one; where there are none, those with this text.

        Sorted by source and own id. Texts are compared by their text keys. Raises UnknownQuestion where there are none
        either.
        """
        sources = [name for name in self.sources() if source in (None, name)]
        numbers = [question_key(name, id_or_text) for name in sources]
        by_key = _QUESTION.where(
            QuestionRow.text_key == text_key(normalise(id_or_text)), QuestionRow.source.in_(sources)
        )
        with self._database.reading() as connection:
            rows = list(rows_among(connection, _QUESTION.order_by(QuestionRow.source), QuestionRow.id, numbers))
            rows = rows or list(connection.execute(by_key.order_by(*natural_order(QuestionRow))))
        if not rows:
            where = "" if source is None else f" of source {source!a}"
            raise UnknownQuestion(
                f"no recorded question{where} has the id or the text {id_or_text[:80]!a}; "
                "`dedup query` finds questions that are close to a new text"
            )
        return [_question(row) for row in rows]

    def questions(self, numbers: Sequence[int]) -> dict[int, QuestionRecord]:
        """Return the recorded questions among these numbers, by number."""
        with self._database.reading() as connection:
            return read_questions(connection, sorted(set(numbers)))

    def representatives_for_keys(self, keys: Keys) -> dict[bytes, Representative]:
        """Return, for each text key that is recorded, the best-ranked question with that text."""
        copies: dict[bytes, list[QuestionRecord]] = {}
        canonical: dict[int, QuestionRecord] = {}  # by the cluster
        with self._database.reading() as connection:
            for part in batched(sorted(set(key_bytes(keys)))):
                for row in connection.execute(_WITH_CANONICAL, {"keys": part}).all():
                    question = _question(row[:_WIDTH])
                    copies.setdefault(question.text_key, []).append(question)
                    if question.cluster_id is not None and question.cluster_id not in canonical:
                        other = row[_WIDTH] is not None
                        canonical[question.cluster_id] = (
                            _question((*row[_WIDTH:], question.cluster_id)) if other else question
                        )
        best = ((key, _best_ranked(questions)) for key, questions in copies.items())
        return {
            key: Representative(question, None if question.cluster_id is None else canonical[question.cluster_id])
            for key, question in best
        }

    def cluster(self, cluster_id: int) -> ClusterRecord:
        """Return a cluster with its members; UnknownRecord where none has this id."""
        statement = (
            _QUESTION.add_columns(MemberRow.probability)
            .where(MemberRow.cluster_id == cluster_id)
            .order_by(*natural_order(QuestionRow))
        )
        with self._database.reading() as connection:
            summary = read_summaries(connection, CLUSTER.where(ClusterRow.id == cluster_id))
            rows = connection.execute(statement).all()
        if not summary:
            raise UnknownRecord(f"no cluster {cluster_id} is recorded; expected an id of the last run's clusters")
        members = [Member(_question(row[:-1]), row[-1]) for row in rows]
        members.sort(key=lambda member: member.question.number != summary[0].canonical.number)
        return ClusterRecord(summary[0], tuple(members))

    def largest_clusters(self, limit: int) -> list[ClusterSummary]:
        """Return the largest clusters of at least two questions, the largest first; at equal size by their ids."""
        statement = CLUSTER.where(ClusterRow.size >= 2).order_by(ClusterRow.size.desc(), ClusterRow.id).limit(limit)
        with self._database.reading() as connection:
            return read_summaries(connection, statement)

    def least_certain_clusters(self, limit: int) -> list[ClusterSummary]:
        """Return the clusters of two questions or more with the weakest links, the weakest first; then by id."""
        weakest = CLUSTER.where(ClusterRow.size >= 2).order_by(ClusterRow.weakest_probability, ClusterRow.id)
        with self._database.reading() as connection:
            return read_summaries(connection, weakest.limit(limit))

    def pairs_of_cluster(self, cluster_id: int) -> list[PairRecord]:
        """Return the recorded pairs of which both questions are in a cluster, sorted by (left, right)."""
        left, right = aliased(MemberRow), aliased(MemberRow)
        statement = (
            select(PairRow.left_id, PairRow.right_id, PairRow.distance, PairRow.probability, PairRow.run_id)
            .join(left, left.question_id == PairRow.left_id)
            .join(right, right.question_id == PairRow.right_id)
            .where(left.cluster_id == cluster_id, right.cluster_id == cluster_id)
            .order_by(PairRow.left_id, PairRow.right_id)
        )
        with self._database.reading() as connection:
            return [PairRecord(*row) for row in connection.execute(statement)]

    def sources(self) -> list[str]:
        """Return the names of the sources that have questions, sorted by their characters."""
        found: list[str] = []
        with self._database.reading() as connection:
            statement = select(func.min(QuestionRow.source))
            name: str | None = connection.scalars(statement).one()
            while name is not None:  # one look into the index each, where DISTINCT would read all of it
                found.append(name)
                name = connection.scalars(statement.where(QuestionRow.source > name)).one()
        return found

    def counts(self, threshold: float = 0.0) -> Counts:
        """Return how much is recorded; ``threshold`` is the probability from which a pair counts as a duplicate."""
        several = select(func.count(), func.coalesce(func.sum(ClusterRow.size), 0)).where(ClusterRow.size >= 2)
        with self._database.reading() as connection:
            questions, texts = connection.execute(
                select(func.count(), func.count(QuestionRow.text_key.distinct())).select_from(QuestionRow)
            ).one()
            pairs = connection.scalars(select(func.count()).select_from(PairRow)).one()
            duplicates = connection.scalars(select(func.count()).where(PairRow.probability >= threshold)).one()
            clusters, clustered = connection.execute(several).one()
            labels = connection.scalars(select(func.count()).select_from(LabelRow)).one()
        return Counts(questions, texts, pairs, duplicates, clusters, int(clustered), labels)


def _columns(question: Any) -> tuple[Any, ...]:
    return (
        question.id,
        question.source,
        question.external_id,
        question.text,
        question.text_key,
        question.created_at,
        question.score,
        question.views,
        question.tags,
        question.first_run_id,
        question.last_run_id,
    )


_QUESTION = select(*_columns(QuestionRow), MemberRow.cluster_id).outerjoin(
    MemberRow, MemberRow.question_id == QuestionRow.id
)
_WIDTH = len(_QUESTION.selected_columns)

# The questions of some text keys, each with the canonical question of its cluster where that is another one: most are
# alone, and their own. Made once, for every query asks it.
_CANONICAL = aliased(QuestionRow)
_WITH_CANONICAL = (
    _QUESTION.add_columns(*_columns(_CANONICAL))
    .outerjoin(ClusterRow, ClusterRow.id == MemberRow.cluster_id)
    .outerjoin(_CANONICAL, and_(_CANONICAL.id == ClusterRow.canonical_id, _CANONICAL.id != QuestionRow.id))
    .where(QuestionRow.text_key.in_(bindparam("keys", expanding=True)))
)

CLUSTER = select(
    ClusterRow.id, ClusterRow.canonical_id, ClusterRow.size, ClusterRow.weakest_probability, ClusterRow.run_id
)


def _question(row: Sequence[Any]) -> QuestionRecord:
    number, source, id_, text, key, created, score, views, tags, *rest = row
    return QuestionRecord(number, source, id_, text, key, created, score, views, tuple(tags), *rest)


def read_questions(connection: Connection, numbers: Sequence[int]) -> dict[int, QuestionRecord]:
    """Return the recorded questions among these numbers, ascending, by number."""
    found = (_question(row) for row in rows_among(connection, _QUESTION, QuestionRow.id, numbers))
    return {question.number: question for question in found}


def read_summaries(connection: Connection, statement: Select[*tuple[Any, ...]]) -> list[ClusterSummary]:
    """Return the clusters that a statement of `CLUSTER` selects, in its order."""
    rows = connection.execute(statement).all()
    canonical = read_questions(connection, sorted(row.canonical_id for row in rows))
    return [ClusterSummary(id_, canonical[number], *rest) for id_, number, *rest in rows]


def _best_ranked(copies: Sequence[QuestionRecord]) -> QuestionRecord:
    if len(copies) == 1:
        return copies[0]
    columns = RankedColumns()
    for question in copies:
        columns.append(question.number, question.source, question.id, question.created, question.score, question.views)
    return copies[int(canonical_rank(columns).argmin())]
