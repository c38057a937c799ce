"""What every shard of a comparison has to know: where the files are, and what is compared how."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import make_url

from dedup.classifier import Classifier
from dedup.engines import OpenQueue, WorkFolder, require_engine
from dedup.features import Background, background_of, needs_texts
from dedup.join import Cutoff, Known
from dedup.matching import Matcher
from dedup.questions import Metric
from dedup.settings import EngineKind, Settings
from dedup.shards.columns import as_arrays

BACKGROUND = "background.arrow"


def in_shards(settings: Settings) -> bool:
    """Tell whether a corpus is compared by workers, shard by shard; else it is by threads of this process, at once."""
    return settings.engine is not EngineKind.LOCAL or settings.workers > 0


def work_folder(settings: Settings) -> WorkFolder:
    """Return the folder through which shards of a database are handed on.

    Jobs on one database exclude each other: what is in its folder is the work of this job, or of one that was stopped.
    """
    return _of_all(settings).of(_of_database(settings.db))


def require_shards(settings: Settings, task_queue: OpenQueue | None = None) -> None:
    """Make sure, before any work, that shards can be handed on and worked on; EngineError where they cannot."""
    require_engine(settings, task_queue)
    _of_all(settings).require()


def _of_all(settings: Settings) -> WorkFolder:
    """Return the folder that those of all databases are in."""
    place = settings.work_dir or str(settings.indexes / "work")
    if "://" not in place:
        place = str(Path(place).resolve())  # workers may have another current folder
    return WorkFolder(place)


def _of_database(db: str) -> str:
    """Return a name for the database of a URL, whatever the user and the password."""
    url = make_url(db)
    if url.get_backend_name() == "sqlite":
        url = url.set(database=str(Path(url.database or "").resolve()))
    named = (url.get_backend_name(), url.host, url.port, url.database, sorted(url.query.items()))
    return hashlib.sha256(repr(named).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class ShardContext:
    """How a corpus is compared, shard by shard; what is a function of it and of the corpus is in its folder."""

    work: WorkFolder
    classifier: Classifier
    candidate_floor: float
    margin: float  # how much farther than needed is looked around each row
    rows: int  # of the corpus
    shards: int
    shard_size: int
    in_cells: bool

    @property
    def metric(self) -> Metric:
        """The distance."""
        return self.classifier.metric

    def cutoffs(self, matcher: Matcher) -> tuple[Cutoff, Cutoff]:
        """Return how far apart a candidate of the matcher's rows may be, and how far it is looked."""
        cutoff, rows = matcher.cutoff(self.candidate_floor), len(matcher.embeddings)
        return cutoff, Known.nothing(rows).covering(cutoff, np.ones(rows, dtype=bool), self.margin)

    def vectors(self, number: int) -> str:
        """Return the file of a shard's keys and vectors, and texts where they are needed."""
        return f"vectors-{number:06d}.arrow"

    def described(self, number: int) -> str:
        """Return the file of what else is known of a shard's questions."""
        return f"described-{number:06d}.arrow"


@lru_cache(maxsize=1)
def background(work: WorkFolder, with_texts: bool) -> Background:
    """Return what the corpus of a folder is seen against; a worker keeps the last one."""
    sample = as_arrays(work.read(BACKGROUND))
    return background_of(sample["key"], sample["vector"], texts_of(sample) if with_texts else None)


def background_for(context: ShardContext) -> Background:
    """Return what the corpus is seen against, as far as its classifier looks at it."""
    return background(context.work, needs_texts(context.classifier.feature_names))


def texts_of(columns: dict[str, Any]) -> list[str]:
    """Return the normalised texts of columns."""
    return [text.decode("utf-8", "surrogatepass") for text in columns["text"]]


def texts_column(texts: list[str]) -> list[bytes]:
    """Return texts as a column, lone surrogates included."""
    return [text.encode("utf-8", "surrogatepass") for text in texts]
