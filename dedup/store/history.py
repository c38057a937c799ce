"""What became of pairs and clusters from run to run, and the difference between any two runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, case, func, or_, select

from dedup.errors import StoreError
from dedup.questions import Int64
from dedup.store.bulk import Columns, append
from dedup.store.database import Database
from dedup.store.models import ClusterEventRow, GenerationRow, PairEventRow, RunRow


class EventKind(StrEnum):
    """What became of a cluster: all of it in another one, a part of it in another one, or nothing is left of it."""

    MERGED = "merged"
    SPLIT = "split"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class ChangedDuplicates:
    """Pairs that are duplicates now and were not, or the other way round, sorted by (left, right)."""

    left: Int64  # (n,)
    right: Int64  # (n,)
    duplicate: NDArray[np.bool_]  # (n,) now


@dataclass(frozen=True, slots=True)
class ClusterEvents:
    """Events of one run, as columns; 0 stands for no cluster, or no question."""

    kind: Sequence[EventKind]  # (n,)
    cluster: Int64  # (n,) as it was called before
    into: Int64  # (n,) where it, or a part of it, is now
    left: Int64  # (n,) the pair that caused it
    right: Int64  # (n,)


@dataclass(frozen=True, slots=True)
class ClusterEvent:
    """One event; ``into`` is None for a cluster of which nothing is left, the pair where none caused it."""

    run_id: int
    at: datetime | None
    kind: EventKind
    cluster: int
    into: int | None
    left: int | None
    right: int | None


@dataclass(frozen=True, slots=True)
class PairChange:
    """Two questions, by their numbers, that are duplicates since a run, or no longer."""

    run_id: int
    left: int
    right: int
    duplicate: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """What is otherwise after one run than after an earlier one."""

    new: int  # pairs that became duplicates
    lost: int
    merged: int  # clusters
    split: int
    gone: int
    pairs: tuple[PairChange, ...]  # as many as asked for
    clusters: tuple[ClusterEvent, ...]


def record_changes(connection: Connection, run_id: int, changed: ChangedDuplicates, events: ClusterEvents) -> None:
    """Note, in the transaction of ``connection``, which duplicates are new or lost, and what became of clusters."""
    columns: Columns = {
        "run_id": np.full(len(changed.left), run_id),
        "left_id": changed.left,
        "right_id": changed.right,
        "duplicate": changed.duplicate,
    }
    append(connection, PairEventRow, columns)
    columns = {
        "run_id": np.full(len(events.kind), run_id),
        "kind": [kind.value for kind in events.kind],
        "cluster_id": events.cluster,
        **{
            name: [value or None for value in column.tolist()]
            for name, column in (("into_id", events.into), ("left_id", events.left), ("right_id", events.right))
        },
    }
    append(connection, ClusterEventRow, columns)


class History:
    """The store's answers about what changed."""

    _database: Database

    def difference(self, earlier: int, later: int, limit: int) -> Difference:
        """Return what is otherwise after the run ``later`` than after ``earlier``, with up to ``limit`` of each kind.

        A pair that was gained and lost again, or the other way round, is as it was.

        Raises
        ------
        StoreError
            Where one of the two is not recorded, or they are not in this order.
        """
        if earlier >= later:
            raise StoreError(f"run {earlier} is not before run {later}; name the earlier one first")
        within = PairEventRow.run_id.between(earlier + 1, later)
        change = (
            select(
                func.max(PairEventRow.run_id).label("run_id"),
                PairEventRow.left_id,
                PairEventRow.right_id,
                func.sum(case((PairEventRow.duplicate, 1), else_=-1)).label("balance"),
            )
            .where(within)
            .group_by(PairEventRow.left_id, PairEventRow.right_id)
            .subquery()
        )
        happened = ClusterEventRow.run_id.between(earlier + 1, later)
        with self._database.reading() as connection:
            known = set(connection.scalars(select(RunRow.id).where(RunRow.id.in_((earlier, later)))))
            for run_id in (earlier, later):
                if run_id not in known:
                    raise StoreError(f"no run {run_id} is recorded; `dedup status` names the last one")
            balance: dict[int, int] = dict(
                connection.execute(select(change.c.balance, func.count()).group_by(change.c.balance)).tuples().all()
            )
            listed = select(change.c.run_id, change.c.left_id, change.c.right_id)
            listed = listed.order_by(change.c.left_id, change.c.right_id).limit(limit)
            pairs = [
                PairChange(*row, duplicate=sign > 0)
                for sign in (1, -1)
                for row in connection.execute(listed.where(change.c.balance == sign))
            ]
            kinds: dict[str, int] = dict(
                connection.execute(
                    select(ClusterEventRow.kind, func.count()).where(happened).group_by(ClusterEventRow.kind)
                )
                .tuples()
                .all()
            )
            events = _events(connection, happened, limit)
        merged, split, gone = (kinds.get(kind.value, 0) for kind in EventKind)
        return Difference(balance.get(1, 0), balance.get(-1, 0), merged, split, gone, tuple(pairs), tuple(events))

    def last_two_findings(self) -> tuple[int, int]:
        """Return the ids of the last two runs that put something new in service; StoreError where there are none."""
        statement = select(GenerationRow.run_id).distinct().order_by(GenerationRow.run_id.desc()).limit(2)
        with self._database.reading() as connection:
            found = list(connection.scalars(statement))
        if len(found) < 2:
            raise StoreError("fewer than two runs have found something; there is nothing to compare")
        return found[1], found[0]

    def cluster_history(self, cluster_id: int, limit: int = 100) -> list[ClusterEvent]:
        """Return what became of a cluster, and what came into it, the latest first."""
        about = or_(ClusterEventRow.cluster_id == cluster_id, ClusterEventRow.into_id == cluster_id)
        with self._database.reading() as connection:
            return _events(connection, about, limit)


def _events(connection: Connection, where: ColumnElement[bool], limit: int) -> list[ClusterEvent]:
    statement = (
        select(
            ClusterEventRow.run_id,
            RunRow.finished_at,
            ClusterEventRow.kind,
            ClusterEventRow.cluster_id,
            ClusterEventRow.into_id,
            ClusterEventRow.left_id,
            ClusterEventRow.right_id,
        )
        .join(RunRow, RunRow.id == ClusterEventRow.run_id)
        .where(where)
        .order_by(ClusterEventRow.id.desc())
        .limit(limit)
    )
    return [
        ClusterEvent(run_id, at, EventKind(kind), cluster, into, left, right)
        for run_id, at, kind, cluster, into, left, right in connection.execute(statement)
    ]
