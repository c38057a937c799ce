"""Vectors kept on disk by (fingerprint, text key), so that the same text is never encoded twice.

``FOLDER/FINGERPRINT/`` holds segments: artifacts of two arrays, ``keys.npy`` (n, S16, sorted) and ``vectors.npy``
(n, d float32, memory-mapped when read). A segment is written once and never changed; a kill loses at most the one that
was being written.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from dedup.artifacts import writing
from dedup.encoders.places import (
    SEGMENT_KEYS,
    SEGMENT_VECTORS,
    Places,
    in_row_order,
    open_segment,
    segment_folder,
)
from dedup.encoders.protocol import Encoder
from dedup.errors import ArtifactDamaged
from dedup.progress import Advance, Progress
from dedup.questions import Float32, Int64, Keys, first_of_equal, key_order, rows_of
from dedup.text import key_array

_CALL_TEXTS = 4096  # encoded between two signs of progress; enough to fill rows and to keep every core busy
SEGMENT_TEXTS = 16_384
"""How many texts are encoded, at the most, before they are put on disk: what a kill can cost."""
_UNSAVED_SECONDS = 30.0

TextsOf = Callable[[Keys], Iterable[tuple[list[bytes], list[str]]]]
"""Gives, in chunks, text keys and their normalised texts."""


class VectorStore:
    """The vectors of one encoder."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self._folder = segment_folder(folder, fingerprint)
        self._fingerprint = fingerprint
        self._segments: list[Float32] = []
        self._keys: list[Keys] = []
        self._names: list[str] = []
        self._table: _Table | None = None  # of all keys; made when it is first asked
        for path in sorted(self._folder.glob("segment-*")):
            self._open(path)

    def __len__(self) -> int:
        return sum(len(keys) for keys in self._keys)

    def _open(self, path: Path) -> None:
        vectors = open_segment(path, self._fingerprint)
        keys = np.load(path / SEGMENT_KEYS, allow_pickle=False)
        length = self._segments[0].shape[1] if self._segments else vectors.shape[1]
        if vectors.shape != (len(keys), length):
            raise ArtifactDamaged(f"{path} holds another encoder's vectors; delete it, its texts are encoded again")
        self._keys.append(keys)
        self._segments.append(vectors)
        self._names.append(path.name)
        self._table = None

    def append(self, keys: Keys, vectors: Float32) -> None:
        """Keep ``vectors[i]`` as the vector of ``keys[i]``; they are on disk when this returns."""
        order = np.argsort(keys, kind="stable")
        # Numbered, so that of two segments with one key the older one is asked first, always; random, so that two
        # processes do not take one name.
        path = self._folder / f"segment-{len(self._segments):06d}-{uuid.uuid4().hex}"
        with writing(path, {"fingerprint": self._fingerprint, "dimension": vectors.shape[1]}) as beside:
            np.save(beside / SEGMENT_KEYS, keys[order])
            np.save(beside / SEGMENT_VECTORS, np.ascontiguousarray(vectors[order], dtype=np.float32))
        self._open(path)

    def missing(self, keys: Keys) -> Keys:
        """Return those of ``keys`` (distinct) that have no vector yet, in their order."""
        absent: Keys = keys[self._whole().rows(keys) < 0]
        return absent

    def places(self, keys: Keys) -> Places:
        """Return where the vectors of ``keys`` lie, in their order.

        Raises
        ------
        KeyError
            If one has no vector; `missing` tells which.
        """
        rows = self._whole().rows(keys)
        if absent := int((rows < 0).sum()):
            raise KeyError(f"{absent} text keys have no vector")
        return Places(tuple(self._names), self._whole().at[rows])

    def _whole(self) -> _Table:
        if self._table is None:
            self._table = _Table.of(self._keys)
        return self._table

    def gather(self, keys: Keys) -> Float32:
        """Return the vectors of ``keys`` (at least one): (n, dimension) float32, in their order.

        Raises
        ------
        KeyError
            If one has no vector; `missing` tells which.
        """
        return in_row_order(self.places(keys), self._segments)


@dataclass(frozen=True, slots=True)
class _Table:
    """Where each of the keys of some segments is; of two segments with one key, in the first."""

    keys: Keys  # (n,) distinct, ascending
    at: NDArray[np.int32]  # (n, 2): segment, row

    @classmethod
    def of(cls, segments: Sequence[Keys]) -> Self:
        every = np.concatenate([np.empty(0, dtype="S16"), *segments])
        at = np.empty((len(every), 2), dtype=np.int32)
        at[:, 0] = np.repeat(np.arange(len(segments)), [len(keys) for keys in segments])
        at[:, 1] = np.concatenate([np.empty(0, dtype=np.int64), *(np.arange(len(keys)) for keys in segments)])
        order = key_order(every)
        first = order[first_of_equal(every[order])]
        return cls(every[first], at[first])

    def rows(self, keys: Keys) -> Int64:
        return rows_of(self.keys, keys)


def encode_missing(encoder: Encoder, store: VectorStore, keys: Keys, texts_of: TextsOf, progress: Progress) -> int:
    """Encode the texts of those ``keys`` (distinct) that have no vector yet, and return how many they were.

    They are put on disk every `SEGMENT_TEXTS` texts and every half a minute: after a kill only what came since is
    encoded again.
    """
    missing = store.missing(keys)
    with progress.stage("encode", "questions", total=len(missing)) as advance:
        for start in range(0, len(missing), SEGMENT_TEXTS):
            chunk_keys: list[bytes] = []
            texts: list[str] = []
            for some_keys, some_texts in texts_of(missing[start : start + SEGMENT_TEXTS]):
                chunk_keys += some_keys
                texts += some_texts
            _encode_chunk(encoder, store, key_array(chunk_keys), texts, advance)
    return len(missing)


def _encode_chunk(encoder: Encoder, store: VectorStore, keys: Keys, texts: list[str], advance: Advance) -> None:
    """Encode the longest texts first, so that those of one batch are of one length and little is padded."""
    order = np.array(sorted(range(len(texts)), key=lambda i: len(texts[i]), reverse=True), dtype=np.int64)
    saved, unsaved, last = 0, list[Float32](), time.monotonic()
    try:
        for start in range(0, len(order), _CALL_TEXTS):
            some = order[start : start + _CALL_TEXTS]
            unsaved.append(encoder.encode([texts[i] for i in some]))
            if time.monotonic() - last >= _UNSAVED_SECONDS:
                encoded = start + len(some)
                store.append(keys[order[saved:encoded]], np.concatenate(unsaved))
                saved, unsaved, last = encoded, [], time.monotonic()
            advance(len(some))
    finally:  # also where it is interrupted, or the encoder fails: what is encoded is never encoded again
        if unsaved:
            encoded = saved + sum(map(len, unsaved))
            store.append(keys[order[saved:encoded]], np.concatenate(unsaved))
