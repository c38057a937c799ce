"""A job: the only one of its kind while it runs, and in the book from its start to its end, whatever ends it."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dedup.artifacts import require_writable
from dedup.engines import shown_uri
from dedup.errors import DedupError, ExitCode, StoreError, exit_code
from dedup.locks import FileLock, Holder, Lock, holding
from dedup.logs import logged_as
from dedup.memory import mapping_to
from dedup.metrics import Ended, write_metrics
from dedup.progress import Progress, Stopwatch
from dedup.report import run_name
from dedup.retention import remove_unpublished, retain
from dedup.settings import IndexKind, Settings
from dedup.store import KILLED, RunKind, RunRecord, RunState, Store, database_lock

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """A run under way: where it records, what it was asked for, and its clock."""

    store: Store
    run_id: int
    settings: Settings
    watch: Stopwatch
    started: datetime
    clock: float

    @property
    def rejects_file(self) -> Path:
        """Where rejected rows are kept, if there are any."""
        return self.settings.reports / f"rejects-{run_name(self.run_id, self.started)}.csv"


@contextmanager
def running(kind: RunKind, settings: Settings, *, wait: float, progress: Progress) -> Iterator[Job]:
    """Give a job that is recorded as running, alone on its database and in its indexes folder, until the context ends.

    An exception ends it as failed, with the reason; the caller records what it found. Where ``settings.metrics_file``
    is set, how the job ended is written there, also where it could not begin. Runs that were killed before are recorded
    as such, and what they wrote and never put in service goes; when the job is done, what is past its time is removed.

    Raises
    ------
    Locked
        If another job still works there after ``wait`` seconds.
    DedupError
        Where the folders cannot be written to, or the database cannot be used.
    """
    watch = Stopwatch(progress)
    with _measured(settings, watch):
        for folder in (settings.indexes, settings.reports):
            require_writable(folder)
        locks = job_locks(settings)
        with holding(locks, f"dedup {kind}", wait=wait, progress=watch), Store.open(settings.db) as store:
            if settings.index is IndexKind.PGVECTOR:
                store.require_vectors()
            for killed in store.fail_killed_runs():
                log.warning("run %d had been killed; it is recorded as failed, and what it did is kept", killed)
            remove_unpublished(store, settings.indexes)
            run_id = store.start_run(kind, settings.metric, settings.threshold, recorded_settings(settings, store))
            with logged_as(run_id), mapping_to(settings.indexes):
                try:
                    yield Job(store, run_id, settings, watch, datetime.now(UTC), time.perf_counter())
                except BaseException as error:
                    with suppress(StoreError):  # a database that is gone must not hide what went wrong
                        said = "interrupted" if isinstance(error, KeyboardInterrupt) else str(error)
                        store.fail_run(run_id, said or type(error).__name__)
                    raise
                _retain(store, settings)


@contextmanager
def alone(settings: Settings, command: str, *, wait: float, progress: Progress) -> Iterator[None]:
    """Hold the locks of jobs until the context ends, for what changes things and is no run; Locked as in `running`."""
    require_writable(settings.indexes)
    with holding(job_locks(settings), command, wait=wait, progress=progress):
        yield


def _retain(store: Store, settings: Settings) -> None:
    try:
        retain(store, settings)
    except (DedupError, OSError) as error:  # the job is done all the same, and the next one tries again
        log.warning("what is past its time could not be removed: %s", error)


def job_locks(settings: Settings) -> tuple[Lock, Lock]:
    """Return what a job holds: the lock of its indexes folder, then that of its database.

    Two databases may share a folder, but not two jobs: the one would remove vectors and generations that are the
    other's. Those who read need neither.
    """
    folder = FileLock(settings.indexes / ".lock", f"the indexes folder {settings.indexes}")
    return folder, database_lock(settings.db)


def last_run(store: Store, settings: Settings) -> tuple[RunRecord | None, Holder | None]:
    """Return the run that began last, and who holds the lock of the database: the job under way, if there is one.

    A run that never ended and that nobody is at any more is returned as the failed one it is; the next job records it.
    """
    last = store.last_run()
    holder = database_lock(settings.db).holder()
    if last is None or last.state is not RunState.RUNNING or holder is not None:
        return last, holder
    last = store.run(last.id)  # it may have ended between the two questions
    return (replace(last, state=RunState.FAILED, error=KILLED) if last.state is RunState.RUNNING else last), None


def recorded_settings(settings: Settings, store: Store) -> dict[str, Any]:
    """Return the settings as JSON can say them, addresses without passwords and keys."""
    plain = {
        name: value if value is None or isinstance(value, int | float) else str(value)
        for name, value in asdict(settings).items()
    }
    work_dir = None if settings.work_dir is None else shown_uri(settings.work_dir)
    return {**plain, "db": store.display_url, "work_dir": work_dir}


@contextmanager
def _measured(settings: Settings, watch: Stopwatch) -> Iterator[None]:
    """Write the metrics when the context ends, however it does."""
    file, start = settings.metrics_file, time.perf_counter()
    if file is None:
        yield
        return
    require_writable(file.parent)
    try:
        yield
    except BaseException as error:
        with suppress(DedupError):  # a disk that is full must not hide what went wrong
            _write_metrics(file, settings, exit_code(error), start, watch)
        raise
    _write_metrics(file, settings, ExitCode.DONE, start, watch)


def _write_metrics(file: Path, settings: Settings, code: ExitCode, start: float, watch: Stopwatch) -> None:
    ended = Ended(code, datetime.now(UTC), time.perf_counter() - start, watch.seconds)
    try:
        with Store.open(settings.db, create=False) as store:
            write_metrics(file, ended, store)
    except StoreError:
        write_metrics(file, ended, None)
