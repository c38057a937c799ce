"""The nearest reference vectors of a corpus, going on from what was looked up for an earlier one.

Of each text a few more than are used are kept, in the artifact ``indexes/near/NAME/``. From one corpus to the next a
few reference vectors come and a few go. Those that came are measured against everything; one that went leaves a gap,
and while enough are left that are certainly nearer than all that were never listed, the rest stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dedup.artifacts import manifest_with, writing
from dedup.cores import spread
from dedup.distance import squared_distances
from dedup.memory import spacious
from dedup.progress import Advance
from dedup.questions import Float32, Int64, Keys, rows_of
from dedup.reference.nearest import NEAREST, REFERENCE_SIZE, Near, nearest_reference
from dedup.text import NORMALISER_VERSION

KEPT = 48
"""How many are listed for each text: with one reference vector in a hundred replaced a night, half a one is lost."""

_FORMAT = 1
_FOLDER = "near"
_KEYS, _REFERENCE, _ROW, _SQUARED = "keys.npy", "reference_keys.npy", "row.npy", "squared.npy"
_WORTH = 8  # where more than one reference vector in so many is new, all is looked up anew
_BLOCK = 4096  # vectors at once
_SLACK = 1e-4  # of a squared distance by products, in single precision, of unit vectors: well beyond its error
_NOTHING = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class KnownNear:
    """What was looked up for an earlier corpus of n texts.

    Every reference vector that is not listed for a text is at least as far as the last of its list. A place of a list
    without a reference vector has the row -1.
    """

    keys: Keys  # (n,) ascending
    reference: Keys  # (m,) ascending
    near: Near  # (n, KEPT)


def nearest_known(
    keys: Keys, embeddings: Float32, known: KnownNear | None, advance: Advance = lambda _count: None
) -> Near:
    """Return the `KEPT` reference vectors nearest to each text of a corpus, by (n,) ascending keys; fewer of fewer.

    The first `NEAREST` of them are what `nearest_reference` finds, bit for bit; those after them are a list as
    `KnownNear` describes it.
    """
    reference = keys[:REFERENCE_SIZE]
    if known is None or not _alike(reference, known.reference):
        return nearest_reference(embeddings, embeddings[:REFERENCE_SIZE], advance, KEPT)
    amending = _Amending(embeddings, known, rows_of(reference, known.reference), rows_of(known.keys, keys))
    near = Near(spacious((len(keys), KEPT), np.int16), spacious((len(keys), KEPT), np.float32), len(reference))

    def amend(start: int) -> tuple[int, Int64]:
        rows = np.arange(start, min(start + _BLOCK, len(keys)))
        near.row[rows], near.squared[rows], whole = amending.lists(rows)
        return int(whole.sum()), rows[~whole]

    again: list[Int64] = []
    for done, unsettled in spread(amend, range(0, len(keys), _BLOCK)):
        again.append(unsettled)
        advance(done)
    rows = np.concatenate(again)
    found = nearest_reference(embeddings[rows], embeddings[:REFERENCE_SIZE], advance, KEPT)
    near.row[rows], near.squared[rows] = found.row, found.squared
    return near


def save_near(folder: Path, name: str, keys: Keys, near: Near, *, fingerprint: str) -> None:
    """Keep what `nearest_known` returned for the texts of ``keys`` under a generation's name."""
    with writing(folder / _FOLDER / name, _facts(fingerprint)) as beside:
        np.save(beside / _KEYS, keys)
        np.save(beside / _REFERENCE, keys[:REFERENCE_SIZE])
        np.save(beside / _ROW, near.row)
        np.save(beside / _SQUARED, near.squared)


