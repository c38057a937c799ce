"""The pairs that a run recorded, beside its generation: what of them is otherwise by now, and nothing else, is written.

SQL hands rows out slowly, and by the numbers of questions they stand in another order each night. By the rows of texts,
which are in the order of their keys, the pairs of two nights are in the same order, and one pass tells them apart.

The artifact ``indexes/pairs/NAME/`` has the text keys of the rows, the question that stands for each, the rows of each
pair, its distance and probability, and the exact copies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dedup.artifacts import manifest_with, remove, writing
from dedup.collapse import Texts, as_question_pairs
from dedup.cores import spread
from dedup.memory import opened, spacious
from dedup.questions import Float32, Float64, Int64, Keys, Pairs, places_of, rows_of
from dedup.store import RecordedPairs
from dedup.text import NORMALISER_VERSION

_FOLDER = "pairs"
_KEYS, _REPRESENTATIVE, _ENDS, _COPIES = "keys.npy", "representative.npy", "ends.npy", "copies.npy"
_DISTANCE, _PROBABILITY = "distance.npy", "probability.npy"
_FACTS: Mapping[str, object] = {"format": 2, "normaliser_version": NORMALISER_VERSION}
_CHUNK = 1 << 19  # pairs compared at once


@dataclass(frozen=True, slots=True)
class KnownPairs:
    """What an earlier run recorded, by the n rows of its texts."""

    keys: Keys  # (n,) ascending
    representative: Int64  # (n,) as in `Texts`
    ends: NDArray[np.int32]  # (2, n_pairs) rows, left < right, sorted by (left, right)
    distance: Float32  # (n_pairs,)
    probability: Float64  # (n_pairs,)
    copies: RecordedPairs  # exact copies, each with the question that stands for its text


@dataclass(frozen=True, slots=True)
class PairChanges:
    """Where the pairs of now differ from those of an earlier run; a pair that is in none of these is as it was."""

    earlier: RecordedPairs  # those of then that are gone or otherwise, whoever has deleted them since
    before: RecordedPairs  # of these, those that are still on record
    after: RecordedPairs  # those of now that are new or otherwise


def pair_changes(
    known: KnownPairs,
    texts: Texts,
    ids: Int64,
    pairs: Pairs,
    probability: Float64,
    *,
    thresholds: tuple[float, float],
    clustered: Int64,
) -> PairChanges:
    """Compare the pairs of now with those of an earlier run.

    Parameters
    ----------
    ids
        (n_questions,) as `collapse` took them.
    pairs, probability
        By the rows of ``texts``.
    thresholds
        From which probability on a pair is a duplicate: then, and now. One that has become a duplicate, or is none any
        more, is otherwise.
    clustered
        (m,) ascending: the questions that are in clusters on record. One that was deleted, or got another text, since
        then has left its cluster, with its pairs.
    """
    row = rows_of(texts.keys, known.keys)
    same = row >= 0
    same[same] = texts.representative[row[same]] == known.representative[same]
    recorded = places_of(clustered, known.representative) >= 0
    stands = same & recorded
    n = len(texts.keys)
    was, now = (np.zeros(count, dtype=bool) for count in (len(known.probability), len(probability)))

    def compare(start: int) -> None:
        left, right = known.ends[:, start : start + _CHUNK]
        some = start + np.flatnonzero(stands[left] & stands[right])
        if not len(some):
            return
        then = row[known.ends[0, some]] * np.int64(n) + row[known.ends[1, some]]
        first, last = np.searchsorted(pairs.left, [then[0] // n, then[-1] // n + 1])
        there = pairs.left[first:last] * np.int64(n) + pairs.right[first:last]
        at = places_of(there, then)
        found = at >= 0
        some, at = some[found], first + at[found]
        before, after = known.probability[some], probability[at]
        unchanged = (before == after) & (known.distance[some] == pairs.distance[at])
        unchanged &= (before >= thresholds[0]) == (after >= thresholds[1])
        was[some[unchanged]], now[at[unchanged]] = True, True

    for _ in spread(compare, range(0, len(known.probability), _CHUNK)):
        pass
    gone, new = np.flatnonzero(~was), np.flatnonzero(~now)
    left, right = known.ends[:, gone].astype(np.int64)
    earlier = Pairs(left, right, known.distance[gone])
    still = recorded[earlier.left] & recorded[earlier.right]
    of_copies = known.copies
    kept = (places_of(clustered, of_copies.left) >= 0) & (places_of(clustered, of_copies.right) >= 0)
    representative = known.representative
    sure = known.probability[gone]
    after = Pairs(pairs.left[new], pairs.right[new], pairs.distance[new])
    return PairChanges(
        earlier=_recorded(representative, earlier, sure, of_copies),
        before=_recorded(representative, earlier.where(still), sure[still], _where(of_copies, kept)),
        after=as_question_pairs(texts, ids, after, probability[new]),
    )


def save_pairs(folder: Path, name: str, texts: Texts, ids: Int64, pairs: Pairs, probability: Float64) -> None:
    """Keep the pairs that a run is about to record, as `pair_changes` takes them, under its generation's name."""
    ends = spacious((2, len(pairs)), np.int32)
    ends[0], ends[1] = pairs.left, pairs.right
    copies = _copies(texts, ids)
    with writing(folder / _FOLDER / name, dict(_FACTS)) as beside:
        np.save(beside / _KEYS, texts.keys)
        np.save(beside / _REPRESENTATIVE, texts.representative)
        np.save(beside / _ENDS, ends)
        np.save(beside / _DISTANCE, pairs.distance)
        np.save(beside / _PROBABILITY, probability)
        np.save(beside / _COPIES, np.stack([copies.left, copies.right]))


