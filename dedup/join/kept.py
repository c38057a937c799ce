"""A join on disk, beside the generation that came of it: what the next one need not look for again.

The artifact ``indexes/joined/NAME/`` has the text keys of the rows, the pairs, their distances and the cut-off within
which all of them are known. It is about vectors and their distances alone: another classifier can go on from it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dedup.artifacts import manifest_with, writing
from dedup.join.cutoff import Cutoff
from dedup.join.joining import Joined
from dedup.join.known import Known, moved
from dedup.memory import spacious
from dedup.questions import Keys, Metric, Pairs, rows_of
from dedup.text import NORMALISER_VERSION

FORMAT = 1
FOLDER = "joined"
_KEYS, _ENDS, _DISTANCE, _SHORTFALL = "keys.npy", "ends.npy", "distance.npy", "shortfall.npy"


def save_join(folder: Path, name: str, keys: Keys, joined: Joined, *, fingerprint: str, metric: Metric) -> None:
    """Keep what was found among the rows of ``keys``, (n,) ascending, under a generation's name."""
    facts = {**_facts(fingerprint, metric), "cutoff": joined.covered.distance, "pairs": len(joined.pairs)}
    ends = spacious((2, len(joined.pairs)), np.int32)
    ends[0], ends[1] = joined.pairs.left, joined.pairs.right
    with writing(folder / FOLDER / name, facts) as beside:
        np.save(beside / _KEYS, keys)
        np.save(beside / _ENDS, ends)
        np.save(beside / _DISTANCE, joined.pairs.distance)
        np.save(beside / _SHORTFALL, joined.covered.shortfalls(len(keys)))


def load_join(folder: Path, name: str, keys: Keys, *, fingerprint: str, metric: Metric) -> Known | None:
    """Return what a generation's join found, by the rows of ``keys``, (n,) ascending; None where there is none of use.

    Raises
    ------
    ArtifactDamaged
        If a file is missing, cut short or altered.
    """
    path = folder / FOLDER / name
    if (manifest := manifest_with(path, _facts(fingerprint, metric))) is None:
        return None
    then, ends, distance, shortfall = (
        np.load(path / file, allow_pickle=False) for file in (_KEYS, _ENDS, _DISTANCE, _SHORTFALL)
    )
    left, right = ends.astype(np.int64)
    pairs = Pairs(left, right, distance)
    return moved(pairs, Cutoff(float(manifest["cutoff"]), shortfall), rows_of(keys, then), len(keys))


def _facts(fingerprint: str, metric: Metric) -> dict[str, object]:
    return {
        "format": FORMAT,
        "fingerprint": fingerprint,
        "metric": str(metric),
        "normaliser_version": NORMALISER_VERSION,
    }