def load_near(folder: Path, name: str, *, fingerprint: str) -> KnownNear | None:
    """Return what was kept under a generation's name; None where there is none of use.

    Raises
    ------
    ArtifactDamaged
        If a file is missing, cut short or altered.
    """
    path = folder / _FOLDER / name
    if manifest_with(path, _facts(fingerprint)) is None:
        return None
    keys, reference, row, squared = (
        np.load(path / file, mmap_mode="r", allow_pickle=False) for file in (_KEYS, _REFERENCE, _ROW, _SQUARED)
    )
    near = Near(np.asarray(row), np.asarray(squared), len(reference))
    return KnownNear(np.asarray(keys), np.asarray(reference), near)


def _alike(now: Keys, then: Keys) -> bool:
    came = len(now) - len(np.intersect1d(now, then, assume_unique=True))
    return len(now) == len(then) == REFERENCE_SIZE and came * _WORTH <= len(now)


class _Amending:
    """Brings lists of then in line with the reference of now."""

    def __init__(self, embeddings: Float32, known: KnownNear, place: Int64, row_then: Int64) -> None:
        self._embeddings = embeddings
        self._known = known.near
        self._place = np.append(place, -1)  # of each reference vector of then among those of now; -1: gone, or none
        self._row_then = row_then
        self._came = np.setdiff1d(np.arange(REFERENCE_SIZE), place)
        self._vectors = np.ascontiguousarray(embeddings[self._came], dtype=np.float32)
        self._lengths = np.einsum("nd,nd->n", self._vectors, self._vectors)

    def lists(self, rows: Int64) -> tuple[NDArray[np.int64], Float32, NDArray[np.bool_]]:
        """Return the lists of some rows, (r, KEPT) places and squared distances, and which of them are settled."""
        then = self._row_then[rows]
        listed = self._place[self._known.row[then].astype(np.int64)]
        squared = self._known.squared[then]
        radius = squared[:, -1]
        one, other, apart = self._newcomers(rows, radius)
        count = np.bincount(one, minlength=len(rows))
        ranked = np.full((len(rows), KEPT + int(count.max(initial=0))), _NOTHING)
        ranked[:, :KEPT] = np.where(listed >= 0, _ranked(squared, listed), _NOTHING)
        ranked[one, KEPT + np.arange(len(one)) - np.repeat(np.cumsum(count) - count, count)] = _ranked(apart, other)
        ranked.sort(axis=1)
        ranked = ranked[:, :KEPT]
        place = np.where(ranked == _NOTHING, -1, ranked & 0xFFFFFFFF)
        found = np.where(ranked == _NOTHING, radius[:, None], (ranked >> 32).astype(np.int32).view(np.float32)).astype(
            np.float32, copy=False
        )
        settled = (then >= 0) & (place[:, NEAREST - 1] >= 0) & (found[:, NEAREST - 1] < radius)
        return place, found, settled

    def _newcomers(self, rows: Int64, radius: Float32) -> tuple[Int64, Int64, Float32]:
        """Return the reference vectors that came, nearer than the radius of a row: (row of these, place, squared)."""
        asked = np.ascontiguousarray(self._embeddings[rows], dtype=np.float32)
        about = np.einsum("nd,nd->n", asked, asked)[:, None] + self._lengths - 2 * (asked @ self._vectors.T)
        one, other = map(np.ascontiguousarray, np.nonzero(about < radius[:, None] + np.float32(_SLACK)))
        squared = squared_distances(asked, self._vectors, one, other)
        nearer = squared < radius[one]
        return one[nearer], self._came[other[nearer]], squared[nearer]


def _ranked(squared: Float32, place: NDArray[np.integer]) -> Int64:
    """Return one number for each, the distance above the place: the bits of a number >= 0 are in its order."""
    bits = np.ascontiguousarray(squared, dtype=np.float32).view(np.int32).astype(np.int64)
    ranked: Int64 = bits << 32 | place
    return ranked


def _facts(fingerprint: str) -> dict[str, object]:
    return {"format": _FORMAT, "fingerprint": fingerprint, "normaliser_version": NORMALISER_VERSION}
