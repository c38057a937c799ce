"""Dumps into the store: in batches, with every rejected row counted and kept."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from dedup.cores import ahead
from dedup.dumps import DumpOptions, read_dump
from dedup.errors import DedupError, RowError
from dedup.progress import Progress
from dedup.questions import Label, Question, Rejected
from dedup.settings import OnError, Settings
from dedup.store import Given, QuestionRecord, Store, identify

# A batch is one transaction: large ones touch each page of the database's indexes once, but have to fit in memory.
_BATCH_ROWS = 50_000
_BATCH_CHARACTERS = 16 << 20


NOT_ENCODED = "the encoder makes no vector of it"
"""Why a question is rejected that was read: the rejects file has its source in place of a file, and no row."""


def dump_options(settings: Settings) -> DumpOptions:
    """Return how dumps are read under some settings."""
    return DumpOptions(
        source=settings.source,
        format=settings.format,
        id_column=settings.id_column,
        text_column=settings.text_column,
        with_body=settings.with_body,
        max_bytes=settings.max_bytes or None,
    )


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of the rows of some dumps."""

    read: int  # rows: added, changed, repeated and rejected
    added: int
    changed: int  # known by their id, with another text than before
    repeated: int  # known as they are, from an earlier run or row
    labels: int  # new ones
    rejected: Mapping[str, int]  # reason -> rows
    rejects_file: Path | None  # None where nothing was rejected

    @property
    def rejected_rows(self) -> int:
        """How many rows were rejected, for whatever reason."""
        return sum(self.rejected.values())


NOTHING_READ = Ingested(0, 0, 0, 0, 0, {}, None)
"""Where there is no dump."""


def ingest(
    store: Store,
    run_id: int,
    dumps: Sequence[str],
    settings: Settings,
    *,
    rejects_file: Path,
    progress: Progress,
) -> Ingested:
    """Record the questions and labels of ``dumps`` (paths, or "-" for standard input), in the order given.

    Raises
    ------
    RowError
        At the first row at fault, with ``OnError.STOP``.
    DumpError
        If a dump cannot be read (further); what was read before is recorded.
    """
    added = changed = repeated = labels = 0
    with _Rejects(rejects_file, settings.on_error) as rejects, progress.stage("read", "questions") as advance:
        for dump in dumps:
            batches = _batches(dump, dump_options(settings))
            # Of what is no file nobody knows when it comes: a thread that waits for it could not be stopped.
            for batch in ahead(batches) if Path(dump).is_file() else batches:
                for rejected in batch.rejected:
                    rejects.add(rejected)
                recorded = store.record_identified(run_id, batch.questions)
                for question in recorded.conflicts:
                    rejects.add(_conflict(dump, question))
                labels += store.record_labels(run_id, Path(dump).name, batch.labels)
                added += recorded.added
                changed += recorded.changed
                repeated += recorded.unchanged
                advance(len(batch.questions))
    return Ingested(
        read=added + changed + repeated + rejects.reasons.total(),
        added=added,
        changed=changed,
        repeated=repeated,
        labels=labels,
        rejected=dict(rejects.reasons.most_common()),
        rejects_file=rejects_file if rejects.reasons else None,
    )


def set_aside(ingested: Ingested, questions: Sequence[QuestionRecord], rejects_file: Path) -> Ingested:
    """Count questions that were read and cannot be encoded as rejected, and keep them in the rejects file."""
    with _Rejects(rejects_file, OnError.REJECT) as rejects:
        for question in questions:
            rejects.add(Rejected(question.source, 0, NOT_ENCODED, f"{question.id}: {question.text}"))
    return replace(
        ingested,
        added=max(0, ingested.added - len(questions)),
        rejected={**ingested.rejected, NOT_ENCODED: len(questions)},
        rejects_file=rejects_file,
    )


@dataclass(frozen=True, slots=True)
class _Batch:
    questions: Sequence[Given]
    labels: Sequence[Label]
    rejected: Sequence[Rejected]


def _batches(dump: str, options: DumpOptions) -> Iterator[_Batch]:
    questions: list[Question] = []
    labels: list[Label] = []
    rejected: list[Rejected] = []
    characters = 0
    for record in read_dump(dump, options):
        match record:
            case Question():
                questions.append(record)
                characters += len(record.text)
            case Label():
                labels.append(record)
            case Rejected():
                rejected.append(record)
        if len(questions) + len(labels) + len(rejected) >= _BATCH_ROWS or characters >= _BATCH_CHARACTERS:
            yield _Batch(identify(questions), labels, rejected)
            questions, labels, rejected, characters = [], [], [], 0
    yield _Batch(identify(questions), labels, rejected)


def _conflict(dump: str, question: Question) -> Rejected:
    reason = "its id was already read with another text (the first one stays; another site needs a --source of its own)"
    return Rejected(dump, question.row, reason, f"{question.id}: {question.text}")


class _Rejects:
    """The rejects file: made at the first reject, complete after each."""

    def __init__(self, file: Path, on_error: OnError) -> None:
        self._file = file
        self._on_error = on_error
        self._stream: TextIO | None = None
        self.reasons: Counter[str] = Counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._stream:
            self._stream.close()

    def add(self, rejected: Rejected) -> None:
        if self._on_error is OnError.STOP:
            raise RowError(
                f"{rejected.file}, row {rejected.row}: {rejected.reason}; "
                "mend the row, or run with --on-error reject to set such rows aside"
            )
        self.reasons[rejected.reason] += 1
        try:
            if self._stream is None:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                self._stream = self._file.open("a", encoding="utf-8", errors="backslashreplace", newline="")
                if not self._stream.tell():
                    csv.writer(self._stream).writerow(("file", "row", "reason", "excerpt"))
            csv.writer(self._stream).writerow((rejected.file, rejected.row, rejected.reason, rejected.excerpt))
            self._stream.flush()
        except OSError as error:
            raise DedupError(
                f"{self._file} cannot be written ({error.strerror}); rejected rows are kept there: "
                "choose a writable folder with --reports"
            ) from error
