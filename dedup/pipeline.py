"""What a user asks for, a run or a reindex: a job that reads, updates what is in service, and reports.

dumps -> questions in SQL -> `dedup.update` -> a report

A run compares everything anew; a reindex goes on from what is in service (`dedup.update`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dedup.errors import DumpError
from dedup.ingest import NOTHING_READ, Ingested, ingest
from dedup.jobs import Job, running
from dedup.kept import load_known_pairs
from dedup.limits import NO_LIMITS, Limits, measure_limits
from dedup.memory import peak_bytes
from dedup.profile import profile
from dedup.progress import Progress, Silent
from dedup.removal import NOTHING_REMOVED, Removal, numbers_on_record
from dedup.report import write_report
from dedup.run_report import describe_run
from dedup.settings import Settings
from dedup.shards import in_shards, require_shards
from dedup.store import Recorded, RunKind
from dedup.update import News, Updated, update

log = logging.getLogger(__name__)

_WORTH_LIMITS = 5.0  # seconds that a run has worked: from there on half a second tells where they went


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What a run did; the fields of `dedup run --json`."""

    run_id: int
    read: int
    rejected: int
    exact_duplicates: int
    encoded: int
    candidate_pairs: int
    reranked: int  # pairs judged again by a cross-encoder; 0 without --rerank
    duplicate_pairs: int
    clusters: int  # of two questions or more
    seconds: float
    database: str
    generation: str


@dataclass(frozen=True, slots=True)
class RunResult:
    """A run's summary, and where to read more."""

    summary: RunSummary
    ingested: Ingested
    questions: int  # on record, of all dumps
    recall: float  # measured, of the pairs under the candidate cut-off
    report: Path
    reused: bool  # nothing had changed since the last run: its pairs, clusters and generation stand
    peak_memory_bytes: int  # the most that the process took


def run(dumps: Sequence[str], settings: Settings, *, wait: float = 0.0, progress: Progress | None = None) -> RunResult:
    """Record the questions of ``dumps`` and find the duplicates among all that are recorded.

    Raises
    ------
    Locked
        If another job still works on the database or the indexes folder after ``wait`` seconds.
    DedupError
        One of its kinds, with what to do. The generation in service stays, with its pairs and clusters; questions
        that had been recorded by then wait for the next run.
    """
    with running(RunKind.RUN, settings, wait=wait, progress=progress or Silent()) as job:
        _require_engine(job)
        return _run(job, dumps)


@dataclass(frozen=True, slots=True)
class ReindexSummary:
    """What a reindex did; the fields of `dedup reindex --json` and `dedup delete --json`."""

    run_id: int
    read: int
    added: int
    changed: int  # questions with another text than before
    deleted: int
    rejected: int
    questions: int  # on record
    exact_duplicates: int
    encoded: int
    compared: int  # texts that were compared with all others; the pairs of the rest were known
    candidate_pairs: int
    reranked: int
    duplicate_pairs: int
    new_duplicates: int  # pairs
    lost_duplicates: int
    clusters: int  # of two questions or more
    merged_clusters: int
    split_clusters: int
    recall: float  # measured, of the pairs under the candidate cut-off
    compacted: bool  # the index was built anew
    nothing_to_do: bool
    seconds: float
    peak_memory_bytes: int
    database: str
    generation: str


@dataclass(frozen=True, slots=True)
class ReindexResult:
    """A reindex's summary, and where to read more."""

    summary: ReindexSummary
    ingested: Ingested
    report: Path


