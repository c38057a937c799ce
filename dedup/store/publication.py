"""What is in service: one generation, the run that published it, and whether the corpus is still the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, func, select, update

from dedup.questions import Metric
from dedup.store.bulk import Columns, merge, staged
from dedup.store.database import Database
from dedup.store.models import GenerationRow, MemberRow, QuestionRow, RunRow, ServiceRow
from dedup.store.revision import corpus_revision as recorded_corpus_revision
from dedup.store.runs import RUN, RunRecord, run_record

RESULTS_OF_RUN = "results_of_run"
"""The count of a rollback that is the id of the run whose pairs and clusters stay on record."""


@dataclass(frozen=True, slots=True)
class GenerationRecord:
    """An index generation; ``name`` is its folder's. ``published_at`` and ``run_id`` are None until it is recorded."""

    name: str
    encoder_id: int
    metric: Metric
    kind: str  # of the index: flat, pq, ...
    vectors: int
    recall: float  # against exact search, at its build
    published_at: datetime | None = None
    run_id: int | None = None  # the run that built it


@dataclass(frozen=True, slots=True)
class InService:
    """What is in service: the generation that goes with the recorded pairs and clusters."""

    generation: GenerationRecord
    run: RunRecord  # that published it, and found the pairs and clusters
    current: bool  # no question has been added or changed since

    @property
    def results_of_run(self) -> int:
        """The id of the run that found the pairs and clusters on record: another one's, after a rollback."""
        return int(self.run.counts.get(RESULTS_OF_RUN, self.run.id))


class Publications:
    """The store's answers about what is in service."""

    _database: Database

    def in_service(self) -> InService | None:
        """Return what was published last, in the order of the transactions, not of the clock; None before the first."""
        with self._database.reading() as connection:
            service = connection.execute(select(ServiceRow.run_id, ServiceRow.corpus_revision)).one_or_none()
            if service is None:
                return None
            generation = connection.execute(_GENERATION_IN_SERVICE).one()
            run = connection.execute(RUN.where(RunRow.id == service.run_id)).one()
            current = service.corpus_revision == recorded_corpus_revision(connection)
        return InService(generation_record(generation), run_record(run), current)

    def superseded_generations(self) -> list[str]:
        """Return the names of the generations that are not in service, the one recorded last first."""
        others = select(GenerationRow.name).where(GenerationRow.id.not_in(select(ServiceRow.generation_id)))
        with self._database.reading() as connection:
            return list(connection.scalars(others.order_by(GenerationRow.id.desc())))

    def published_generation(self) -> GenerationRecord | None:
        """Return the index generation in service; None before the first."""
        with self._database.reading() as connection:
            row = connection.execute(_GENERATION_IN_SERVICE).one_or_none()
        return None if row is None else generation_record(row)

    def pending_questions(self) -> int:
        """Return how many questions are recorded and not yet in any cluster: they wait for the next run."""
        clustered = select(MemberRow.question_id).where(MemberRow.question_id == QuestionRow.id).exists()
        with self._database.reading() as connection:
            return connection.scalars(select(func.count()).select_from(QuestionRow).where(~clustered)).one()


def publish(connection: Connection, run_id: int, generation: GenerationRecord, corpus_revision: int) -> None:
    """Record a generation and put it in service, in the transaction of ``connection``."""
    columns: Columns = {
        "name": [generation.name],
        "encoder_id": [generation.encoder_id],
        "metric": [generation.metric.value],
        "kind": [generation.kind],
        "vectors": [generation.vectors],
        "recall": [generation.recall],
        "published_at": [datetime.now(UTC)],
        "run_id": [run_id],
    }
    with staged(connection, GenerationRow, columns) as rows:
        merge(connection, GenerationRow, rows, key=("name",), kept=("run_id",))
    generation_id = connection.scalars(select(GenerationRow.id).where(GenerationRow.name == generation.name)).one()
    connection.execute(update(RunRow).where(RunRow.id == run_id).values(generation_id=generation_id))
    columns = {
        "id": [1],
        "generation_id": [generation_id],
        "run_id": [run_id],
        "corpus_revision": [corpus_revision],
    }
    with staged(connection, ServiceRow, columns) as rows:
        merge(connection, ServiceRow, rows, key=("id",))


GENERATION = select(
    GenerationRow.name,
    GenerationRow.encoder_id,
    GenerationRow.metric,
    GenerationRow.kind,
    GenerationRow.vectors,
    GenerationRow.recall,
    GenerationRow.published_at,
    GenerationRow.run_id,
)
_GENERATION_IN_SERVICE = GENERATION.join(ServiceRow, ServiceRow.generation_id == GenerationRow.id)


def generation_record(row: Sequence[Any]) -> GenerationRecord:
    """Return a row of `GENERATION` as a record."""
    name, encoder_id, metric, *rest = row
    return GenerationRecord(name, encoder_id, Metric(metric), *rest)
