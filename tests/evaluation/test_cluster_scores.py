"""Clusterings against slow and obviously right scores."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from oracles import repeatable

from dedup.errors import EvaluationError
from dedup.evaluation import ClusterEvaluation, evaluate_clusters, evaluate_labelled_clusters
from dedup.evaluation.clusters import b_cubed
from dedup.questions import Int64


def partitions(most: int) -> st.SearchStrategy[tuple[Int64, Int64]]:
    """Draw two clusterings of the same questions."""
    return st.integers(2, most).flatmap(
        lambda n: st.tuples(*(arrays.arrays(np.int64, n, elements=st.integers(0, 5)) for _ in range(2)))
    )


def slow_b_cubed(cluster: Int64, gold: Int64) -> tuple[float, float]:
    """Read Bagga and Baldwin's definition aloud, question by question."""
    precision = recall = 0.0
    for question in range(len(cluster)):
        own = {other for other in range(len(cluster)) if cluster[other] == cluster[question]}
        true = {other for other in range(len(cluster)) if gold[other] == gold[question]}
        precision += len(own & true) / len(own)
        recall += len(own & true) / len(true)
    return precision / len(cluster), recall / len(cluster)


def slow_pairwise(cluster: Int64, gold: Int64) -> tuple[float, float]:
    found = {(a, b) for a, b in combinations(range(len(cluster)), 2) if cluster[a] == cluster[b]}
    true = {(a, b) for a, b in combinations(range(len(gold)), 2) if gold[a] == gold[b]}
    return len(found & true) / len(found) if found else 0.0, len(found & true) / len(true)


