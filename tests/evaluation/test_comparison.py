"""Differences of scores, and how sure they are."""

from __future__ import annotations

import numpy as np
import pytest
from labelled_arrays import each_its_own, made_up

from dedup.errors import EvaluationError
from dedup.evaluation import Difference, compare_pairs, evaluate_pairs, score_pairs

SETTINGS = {"prior": 0.369, "threshold": 0.5}


def test_both_sides_have_their_own_scores_and_differ_by_b_less_a() -> None:
    a, duplicate = made_up(1, n=400)
    b = np.random.default_rng(1).random(400)
    found = compare_pairs(a, b, duplicate, component=each_its_own(400), resamples=50, **SETTINGS)
    assert found.a == score_pairs(a, duplicate, **SETTINGS)
    assert found.b == score_pairs(b, duplicate, **SETTINGS)
    assert (found.n, found.positives, found.prior) == (400, int(duplicate.sum()), 0.369)
    for name, gap in found.difference.items():
        assert gap.value == found.b[name] - found.a[name]
        assert gap.low <= gap.value <= gap.high
    assert found.difference["roc_auc"].certain


def test_a_side_does_not_differ_from_itself() -> None:
    a, duplicate = made_up(2, n=300)
    found = compare_pairs(a, a, duplicate, component=each_its_own(300), resamples=50, **SETTINGS)
    assert set(found.difference.values()) == {Difference(0.0, 0.0, 0.0)}
    assert not any(gap.certain for gap in found.difference.values())


def test_the_same_resample_serves_both_so_that_a_small_difference_is_seen() -> None:
    """Two sides that make the same mistakes but for a few: either interval alone would hide it."""
    a, duplicate = made_up(3, n=2000)
    b = np.clip(a + np.where(duplicate, 0.005, -0.005), 0, 1)
    component = each_its_own(2000)
    gap = compare_pairs(a, b, duplicate, component=component, **SETTINGS).difference["average_precision"]
    low, high = evaluate_pairs(a, duplicate, component=component, **SETTINGS).intervals["average_precision"]
    assert gap.certain
    assert gap.value < (high - low) / 2
    assert gap.high - gap.low < (high - low) / 3


def test_a_difference_by_chance_is_marked_about_as_rarely_as_it_should_be() -> None:
    marked = 0
    for seed in range(40):
        random = np.random.default_rng(seed)
        duplicate = random.random(200) < 0.5
        a, b = (np.clip(random.normal(np.where(duplicate, 0.6, 0.4), 0.2), 0, 1) for _ in range(2))
        found = compare_pairs(a, b, duplicate, component=each_its_own(200), resamples=200, **SETTINGS)
        marked += found.difference["roc_auc"].certain
    assert marked <= 6


def test_one_class_is_refused() -> None:
    with pytest.raises(EvaluationError, match="give labels of both kinds"):
        compare_pairs(np.ones(3), np.ones(3), np.ones(3, bool), component=each_its_own(3), **SETTINGS)
