"""Pairs and clusters as arrays: what a run found, and what is recorded of the one before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Select, select

from dedup.questions import Float32, Float64, Int64
from dedup.store.database import Database
from dedup.store.models import ClusterRow, CorpusRow, MemberRow, PairRow, RunRow, ServiceRow

_FETCHED = 20_000


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
class StoredClusters:
    """Clusters of questions, by their numbers, as they stand in the database, be it sound or not."""

    question: Int64  # (n,) every question once
    cluster: Int64  # (n,) the id of its cluster
    probability: Float64  # (n,) that it asks what the canonical question asks; 1.0 for that one itself
    id: Int64  # (c,) small positive numbers, each once
    canonical: Int64  # (c,) a question
    size: Int64  # (c,)
    weakest: Float64  # (c,) the smallest probability of two of its questions; 1.0 for a cluster of one


@dataclass(frozen=True, slots=True)
class RecordedClusters(StoredClusters):
    """A partition of all questions, by their numbers; a question alone is a cluster of one."""

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


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is in service: the results of the run that was published last."""

    run_id: int | None  # None before the first
    threshold: float  # of that run
    pairs: RecordedPairs
    clusters: StoredClusters  # by question and by id, both ascending
    next_cluster: int  # the smallest id that no cluster ever had


class RecordedReads:
    """The store's reads of all results."""

    _database: Database

    def recorded(self) -> Recorded:
        """Return what is in service, as it stands: 32 bytes a pair, 24 a question and 32 a cluster."""
        with self._database.reading() as connection:
            pairs = select(PairRow.left_id, PairRow.right_id, PairRow.distance, PairRow.probability)
            columns = _columns(connection, pairs.order_by(PairRow.left_id, PairRow.right_id), "qqdd")
            return _recorded(connection, RecordedPairs(*columns))

    def recorded_clusters(self) -> Recorded:
        """Return what is in service without its pairs."""
        with self._database.reading() as connection:
            return _recorded(connection, RecordedPairs(*(np.empty(0, dtype=kind) for kind in "qqdd")))


def _recorded(connection: Connection, pairs: RecordedPairs) -> Recorded:
    service = select(ServiceRow.run_id, RunRow.threshold).join(RunRow, RunRow.id == ServiceRow.run_id)
    members = select(MemberRow.question_id, MemberRow.cluster_id, MemberRow.probability)
    clusters = select(ClusterRow.id, ClusterRow.canonical_id, ClusterRow.size, ClusterRow.weakest_probability)
    run_id, threshold = connection.execute(service).one_or_none() or (None, 0.5)
    stored = StoredClusters(
        *_columns(connection, members.order_by(MemberRow.question_id), "qqd"),
        *_columns(connection, clusters.order_by(ClusterRow.id), "qqqd"),
    )
    return Recorded(run_id, threshold, pairs, stored, connection.scalars(select(CorpusRow.next_cluster)).one())


def _columns(connection: Connection, statement: Select[*tuple[Any, ...]], types: str) -> list[NDArray[Any]]:
    """Return the columns of a statement, one array each."""
    parts: list[list[NDArray[Any]]] = [[np.empty(0, dtype=kind)] for kind in types]
    with connection.execution_options(yield_per=_FETCHED).execute(statement) as result:
        for rows in result.partitions():
            for part, column, kind in zip(parts, zip(*rows, strict=True), types, strict=True):
                part.append(np.array(column, dtype=kind))
    return [np.concatenate(part) for part in parts]


def _check_lengths(*columns: Int64 | Float32 | Float64) -> None:
    if len({len(column) for column in columns}) > 1:
        raise ValueError(f"columns of {', '.join(str(len(column)) for column in columns)} rows; expected one length")
