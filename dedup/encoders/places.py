"""Where each row's vector lies on disk, and vectors read from there.

A vector is stored once, in the segment it came with (`dedup.encoders.vectors`); whoever needs the vectors of a corpus
in the order of its rows keeps their places, eight bytes each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dedup.artifacts import MANIFEST, read_manifest
from dedup.errors import ArtifactDamaged
from dedup.memory import opened, set_aside, spacious
from dedup.questions import Float32, Int64, Keys

VECTORS = "vectors"
"""The folder of all encoders' vectors, beside the generations of the indexes that refer to them."""

SEGMENT_KEYS, SEGMENT_VECTORS = "keys.npy", "vectors.npy"


@dataclass(frozen=True, slots=True)
class Places:
    """Where the vectors of n rows lie."""

    segments: tuple[str, ...]  # names of folders
    at: NDArray[np.int32]  # (n, 2): which of the segments, and which row of it


class StoredVectors:
    """Vectors by row number, read from the segments that hold them; a segment is opened when it is first needed."""

    def __init__(self, folder: Path, fingerprint: str, places: Places) -> None:
        self._folder = folder
        self._fingerprint = fingerprint
        self._places = places
        self._open: dict[int, Float32] = {}

    def __len__(self) -> int:
        return len(self._places.at)

    def __getitem__(self, rows: Int64, /) -> Float32:
        """Return the vectors of ``rows``, (len(rows), dimension) float32.

        Raises
        ------
        ArtifactDamaged
            If a segment is missing, cut short or altered.
        """
        at = self._places.at[rows]
        if not len(at):
            return np.empty((0, 0), dtype=np.float32)
        by_segment = np.argsort(at[:, 0], kind="stable")
        segment, row = at[by_segment].T
        starts = [0, *(np.flatnonzero(np.diff(segment)) + 1).tolist(), len(segment)]
        parts = [self._segment(int(segment[start]))[row[start:end]] for start, end in pairwise(starts)]
        found = np.empty((len(at), parts[0].shape[1]), dtype=np.float32)
        found[by_segment] = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return found

    def _segment(self, number: int) -> Float32:
        if number not in self._open:
            # As a plain array: a few rows of a memmap take longer to be made one than to be read.
            self._open[number] = np.asarray(
                open_segment(self._folder / self._places.segments[number], self._fingerprint)
            )
        return self._open[number]


def segment_folder(folder: Path, fingerprint: str) -> Path:
    """Return where the segments of an encoder's vectors are, below ``folder``."""
    return folder / fingerprint[:32]


def stored_segments(indexes: Path) -> list[Path]:
    """Return the folders of all segments below a folder of indexes, of all encoders, in order."""
    return sorted(path for path in (indexes / VECTORS).glob("*/segment-*") if path.is_dir())


def stored_keys(path: Path) -> Keys:
    """Return the text keys of a segment's rows, (n,) S16, ascending; ArtifactDamaged where it is damaged."""
    read_manifest(path)
    keys: Keys = np.load(path / SEGMENT_KEYS, allow_pickle=False)
    return keys


def open_segment(path: Path, fingerprint: str) -> Float32:
    """Return the vectors of a segment, memory-mapped, (n, d); its files have been checked.

    Raises
    ------
    ArtifactDamaged
        If it is missing, damaged, or holds another encoder's vectors.
    """
    if not (path / MANIFEST).is_file():
        raise ArtifactDamaged(f"{path} is not there, and holds vectors of the index; run `dedup run` to make it again")
    manifest = read_manifest(path)
    vectors: Float32 = opened(path / SEGMENT_VECTORS)
    if manifest.get("fingerprint") != fingerprint or vectors.ndim != 2:
        raise ArtifactDamaged(f"{path} holds another encoder's vectors; delete it, its texts are encoded again")
    return vectors


def in_row_order(places: Places, segments: Sequence[Float32]) -> Float32:
    """Return the vectors of all places, (n, d) float32, in one array."""
    gathered = spacious((len(places.at), segments[0].shape[1]), np.float32)
    for number, vectors in enumerate(segments):
        here = np.flatnonzero(places.at[:, 0] == number)
        gathered[here] = vectors[places.at[here, 1]]
        set_aside(vectors)
    return gathered
