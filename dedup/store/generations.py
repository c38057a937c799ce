"""The book of index generations, and putting another one in service than the last run did."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Connection, insert, select, update

from dedup.errors import NoGeneration
from dedup.store.database import Database
from dedup.store.models import GenerationRow, RunRow, ServiceRow
from dedup.store.publication import GENERATION, RESULTS_OF_RUN, GenerationRecord, generation_record
from dedup.store.runs import RunOutcome, end_run

_NO_REVISION = -1  # of what a rollback puts in service: of no corpus, so that it is never taken for current
_OF_THIS_JOB = {"read": 0, "rejected": 0, "labels": 0, "encoded": 0}


class Generations:
    """The store's book of index generations."""

    _database: Database

    def generations(self) -> list[GenerationRecord]:
        """Return all generations on record, the one recorded last first."""
        with self._database.reading() as connection:
            rows = connection.execute(GENERATION.order_by(GenerationRow.id.desc())).all()
        return [generation_record(row) for row in rows]

    def roll_back(self, run_id: int, name: str) -> int:
        """Put a generation on record back in service, and end the run ``run_id``, which asked for it.

        Returns the id of the run whose pairs and clusters are on record, which the run's counts keep too.

        The run takes over what the run that built the generation was asked for and how it judged: whoever searches
        goes by that. Pairs and clusters stay those of the run that found them. So the result in service is not taken
        for current: the next run finds it anew.

        Raises
        ------
        NoGeneration
            Where none of this name is on record; nothing is changed then.
        """
        with self._database.writing() as connection:
            generation_id = _generation_id(connection, name)
            builder = select(GenerationRow.run_id).where(GenerationRow.id == generation_id).scalar_subquery()
            asked = connection.execute(
                select(RunRow.metric, RunRow.threshold, RunRow.settings, RunRow.counts, RunRow.classifier).where(
                    RunRow.id == builder
                )
            ).one()
            before = connection.execute(
                select(RunRow.id, RunRow.counts).join(ServiceRow, ServiceRow.run_id == RunRow.id)
            )
            last_run, last_counts = before.one()
            results = int(last_counts.get(RESULTS_OF_RUN, last_run))
            counts = {**asked.counts, **_OF_THIS_JOB, RESULTS_OF_RUN: results}
            end_run(connection, run_id, RunOutcome(counts, asked.classifier))
            as_then = {"metric": asked.metric, "threshold": asked.threshold, "settings": asked.settings}
            statement = update(RunRow).where(RunRow.id == run_id)
            connection.execute(statement.values(**as_then, generation_id=generation_id))
            connection.execute(
                update(ServiceRow).values(generation_id=generation_id, run_id=run_id, corpus_revision=_NO_REVISION)
            )
        return results

    def replace_generation(self, rebuilt: GenerationRecord) -> None:
        """Put a generation in service that was built anew from what the one in service was built from."""
        with self._database.writing() as connection:
            run_id = connection.scalars(select(ServiceRow.run_id)).one()
            generation_id = connection.scalars(
                insert(GenerationRow).returning(GenerationRow.id),
                {
                    "name": rebuilt.name,
                    "encoder_id": rebuilt.encoder_id,
                    "metric": rebuilt.metric.value,
                    "kind": rebuilt.kind,
                    "vectors": rebuilt.vectors,
                    "recall": rebuilt.recall,
                    "published_at": datetime.now(UTC),
                    "run_id": run_id,
                },
            ).one()
            connection.execute(update(RunRow).where(RunRow.id == run_id).values(generation_id=generation_id))
            connection.execute(update(ServiceRow).values(generation_id=generation_id))

    def forget_digest(self) -> None:
        """Let the result in service not be taken for all that a run would find: the next run finds it anew."""
        with self._database.writing() as connection:
            in_service = select(ServiceRow.run_id).scalar_subquery()
            connection.execute(update(RunRow).where(RunRow.id == in_service).values(corpus_digest=None))


def _generation_id(connection: Connection, name: str) -> int:
    found = connection.scalars(select(GenerationRow.id).where(GenerationRow.name == name)).one_or_none()
    if found is None:
        raise NoGeneration(f"no generation {name} is on record; `dedup generations list` shows those that are")
    return found
