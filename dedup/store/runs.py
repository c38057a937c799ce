"""The book of runs, and of the encoders they used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, ScalarSelect, Select, func, insert, select, update

from dedup.errors import StoreError, UnknownRecord
from dedup.questions import Metric
from dedup.store.database import Database, storable
from dedup.store.models import EncoderRow, GenerationRow, RunRow, ServiceRow

KILLED = "killed: it ended without a word (SIGKILL, no memory left, a power cut); run it again, what it did is kept"
"""The error of a run that is found `RUNNING` in the book while nobody holds the lock of jobs."""


class RunKind(StrEnum):
    """What was asked for: a batch over a dump, the night's changes, an older index back, or damage mended."""

    RUN = "run"
    REINDEX = "reindex"
    ROLLBACK = "rollback"
    REPAIR = "repair"


class RunState(StrEnum):
    """How far a run has come."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run as recorded; ``seconds`` is by stage, times are in UTC."""

    id: int
    kind: RunKind
    state: RunState
    started_at: datetime
    finished_at: datetime | None
    generation: str | None  # the name of the index generation it used
    metric: Metric
    threshold: float  # pairs at least this probable are duplicates
    settings: Mapping[str, Any]
    counts: Mapping[str, Any]
    seconds: Mapping[str, Any]
    classifier: Mapping[str, Any] | None
    corpus_digest: str | None
    report: str | None
    error: str | None


_BEGUN = "begun"  # the count of a run that are the generations it has written, until it is done


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """What a run found, in figures, and what it is a function of."""

    counts: Mapping[str, Any]
    classifier: Mapping[str, Any] | None = None
    corpus_digest: str | None = None


@dataclass(frozen=True, slots=True)
class EncoderRecord:
    """An encoder that made vectors."""

    id: int
    fingerprint: str
    name: str
    dimension: int
    normaliser_version: int
    created_at: datetime


class Runs:
    """The store's book of runs."""

    _database: Database

    def start_run(self, kind: RunKind, metric: Metric, threshold: float, settings: Mapping[str, Any]) -> int:
        """Record that a run begins, and return its id; ``settings`` is anything JSON can say."""
        with self._database.writing() as connection:
            statement = insert(RunRow).returning(RunRow.id)
            return connection.scalars(
                statement,
                {
                    "kind": kind.value,
                    "state": RunState.RUNNING.value,
                    "started_at": datetime.now(UTC),
                    "metric": metric.value,
                    "threshold": threshold,
                    "settings": dict(settings),
                    "counts": {},
                    "seconds": {},
                },
            ).one()

    def finish_run(
        self,
        run_id: int,
        counts: Mapping[str, Any],
        seconds: Mapping[str, float],
        *,
        generation: str | None = None,
        classifier: Mapping[str, Any] | None = None,
        corpus_digest: str | None = None,
        corpus_revision: int | None = None,
        report: str | None = None,
    ) -> None:
        """Record that a run is done that found nothing new; one that did is done with `Results.write_results`.

        ``generation`` is the name of the one in service, ``corpus_revision`` that of the corpus for which it holds all
        the same, ``report`` the path of the report that still holds.
        """
        used = {} if generation is None else {"generation_id": _generation_id(generation)}
        with self._database.writing() as connection:
            end_run(connection, run_id, RunOutcome(counts, classifier, corpus_digest))
            attached = {"seconds": dict(seconds), "report": None if report is None else storable(report)}
            connection.execute(update(RunRow).where(RunRow.id == run_id).values(**used, **attached))
            if corpus_revision is not None:
                older = update(ServiceRow).where(ServiceRow.corpus_revision < corpus_revision)
                connection.execute(older.values(corpus_revision=corpus_revision))

    def record_report(self, run_id: int, report: str, seconds: Mapping[str, float]) -> None:
        """Attach to a run that is done its report's path and how long each stage took, the report's own included.

        Raises
        ------
        StoreError
            Where the run is not done, or not recorded.
        """
        with self._database.writing() as connection:
            state = connection.scalars(select(RunRow.state).where(RunRow.id == run_id)).one_or_none()
            if state is None:
                raise _no_run(run_id)
            if state != RunState.DONE.value:
                raise StoreError(f"run {run_id} is {state}; expected one that is done, record its results first")
            attached = {"seconds": dict(seconds), "report": storable(report)}
            connection.execute(update(RunRow).where(RunRow.id == run_id).values(**attached))

    def begin_generation(self, run_id: int, name: str) -> None:
        """Note that a run is about to write a generation: where it never puts one in service, the next job removes it.

        Its counts take the note's place when it is done.
        """
        with self._database.writing() as connection:
            counts = connection.scalars(select(RunRow.counts).where(RunRow.id == run_id)).one()
            begun = {**counts, _BEGUN: [*counts.get(_BEGUN, []), name]}
            connection.execute(update(RunRow).where(RunRow.id == run_id).values(counts=begun))

    def unpublished_generations(self) -> list[str]:
        """Return the names of the generations that runs which failed had begun, and that were never in service."""
        failed = select(RunRow.counts).where(RunRow.state == RunState.FAILED.value)
        with self._database.reading() as connection:
            begun = [name for counts in connection.scalars(failed) for name in counts.get(_BEGUN, [])]
            published = set(connection.scalars(select(GenerationRow.name).where(GenerationRow.name.in_(begun))))
        return [name for name in begun if name not in published]

    def forget_unpublished(self) -> None:
        """Forget what `unpublished_generations` returns."""
        with self._database.writing() as connection:
            failed = select(RunRow.id, RunRow.counts).where(RunRow.state == RunState.FAILED.value)
            for run_id, counts in connection.execute(failed).all():
                if _BEGUN in counts:
                    others = {name: value for name, value in counts.items() if name != _BEGUN}
                    connection.execute(update(RunRow).where(RunRow.id == run_id).values(counts=others))

    def fail_run(self, run_id: int, error: str) -> None:
        """Record that a run failed, and why; one that is done stays so, whatever fails after it.

        Characters that no database can hold are replaced.
        """
        with self._database.writing() as connection:
            state = connection.scalars(select(RunRow.state).where(RunRow.id == run_id)).one_or_none()
            if state == RunState.DONE.value:
                return
            _end(connection, run_id, {"state": RunState.FAILED.value, "error": storable(error)})

    def fail_killed_runs(self) -> list[int]:
        """Record that the runs which never ended were killed, and return their ids.

        Only for whoever holds the lock of jobs: then no run is under way.
        """
        with self._database.writing() as connection:
            running = select(RunRow.id).where(RunRow.state == RunState.RUNNING.value).order_by(RunRow.id)
            killed = list(connection.scalars(running))
            for run_id in killed:
                _end(connection, run_id, {"state": RunState.FAILED.value, "error": KILLED})
        return killed

    def run(self, run_id: int) -> RunRecord:
        """Return a run; UnknownRecord where none has this id."""
        found = self._first_run(RUN.where(RunRow.id == run_id))
        if found is None:
            raise _no_run(run_id)
        return found

    def last_run(self, state: RunState | None = None) -> RunRecord | None:
        """Return the run that began last, of those in ``state`` if one is given; None before the first."""
        statement = RUN if state is None else RUN.where(RunRow.state == state.value)
        return self._first_run(statement.order_by(RunRow.id.desc()).limit(1))

    def last_results(self, limit: int) -> list[RunRecord]:
        """Return the last runs that were done and found what they record, the last first."""
        found = (RunKind.RUN.value, RunKind.REINDEX.value)
        statement = RUN.where(RunRow.state == RunState.DONE.value, RunRow.kind.in_(found))
        with self._database.reading() as connection:
            return [run_record(row) for row in connection.execute(statement.order_by(RunRow.id.desc()).limit(limit))]

    def register_encoder(self, fingerprint: str, name: str, dimension: int, normaliser_version: int) -> int:
        """Return the id of the encoder with this fingerprint; it is recorded at the first time."""
        with self._database.writing() as connection:
            known = connection.scalars(select(EncoderRow.id).where(EncoderRow.fingerprint == fingerprint)).one_or_none()
            if known is not None:
                return known
            return connection.scalars(
                insert(EncoderRow).returning(EncoderRow.id),
                {
                    "fingerprint": fingerprint,
                    "name": name,
                    "dimension": dimension,
                    "normaliser_version": normaliser_version,
                    "created_at": datetime.now(UTC),
                },
            ).one()

    def encoder(self, encoder_id: int) -> EncoderRecord:
        """Return an encoder; StoreError where none has this id."""
        statement = select(
            EncoderRow.id,
            EncoderRow.fingerprint,
            EncoderRow.name,
            EncoderRow.dimension,
            EncoderRow.normaliser_version,
            EncoderRow.created_at,
        ).where(EncoderRow.id == encoder_id)
        with self._database.reading() as connection:
            row = connection.execute(statement).one_or_none()
        if row is None:
            raise StoreError(f"no encoder {encoder_id} is recorded; expected an id that register_encoder returned")
        return EncoderRecord(*row)

    def _first_run(self, statement: Select[*tuple[Any, ...]]) -> RunRecord | None:
        with self._database.reading() as connection:
            row = connection.execute(statement).one_or_none()
        return None if row is None else run_record(row)


