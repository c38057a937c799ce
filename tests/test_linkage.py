"""Parts grow as if every link were decided by itself, one after the other, however many are looked at together."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from oracles import as_pairs, clustered_unit_rows, pairs_within

from dedup import linkage
from dedup.classifier import Classifier, Feature
from dedup.features import Described
from dedup.linkage import grow, lowest_between
from dedup.matching import Matcher
from dedup.questions import NATURAL_PRIOR, Float64, Int64, Metric

metrics = pytest.mark.parametrize("metric", list(Metric))


def matcher_of(metric: Metric, seed: int, rows: int) -> Matcher:
    """Return a matcher in which some pairs are surer than nearer ones."""
    vectors = clustered_unit_rows(seed, rows, 8, groups=12, spread=0.5)
    crowded = np.random.default_rng(seed).uniform(0.5, 1.5, rows).astype(np.float32)
    slope = {Metric.EUCLIDEAN: 6.0, Metric.MANHATTAN: 2.4}[metric]
    crowding = Feature("crowding", 3.0, 1.0, 0.6, 1.4)
    classifier = Classifier("made up", "f" * 64, metric, slope, -3.0, (crowding,), NATURAL_PRIOR, {})
    return Matcher(vectors, Described(crowded, None, None), classifier)


def every_probability(matcher: Matcher) -> Float64:
    left, right = np.triu_indices(len(matcher.embeddings), 1)
    matrix = np.ones((len(matcher.embeddings), len(matcher.embeddings)))
    matrix[left, right] = matrix[right, left] = matcher.between(left, right)
    return matrix


def links_of(matcher: Matcher, threshold: float) -> tuple[Int64, Int64]:
    """Return the pairs of at least a probability, the surest first."""
    pairs = as_pairs(pairs_within(matcher.embeddings, matcher.classifier.metric, np.inf))
    probability = matcher.judge(pairs)
    order = np.argsort(-probability, kind="stable")
    linked = order[probability[order] >= threshold]
    return pairs.left[linked], pairs.right[linked]


def one_by_one(probability: Float64, left: Int64, right: Int64, floor: float) -> set[frozenset[int]]:
    part = {row: frozenset([row]) for row in range(len(probability))}
    for one, other in zip(left.tolist(), right.tolist(), strict=True):
        a, b = part[one], part[other]
        if a != b and probability[np.ix_(sorted(a), sorted(b))].min() >= floor:
            part.update(dict.fromkeys(a | b, a | b))
    return set(part.values())


@metrics
@pytest.mark.parametrize(("window", "thinned", "pairs"), [(1 << 16, 16, 1 << 17), (1, 16, 7), (50, 1, 40)])
@pytest.mark.parametrize("floor", [0.1, 0.3, 0.5])
def test_parts_are_those_of_one_link_after_the_other(
    metric: Metric, window: int, thinned: int, pairs: int, floor: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("_WINDOW", window), ("_THINNED", thinned), ("_PAIRS", pairs)):
        monkeypatch.setattr(linkage, name, value)
    matcher = matcher_of(metric, 1, 150)
    left, right = links_of(matcher, 0.5)
    probability = every_probability(matcher)
    expected = one_by_one(probability, left, right, floor)
    grown = grow(matcher, left, right, floor)
    found = {name: frozenset(np.flatnonzero(grown.part == name).tolist()) for name in np.unique(grown.part).tolist()}
    assert set(found.values()) == expected
    assert 10 < len(expected) < 140
    assert max(map(len, expected)) > 4
    for name, rows in found.items():
        assert name in rows
        assert grown.weakest[name] == min((probability[pair] for pair in combinations(sorted(rows), 2)), default=1.0)


@metrics
def test_a_part_of_more_rows_than_are_looked_at_first_keeps_out_the_stranger_of_one_of_them(metric: Metric) -> None:
    """Of a hundred rows on a line only the last is a stranger to the one beyond the other end."""
    line = np.linspace(0, 1, 101, dtype=np.float32)[:, None]
    classifier = Classifier("made up", "f" * 64, metric, 2.0, 0.0, (), NATURAL_PRIOR, {})
    matcher = Matcher(line, Described(None, None, None), classifier)
    in_a_row = np.arange(1, 99)
    left, right = np.append(in_a_row, 0), np.append(in_a_row + 1, 1)  # the last link is that of row 0
    floor = float(1 / (1 + np.exp(2 * 0.985)))
    part = grow(matcher, left, right, floor).part
    assert len(set(part[1:100].tolist())) == 1
    assert part[0] != part[1]


@metrics
@pytest.mark.parametrize("pairs", [1, 5, 1 << 17])
def test_the_lowest_between_parts_is_that_of_brute_force(
    metric: Metric, pairs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linkage, "_PAIRS", pairs)
    matcher = matcher_of(metric, 2, 60)
    probability = every_probability(matcher)
    random = np.random.default_rng(3)
    parts = [np.split(random.permutation(60)[: 2 + at], [1 + at // 2]) for at in range(20)]
    found = lowest_between(matcher, [(one, other) for one, other in parts])
    assert found.tolist() == [probability[np.ix_(one, other)].min() for one, other in parts]
