"""Dumps into the store: in batches, with every rejected row counted and kept."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from dedup.dumps import DumpOptions, read_dump
from dedup.errors import DedupError, RowError
from dedup.progress import Progress
from dedup.questions import Label, Question, Rejected
from dedup.store import Store

# A batch is one transaction: large ones touch each page of the database's indexes once, but have to fit in memory.
_BATCH_QUESTIONS = 50_000
_BATCH_CHARACTERS = 16 << 20


class OnError(StrEnum):
    """What a row at fault does: it is set aside, or it ends the run."""

    REJECT = "reject"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of the rows of some dumps."""

    read: int  # questions, rejected rows included
    added: int
    changed: int  # known by their id, with another text than before
    labels: int  # new ones
    rejected: Mapping[str, int]  # reason -> rows
    rejects_file: Path | None  # None where nothing was rejected


def ingest(
    store: Store,
    run_id: int,
    dumps: Sequence[str],
    options: DumpOptions,
    *,
    on_error: OnError,
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
    taken = added = changed = labels = 0
    with _Rejects(rejects_file, on_error) as rejects, progress.stage("read", "questions") as advance:
        for dump in dumps:
            for questions, judged in _batches(dump, options, rejects):
                recorded = store.record_questions(run_id, questions)
                for question in recorded.conflicts:
                    rejects.add(_conflict(dump, question))
                labels += store.record_labels(run_id, dump, judged)
                added += recorded.added
                changed += recorded.changed
                taken += len(questions) - len(recorded.conflicts)
                advance(len(questions))
    return Ingested(
        read=taken + rejects.reasons.total(),
        added=added,
        changed=changed,
        labels=labels,
        rejected=dict(rejects.reasons.most_common()),
        rejects_file=rejects_file if rejects.reasons else None,
    )


def _batches(dump: str, options: DumpOptions, rejects: _Rejects) -> Iterator[tuple[list[Question], list[Label]]]:
    questions: list[Question] = []
    labels: list[Label] = []
    characters = 0
    for record in read_dump(dump, options):
        match record:
            case Question():
                questions.append(record)
                characters += len(record.text)
            case Label():
                labels.append(record)
            case Rejected():
                rejects.add(record)
        if len(questions) + len(labels) >= _BATCH_QUESTIONS or characters >= _BATCH_CHARACTERS:
            yield questions, labels
            questions, labels, characters = [], [], 0
    yield questions, labels


def _conflict(dump: str, question: Question) -> Rejected:
    reason = "its id was already read with another text (a dump without an id column needs a --source of its own)"
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
                self._stream = self._file.open("w", encoding="utf-8", errors="backslashreplace", newline="")
                csv.writer(self._stream).writerow(("file", "row", "reason", "excerpt"))
            csv.writer(self._stream).writerow((rejected.file, rejected.row, rejected.reason, rejected.excerpt))
            self._stream.flush()
        except OSError as error:
            raise DedupError(
                f"{self._file} cannot be written ({error.strerror}); rejected rows are kept there: "
                "choose a writable folder with --reports"
            ) from error
