"""What people decided about pairs of texts, as constraints on any clustering: these belong together, those never do.

A decision is about two texts, by their keys, so it holds for every copy of them, whatever encoder, index and run come
after. Confirmed pairs chain: what is confirmed with one of two confirmed texts belongs with both. A rejected pair
inside such a chain is a contradiction; which of the decisions is wrong cannot be told, so none of that chain is applied
until a person has mended it, and both are shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from dedup.questions import Float64, Int64, Keys, Pairs, rows_of
from dedup.text import key_array

if TYPE_CHECKING:  # for those who only record decisions, matching would take a fifth of a second to load
    from dedup.matching import Matcher, RescoredPairs


@dataclass(frozen=True, slots=True)
class Decisions:
    """Decided pairs of texts, by their keys; ``left`` and ``right`` of one array are the pairs of the other."""

    same: tuple[Keys, Keys]  # (n,) each
    different: tuple[Keys, Keys]  # (m,) each

    def __len__(self) -> int:
        return len(self.same[0]) + len(self.different[0])


@dataclass(frozen=True, slots=True)
class Constraints:
    """Decisions as rows of a corpus, without those that contradict each other.

    ``group[row]`` is a number that rows share which must be in one cluster; the rows of each of ``apart`` never are.
    """

    group: Int64  # (n_rows,)
    apart: Int64  # (k, 2) rows
    contradicted: Int64  # (c, 2) rows of rejected pairs whose texts confirmed ones hold together


def constraints(decisions: Decisions, keys: Keys) -> Constraints:
    """Return what decisions say of a corpus whose rows are the texts of ``keys``, ascending; of other texts nothing."""
    same, different = (_rows(pair, keys) for pair in (decisions.same, decisions.different))
    group = _joined(same, len(keys))
    inside = group[different[:, 0]] == group[different[:, 1]]
    if inside.any():
        undecided = np.isin(group[same[:, 0]], group[different[inside, 0]])
        group = _joined(same[~undecided], len(keys))
    return Constraints(group, different[~inside], different[inside])


@dataclass(frozen=True, slots=True)
class Applied:
    """A matcher that knows what was decided, and the pairs as it judges them."""

    matcher: Matcher
    pairs: Pairs
    probability: Float64  # (n_pairs,)


def apply(constrained: Constraints, matcher: Matcher, pairs: Pairs, probability: Float64) -> Applied:
    """Judge decided pairs as they were decided, whatever the classifier says of them.

    Every two rows of a group have the probability 1, and are among the pairs; rejected ones have 0, and are not. All
    others stay under 1. Clusters that grow along the surest pairs first, and in which no pair is under a floor above 0,
    then have each group in one of them and no rejected pair.
    """
    from dedup.distance import pair_distances

    rows = len(matcher.embeddings)
    together = _within(constrained.group)
    together_at, apart_at = _places(together, rows), _places(constrained.apart, rows)
    at = pairs.left * rows + pairs.right
    kept = ~np.isin(at, apart_at)
    together = np.stack(np.divmod(together_at, rows), axis=1)
    new = ~np.isin(together_at, at)
    left = np.concatenate([pairs.left[kept], together[new, 0]])
    right = np.concatenate([pairs.right[kept], together[new, 1]])
    measured = pair_distances(matcher.embeddings, together[new, 0], together[new, 1], matcher.classifier.metric)
    far = np.concatenate([pairs.distance[kept], measured])
    sure = np.concatenate([np.minimum(probability[kept], np.nextafter(1.0, 0.0)), np.ones(int(new.sum()))])
    order = np.lexsort((right, left))
    found = Pairs(left[order], right[order], far[order])
    judged = np.where(np.isin(found.left * rows + found.right, together_at), 1.0, sure[order])
    return Applied(replace(matcher, rescored=_over(matcher.rescored, together_at, apart_at)), found, judged)


def _over(before: RescoredPairs | None, together: Int64, apart: Int64) -> RescoredPairs:
    """Lay what was decided over what was judged again."""
    from dedup.matching import RescoredPairs

    place = np.concatenate([together, apart])
    probability = np.concatenate([np.ones(len(together)), np.zeros(len(apart))])
    if before is not None:
        others = ~np.isin(before.place, place)
        place = np.concatenate([place, before.place[others]])
        probability = np.concatenate([probability, before.probability[others]])
    place, first = np.unique(place, return_index=True)
    return RescoredPairs(place, probability[first])


def _within(group: Int64) -> Int64:
    """Return every two rows that share a group, (n, 2), the smaller first."""
    order = np.argsort(group, kind="stable")
    _, start, size = np.unique(group[order], return_index=True, return_counts=True)
    pairs = [
        np.stack(np.triu_indices(length, 1), axis=1) + begin
        for begin, length in zip(start[size > 1].tolist(), size[size > 1].tolist(), strict=True)
    ]
    if not pairs:
        return np.empty((0, 2), dtype=np.int64)
    found: Int64 = order[np.concatenate(pairs)].astype(np.int64)
    return found


def _places(pairs: Int64, rows: int) -> Int64:
    """Return pairs as numbers in the order of (smaller row, larger row), each once."""
    return np.unique(pairs.min(axis=1) * rows + pairs.max(axis=1)) if len(pairs) else np.empty(0, dtype=np.int64)


def _rows(pair: tuple[Keys, Keys], keys: Keys) -> Int64:
    """Return the rows of pairs of which both texts are there, (n, 2), without those of one and the same text."""
    rows = np.stack([rows_of(keys, side) for side in pair], axis=1)
    found: Int64 = rows[(rows >= 0).all(axis=1) & (rows[:, 0] != rows[:, 1])]
    return found


def _joined(pairs: Int64, rows: int) -> Int64:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(pairs), dtype=bool), (pairs[:, 0], pairs[:, 1])), shape=(rows, rows))
    group: Int64 = connected_components(graph, directed=False)[1].astype(np.int64)
    return group


def decided(verdicts: Sequence[tuple[bytes, bytes, bool]]) -> Decisions:
    """Return verdicts on pairs of text keys, each with whether they ask the same, as `Decisions`."""
    same, different = ([each[:2] for each in verdicts if each[2] is wanted] for wanted in (True, False))
    return Decisions(_sides(same), _sides(different))


def _sides(pairs: Sequence[tuple[bytes, bytes]]) -> tuple[Keys, Keys]:
    return key_array(left for left, _ in pairs), key_array(right for _, right in pairs)
