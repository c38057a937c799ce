"""The records: questions, pairs, clusters, runs and labels, in SQLite or PostgreSQL.

`Store` is the way in. It is the sum of its parts, one module each: `ingest` takes questions and labels, `edits` single
questions, `deletions` drops questions, `corpus` gives them back as arrays, `results` replaces what the last run found,
which `recorded` reads and `history` remembers, `publication` says what is in service, `runs` keeps the book, `browse`,
`paging` and `export` answer; `tokens` says who may write, `sessions` from which browser, `audit` who did, `reviews`
what people decided and `choices` which questions they prefer; `generations` is the book of indexes, of which `vectors`
and `shared` hold those that several machines search; `tasks` hands out shards of work to them; `retention` forgets,
`soundness` checks, `copying` gives every table as a file and takes it back; `locking` lets one job at a time change
what is recorded. Below them `bulk` writes many rows at once (`sqlite_file` as SQLite's own pages), `differences` says
which, `revision` counts the corpus's changes, `retries` begins again what the server gave up, `database` holds
connections and transactions, `models` and `service_models` the tables, `schema` their revision.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from dedup.store.audit import Act, Audit
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
from dedup.store.changes import Given
from dedup.store.choices import Choice, Choices
from dedup.store.copying import Copying, Snapshot, copy_in, is_in_use
from dedup.store.corpus import Corpus, CorpusReads
from dedup.store.database import Database, database_file, display_url, has_password
from dedup.store.deletions import Deletions
from dedup.store.differences import pair_places
from dedup.store.edits import Edited, Edits
from dedup.store.export import Export, ExportedMember, ExportedPair, ExportedQuestion
from dedup.store.generations import Generations
from dedup.store.history import (
    ChangedDuplicates,
    ClusterEvent,
    ClusterEvents,
    Difference,
    EventKind,
    History,
    PairChange,
)
from dedup.store.ingest import Ingest, RecordedBatch, identify
from dedup.store.locking import database_lock
from dedup.store.paging import ClusterOrder, Duplicate, Pages, ServiceState
from dedup.store.publication import GenerationRecord, InService, Publications
from dedup.store.recorded import Recorded, RecordedClusters, RecordedPairs, RecordedReads, StoredClusters
from dedup.store.results import Results, RunFindings
from dedup.store.retention import OldRun, Retention
from dedup.store.reviews import Reviewed, ReviewRecord, Reviews, Stratum, Verdict
from dedup.store.runs import KILLED, EncoderRecord, RunKind, RunOutcome, RunRecord, Runs, RunState
from dedup.store.schema import HEAD, current, prepare, upgrade
from dedup.store.sessions import Sessions
from dedup.store.shared import SharedGenerations
from dedup.store.soundness import Soundness
from dedup.store.tasks import ClaimedTask, SharedTasks
from dedup.store.tokens import Scope, TokenRecord, Tokens
from dedup.store.vectors import SharedVectors

__all__ = [
    "HEAD",
    "KILLED",
    "Act",
    "ChangedDuplicates",
    "Choice",
    "ClaimedTask",
    "ClusterEvent",
    "ClusterEvents",
    "ClusterOrder",
    "ClusterRecord",
    "ClusterSummary",
    "Corpus",
    "Counts",
    "Difference",
    "Duplicate",
    "Edited",
    "EncoderRecord",
    "EventKind",
    "ExportedMember",
    "ExportedPair",
    "ExportedQuestion",
    "GenerationRecord",
    "Given",
    "InService",
    "Member",
    "OldRun",
    "PairChange",
    "PairRecord",
    "QuestionRecord",
    "Recorded",
    "RecordedBatch",
    "RecordedClusters",
    "RecordedPairs",
    "Representative",
    "ReviewRecord",
    "Reviewed",
    "RunFindings",
    "RunKind",
    "RunOutcome",
    "RunRecord",
    "RunState",
    "Scope",
    "ServiceState",
    "Snapshot",
    "Store",
    "StoredClusters",
    "Stratum",
    "TokenRecord",
    "Verdict",
    "copy_in",
    "current",
    "database_file",
    "database_lock",
    "display_url",
    "has_password",
    "identify",
    "is_in_use",
    "pair_places",
    "upgrade",
]


class Store(
    Ingest,
    Edits,
    Deletions,
    CorpusReads,
    RecordedReads,
    Results,
    Publications,
    Runs,
    History,
    Browse,
    Pages,
    Export,
    Tokens,
    Sessions,
    Reviews,
    Choices,
    Audit,
    Generations,
    Retention,
    Soundness,
    Copying,
    SharedVectors,
    SharedGenerations,
    SharedTasks,
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
