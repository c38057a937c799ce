"""Questions that go: with their pairs, and out of their clusters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sqlalchemy import Connection, Table, delete, or_, select, update

from dedup.store.audit import record_act
from dedup.store.bulk import batched, rows_among, staged
from dedup.store.database import Database
from dedup.store.models import ClusterRow, MemberRow, PairRow, QuestionRow
from dedup.store.ranking import RankedColumns, canonical_rank
from dedup.store.retries import retried
from dedup.store.revision import raise_corpus_revision


class Deletions:
    """The store's deletions."""

    _database: Database

    @retried
    def delete_questions(self, numbers: Sequence[int], *, actor: str | None = None) -> int:
        """Delete the questions among these numbers, in one transaction, and return how many there were.

        Their pairs go with them, and they leave their clusters: a cluster whose canonical question goes takes the best
        one that is left. What else that means for the others (a cluster may fall apart) the next run finds; until then
        the clusters are as they were, less the deleted. Raises the corpus revision. Where an ``actor`` does it, it is
        in the audit log.
        """
        with self._database.writing() as connection:
            if actor is not None:
                names = rows_among(
                    connection, select(QuestionRow.source, QuestionRow.external_id), QuestionRow.id, numbers
                )
                gone = [f"{source}/{own}" for source, own in names]
                record_act(connection, actor, "delete questions", {"questions": gone})
            return _delete(connection, sorted(set(numbers)))

    @retried
    def delete_unseen(self, run_id: int) -> dict[str, int]:
        """Delete the questions that a run has not seen, of the sources of which it has seen some.

        Returns how many were deleted, by source.
        """
        with self._database.writing() as connection:
            sources = connection.scalars(
                select(QuestionRow.source).where(QuestionRow.last_run_id == run_id).distinct()
            ).all()
            deleted = {}
            for source in sorted(sources):
                unseen = select(QuestionRow.id).where(QuestionRow.source == source, QuestionRow.last_run_id != run_id)
                deleted[source] = _delete(connection, sorted(connection.scalars(unseen)))
        return deleted


def _delete(connection: Connection, numbers: Sequence[int]) -> int:
    if not numbers:
        return 0
    with staged(connection, QuestionRow, {"id": numbers}, key=("id",)) as rows:
        _leave_clusters(connection, rows)
        gone = select(rows.c.id)
        deleted = connection.execute(delete(QuestionRow).where(QuestionRow.id.in_(gone))).rowcount
    if deleted:
        raise_corpus_revision(connection)
    return int(deleted)


def leave_clusters(connection: Connection, numbers: Sequence[int]) -> None:
    """Forget the pairs of some questions, ascending, and take them out of their clusters; they stay on record."""
    if numbers:
        with staged(connection, QuestionRow, {"id": numbers}, key=("id",)) as rows:
            _leave_clusters(connection, rows)


def _leave_clusters(connection: Connection, rows: Table) -> None:
    gone = select(rows.c.id)
    connection.execute(delete(PairRow).where(or_(PairRow.left_id.in_(gone), PairRow.right_id.in_(gone))))
    left = select(MemberRow.cluster_id).where(MemberRow.question_id.in_(gone)).distinct()
    clusters = sorted(connection.scalars(left))
    connection.execute(delete(MemberRow).where(MemberRow.question_id.in_(gone)))
    _mend_clusters(connection, clusters)


def _mend_clusters(connection: Connection, clusters: Sequence[int]) -> None:
    """Give clusters that lost members their size, and a canonical question among those that are left."""
    members = select(
        MemberRow.cluster_id,
        QuestionRow.id,
        QuestionRow.source,
        QuestionRow.external_id,
        QuestionRow.created_at,
        QuestionRow.score,
        QuestionRow.views,
    ).join(QuestionRow, QuestionRow.id == MemberRow.question_id)
    columns, of_member = RankedColumns(), []
    for cluster, *ranked in rows_among(connection, members, MemberRow.cluster_id, clusters):
        of_member.append(cluster)
        columns.append(*ranked)
    rank = canonical_rank(columns) if of_member else np.empty(0, dtype=np.int64)
    numbers, owners = np.array(columns.ids, dtype=np.int64)[np.argsort(rank)], np.array(of_member)[np.argsort(rank)]
    recorded = {
        row.id: row
        for row in rows_among(
            connection,
            select(ClusterRow.id, ClusterRow.canonical_id, ClusterRow.weakest_probability),
            ClusterRow.id,
            clusters,
        )
    }
    left, first, size = np.unique(owners, return_index=True, return_counts=True)
    for cluster, best, count in zip(left.tolist(), numbers[first].tolist(), size.tolist(), strict=True):
        # A recorded weakest link stays: of fewer questions it is at least that.
        values = {"canonical_id": best, "size": count, **({"weakest_probability": 1.0} if count == 1 else {})}
        connection.execute(update(ClusterRow).where(ClusterRow.id == cluster).values(**values))
        if best != recorded[cluster].canonical_id:
            _measure_against(connection, cluster, best, recorded[cluster].weakest_probability)
    empty = sorted(set(clusters) - set(left.tolist()))
    for some in batched(empty):
        connection.execute(delete(ClusterRow).where(ClusterRow.id.in_(some)))


def _measure_against(connection: Connection, cluster_id: int, canonical: int, weakest: float) -> None:
    """State how probably each member asks what the new canonical question asks.

    Of two questions without a recorded pair, as of exact copies of a text that the pair names by another, only that
    they are at least as probable as the cluster's weakest link is known.
    """
    pairs = select(PairRow.left_id, PairRow.right_id, PairRow.probability).where(
        or_(PairRow.left_id == canonical, PairRow.right_id == canonical)
    )
    known = {left + right - canonical: probability for left, right, probability in connection.execute(pairs)}
    members = connection.scalars(select(MemberRow.question_id).where(MemberRow.cluster_id == cluster_id)).all()
    for number in members:
        probability = 1.0 if number == canonical else known.get(number, weakest)
        connection.execute(update(MemberRow).where(MemberRow.question_id == number).values(probability=probability))