def harmonic(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@repeatable
@given(partitions(24))
def test_b_cubed_is_that_of_its_definition(drawn: tuple[Int64, Int64]) -> None:
    precision, recall = b_cubed(*drawn)
    assert (precision.mean(), recall.mean()) == pytest.approx(slow_b_cubed(*drawn))
    assert b_cubed(drawn[1], drawn[0])[0] == pytest.approx(recall)  # the one is the other's reverse


def test_b_cubed_of_the_textbook_example() -> None:
    """Five, two and five of a kind, of which the last five were joined with the two or with the first five."""
    gold = np.repeat([0, 1, 2], [5, 2, 5])
    assert b_cubed(np.repeat([0, 1, 1], [5, 2, 5]), gold)[0].mean() == pytest.approx(16 / 21)
    assert b_cubed(np.repeat([0, 1, 0], [5, 2, 5]), gold)[0].mean() == pytest.approx(7 / 12)


@repeatable
@given(partitions(24))
def test_labelled_clusters_are_scored_over_all_their_pairs(drawn: tuple[Int64, Int64]) -> None:
    cluster, gold = drawn
    sizes = np.bincount(gold)
    assume(1 < (sizes > 0).sum() < len(gold))
    found = evaluate_labelled_clusters(cluster, gold, clusters=3, resamples=5)
    precision, recall = slow_pairwise(cluster, gold)
    assert found.pairwise == pytest.approx(
        {"precision": precision, "recall": recall, "f1": harmonic(precision, recall)}
    )
    expected = slow_b_cubed(cluster, gold)
    assert found.b_cubed == pytest.approx({"precision": expected[0], "recall": expected[1], "f1": harmonic(*expected)})
    assert found.n == len(gold) * (len(gold) - 1) // 2
    assert found.positives == sum(int(size) * (int(size) - 1) // 2 for size in sizes)
    assert found.prior == pytest.approx(found.positives / found.n)
    assert found.clusters == 3


def test_a_resample_of_labelled_clusters_is_scored_as_its_questions_are() -> None:
    random = np.random.default_rng(1)
    gold, cluster = np.repeat(np.arange(12), 4), random.integers(0, 15, 48)
    from dedup.evaluation.clusters import _Contingency

    chosen = np.array([0, 3, 4, 8, 11])
    drawn = np.isin(np.arange(12), chosen).astype(float)[None]
    inside = np.isin(gold, chosen)
    precision, recall = slow_pairwise(cluster[inside], gold[inside])
    found = _Contingency(cluster, gold).pairwise(drawn)
    assert (found["precision"][0], found["recall"][0]) == pytest.approx((precision, recall))


def judged(
    cluster: Int64, left: list[int], right: list[int], duplicate: list[bool], prior: float = 0.369
) -> ClusterEvaluation:
    questions = len(cluster)
    return evaluate_clusters(
        np.asarray(cluster),
        left=np.array(left),
        right=np.array(right),
        duplicate=np.array(duplicate),
        gold=np.arange(questions),
        component=np.arange(questions),
        prior=prior,
        clusters=1,
        resamples=20,
    )


@repeatable
@given(st.data(), st.floats(0.01, 0.99))
def test_labelled_pairs_are_weighted_to_the_prior(data: st.DataObject, prior: float) -> None:
    cluster = data.draw(arrays.arrays(np.int64, 12, elements=st.integers(0, 4)))
    ends = st.tuples(st.integers(0, 11), st.integers(0, 11), st.booleans())
    pairs = data.draw(st.lists(ends, min_size=2, max_size=40))
    labels = [label for *_, label in pairs]
    assume(0 < sum(labels) < len(labels))
    together = [cluster[left] == cluster[right] for left, right, _ in pairs]
    recall = np.mean([joined for joined, label in zip(together, labels, strict=True) if label])
    mistaken = np.mean([joined for joined, label in zip(together, labels, strict=True) if not label])
    precision = prior * recall / (prior * recall + (1 - prior) * mistaken) if recall else 0.0
    found = judged(cluster, [left for left, *_ in pairs], [right for _, right, _ in pairs], labels, prior)
    assert found.pairwise == pytest.approx(
        {"precision": precision, "recall": recall, "f1": harmonic(precision, recall)}
    )


def test_a_perfect_clustering_scores_one_and_is_sure_of_it() -> None:
    gold = np.repeat(np.arange(10), 3)
    found = evaluate_labelled_clusters(gold * 7, gold, clusters=10)
    for scores, intervals in (
        (found.pairwise, found.pairwise_intervals),
        (found.b_cubed, found.b_cubed_intervals),
    ):
        assert set(scores.values()) == {1.0}
        assert set(intervals.values()) == {(1.0, 1.0)}


def test_intervals_are_of_components_and_not_of_pairs() -> None:
    """Thirty labels, of which each nine share their questions, are no more than a third of as many."""
    random = np.random.default_rng(2)
    cluster = random.integers(0, 2, 80)
    left, right = np.arange(0, 80, 2), np.arange(1, 80, 2)
    duplicate = random.random(40) < 0.5
    settings = {"prior": 0.369, "clusters": 2, "resamples": 400}
    once = evaluate_clusters(
        cluster,
        left=left,
        right=right,
        duplicate=duplicate,
        gold=np.arange(80) // 2,
        component=np.arange(80) // 2,
        **settings,
    )
    copied = evaluate_clusters(
        cluster,
        left=np.tile(left, 9),
        right=np.tile(right, 9),
        duplicate=np.tile(duplicate, 9),
        gold=np.arange(80) // 2,
        component=np.arange(80) // 2,
        **settings,
    )
    for name, ends in once.pairwise_intervals.items():
        assert copied.pairwise_intervals[name] == pytest.approx(ends), name
    assert copied.b_cubed_intervals == once.b_cubed_intervals


@pytest.mark.parametrize("gold", [[1, 1, 1], [1, 2, 3]])
def test_labels_that_part_nothing_are_refused(gold: list[int]) -> None:
    with pytest.raises(EvaluationError, match="give several clusters, and of two or more"):
        evaluate_labelled_clusters(np.arange(3), np.array(gold), clusters=0)


def test_pairs_of_one_class_are_refused() -> None:
    with pytest.raises(EvaluationError, match="give labels of both kinds"):
        judged(np.arange(4), [0, 2], [1, 3], [True, True])
