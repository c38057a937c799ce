"""What is past its time is removed: index generations, vectors, reports, and runs in the book.

Nothing that is in service, and nothing that is referred to: by a recorded question, pair, cluster or label, by a
generation that stays, or by another database's generation in the same folder.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np

from dedup.artifacts import remove
from dedup.encoders import stored_keys, stored_segments
from dedup.errors import ArtifactDamaged
from dedup.index import generation_names, needed_segments
from dedup.report import run_name
from dedup.settings import Settings
from dedup.sharing import forget, present_generations
from dedup.store import OldRun, Store

log = logging.getLogger(__name__)

_FILES = ("run-{}.html", "rejects-{}.csv")
_START_SECONDS = 3  # a run is in the book a moment before its files are named by their start


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was removed, by name."""

    generations: tuple[str, ...]
    segments: tuple[str, ...]  # of vectors: ENCODER/SEGMENT


def retain(store: Store, settings: Settings) -> None:
    """Remove what is past its time by the settings; only for whoever holds the locks of jobs."""
    prune_generations(store, settings.indexes, settings.keep_generations)
    old = store.old_runs(settings.keep_runs)
    _remove_files(old, settings.reports)
    present = present_generations(store, settings.indexes)
    gone = [name for name in store.superseded_generations() if name not in present]
    forgotten = store.forget_runs([run.id for run in old], gone)
    if forgotten:
        log.info("%d runs are past their time and left the book", len(forgotten))


def remove_unpublished(store: Store, indexes: Path) -> None:
    """Remove what jobs wrote that ended before they put it in service; only for whoever holds the locks of jobs."""
    names = store.unpublished_generations()
    if names:
        forget(store, indexes, names)
        store.forget_unpublished()
        log.info("removed what was written and never put in service: %s", ", ".join(names))


def prune_generations(store: Store, indexes: Path, keep: int) -> Pruned:
    """Remove this database's generations beyond the newest ``keep``, the one in service among them, and idle vectors.

    A segment of vectors is idle where no generation in the folder needs it and none of its texts is recorded.
    """
    present = present_generations(store, indexes)
    superseded = store.superseded_generations()
    going = [name for name in superseded if name in present][keep - 1 :]
    published = store.published_generation()
    on_record = {*superseded, *([] if published is None else [published.name])}
    forget(store, indexes, [*going, *(name for name in store.shared_generations() if name not in on_record)])
    return Pruned(tuple(going), tuple(_remove_idle_segments(store, indexes)))


def _remove_idle_segments(store: Store, indexes: Path) -> list[str]:
    try:
        needed = {segment for name in generation_names(indexes) for segment in needed_segments(indexes, name)}
        unneeded = [segment for segment in stored_segments(indexes) if segment not in needed]
        if not unneeded:
            return []
        recorded = store.text_keys()
        idle = [segment for segment in unneeded if not np.isin(stored_keys(segment), recorded).any()]
    except ArtifactDamaged as error:  # nobody knows what it needs
        log.warning("%s; no vectors are removed, see `dedup doctor`", str(error).split(";")[0])
        return []
    for segment in idle:
        remove(segment)
    return [f"{segment.parent.name}/{segment.name}" for segment in idle]


def _remove_files(runs: Sequence[OldRun], reports: Path) -> None:
    for run in runs:
        for late in range(_START_SECONDS):
            name = run_name(run.id, run.started_at + timedelta(seconds=late))
            for file in _FILES:
                (reports / file.format(name)).unlink(missing_ok=True)
