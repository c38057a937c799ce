"""A jump is found, chance and slow growth are not; both figures are said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from dedup.drift import RUNS, Figures, distance_between, jumps

BINS, REACH = 48, 1.2


def figures(distances: np.ndarray, *, share: float = 0.2, prior: float | None = 0.3, reach: float = REACH) -> Figures:
    counts, _ = np.histogram(distances, bins=np.linspace(0, reach, BINS + 1))
    return Figures(share, tuple(counts.tolist()), reach, prior)


def drawn(seed: int, n: int, shape: float = 6.0) -> np.ndarray:
    return REACH * np.random.default_rng(seed).beta(shape, 2.0, n)


def test_the_first_run_is_compared_with_nothing() -> None:
    assert jumps(figures(drawn(1, 1000)), []) == []


@pytest.mark.parametrize("n", [5, 50, 500, 50_000])
def test_chance_is_no_jump(n: int) -> None:
    found = [jumps(figures(drawn(seed, n)), [figures(drawn(seed + 1000, n))]) for seed in range(200)]
    assert sum(map(bool, found)) <= 1


def test_other_distances_are_a_jump_with_both_medians() -> None:
    (jump,) = jumps(figures(drawn(1, 5000, 2.0)), [figures(drawn(2, 5000))])
    assert jump.figure == "median distance of candidate pairs"
    assert jump.before == pytest.approx(np.median(drawn(2, 5000)), abs=0.01)
    assert jump.now == pytest.approx(np.median(drawn(1, 5000, 2.0)), abs=0.01)
    assert str(jump) == f"median distance of candidate pairs: {jump.now:.4g}, in the runs before {jump.before:.4g}"


def test_another_share_of_duplicates_is_a_jump_against_the_median_of_the_runs_before() -> None:
    same = drawn(1, 1000)
    before = [figures(same, share=share) for share in (0.9, 0.21, 0.2, 0.2, 0.19)]  # one night was strange
    assert jumps(figures(same, share=0.21), before) == []
    (jump,) = jumps(figures(same, share=0.3), before)
    assert (jump.figure, jump.before, jump.now) == ("share of duplicates", 0.2, 0.3)


def test_a_corpus_that_grows_into_another_does_not_jump() -> None:
    before: list[Figures] = []
    for night in range(60):
        now = figures(drawn(night, 2000, 6.0 - night / 20), share=0.2 + night / 400, prior=0.3 + night / 400)
        assert jumps(now, before) == []
        before.insert(0, now)
    assert jumps(now, [before[-1]]), "though it is another by then"


def test_only_the_last_runs_count() -> None:
    same = drawn(1, 1000)
    assert jumps(figures(same, share=0.5), [figures(same, share=0.5)] * RUNS + [figures(same, share=0.1)] * 50) == []


def test_another_estimated_prior_is_a_jump_and_one_that_is_not_known_is_none() -> None:
    same = drawn(1, 1000)
    (jump,) = jumps(figures(same, prior=0.05), [figures(same, prior=0.3)])
    assert (jump.figure, jump.before, jump.now) == ("share of duplicates among candidate pairs", 0.3, 0.05)
    assert jumps(figures(same, prior=None), [figures(same, prior=0.3)]) == []
    assert jumps(figures(same, prior=0.05), [figures(same, prior=None)]) == []


@given(st.integers(0, 10**6), st.floats(1.0, 8.0), st.floats(1.0, 8.0))
def test_the_distance_of_histograms_is_that_of_the_samples(seed: int, one: float, other: float) -> None:
    first, second = drawn(seed, 3000, one), drawn(seed + 1, 3000, other)
    exact = ks_2samp(first, second).statistic
    assert distance_between(figures(first), figures(second)) == pytest.approx(exact, abs=0.03)


def test_what_reaches_farther_is_compared_as_far_as_both_reach() -> None:
    wide = REACH * 2 * np.random.default_rng(5).random(40_000)
    near = wide[wide <= REACH]
    assert distance_between(figures(wide, reach=2 * REACH), figures(near)) < 0.01


def test_no_pairs_at_all_are_no_jump() -> None:
    none = replace(figures(drawn(1, 10)), histogram=())
    assert distance_between(none, figures(drawn(1, 10))) == 0
    assert jumps(none, [figures(drawn(1, 10))]) == []
