"""What a run found, in place of what the last one found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection

from dedup.errors import StoreError
from dedup.questions import Float32, Float64, Int64
from dedup.store.bulk import Columns, fill, is_empty, merge, prune, staged
from dedup.store.database import Database
from dedup.store.models import ClusterRow, MemberRow, PairRow
from dedup.store.publication import GenerationRecord, publish
from dedup.store.revision import corpus_revision as recorded_corpus_revision
from dedup.store.runs import RunOutcome, end_run


@dataclass(frozen=True, slots=True)
class RecordedPairs:
    """Pairs of questions by their numbers, each once: ``left < right``, sorted by (left, right)."""

    left: Int64  # (n,)
    right: Int64  # (n,)
    distance: Float32 | Float64  # (n,)
    probability: Float64  # (n,)

    def __post_init__(self) -> None:
        """Refuse, with ValueError, pairs that are not in order: bulk writes rely on it."""
        _check_lengths(self.left, self.right, self.distance, self.probability)
        later = (self.left[1:] > self.left[:-1]) | (
            (self.left[1:] == self.left[:-1]) & (self.right[1:] > self.right[:-1])
        )
        if not (np.all(self.left < self.right) and np.all(later)):
            raise ValueError("pairs must have left < right, be sorted by (left, right) and occur once")


@dataclass(frozen=True, slots=True)
class RecordedClusters:
    """A partition of all questions, by their numbers; a question alone is a cluster of one."""

    question: Int64  # (n,) every question once
    cluster: Int64  # (n,) the id of its cluster
    probability: Float64  # (n,) that it asks what the canonical question asks; 1.0 for that one itself
    id: Int64  # (c,) small positive numbers, each once
    canonical: Int64  # (c,) a question
    size: Int64  # (c,)
    weakest: Float64  # (c,) the smallest probability of two of its questions; 1.0 for a cluster of one

    def __post_init__(self) -> None:
        """Refuse, with ValueError, what is not a partition."""
        _check_lengths(self.question, self.cluster, self.probability)
        _check_lengths(self.id, self.canonical, self.size, self.weakest)
        ids, size = np.unique(self.cluster, return_counts=True)
        order = np.argsort(self.id)
        if not (np.array_equal(ids, self.id[order]) and np.array_equal(size, self.size[order])):
            raise ValueError("the clusters' ids and sizes are not those of their members")
        if len(np.unique(self.question)) < len(self.question):
            raise ValueError("a question is in two clusters")


class Results:
    """The store's writes of what a run found."""

    _database: Database

    def write_results(
        self,
        run_id: int,
        generation: GenerationRecord,
        pairs: RecordedPairs,
        clusters: RecordedClusters,
        outcome: RunOutcome,
        *,
        corpus_revision: int,
    ) -> None:
        """Put in service what a run found, in one transaction: readers and a restart see all of it or nothing.

        All pairs and clusters are replaced, ``generation`` is published (also if an earlier run had recorded its name)
        and the run is done. What is as it was keeps the id of the run that first recorded it so; what is new or has
        changed takes ``run_id``; what has vanished is deleted.

        Parameters
        ----------
        corpus_revision
            The `Corpus.revision` in which all this was found.

        Raises
        ------
        StoreError
            Where the corpus has changed since, a pair has a question without a cluster, a cluster one that is not
            recorded, or ``run_id`` is not. Everything is left as it was.
        """
        if not all(np.isin(side, clusters.question).all() for side in (pairs.left, pairs.right)):
            raise StoreError("a pair has a question that is in no cluster; expected every recorded question in one")
        by_pair = np.full(len(pairs.left), run_id)
        by_cluster = np.argsort(clusters.id)
        by_question = np.argsort(clusters.question)
        pair_columns: Columns = {
            "left_id": pairs.left,
            "right_id": pairs.right,
            "distance": pairs.distance,
            "probability": pairs.probability,
            "run_id": by_pair,
        }
        cluster_columns: Columns = {
            "id": clusters.id[by_cluster],
            "canonical_id": clusters.canonical[by_cluster],
            "size": clusters.size[by_cluster],
            "weakest_probability": clusters.weakest[by_cluster],
            "run_id": np.full(len(clusters.id), run_id),
        }
        member_columns: Columns = {
            "question_id": clusters.question[by_question],
            "cluster_id": clusters.cluster[by_question],
            "probability": clusters.probability[by_question],
        }
        with self._database.writing() as connection:
            if recorded_corpus_revision(connection) != corpus_revision:
                raise StoreError("questions were recorded while this run worked; run it again")
            end_run(connection, run_id, outcome)
            publish(connection, run_id, generation, corpus_revision)
            _replace_pairs(connection, pair_columns)
            _replace_clusters(connection, cluster_columns, member_columns)


def _replace_pairs(connection: Connection, pairs: Columns) -> None:
    if is_empty(connection, PairRow):
        fill(connection, PairRow, pairs)
        return
    key = ("left_id", "right_id")
    with staged(connection, PairRow, pairs, key=key) as rows:
        prune(connection, PairRow, rows, key=key)
        merge(connection, PairRow, rows, key=key, compared=("distance", "probability"))


def _replace_clusters(connection: Connection, clusters: Columns, members: Columns) -> None:
    if is_empty(connection, ClusterRow):  # then there is no member either
        fill(connection, ClusterRow, clusters)
        fill(connection, MemberRow, members)
        return
    with (
        staged(connection, ClusterRow, clusters, key=("id",)) as cluster_rows,
        staged(connection, MemberRow, members, key=("question_id",)) as member_rows,
    ):
        # Members refer to clusters: new clusters come before their members, old ones go after theirs.
        changes = ("canonical_id", "size", "weakest_probability")
        merge(connection, ClusterRow, cluster_rows, key=("id",), compared=changes)
        prune(connection, MemberRow, member_rows, key=("question_id",))
        merge(connection, MemberRow, member_rows, key=("question_id",), compared=("cluster_id", "probability"))
        prune(connection, ClusterRow, cluster_rows, key=("id",))


def _check_lengths(*columns: Int64 | Float32 | Float64) -> None:
    if len({len(column) for column in columns}) > 1:
        raise ValueError(f"columns of {', '.join(str(len(column)) for column in columns)} rows; expected one length")
