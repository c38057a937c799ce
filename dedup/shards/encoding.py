"""Encoding a corpus shard by shard, into the store of vectors."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from dedup.encoders import Encoder, VectorStore, load_encoder
from dedup.encoders.vectors import TextsOf
from dedup.engines import Engine, WorkFolder
from dedup.progress import Progress
from dedup.questions import Keys, Metric
from dedup.settings import Settings
from dedup.shards.columns import as_arrays, as_batch
from dedup.shards.course import work_folder
from dedup.text import key_array


@dataclass(frozen=True, slots=True)
class EncodeShard:
    """The texts of a shard to be encoded, by the name of their file."""

    name: str
    work: WorkFolder
    encoder: str
    fingerprint: str
    metric: Metric
    batch_size: int

    @property
    def encoded(self) -> str:
        """The file of the vectors."""
        return f"{self.name}-encoded.arrow"

    @property
    def texts(self) -> str:
        """The file of the keys and the normalised texts."""
        return f"{self.name}-texts.arrow"


def encode_shard(task: EncodeShard) -> EncodeShard:
    """Encode the texts of a shard, the longest first: those of one batch are then of one length."""
    if task.work.has(task.encoded):
        return task
    shard = as_arrays(task.work.read(task.texts))
    texts = [text.decode("utf-8", "surrogatepass") for text in shard["text"]]
    order = np.array(sorted(range(len(texts)), key=lambda i: len(texts[i]), reverse=True), dtype=np.int64)
    encoder = _encoder(task.encoder, task.metric, task.batch_size)
    vectors = encoder.encode([texts[i] for i in order])
    task.work.write(task.encoded, [as_batch({"key": shard["key"][order], "vector": vectors})])
    return task


def encode_in_shards(
    encoder: Encoder,
    store: VectorStore,
    keys: Keys,
    texts_of: TextsOf,
    settings: Settings,
    engine: Engine,
    progress: Progress,
) -> int:
    """Encode the texts of those ``keys`` (distinct, ascending) that have no vector yet; return how many they were.

    What a worker has encoded is on disk at once, and goes into the store when it comes back: after a kill, nothing but
    the shards under way is encoded again.
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
            found, texts = list[bytes](), list[bytes]()
            for some_keys, some_texts in texts_of(some):
                found += some_keys
                texts += [text.encode("utf-8", "surrogatepass") for text in some_texts]
            folder.write(task.texts, [as_batch({"key": key_array(found), "text": texts})])
        tasks.append(task)
    with progress.stage("encode", "questions", total=len(missing)) as advance:
        for task in engine.map(encode_shard, tasks):
            shard = as_arrays(folder.read(task.encoded))
            store.append(shard["key"], shard["vector"])
            advance(len(shard["key"]))
    folder.remove()
    return len(missing)


@lru_cache(maxsize=1)
def _encoder(name: str, metric: Metric, batch_size: int) -> Encoder:
    return load_encoder(name, metric, batch_size=batch_size)
