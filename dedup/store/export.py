"""Everything that was found, row by row, for files: streamed, in an order that is the same on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import aliased

from dedup.questions import Label
from dedup.store.browse import natural_order
from dedup.store.database import Database
from dedup.store.models import ClusterRow, LabelRow, MemberRow, PairRow, QuestionRow

_FETCHED = 5_000


@dataclass(frozen=True, slots=True)
class ExportedPair:
    """A recorded pair with its questions; which of the two is left says nothing."""

    left_source: str
    left_id: str
    left_text: str
    right_source: str
    right_id: str
    right_text: str
    distance: float
    probability: float


@dataclass(frozen=True, slots=True)
class ExportedMember:
    """A question with its cluster and that cluster's canonical question."""

    cluster_id: int
    size: int
    source: str
    id: str
    text: str
    probability: float  # that it asks what the canonical question asks
    canonical_source: str
    canonical_id: str


@dataclass(frozen=True, slots=True)
class ExportedQuestion:
    """A canonical question, the one to keep of its cluster."""

    source: str
    id: str
    text: str
    cluster_id: int
    size: int


class Export:
    """The store's exports. Each is one query, so one state of the database, whatever is written meanwhile."""

    _database: Database

    def iter_pairs(self, min_probability: float) -> Iterator[ExportedPair]:
        """Yield the pairs at least this probable, sorted by the questions' numbers."""
        left, right = aliased(QuestionRow), aliased(QuestionRow)
        statement = (
            select(left.source, left.external_id, left.text, right.source, right.external_id, right.text)
            .add_columns(PairRow.distance, PairRow.probability)
            .select_from(PairRow)
            .join(left, left.id == PairRow.left_id)
            .join(right, right.id == PairRow.right_id)
            .where(PairRow.probability >= min_probability)
            .order_by(PairRow.left_id, PairRow.right_id)
        )
        for row in self._stream(statement):
            yield ExportedPair(*row)

    def iter_clusters(self) -> Iterator[ExportedMember]:
        """Yield every question with its cluster, by cluster id; in it the canonical question, then by source and id."""
        canonical = aliased(QuestionRow)
        statement = (
            select(ClusterRow.id, ClusterRow.size, QuestionRow.source, QuestionRow.external_id, QuestionRow.text)
            .add_columns(MemberRow.probability, canonical.source, canonical.external_id)
            .select_from(MemberRow)
            .join(ClusterRow, ClusterRow.id == MemberRow.cluster_id)
            .join(QuestionRow, QuestionRow.id == MemberRow.question_id)
            .join(canonical, canonical.id == ClusterRow.canonical_id)
            .order_by(ClusterRow.id, QuestionRow.id != canonical.id, *natural_order(QuestionRow))
        )
        for row in self._stream(statement):
            yield ExportedMember(*row)

    def iter_canonical(self) -> Iterator[ExportedQuestion]:
        """Yield the canonical question of every cluster, by source and id: the corpus without its duplicates."""
        statement = (
            select(QuestionRow.source, QuestionRow.external_id, QuestionRow.text, ClusterRow.id, ClusterRow.size)
            .join(ClusterRow, ClusterRow.canonical_id == QuestionRow.id)
            .order_by(*natural_order(QuestionRow))
        )
        for row in self._stream(statement):
            yield ExportedQuestion(*row)

    def iter_labels(self) -> Iterator[Label]:
        """Yield every recorded label, of all origins, by source, own ids and origin."""
        statement = select(
            LabelRow.left_external_id,
            LabelRow.right_external_id,
            LabelRow.duplicate,
            LabelRow.source,
            LabelRow.left_text,
            LabelRow.right_text,
        ).order_by(LabelRow.source, LabelRow.left_external_id, LabelRow.right_external_id, LabelRow.origin)
        for row in self._stream(statement):
            yield Label(*row)

    def _stream(self, statement: Select[*tuple[Any, ...]]) -> Iterator[Any]:
        # The result is closed too where the reader stops early: PostgreSQL holds a cursor for it.
        with (
            self._database.reading() as connection,
            connection.execution_options(yield_per=_FETCHED).execute(statement) as rows,
        ):
            yield from rows
