"""Cluster ids that stay from run to run, and what became of the clusters that did not.

A cluster keeps its id where most of the questions that it had, and that are still there, are together: at least half of
them, and more than any other cluster claims. Of two halves the one with the canonical question has the claim. An id
that is free is never given again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dedup.questions import Float64, Int64, places_of
from dedup.store import (
    ChangedDuplicates,
    ClusterEvents,
    EventKind,
    Recorded,
    RecordedClusters,
    RecordedPairs,
    StoredClusters,
    pair_places,
)


@dataclass(frozen=True, slots=True)
class Shared:
    """Each two clusters, one from before and one of now, that have questions in common."""

    old: Int64  # (n,) places among the recorded clusters
    new: Int64  # (n,) places among the clusters of now
    count: Int64  # (n,) questions
    canonical: NDArray[np.bool_]  # (n,) the old one's canonical question is among them


def keep_ids(before: Recorded, clusters: RecordedClusters) -> RecordedClusters:
    """Return ``clusters`` under the ids that they had before; new ones are numbered on, in the order of their ids."""
    old, new = _Places(before.clusters), _Places(clusters)
    shared = _shared(before.clusters, clusters, old, new)
    survivors = np.bincount(shared.old, weights=shared.count, minlength=len(before.clusters.id))
    claims = np.flatnonzero(2 * shared.count >= survivors[shared.old])
    # The strongest claim of an old cluster, then the strongest on a new one: the first of each when sorted so.
    claims = claims[np.lexsort((shared.new[claims], ~shared.canonical[claims], -shared.count[claims]))]
    claims = claims[np.sort(np.unique(shared.old[claims], return_index=True)[1])]
    claims = claims[np.lexsort((shared.old[claims], -shared.count[claims]))]
    claims = claims[np.sort(np.unique(shared.new[claims], return_index=True)[1])]
    kept = np.zeros(len(clusters.id), dtype=np.int64)
    kept[shared.new[claims]] = before.clusters.id[shared.old[claims]]
    fresh = np.flatnonzero(kept == 0)
    kept[fresh[np.argsort(clusters.id[fresh])]] = before.next_cluster + np.arange(len(fresh))
    return replace(clusters, id=kept, cluster=kept[new.of(clusters.question)])


def changed_duplicates(before: Recorded, pairs: RecordedPairs, threshold: float) -> ChangedDuplicates:
    """Return which pairs are duplicates from ``threshold`` on, and were not, or the other way round.

    None where nothing was in service: of a first run everything would be new.
    """
    if before.run_id is None:
        none = np.empty(0, dtype=np.int64)
        return ChangedDuplicates(none, none, np.empty(0, dtype=bool))
    was, now = before.pairs.probability >= before.threshold, pairs.probability >= threshold
    ends = (before.pairs.left[was], before.pairs.right[was]), (pairs.left[now], pairs.right[now])
    questions = np.unique(np.concatenate([side for both in ends for side in both]))
    old, new = (pair_places(*both, questions) for both in ends)
    lost, found = np.setdiff1d(old, new, assume_unique=True), np.setdiff1d(new, old, assume_unique=True)
    place = np.concatenate([lost, found])
    in_order = np.argsort(place)
    left, right = np.divmod(place[in_order], max(1, len(questions)))
    return ChangedDuplicates(questions[left], questions[right], in_order >= len(lost))


def receiving(before: Recorded, clusters: RecordedClusters) -> NDArray[np.bool_]:
    """Tell which questions of ``clusters``, (n,), are in one that has some of another cluster of several.

    Only pairs of such questions can have caused what `cluster_events` tells. ``clusters`` are those of now, as
    `keep_ids` named them.
    """
    shared = _shared(before.clusters, clusters, _Places(before.clusters), _Places(clusters))
    elsewhere = before.clusters.id[shared.old] != clusters.id[shared.new]
    moved = elsewhere & (before.clusters.size[shared.old] >= 2)
    return np.isin(clusters.cluster, clusters.id[shared.new[moved]])


def cluster_events(
    before: Recorded, clusters: RecordedClusters, pairs: RecordedPairs, threshold: float
) -> ClusterEvents:
    """Say what became of each recorded cluster of several questions that is not all in the cluster of its id.

    A merger is caused by the most probable of the pairs that now join it with the others; a split by the most probable
    of those that held it together and are duplicates no longer.

    Parameters
    ----------
    clusters
        Those of now, as `keep_ids` named them.
    threshold
        From which probability on ``pairs`` are duplicates.
    """
    old_places, new_places = _Places(before.clusters), _Places(clusters)
    shared = _shared(before.clusters, clusters, old_places, new_places)
    several = before.clusters.size[shared.old] >= 2
    elsewhere = before.clusters.id[shared.old] != clusters.id[shared.new]
    parts = np.bincount(shared.old, minlength=len(before.clusters.id))
    moved = np.flatnonzero(several & elsewhere)
    moved = moved[np.lexsort((clusters.id[shared.new[moved]], before.clusters.id[shared.old[moved]]))]
    whole = parts[shared.old[moved]] == 1
    causes = {
        True: _mergers(pairs, threshold, old_places, new_places),
        False: _partings(before, pairs, threshold, old_places, new_places),
    }
    kind, cluster, into, cause = list[EventKind](), list[int](), list[int](), list[tuple[int, int]]()
    for old, new, is_whole in zip(shared.old[moved].tolist(), shared.new[moved].tolist(), whole.tolist(), strict=True):
        kind.append(EventKind.MERGED if is_whole else EventKind.SPLIT)
        cluster.append(int(before.clusters.id[old]))
        into.append(int(clusters.id[new]))
        cause.append(causes[is_whole].get((old, new), (0, 0)))
    gone = (parts == 0) & (before.clusters.size >= 2)
    for id_ in before.clusters.id[gone].tolist():
        kind.append(EventKind.GONE)
        cluster.append(id_)
        into.append(0)
        cause.append((0, 0))
    ends = np.array(cause, dtype=np.int64).reshape(-1, 2)
    return ClusterEvents(kind, np.array(cluster, np.int64), np.array(into, np.int64), ends[:, 0], ends[:, 1])


def _shared(before: StoredClusters, clusters: RecordedClusters, places: _Places, places_now: _Places) -> Shared:
    old, new = places.of(before.question), places_now.of(before.question)
    still = new >= 0
    both, count = np.unique(old[still] * np.int64(len(clusters.id)) + new[still], return_counts=True)
    old_place, new_place = np.divmod(both, max(1, len(clusters.id)))
    canonical = places_now.of(before.canonical)[old_place] == new_place
    return Shared(old_place, new_place, count.astype(np.int64), canonical)


def _mergers(
    pairs: RecordedPairs, threshold: float, places: _Places, places_now: _Places
) -> dict[tuple[int, int], tuple[int, int]]:
    """Return, by the places of an old and a new cluster, the surest pair that joins the one to others in the other."""
    duplicate = pairs.probability >= threshold
    left, right, probability = pairs.left[duplicate], pairs.right[duplicate], pairs.probability[duplicate]
    old, new = ((each.of(left), each.of(right)) for each in (places, places_now))
    joins = np.flatnonzero((old[0] != old[1]) & (new[0] == new[1]))
    return _surest(left, right, probability, joins, old, new)


def _partings(
    before: Recorded, pairs: RecordedPairs, threshold: float, places: _Places, places_now: _Places
) -> dict[tuple[int, int], tuple[int, int]]:
    """Return, by the places of an old and a new cluster, the surest duplicates of the one that are none any more."""
    was = before.pairs.probability >= before.threshold
    left, right, probability = before.pairs.left[was], before.pairs.right[was], before.pairs.probability[was]
    old, new = ((each.of(left), each.of(right)) for each in (places, places_now))
    apart = np.flatnonzero((old[0] == old[1]) & (new[0] != new[1]))
    ends = np.unique(np.concatenate([left[apart], right[apart]]))
    # Of the many pairs that are duplicates now, only those between these questions can be among them.
    now = np.flatnonzero((pairs.probability >= threshold) & np.isin(pairs.left, ends))
    now = now[np.isin(pairs.right[now], ends)]
    still = np.isin(pair_places(left[apart], right[apart], ends), pair_places(pairs.left[now], pairs.right[now], ends))
    return _surest(left, right, probability, apart[~still], old, new)


def _surest(
    left: Int64,
    right: Int64,
    probability: Float64,
    some: Int64,
    old: tuple[Int64, Int64],
    new: tuple[Int64, Int64],
) -> dict[tuple[int, int], tuple[int, int]]:
    """Return the most probable of ``some`` of the pairs, by the old and the new cluster of either end."""
    surest: dict[tuple[int, int], tuple[int, int]] = {}
    some = some[np.argsort(-probability[some], kind="stable")]
    for was, now in zip(old, new, strict=True):
        keys = zip(was[some].tolist(), now[some].tolist(), strict=True)
        ends = zip(left[some].tolist(), right[some].tolist(), strict=True)
        for key, both in zip(keys, ends, strict=True):
            surest.setdefault(key, both)
    return surest


class _Places:
    """Where the clusters of questions are among the ids of a clustering."""

    def __init__(self, clusters: StoredClusters) -> None:
        by_id, by_question = np.argsort(clusters.id), np.argsort(clusters.question)
        self._questions = clusters.question[by_question]
        at = np.searchsorted(clusters.id, clusters.cluster[by_question], sorter=by_id)
        self._place = by_id[np.minimum(at, len(by_id) - 1)] if len(by_id) else at

    def of(self, questions: Int64) -> Int64:
        """Return the place of each question's cluster; -1 where the question is in none."""
        at = places_of(self._questions, questions)
        if not len(self._place):
            return at
        placed: Int64 = np.where(at >= 0, self._place[at], -1)
        return placed
