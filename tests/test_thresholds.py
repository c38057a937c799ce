"""The threshold of a precision against a slow search for it, and that of a cost against the cheapest of all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import repeatable
from scipy.stats import binomtest

from dedup.errors import ClassifierError
from dedup.evaluation import prior_weights, wilson_interval
from dedup.thresholds import (
    ENOUGH_FLAGGED,
    spread_weights,
    threshold_for_cost,
    threshold_for_precision,
)


def judged(seed: int, n: int = 4000, step: float = 0.01) -> tuple[np.ndarray, np.ndarray]:
    """Return calibrated probabilities, rounded so that many are equal, and labels that come true as often."""
    random = np.random.default_rng(seed)
    probability = np.round(random.beta(0.6, 0.6, n) / step) * step
    return probability, random.random(n) < probability


def slowly(probability, duplicate, weight, wanted) -> float | None:
    best = None
    for threshold in np.unique(probability)[::-1]:
        flagged = probability >= threshold
        if weight[flagged].sum() ** 2 / (weight[flagged] ** 2).sum() < ENOUGH_FLAGGED:
            continue
        if weight[flagged & duplicate].sum() / weight[flagged].sum() < wanted:
            break
        best = threshold
    return best


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("wanted", [0.7, 0.9, 0.95])
def test_it_is_the_smallest_with_the_precision_on_every_step_above(seed: int, wanted: float) -> None:
    probability, duplicate = judged(seed)
    weight = prior_weights(duplicate, 0.369)
    found = threshold_for_precision(probability, duplicate, weight, wanted)
    assert found.threshold == slowly(probability, duplicate, weight, wanted)
    flagged = probability >= found.threshold
    true = weight[flagged & duplicate].sum()
    assert found.precision == pytest.approx(true / weight[flagged].sum())
    assert found.recall == pytest.approx(true / weight[duplicate].sum())
    assert found.low < found.precision < found.high
    assert found.precision >= wanted


def test_pairs_that_share_no_question_are_weighted_to_the_prior_and_nothing_else() -> None:
    _, duplicate = judged(1)
    weight = spread_weights(duplicate, np.arange(len(duplicate)) // 3, 0.369)
    np.testing.assert_allclose(weight, prior_weights(duplicate, 0.369))


def test_one_subject_counts_as_half_a_per_cent_of_the_pairs() -> None:
    _, duplicate = judged(2)
    component = np.maximum(np.arange(len(duplicate)) - 999, 0)  # the first thousand hang together
    weight = spread_weights(duplicate, component, 0.369)
    assert weight.sum() == pytest.approx(len(duplicate))
    assert weight[duplicate].sum() == pytest.approx(0.369 * len(duplicate))
    for kind in (duplicate, ~duplicate):
        inside, outside = weight[kind & (component == 0)], weight[kind & (component > 0)]
        np.testing.assert_allclose(inside, outside[0] * 20 / 1000)  # half a per cent of 4,000 pairs are 20


def test_mistakes_about_one_subject_do_not_decide_which_threshold_has_a_precision() -> None:
    probability, duplicate = judged(3)
    component = np.arange(4000)
    alone = threshold_for_precision(probability, duplicate, spread_weights(duplicate, component, 0.369), 0.8)
    probability, duplicate = np.append(probability, np.full(400, 1.0)), np.append(duplicate, np.arange(400) % 2 == 0)
    component = np.append(component, np.full(400, 4000))
    with pytest.raises(ClassifierError, match="no threshold"):
        threshold_for_precision(probability, duplicate, prior_weights(duplicate, 0.369), 0.8)
    found = threshold_for_precision(probability, duplicate, spread_weights(duplicate, component, 0.369), 0.8)
    assert found.threshold == pytest.approx(alone.threshold, abs=0.1)


def test_the_rows_may_come_in_any_order() -> None:
    probability, duplicate = judged(7)
    weight = prior_weights(duplicate, 0.369)
    order = np.random.default_rng(8).permutation(len(probability))
    found = threshold_for_precision(probability, duplicate, weight)
    shuffled = threshold_for_precision(probability[order], duplicate[order], weight[order])
    assert (found.threshold, found.precision) == pytest.approx((shuffled.threshold, shuffled.precision))


def test_a_lucky_dip_under_a_bad_stretch_is_not_taken() -> None:
    probability = np.repeat([0.9, 0.8, 0.7], 100)
    duplicate = np.repeat([True, False, True], 100)
    duplicate[100:150] = True  # .9: 1.00, .8: .75, .7: .83
    found = threshold_for_precision(probability, duplicate, np.ones(300), 0.8)
    assert (found.threshold, found.precision) == (0.9, 1.0)


def test_too_few_flagged_pairs_are_not_judged() -> None:
    probability = np.concatenate([[0.99, 0.98], np.repeat(0.9, 100)])
    duplicate = np.concatenate([[False, False], np.repeat(True, 100)])
    assert threshold_for_precision(probability, duplicate, np.ones(102), 0.95).threshold == 0.9


@pytest.mark.parametrize(
    ("pairs", "found"),
    [
        (0, "too few are flagged"),
        (ENOUGH_FLAGGED - 1, "too few are flagged"),
        (100, r"the best of any threshold is 0\.500"),
    ],
)
def test_a_precision_that_no_threshold_has_is_refused(pairs: int, found: str) -> None:
    duplicate = np.arange(pairs) % 2 == 0
    with pytest.raises(ClassifierError, match=rf"a precision of 0\.9 on the {pairs} labelled pairs .*{found}; ask for"):
        threshold_for_precision(np.full(pairs, 0.7), duplicate, np.ones(pairs), 0.9)


@pytest.mark.parametrize("wanted", [0.0, 1.0, np.nan])
def test_a_precision_that_cannot_be_is_refused(wanted: float) -> None:
    with pytest.raises(ClassifierError, match="expected one above 0 and below 1"):
        threshold_for_precision(*judged(1), np.ones(4000), wanted)


@pytest.mark.parametrize(("false_positive", "false_negative"), [(1, 1), (9, 1), (1, 3), (1e-300, 1e300)])
def test_flagging_from_the_threshold_of_a_cost_on_is_the_cheapest(false_positive, false_negative) -> None:
    threshold = threshold_for_cost(false_positive, false_negative)
    probability = np.linspace(0, 1, 1001)
    flag, leave = (1 - probability) * false_positive, probability * false_negative
    np.testing.assert_array_equal(
        (probability >= threshold)[~np.isclose(flag, leave)], (flag <= leave)[~np.isclose(flag, leave)]
    )
    assert threshold == pytest.approx(false_positive / (false_positive + false_negative))


@pytest.mark.parametrize("cost", [0.0, -1.0, np.inf, np.nan])
def test_a_cost_that_cannot_be_is_refused(cost: float) -> None:
    for costs in ((cost, 1.0), (1.0, cost)):
        with pytest.raises(ClassifierError, match="expected a number above 0, in the same unit"):
            threshold_for_cost(*costs)


@repeatable
@given(st.integers(1, 500), st.floats(0, 1))
def test_the_interval_is_wilsons(n: int, share: float) -> None:
    positives = round(share * n)
    expected = binomtest(positives, n).proportion_ci(method="wilson")
    assert wilson_interval(positives / n, n) == pytest.approx((expected.low, expected.high), abs=1e-9)
