"""The records: questions, pairs, clusters, runs and labels, in SQLite or PostgreSQL.

`Store` is the way in. It is the sum of its parts, one module each: `ingest` takes questions and labels, `corpus` gives
them back as arrays, `results` replaces what the last run found, `publication` says what is in service, `runs` keeps the
book, `browse` and `export` answer; `generations` is the book of indexes, `retention` forgets, `soundness` checks,
`copying` gives every table as a file and takes it back; `locking` lets one job at a time change what is recorded. Below
them `bulk` writes many rows at once, `revision` counts the corpus's changes, `database` holds connections and
transactions, `models` the tables, `schema` their revision.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from dedup.store.browse import (
    Browse,
    ClusterRecord,
    ClusterSummary,
    Counts,
    Member,
    PairRecord,
    QuestionRecord,
    Representative,
)
from dedup.store.copying import Copying, Snapshot, copy_in, is_in_use
from dedup.store.corpus import Corpus, CorpusReads
from dedup.store.database import Database, database_file, display_url, has_password
from dedup.store.export import Export, ExportedMember, ExportedPair, ExportedQuestion
from dedup.store.generations import Generations
from dedup.store.ingest import Ingest, Recorded
from dedup.store.locking import database_lock
from dedup.store.publication import GenerationRecord, InService, Publications
from dedup.store.results import RecordedClusters, RecordedPairs, Results
from dedup.store.retention import OldRun, Retention
from dedup.store.runs import KILLED, EncoderRecord, RunKind, RunOutcome, RunRecord, Runs, RunState
from dedup.store.schema import HEAD, current, prepare, upgrade
from dedup.store.soundness import Soundness

__all__ = [
    "HEAD",
    "KILLED",
    "ClusterRecord",
    "ClusterSummary",
    "Corpus",
    "Counts",
    "EncoderRecord",
    "ExportedMember",
    "ExportedPair",
    "ExportedQuestion",
    "GenerationRecord",
    "InService",
    "Member",
    "OldRun",
    "PairRecord",
    "QuestionRecord",
    "Recorded",
    "RecordedClusters",
    "RecordedPairs",
    "Representative",
    "RunKind",
    "RunOutcome",
    "RunRecord",
    "RunState",
    "Snapshot",
    "Store",
    "copy_in",
    "current",
    "database_file",
    "database_lock",
    "display_url",
    "has_password",
    "is_in_use",
    "upgrade",
]


class Store(
    Ingest, CorpusReads, Results, Publications, Runs, Browse, Export, Generations, Retention, Soundness, Copying
):
    """One open database. A context manager; several processes and threads may have one each on the same database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, url: str, *, create: bool = True) -> Self:
        """Open the database at ``url`` (``sqlite:///file.db`` or ``postgresql://user@host/name``).

        With ``create``, an empty database gets its tables; a SQLite file that is not there is made, with its folder.

        Raises
        ------
        SchemaMismatch
            Where its tables are of another revision.
        StoreError
            Where it cannot be reached, is no database, or, without ``create``, has nothing recorded yet.
        """
        database = Database(url)
        try:
            prepare(database, create=create)
        except BaseException:
            database.close()
            raise
        return cls(database)

    @property
    def display_url(self) -> str:
        """The database's address as it may be shown: without its password."""
        return self._database.display_url

    def close(self) -> None:
        """Close every connection."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