def forget_pairs(folder: Path, name: str) -> None:
    """Remove what was kept under a generation's name, where what is on record is not what it was."""
    remove(folder / _FOLDER / name)


def load_pairs(folder: Path, name: str) -> KnownPairs | None:
    """Return what was kept under a generation's name; None where there is none of use.

    Raises
    ------
    ArtifactDamaged
        If a file is missing, cut short or altered.
    """
    path = folder / _FOLDER / name
    if manifest_with(path, _FACTS) is None:
        return None
    left, right = np.load(path / _COPIES, allow_pickle=False)
    copies = RecordedPairs(left, right, np.zeros(len(left), dtype=np.float32), np.ones(len(left)))
    keys, representative, ends, distance, probability = (
        np.asarray(opened(path / file)) for file in (_KEYS, _REPRESENTATIVE, _ENDS, _DISTANCE, _PROBABILITY)
    )
    return KnownPairs(keys, representative, ends, distance, probability, copies)


def _copies(texts: Texts, ids: Int64) -> RecordedPairs:
    none = np.empty(0, dtype=np.int64)
    nothing = Pairs(none, none, np.empty(0, dtype=np.float32))
    return as_question_pairs(texts, ids, nothing, np.empty(0))


def _recorded(representative: Int64, pairs: Pairs, probability: Float64, copies: RecordedPairs) -> RecordedPairs:
    """Return pairs of rows, and exact copies, by the numbers of their questions."""
    one, other = representative[pairs.left], representative[pairs.right]
    left = np.concatenate([np.minimum(one, other), copies.left])
    right = np.concatenate([np.maximum(one, other), copies.right])
    order = np.lexsort((right, left))
    distance = np.concatenate([pairs.distance, copies.distance])
    return RecordedPairs(
        left[order], right[order], distance[order], np.concatenate([probability, copies.probability])[order]
    )


def _where(pairs: RecordedPairs, kept: NDArray[np.bool_]) -> RecordedPairs:
    return RecordedPairs(pairs.left[kept], pairs.right[kept], pairs.distance[kept], pairs.probability[kept])
