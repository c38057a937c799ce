"""Questions that go: with their pairs, and out of their clusters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sqlalchemy import Connection, delete, or_, select, update

from dedup.store.bulk import batched, rows_among, staged
from dedup.store.database import Database
from dedup.store.models import ClusterRow, MemberRow, PairRow, QuestionRow
from dedup.store.ranking import RankedColumns, canonical_rank
from dedup.store.revision import raise_corpus_revision


class Deletions:
    """The store's deletions."""

    _database: Database

    def delete_questions(self, numbers: Sequence[int]) -> int:
        """Delete the questions among these numbers, in one transaction, and return how many there were.

        Their pairs go with them, and they leave their clusters: a cluster whose canonical question goes takes the best
        one that is left. What else that means for the others (a cluster may fall apart) the next run finds; until then
        the clusters are as they were, less the deleted. Raises the corpus revision.
        """
        with self._database.writing() as connection:
            return _delete(connection, sorted(set(numbers)))

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
        gone = select(rows.c.id)
        connection.execute(delete(PairRow).where(or_(PairRow.left_id.in_(gone), PairRow.right_id.in_(gone))))
        left = select(MemberRow.cluster_id).where(MemberRow.question_id.in_(gone)).distinct()
        clusters = sorted(connection.scalars(left))
        connection.execute(delete(MemberRow).where(MemberRow.question_id.in_(gone)))
        _mend_clusters(connection, clusters)
        deleted = connection.execute(delete(QuestionRow).where(QuestionRow.id.in_(gone))).rowcount
    if deleted:
        raise_corpus_revision(connection)
    return int(deleted)


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
    left, first, size = np.unique(owners, return_index=True, return_counts=True)
    for cluster, best, count in zip(left.tolist(), numbers[first].tolist(), size.tolist(), strict=True):
        # A recorded weakest link stays: of fewer questions it is at least that.
        values = {"canonical_id": best, "size": count, **({"weakest_probability": 1.0} if count == 1 else {})}
        connection.execute(update(ClusterRow).where(ClusterRow.id == cluster).values(**values))
    empty = sorted(set(clusters) - set(left.tolist()))
    for some in batched(empty):
        connection.execute(delete(ClusterRow).where(ClusterRow.id.in_(some)))