def end_run(connection: Connection, run_id: int, outcome: RunOutcome) -> None:
    """Record, in the transaction of ``connection``, that a run is done; StoreError where none has this id."""
    values = {
        "state": RunState.DONE.value,
        "counts": dict(outcome.counts),
        "classifier": None if outcome.classifier is None else dict(outcome.classifier),
        "corpus_digest": outcome.corpus_digest,
    }
    _end(connection, run_id, values)


def run_record(row: Sequence[Any]) -> RunRecord:
    """Return a row of `RUN` as a record."""
    id_, kind, state, started_at, finished_at, generation, metric, *rest = row
    return RunRecord(id_, RunKind(kind), RunState(state), started_at, finished_at, generation, Metric(metric), *rest)


RUN = select(
    RunRow.id,
    RunRow.kind,
    RunRow.state,
    RunRow.started_at,
    RunRow.finished_at,
    GenerationRow.name,
    RunRow.metric,
    RunRow.threshold,
    RunRow.settings,
    RunRow.counts,
    RunRow.seconds,
    RunRow.classifier,
    RunRow.corpus_digest,
    RunRow.report,
    RunRow.error,
).outerjoin(GenerationRow, RunRow.generation_id == GenerationRow.id)


def _end(connection: Connection, run_id: int, values: Mapping[str, Any]) -> None:
    finished = func.coalesce(RunRow.finished_at, datetime.now(UTC))  # the first end of a run is its end
    statement = update(RunRow).where(RunRow.id == run_id).values(**values, finished_at=finished)
    if connection.execute(statement).rowcount == 0:
        raise _no_run(run_id)


def _generation_id(name: str) -> ScalarSelect[int]:
    return select(GenerationRow.id).where(GenerationRow.name == name).scalar_subquery()


def _no_run(run_id: int) -> UnknownRecord:
    return UnknownRecord(f"no run {run_id} is recorded; expected an id that start_run returned")
