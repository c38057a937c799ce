"""Ids stay where most of a cluster stays, and what became of the others is said, with the pair that caused it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup.continuity import changed_duplicates, cluster_events, keep_ids
from dedup.store import EventKind, Recorded, RecordedClusters, RecordedPairs

Parts = list[list[int]]


def clusters_of(parts: Parts, ids: list[int] | None = None) -> RecordedClusters:
    """Return clusters of questions, the first of each the canonical one, numbered from 1 if nothing else is said."""
    ids = ids or list(range(1, len(parts) + 1))
    questions = [(question, id_) for part, id_ in zip(parts, ids, strict=True) for question in part]
    return RecordedClusters(
        np.array([question for question, _ in questions], dtype=np.int64),
        np.array([id_ for _, id_ in questions], dtype=np.int64),
        np.ones(len(questions)),
        np.array(ids, dtype=np.int64),
        np.array([part[0] for part in parts], dtype=np.int64),
        np.array([len(part) for part in parts], dtype=np.int64),
        np.ones(len(parts)),
    )


def pairs_of(found: dict[tuple[int, int], float]) -> RecordedPairs:
    left, right = (np.array([pair[at] for pair in sorted(found)], dtype=np.int64) for at in (0, 1))
    return RecordedPairs(left, right, np.zeros(len(found)), np.array([found[pair] for pair in sorted(found)]))


def recorded(parts: Parts, ids: list[int], pairs: dict[tuple[int, int], float] | None = None) -> Recorded:
    return Recorded(1, 0.5, pairs_of(pairs or {}), clusters_of(parts, ids), max(ids, default=0) + 1)


def named(kept: RecordedClusters) -> dict[int, set[int]]:
    found: dict[int, set[int]] = {}
    for question, id_ in zip(kept.question.tolist(), kept.cluster.tolist(), strict=True):
        found.setdefault(id_, set()).add(question)
    return found


@pytest.mark.parametrize(
    ("before", "ids", "now", "expected"),
    [
        ([[1, 2, 3], [4]], [7, 9], [[4], [1, 2, 3]], {7: {1, 2, 3}, 9: {4}}),
        ([[1, 2, 3]], [7], [[1], [2, 3]], {7: {2, 3}, 8: {1}}),  # most of it
        ([[1, 2]], [7], [[2], [1]], {7: {1}, 8: {2}}),  # of two halves the canonical question's
        ([[1, 2], [3, 4, 5]], [2, 7], [[1, 2, 3, 4, 5]], {7: {1, 2, 3, 4, 5}}),  # the larger share
        ([[1, 2], [3, 4]], [2, 7], [[1, 2, 3, 4]], {2: {1, 2, 3, 4}}),  # of equal shares the older id
        ([[1, 2, 3, 4, 5]], [7], [[1, 2], [3, 4], [5]], {8: {1, 2}, 9: {3, 4}, 10: {5}}),  # no part is half of it
        ([[1, 2, 3]], [7], [[3], [8, 9]], {7: {3}, 8: {8, 9}}),  # what is left of it
        ([], [], [[1], [2, 3]], {1: {1}, 2: {2, 3}}),
    ],
)
def test_an_id_stays_with_most_of_its_cluster(before: Parts, ids: list[int], now: Parts, expected: dict) -> None:
    assert named(keep_ids(recorded(before, ids), clusters_of(now))) == expected


@st.composite
def partitions(draw: st.DrawFn) -> Parts:
    label = draw(st.lists(st.integers(0, 6), min_size=1, max_size=14))
    asked = sorted(draw(st.sets(st.integers(1, 14), min_size=len(label), max_size=len(label))))
    parts: dict[int, list[int]] = {}
    for question, part in zip(asked, label, strict=True):
        parts.setdefault(part, []).append(question)
    return list(parts.values())


@given(before=partitions(), now=partitions())
def test_whatever_happens_no_id_is_given_twice_and_a_majority_keeps_its_own(before: Parts, now: Parts) -> None:
    ids = [3 * n + 2 for n in range(len(before))]
    old, kept = recorded(before, ids), keep_ids(recorded(before, ids), clusters_of(now))
    after = named(kept)
    assert sorted(map(sorted, after.values())) == sorted(map(sorted, now))
    asked = {question for part in now for question in part}
    for id_, members in after.items():
        if id_ in ids:  # an old id is with at least half of those of its questions that are left
            was = set(before[ids.index(id_)]) & asked
            assert 2 * len(was & members) >= len(was) > 0
        else:
            assert id_ >= old.next_cluster
    for part, id_ in zip(before, ids, strict=True):
        was = set(part) & asked
        holder = [name for name, members in after.items() if was and 2 * len(was & members) > len(was)]
        rivals = [len(set(other) & after[holder[0]]) for other in before if other is not part] if holder else []
        if holder and len(was & after[holder[0]]) > max(rivals, default=0):
            assert holder == [id_]


def events(before: Recorded, now: RecordedClusters, pairs: dict[tuple[int, int], float]) -> list[tuple]:
    found = cluster_events(before, now, pairs_of(pairs), 0.5)
    return list(
        zip(
            found.kind,
            *(column.tolist() for column in (found.cluster, found.into, found.left, found.right)),
            strict=True,
        )
    )


def test_a_merger_is_caused_by_the_surest_pair_that_joins_the_two() -> None:
    before = recorded([[1, 2], [3, 4, 5]], [2, 7], {(1, 2): 0.9, (3, 4): 0.9})
    now = keep_ids(before, clusters_of([[1, 2, 3, 4, 5]]))
    pairs = {(1, 2): 0.9, (1, 3): 0.6, (2, 4): 0.8, (2, 5): 0.4, (3, 4): 0.9}
    assert events(before, now, pairs) == [(EventKind.MERGED, 2, 7, 2, 4)]


def test_a_split_is_caused_by_the_surest_pair_that_is_none_any_more() -> None:
    before = recorded([[1, 2, 3, 4, 5]], [7], {(1, 2): 0.9, (2, 3): 0.7, (3, 4): 0.8, (1, 4): 0.6, (3, 5): 0.9})
    now = keep_ids(before, clusters_of([[1, 2, 5], [3, 4]]))
    assert events(before, now, {(1, 2): 0.9, (3, 4): 0.9, (1, 4): 0.3}) == [(EventKind.SPLIT, 7, 8, 3, 5)]


def test_a_cluster_of_which_nothing_is_left_is_gone_and_single_questions_make_no_events() -> None:
    before = recorded([[1, 2], [3], [4]], [7, 8, 9])
    assert events(before, keep_ids(before, clusters_of([[3, 4]])), {(3, 4): 0.9}) == [(EventKind.GONE, 7, 0, 0, 0)]


def test_duplicates_that_are_new_or_lost_are_told_by_either_runs_threshold() -> None:
    before = recorded([[1], [2], [3]], [1, 2, 3], {(1, 2): 0.6, (1, 3): 0.4, (2, 3): 0.9})
    changed = changed_duplicates(before, pairs_of({(1, 2): 0.6, (1, 3): 0.8, (2, 9): 0.95}), 0.7)
    assert list(zip(changed.left.tolist(), changed.right.tolist(), changed.duplicate.tolist(), strict=True)) == [
        (1, 2, False),
        (1, 3, True),
        (2, 3, False),
        (2, 9, True),
    ]
    first = Recorded(None, 0.5, pairs_of({}), clusters_of([]), 1)
    assert len(changed_duplicates(first, pairs_of({(1, 2): 0.9}), 0.5).left) == 0