def reindex(
    dumps: Sequence[str],
    settings: Settings,
    *,
    complete: bool = False,
    removal: Removal = NOTHING_REMOVED,
    wait: float = 0.0,
    progress: Progress | None = None,
) -> ReindexResult:
    """Take in what is new, changed or deleted, and bring pairs, clusters and index in line, going on from the last run.

    Parameters
    ----------
    complete
        The dumps are whole: what is on record of their sources and not in them is deleted.
    removal
        What else is deleted, also where a dump has it.

    Raises
    ------
    UnknownQuestion
        As `dedup.removal.numbers_on_record` does.
    Locked, DedupError
        As in `run`.
    """
    with running(RunKind.REINDEX, settings, wait=wait, progress=progress or Silent()) as job:
        _require_engine(job)
        ingested = _ingest(job, dumps) if dumps else NOTHING_READ
        before = _recorded(job) if complete or removal.ids else None
        deleted = job.store.delete_questions(numbers_on_record(job.store, removal))
        if complete:
            unseen = job.store.delete_unseen(job.run_id)
            gone = ", ".join(f"{count:,} of {source}" for source, count in unseen.items() if count)
            log.info("no longer in the dumps, and deleted: %s", gone or "none")
            deleted += sum(unseen.values())
        updated = update(job, News(ingested, deleted, before), going_on=True)
        ingested, counts, report = updated.ingested, updated.counts, _report(job, updated)
        summary = ReindexSummary(
            run_id=job.run_id,
            read=counts.read,
            added=counts.added,
            changed=counts.changed,
            deleted=counts.deleted,
            rejected=counts.rejected,
            questions=counts.questions,
            exact_duplicates=counts.exact_duplicates,
            encoded=counts.encoded,
            compared=counts.compared,
            candidate_pairs=counts.candidate_pairs,
            reranked=counts.reranked,
            duplicate_pairs=counts.duplicate_pairs,
            new_duplicates=counts.new_duplicates,
            lost_duplicates=counts.lost_duplicates,
            clusters=counts.clusters,
            merged_clusters=counts.merged_clusters,
            split_clusters=counts.split_clusters,
            recall=counts.pair_recall,
            compacted=counts.compacted,
            nothing_to_do=updated.reused and not (counts.added or counts.changed or counts.deleted),
            seconds=round(time.perf_counter() - job.clock, 3),
            peak_memory_bytes=peak_bytes(),
            database=job.store.display_url,
            generation=updated.generation,
        )
        return ReindexResult(summary, ingested, report)


def _require_engine(job: Job) -> None:
    """Find out before dumps are read, which may take long, whether what is in them can be compared in shards."""
    if in_shards(job.settings):
        require_shards(job.settings, job.store.task_queue)


def _recorded(job: Job) -> Recorded:
    """Return what is in service; without its pairs, where the run kept them that found them."""
    known = load_known_pairs(job.settings.indexes, job.store)
    return job.store.recorded() if known is None else job.store.recorded_clusters()


def _run(job: Job, dumps: Sequence[str]) -> RunResult:
    ingested = _ingest(job, dumps)
    updated = update(job, News(ingested), going_on=False)
    ingested, counts, report = updated.ingested, updated.counts, _report(job, updated)
    summary = RunSummary(
        run_id=job.run_id,
        read=counts.read,
        rejected=counts.rejected,
        exact_duplicates=counts.exact_duplicates,
        encoded=counts.encoded,
        candidate_pairs=counts.candidate_pairs,
        reranked=counts.reranked,
        duplicate_pairs=counts.duplicate_pairs,
        clusters=counts.clusters,
        seconds=round(time.perf_counter() - job.clock, 3),
        database=job.store.display_url,
        generation=updated.generation,
    )
    return RunResult(summary, ingested, counts.questions, counts.pair_recall, report, updated.reused, peak_bytes())


def _ingest(job: Job, dumps: Sequence[str]) -> Ingested:
    ingested = ingest(job.store, job.run_id, dumps, job.settings, rejects_file=job.rejects_file, progress=job.watch)
    if not job.store.sources():
        rejected = ingested.rejected_rows
        remedy = f"{job.rejects_file} says why" if rejected else "give a dump that has some"
        raise DumpError(f"no question was taken from {', '.join(dumps)}, {rejected} rows were rejected; {remedy}")
    return ingested


def _limits(job: Job) -> Limits:
    worked = sum(job.watch.seconds.values())
    return measure_limits(job.settings.indexes) if worked >= _WORTH_LIMITS else NO_LIMITS


def _report(job: Job, updated: Updated) -> Path:
    """Write the report of what is recorded by now, and attach it to the run."""
    with job.watch.stage("report", "files", total=1) as advance:
        described = describe_run(
            job.store,
            job.run_id,
            job.started,
            job.settings,
            updated.encoder,
            updated.classifier,
            updated.rescoring,
            updated.counts,
            updated.generation,
            stages=profile(job.watch.stages, _limits(job)),
            ingested=updated.ingested,
        )
        report = write_report(described, job.settings.reports)
        advance(1)
    job.store.record_report(
        job.run_id,
        str(report.resolve()),
        {stage: round(seconds, 3) for stage, seconds in job.watch.seconds.items()},
    )
    return report
