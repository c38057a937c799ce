"""The pairs that a run recorded, beside its generation: the next one compares with them, and SQL hands rows out slowly.

The artifact ``indexes/pairs/NAME/`` has the numbers of the questions of each pair, its distance and its probability.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from dedup.artifacts import manifest_with, remove, writing
from dedup.store import RecordedPairs

_FOLDER = "pairs"
_COLUMNS = ("left", "right", "distance", "probability")
_FACTS: Mapping[str, object] = {"format": 1}


def save_pairs(folder: Path, name: str, pairs: RecordedPairs) -> None:
    """Keep the pairs that a run is about to record, under its generation's name."""
    with writing(folder / _FOLDER / name, dict(_FACTS)) as beside:
        for column in _COLUMNS:
            np.save(beside / f"{column}.npy", getattr(pairs, column))


def forget_pairs(folder: Path, name: str) -> None:
    """Remove what was kept under a generation's name, where what is on record is not what it was."""
    remove(folder / _FOLDER / name)


def load_pairs(folder: Path, name: str) -> RecordedPairs | None:
    """Return what was kept under a generation's name; None where there is none of use.

    Raises
    ------
    ArtifactDamaged
        If a file is missing, cut short or altered.
    """
    path = folder / _FOLDER / name
    if manifest_with(path, _FACTS) is None:
        return None
    return RecordedPairs(
        *(np.asarray(np.load(path / f"{column}.npy", mmap_mode="r", allow_pickle=False)) for column in _COLUMNS)
    )
