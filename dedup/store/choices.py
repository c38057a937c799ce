"""Canonical questions that people chose: wherever such a question is, its cluster is named after it.

Where a cluster has several of them, the one that was chosen last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, delete, insert, select

from dedup.errors import UnknownQuestion
from dedup.store.audit import record_act
from dedup.store.bulk import rows_among
from dedup.store.database import Database, storable
from dedup.store.models import QuestionRow
from dedup.store.service_models import ChoiceRow


@dataclass(frozen=True, slots=True)
class Choice:
    """A person's choice of a canonical question, by its number."""

    question: int
    actor: str
    at: datetime


class Choices:
    """The store's choices."""

    _database: Database

    def choose_canonical(self, question: int, *, actor: str) -> None:
        """Record that a question is to be canonical from the next run on; UnknownQuestion where it is not recorded."""
        with self._database.writing() as connection:
            if connection.execute(select(QuestionRow.id).where(QuestionRow.id == question)).one_or_none() is None:
                raise UnknownQuestion("a canonical question is a recorded one; this one is not recorded")
            connection.execute(delete(ChoiceRow).where(ChoiceRow.question_id == question))
            row = {"question_id": question, "actor": storable(actor), "at": datetime.now(UTC)}
            connection.execute(insert(ChoiceRow), row)
            record_act(connection, actor, "choose canonical", {"question": question})

    def forget_choice(self, question: int, *, actor: str) -> None:
        """Leave it to the order of questions again, from the next run on; twice is as once."""
        with self._database.writing() as connection:
            if connection.execute(delete(ChoiceRow).where(ChoiceRow.question_id == question)).rowcount:
                record_act(connection, actor, "forget canonical", {"question": question})

    def choices(self, questions: Sequence[int]) -> list[Choice]:
        """Return the choices of some questions, by their numbers, the last one first."""
        statement = select(ChoiceRow.question_id, ChoiceRow.actor, ChoiceRow.at)
        with self._database.reading() as connection:
            found = [Choice(*row) for row in rows_among(connection, statement, ChoiceRow.question_id, questions)]
        return sorted(found, key=lambda choice: (choice.at, choice.question), reverse=True)


def chosen_questions(connection: Connection) -> list[int]:
    """Return the numbers of all chosen questions, the last one first."""
    latest_first = (ChoiceRow.at.desc(), ChoiceRow.question_id.desc())
    return list(connection.scalars(select(ChoiceRow.question_id).order_by(*latest_first)))
