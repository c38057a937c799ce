"""Runs, and the encoders and generations they used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ScalarSelect, Select, func, insert, select, update

from dedup.errors import StoreError
from dedup.questions import Metric
from dedup.store.database import Database
from dedup.store.models import EncoderRow, GenerationRow, RunRow


class RunKind(StrEnum):
    """What was asked for: a batch over a dump, or the index built anew."""

    RUN = "run"
    REINDEX = "reindex"


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


@dataclass(frozen=True, slots=True)
class EncoderRecord:
    """An encoder that made vectors."""

    id: int
    fingerprint: str
    name: str
    dimension: int
    normaliser_version: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class GenerationRecord:
    """An index generation; ``name`` is its folder's. ``published_at`` and ``run_id`` are None until it is recorded."""

    name: str
    encoder_id: int
    metric: Metric
    kind: str  # flat or ivf
    vectors: int
    recall: float  # against exact search, at its build
    published_at: datetime | None = None
    run_id: int | None = None


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
        report: str | None = None,
    ) -> None:
        """Record that a run is done; ``generation`` is the name of the one in service, ``report`` its report's path."""
        used = {} if generation is None else {"generation_id": _generation_id(generation)}
        self._update_run(
            run_id,
            {
                **used,
                "state": RunState.DONE.value,
                "counts": dict(counts),
                "seconds": dict(seconds),
                "classifier": None if classifier is None else dict(classifier),
                "corpus_digest": corpus_digest,
                "report": report,
            },
        )

    def fail_run(self, run_id: int, error: str) -> None:
        """Record that a run failed, and why; characters that no database can hold are replaced."""
        storable = error.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
        self._update_run(run_id, {"state": RunState.FAILED.value, "error": storable})

    def run(self, run_id: int) -> RunRecord:
        """Return a run; StoreError where none has this id."""
        found = self._first_run(_RUN.where(RunRow.id == run_id))
        if found is None:
            raise _no_run(run_id)
        return found

    def last_run(self, state: RunState | None = None) -> RunRecord | None:
        """Return the run that began last, of those in ``state`` if one is given; None before the first."""
        statement = _RUN if state is None else _RUN.where(RunRow.state == state.value)
        return self._first_run(statement.order_by(RunRow.id.desc()).limit(1))

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

    def published_generation(self) -> GenerationRecord | None:
        """Return the index generation that was published last; None before the first."""
        statement = select(
            GenerationRow.name,
            GenerationRow.encoder_id,
            GenerationRow.metric,
            GenerationRow.kind,
            GenerationRow.vectors,
            GenerationRow.recall,
            GenerationRow.published_at,
            GenerationRow.run_id,
        ).order_by(GenerationRow.published_at.desc(), GenerationRow.id.desc())
        with self._database.reading() as connection:
            row = connection.execute(statement.limit(1)).one_or_none()
        if row is None:
            return None
        return GenerationRecord(row[0], row[1], Metric(row[2]), *row[3:])

    def _update_run(self, run_id: int, values: dict[str, Any]) -> None:
        finished = func.coalesce(RunRow.finished_at, datetime.now(UTC))  # the first end of a run is its end
        statement = update(RunRow).where(RunRow.id == run_id).values(**values, finished_at=finished)
        with self._database.writing() as connection:
            if connection.execute(statement).rowcount == 0:
                raise _no_run(run_id)

    def _first_run(self, statement: Select[*tuple[Any, ...]]) -> RunRecord | None:
        with self._database.reading() as connection:
            row = connection.execute(statement).one_or_none()
        if row is None:
            return None
        id_, kind, state, started_at, finished_at, generation, metric, *rest = row
        return RunRecord(
            id_, RunKind(kind), RunState(state), started_at, finished_at, generation, Metric(metric), *rest
        )


_RUN = select(
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


def _generation_id(name: str) -> ScalarSelect[int]:
    return select(GenerationRow.id).where(GenerationRow.name == name).scalar_subquery()


def _no_run(run_id: int) -> StoreError:
    return StoreError(f"no run {run_id} is recorded; expected an id that start_run returned")
