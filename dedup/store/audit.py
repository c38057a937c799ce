"""The log of what was written through the service, and by whom; it has ids and counts, never a text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from dedup.store.database import Database
from dedup.store.service_models import AuditRow


@dataclass(frozen=True, slots=True)
class Act:
    """One write: who did what to which questions, and when."""

    id: int
    at: datetime
    actor: str
    action: str
    about: Mapping[str, Any]


class Audit:
    """The store's log of writes."""

    _database: Database

    def acts(self, limit: int, *, before: int | None = None) -> list[Act]:
        """Return the acts that were recorded last, the newest first; with ``before``, those before that one."""
        statement = select(AuditRow.id, AuditRow.at, AuditRow.actor, AuditRow.action, AuditRow.about)
        if before is not None:
            statement = statement.where(AuditRow.id < before)
        with self._database.reading() as connection:
            return [Act(*row) for row in connection.execute(statement.order_by(AuditRow.id.desc()).limit(limit))]

    def note(self, actor: str, action: str, about: Mapping[str, Any]) -> None:
        """Record an act that writes nothing else in the database."""
        with self._database.writing() as connection:
            record_act(connection, actor, action, about)


def record_act(connection: Connection, actor: str, action: str, about: Mapping[str, Any]) -> None:
    """Record who did what, in the transaction that does it."""
    connection.execute(
        insert(AuditRow), {"at": datetime.now(UTC), "actor": actor, "action": action, "about": dict(about)}
    )
