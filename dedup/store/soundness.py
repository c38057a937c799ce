"""Whether what is recorded fits together, and is what was once written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sqlalchemy import Select, and_, exists, func, or_, select
from sqlalchemy.orm import aliased

from dedup.errors import StoreError
from dedup.progress import Advance
from dedup.questions import Keys, question_key
from dedup.store.database import Database
from dedup.store.models import ClusterRow, MemberRow, PairRow, QuestionRow
from dedup.text import key_array, normalise, text_key

_FETCHED = 10_000


class Soundness:
    """The store's checks of itself."""

    _database: Database

    def file_damage(self) -> list[str]:
        """Return what the database itself finds wrong with its file and with references between rows, a line each.

        SQLite reads its whole file through. PostgreSQL has no such command; its server checks pages as it reads them,
        where data checksums are on (as they are by default from version 18).
        """
        if not self._database.is_sqlite:
            return []
        try:
            with self._database.reading() as connection:
                found = [str(line) for line in connection.exec_driver_sql("PRAGMA integrity_check(20)").scalars()]
                broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        except StoreError as error:
            return [str(error)]
        lines = [" ".join(line.split()) for line in found if line != "ok"]
        return lines + [
            f"row {row[1]} of {row[0]} refers to a row of {row[2]} that is not there" for row in broken[:20]
        ]

    def altered_questions(self, advance: Advance) -> Iterator[str]:
        """Yield, for each question whose number or text key is not that of what is recorded, a line that names it."""
        statement = select(
            QuestionRow.id, QuestionRow.source, QuestionRow.external_id, QuestionRow.text, QuestionRow.text_key
        )
        with (
            self._database.reading() as connection,
            connection.execution_options(yield_per=_FETCHED).execute(statement) as rows,
        ):
            for some in rows.partitions():
                for number, source, id_, text, key in some:
                    if number != question_key(source, id_) or key != text_key(normalise(text)):
                        yield f"question {id_!a} of source {source!a} is not as recorded: its text or id was altered"
                advance(len(some))

    def unsound_results(self) -> list[str]:
        """Return what is wrong with the pairs and clusters on record, a line for each kind."""
        members = (
            select(MemberRow.cluster_id, func.count().label("size")).group_by(MemberRow.cluster_id).subquery("members")
        )
        sized = (
            select(ClusterRow.id)
            .outerjoin(members, members.c.cluster_id == ClusterRow.id)
            .where(func.coalesce(members.c.size, 0) != ClusterRow.size)
        )
        canonical = aliased(MemberRow)
        strangers = (
            select(ClusterRow.id)
            .outerjoin(canonical, canonical.question_id == ClusterRow.canonical_id)
            .where(or_(canonical.cluster_id.is_(None), canonical.cluster_id != ClusterRow.id))
        )
        left, right = aliased(QuestionRow), aliased(QuestionRow)
        ends = and_(exists().where(left.id == PairRow.left_id), exists().where(right.id == PairRow.right_id))
        loose = select(PairRow.left_id).where(~ends)
        impossible = select(PairRow.left_id).where(
            or_(PairRow.probability < 0, PairRow.probability > 1, PairRow.distance < 0)
        )
        checks: tuple[tuple[str, Select[*tuple[Any, ...]]], ...] = (
            ("clusters have another size than members", sized),
            ("clusters do not have their canonical question", strangers),
            ("pairs have a question that is not recorded", loose),
            ("pairs have a distance or a probability that cannot be", impossible),
        )
        with self._database.reading() as connection:
            found = [
                (about, connection.scalars(select(func.count()).select_from(check.subquery())).one())
                for about, check in checks
            ]
        return [f"{count} {about}" for about, count in found if count]

    def text_keys(self, *, clustered: bool = False) -> Keys:
        """Return the distinct text keys on record, ascending; of questions with a cluster alone where asked for."""
        statement = select(QuestionRow.text_key).distinct()
        if clustered:
            statement = statement.join(MemberRow, MemberRow.question_id == QuestionRow.id)
        found = bytearray()
        with (
            self._database.reading() as connection,
            connection.execution_options(yield_per=_FETCHED).execute(statement) as rows,
        ):
            for key in rows.scalars():
                found += key
        return np.sort(key_array([bytes(found)]))
