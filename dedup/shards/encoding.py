"""Encoding a corpus shard by shard, into the store of vectors."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from dedup.encoders import Encoder, VectorStore, load_encoder
from dedup.encoders.vectors import TextsOf
from dedup.engines import Engine, Failed, WorkFolder
from dedup.errors import DedupError, ShardFailed, first_line
from dedup.progress import Progress
from dedup.questions import Keys, Metric
from dedup.settings import OnError, Settings
from dedup.shards.columns import as_arrays, as_batch
from dedup.shards.context import texts_column, texts_of, work_folder
from dedup.text import key_array

MOST_REFUSED = 100
"""How many texts of a run are set aside for want of a vector: where there are more, it is the encoder that fails."""


@dataclass(frozen=True, slots=True)
class EncodeShard:
    """The texts of a shard to be encoded, by the name of their file."""

    shard: str
    work: WorkFolder
    encoder: str
    fingerprint: str
    metric: Metric
    batch_size: int

    @property
    def name(self) -> str:
        """See `Task.name`."""
        return f"encoding shard {self.shard}"

    @property
    def encoded(self) -> str:
        """The file of the vectors."""
        return f"{self.shard}-encoded.arrow"

    @property
    def texts(self) -> str:
        """The file of the keys and the normalised texts."""
        return f"{self.shard}-texts.arrow"


@dataclass(frozen=True, slots=True)
class Refused:
    """A text that the encoder makes no vector of, and why."""

    key: bytes
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Encoded:
    """How many texts were encoded, and which were set aside."""

    count: int
    refused: tuple[Refused, ...] = ()


def encode_shard(task: EncodeShard) -> EncodeShard | Failed:
    """Encode the texts of a shard, the longest first: those of one batch are then of one length."""
    if task.work.has(task.encoded):
        return task
    shard = as_arrays(task.work.read(task.texts))
    texts = texts_of(shard)
    order = np.array(sorted(range(len(texts)), key=lambda i: len(texts[i]), reverse=True), dtype=np.int64)
    # Which GPUs this worker has is part of the question: it may have had none when it encoded last.
    encoder = _encoder(task.encoder, task.metric, task.batch_size, os.environ.get("CUDA_VISIBLE_DEVICES"))
    try:
        vectors = encoder.encode([texts[i] for i in order])
    except DedupError as error:
        return Failed(str(error), again=False, by_content=True)
    except Exception as error:  # whatever the library raises that runs the network
        return Failed(f"{type(error).__name__}: {first_line(error)}", again=True, by_content=True)
    task.work.write(task.encoded, [as_batch({"key": shard["key"][order], "vector": vectors})])
    return task


def encode_in_shards(
    encoder: Encoder,
    store: VectorStore,
    keys: Keys,
    recorded: TextsOf,
    settings: Settings,
    engine: Engine,
    progress: Progress,
) -> Encoded:
    """Encode the texts of those ``keys`` (distinct, ascending) that have no vector yet.

    What a worker has encoded is on disk at once, and goes into the store when it comes back: after a kill, nothing but
    the shards under way is encoded again.

    Raises
    ------
    ShardFailed
        Where a shard cannot be encoded, and so many of its texts alone neither that it is not they that are at fault;
        with ``OnError.STOP``, at the first text that cannot.
    """
    missing = store.missing(keys)
    folder = work_folder(settings).of(f"encode-{encoder.fingerprint[:32]}")
    folder.sweep()
    tasks = []
    # Cut by all keys, not by the missing ones: so the shards of a run that was killed are those of the next.
    bounds = np.searchsorted(missing, keys[settings.shard_size :: settings.shard_size])
    for some in (part for part in np.split(missing, bounds) if len(part)):
        name = hashlib.sha256(some.tobytes()).hexdigest()[:32]
        task = EncodeShard(name, folder, encoder.name, encoder.fingerprint, encoder.metric, settings.batch_size)
        if not folder.has(task.texts):
            found, texts = list[bytes](), list[str]()
            for some_keys, some_texts in recorded(some):
                found += some_keys
                texts += some_texts
            folder.write(task.texts, [as_batch({"key": key_array(found), "text": texts_column(texts)})])
        tasks.append(task)
    refused: list[Refused] = []

    def divide(task: EncodeShard, failed: Failed) -> tuple[EncodeShard, ...]:
        shard = folder.read(task.texts)
        if len(shard) > 1:
            halves = (0, len(shard) // 2), (len(shard) // 2, len(shard) - len(shard) // 2)
            return tuple(_part(task, shard.slice(start, length)) for start, length in halves)
        columns = as_arrays(shard)
        text = columns["text"][0].decode("utf-8", "replace")
        if settings.on_error is OnError.STOP:
            raise ShardFailed(f"encoding {text[:60]!r}", 1, f"{failed.reason} (--on-error reject sets it aside)")
        if len(refused) == MOST_REFUSED:
            raise ShardFailed(task.name, 1, f"{failed.reason}; {MOST_REFUSED} texts failed alone before")
        refused.append(Refused(columns["key"].tobytes(), text, failed.reason))
        advance(1)
        return ()

    with progress.stage("encode", "questions", total=len(missing)) as advance:
        for task in engine.map(encode_shard, tasks, gpu=True, divide=divide):
            shard = as_arrays(folder.read(task.encoded))
            store.append(shard["key"], shard["vector"])
            advance(len(shard["key"]))
    folder.remove()
    return Encoded(len(missing) - len(refused), tuple(refused))


def _part(task: EncodeShard, texts: Any) -> EncodeShard:
    """Return the task of some of a task's texts, a record batch."""
    part = replace(task, shard=hashlib.sha256(as_arrays(texts)["key"].tobytes()).hexdigest()[:32])
    if not task.work.has(part.texts):
        task.work.write(part.texts, [texts])
    return part


@lru_cache(maxsize=1)
def _encoder(name: str, metric: Metric, batch_size: int, devices: str | None) -> Encoder:
    return load_encoder(name, metric, batch_size=batch_size)
