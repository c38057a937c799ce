"""Old runs leave the book, unless something that is recorded still refers to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Column, Connection, delete, select, update

from dedup.store.bulk import batched
from dedup.store.database import Database
from dedup.store.models import Base, GenerationRow, PairRow, RunRow, ServiceRow, table
from dedup.store.runs import RunState


@dataclass(frozen=True, slots=True)
class OldRun:
    """A run beyond the newest ones: its number and its start, by which its files are named."""

    id: int
    started_at: datetime


class Retention:
    """The store's part of forgetting."""

    _database: Database

    def old_runs(self, keep: int) -> list[OldRun]:
        """Return the runs beyond the newest ``keep``, oldest first; never one under way, nor the one in service."""
        newest = select(RunRow.id).order_by(RunRow.id.desc()).limit(keep)
        statement = (
            select(RunRow.id, RunRow.started_at)
            .where(RunRow.id.not_in(newest), RunRow.id.not_in(select(ServiceRow.run_id)))
            .where(RunRow.state != RunState.RUNNING.value)
            .order_by(RunRow.id)
        )
        with self._database.reading() as connection:
            return [OldRun(*row) for row in connection.execute(statement)]

    def forget_runs(self, runs: Sequence[int], generations: Sequence[str]) -> list[int]:
        """Delete those of ``runs`` that nothing on record refers to, and return their ids.

        What a question, a pair, a cluster or a label came with refers to them; so does a generation. Those of
        ``generations`` (names; their folders are gone) which only such runs refer to are deleted with them.
        """
        if not runs:
            return []
        with self._database.writing() as connection:
            candidates = set(runs) - _referred_to(connection, runs)
            going, gone = _closed(connection, candidates, generations)
            for some in batched(sorted(going)):
                connection.execute(update(RunRow).where(RunRow.id.in_(some)).values(generation_id=None))
            for some in batched(sorted(gone)):
                connection.execute(delete(GenerationRow).where(GenerationRow.id.in_(some)))
            for some in batched(sorted(going)):
                connection.execute(delete(RunRow).where(RunRow.id.in_(some)))
        return sorted(going)


def _referred_to(connection: Connection, runs: Sequence[int]) -> set[int]:
    """Return those of ``runs`` that rows refer to, generations aside."""
    found: set[int] = set()
    for column in _references():
        for some in batched(runs):
            found.update(connection.scalars(select(column).where(column.in_(some)).distinct()))
    return found


def _references() -> Iterable[Column[int]]:
    for each in Base.metadata.tables.values():
        for key in each.foreign_keys:
            if key.column.table is table(RunRow) and each is not table(GenerationRow):
                yield key.parent
    yield table(PairRow).c.run_id  # the one reference without a foreign key


def _closed(connection: Connection, runs: set[int], names: Sequence[str]) -> tuple[set[int], set[int]]:
    """Return the runs and the generations that can go together: neither is referred to by what stays."""
    service = set(connection.scalars(select(ServiceRow.generation_id)))
    used_by = connection.execute(select(RunRow.id, RunRow.generation_id).where(RunRow.generation_id.is_not(None))).all()
    built = connection.execute(select(GenerationRow.id, GenerationRow.name, GenerationRow.run_id)).all()
    going = set(runs)
    while True:
        stay = service | {generation for run, generation in used_by if run not in going}
        gone = {id_ for id_, name, run in built if id_ not in stay and name in set(names) and run in going}
        left = going - {run for id_, _, run in built if id_ not in gone}
        if left == going:
            return going, gone
        going = left
