"""What people decided holds, whatever the classifier says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import clustered_unit_rows

from dedup.classifier import Classifier
from dedup.clustering import cluster_pairs
from dedup.decisions import apply, constraints, decided
from dedup.features import Described
from dedup.matching import Matcher
from dedup.questions import Metric, Pairs
from dedup.text import key_array, text_key

ROWS = 24
VECTORS = clustered_unit_rows(5, ROWS, 8, groups=5, spread=0.5)
KEYS = np.sort(key_array(text_key(str(n)) for n in range(ROWS)))
CLASSIFIER = Classifier("none", "f" * 64, Metric.EUCLIDEAN, 8.0, -6.0, (), 0.369, {})
LEFT, RIGHT = np.triu_indices(ROWS, 1)

decisions_drawn = st.lists(st.tuples(st.integers(0, ROWS + 3), st.integers(0, ROWS + 3), st.booleans()), max_size=14)


def key(row: int) -> bytes:
    return bytes(KEYS[row]).ljust(16, b"\0") if row < ROWS else text_key(f"not recorded {row}")


def judged() -> tuple[Matcher, Pairs, np.ndarray]:
    matcher = Matcher(VECTORS, Described(None, None, None), CLASSIFIER)
    measured = np.linalg.norm(VECTORS[LEFT] - VECTORS[RIGHT], axis=1).astype(np.float32)
    pairs = Pairs(LEFT.astype(np.int64), RIGHT.astype(np.int64), measured)
    probability = matcher.judge(pairs)
    candidate = probability >= 0.2
    return matcher, pairs.where(candidate), probability[candidate]


@given(decisions_drawn)
@settings(max_examples=150, deadline=None)
def test_decided_pairs_are_clustered_as_decided(drawn: list[tuple[int, int, bool]]) -> None:
    found = constraints(decided([(key(a), key(b), same) for a, b, same in drawn]), KEYS)
    applied = apply(found, *judged())
    clusters = cluster_pairs(applied.matcher, applied.pairs, applied.probability, threshold=0.5, floor=0.1)
    recorded = [(a, b, same) for a, b, same in drawn if max(a, b) < ROWS and a != b]
    undecided = {int(row) for row in found.contradicted.ravel()}
    group = _components([(a, b) for a, b, same in recorded if same])
    contradicted = {group[row] for row in undecided}
    for a, b, same in recorded:
        if same and group[a] not in contradicted:
            assert clusters.label[a] == clusters.label[b]
        if not same and group[a] != group[b]:
            assert clusters.label[a] != clusters.label[b]
        assert same or (group[a] != group[b]) or {a, b} <= undecided
    for at in range(clusters.label.max() + 1):  # what the clusters promise of every two of their rows still holds
        rows = np.flatnonzero(clusters.label == at)
        one, other = np.triu_indices(len(rows), 1)
        between = applied.matcher.between(rows[one], rows[other])
        assert clusters.weakest[at] == pytest.approx(between.min(initial=1.0))
        assert between.min(initial=1.0) >= 0.1


def _components(links: list[tuple[int, int]]) -> list[int]:
    group = list(range(ROWS))
    for a, b in links:
        group = [group[a] if each == group[b] else each for each in group]
    return group


def test_without_decisions_nothing_changes() -> None:
    matcher, pairs, probability = judged()
    applied = apply(constraints(decided([]), KEYS), matcher, pairs, probability)
    np.testing.assert_array_equal(applied.pairs.left, pairs.left)
    np.testing.assert_array_equal(applied.pairs.distance, pairs.distance)
    np.testing.assert_array_equal(applied.probability, probability)


def test_a_confirmed_pair_is_one_with_its_true_distance_and_a_rejected_one_is_none() -> None:
    matcher, pairs, probability = judged()
    near = (int(pairs.left[0]), int(pairs.right[0]))
    far = (0, int(np.linalg.norm(VECTORS - VECTORS[0], axis=1).argmax()))
    verdicts = [(key(near[0]), key(near[1]), False), (key(far[1]), key(far[0]), True)]
    applied = apply(constraints(decided(verdicts), KEYS), matcher, pairs, probability)
    listed = dict(
        zip(zip(applied.pairs.left.tolist(), applied.pairs.right.tolist(), strict=True), range(999), strict=False)
    )
    assert near not in listed
    assert applied.probability[listed[far]] == 1.0
    assert applied.pairs.distance[listed[far]] == pytest.approx(np.linalg.norm(VECTORS[0] - VECTORS[far[1]]))
    assert list(applied.matcher.between(np.array([near[1], far[0]]), np.array([near[0], far[1]]))) == [0.0, 1.0]


def test_a_contradiction_is_shown_and_nothing_of_its_chain_is_applied() -> None:
    chain = [(key(0), key(9), True), (key(9), key(17), True), (key(0), key(17), False), (key(3), key(20), True)]
    found = constraints(decided(chain), KEYS)
    assert found.contradicted.tolist() == [[0, 17]]
    assert len(found.apart) == 0
    assert len({int(found.group[row]) for row in (0, 9, 17)}) == 3
    assert found.group[3] == found.group[20]
