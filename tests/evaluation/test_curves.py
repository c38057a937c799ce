"""The curves say what the scores say, and what scikit-learn says."""

from __future__ import annotations

import numpy as np
import pytest
from labelled_arrays import each_its_own, made_up, with_ties
from scipy.stats import binomtest
from sklearn import metrics

from dedup.evaluation import precision_recall, prior_weights, reliability, score_pairs


def test_the_curve_is_that_of_scikit_learn_at_each_recall() -> None:
    probability, duplicate = with_ties(1)
    weight = prior_weights(duplicate, 0.3)
    found = precision_recall(probability, duplicate, component=each_its_own(400), prior=0.3, resamples=20)
    precision, recall, thresholds = metrics.precision_recall_curve(duplicate, probability, sample_weight=weight)
    for at, one in enumerate(found.recall):
        first = max(place for place in range(len(thresholds)) if recall[place] >= one - 1e-12)
        assert found.precision[at] == pytest.approx(precision[first])
        assert found.probability[at] == thresholds[first]


def test_the_area_under_the_steps_is_the_average_precision() -> None:
    probability, duplicate = made_up(2, n=5000)
    found = precision_recall(probability, duplicate, component=each_its_own(5000), prior=0.369, resamples=20)
    expected = score_pairs(probability, duplicate, 0.369, 0.5)["average_precision"]
    assert found.precision[1:].mean() == pytest.approx(expected, abs=0.002)


def test_the_band_holds_the_curve_of_all_pairs_nearly_everywhere() -> None:
    probability, duplicate = made_up(3, n=8000)
    whole = precision_recall(probability, duplicate, component=each_its_own(8000), prior=0.369, resamples=10)
    part = precision_recall(probability[:800], duplicate[:800], component=each_its_own(800), prior=0.369, resamples=300)
    inside = (part.low <= whole.precision) & (whole.precision <= part.high)
    assert inside.mean() > 0.8
    assert (part.low <= part.high).all()


def test_a_band_of_pairs_that_hang_together_is_that_of_one_of_them() -> None:
    probability, duplicate = made_up(4, n=80)
    once = precision_recall(probability, duplicate, component=each_its_own(80), prior=0.369, resamples=50)
    thrice = precision_recall(
        np.repeat(probability, 3),
        np.repeat(duplicate, 3),
        component=np.repeat(each_its_own(80), 3),
        prior=0.369,
        resamples=50,
    )
    np.testing.assert_allclose(once.low, thrice.low)
    np.testing.assert_allclose(once.high, thrice.high)


@pytest.mark.parametrize("make", [made_up, with_ties])
def test_bins_hold_every_pair_once_and_say_what_came_true(make) -> None:
    probability, duplicate = make(5)
    prior = 0.369
    weight = prior_weights(duplicate, prior)
    bins = reliability(probability, duplicate, component=each_its_own(len(duplicate)), prior=prior, resamples=50)
    assert sum(one.pairs for one in bins) == len(duplicate)
    assert sum(one.duplicates for one in bins) == duplicate.sum()
    assert [one.most for one in bins] == sorted(one.most for one in bins)
    for one in bins:
        inside = (probability >= one.least) & (probability <= one.most)  # bins do not share a probability
        assert (inside.sum(), (inside & duplicate).sum()) == (one.pairs, one.duplicates)
        assert one.said == pytest.approx(np.average(probability[inside], weights=weight[inside]))
        assert one.came_true == pytest.approx(np.average(duplicate[inside], weights=weight[inside]))
        assert one.low <= one.came_true <= one.high


def test_bins_are_of_equal_weight() -> None:
    probability, duplicate = made_up(6, n=20_000, spread=0.1)  # nothing is cut off at 0 or 1, so there are no ties
    weight = prior_weights(duplicate, 0.369)
    bins = reliability(probability, duplicate, component=each_its_own(20_000), prior=0.369, resamples=5)
    shares = [weight[(probability >= one.least) & (probability <= one.most)].sum() / weight.sum() for one in bins]
    assert shares == pytest.approx([1 / 15] * 15, abs=0.002)


def test_an_interval_reaches_as_far_as_wilsons_moved_to_the_prior() -> None:
    probability, duplicate = made_up(7, n=3000)
    bins = reliability(probability, duplicate, component=each_its_own(3000), prior=0.2, resamples=200)
    share = duplicate.mean()
    odds = (0.2 / 0.8) / (share / (1 - share))
    for one in bins:
        counted = binomtest(one.duplicates, one.pairs).proportion_ci(0.95, method="wilson")
        moved = [end * odds / (end * odds + 1 - end) for end in (counted.low, counted.high)]
        assert one.low <= moved[0] + 1e-9
        assert one.high >= moved[1] - 1e-9
        assert one.high - one.low < 1.6 * (moved[1] - moved[0])


def test_a_bin_without_a_mistake_is_not_certain() -> None:
    probability = np.r_[np.full(30, 0.9), np.full(30, 0.1)]
    duplicate = np.r_[np.ones(30, bool), np.zeros(30, bool)]
    below, above = reliability(probability, duplicate, component=each_its_own(60), prior=0.5, resamples=20)
    assert (below.came_true, above.came_true) == (0, 1)
    assert below.high == pytest.approx(binomtest(0, 30).proportion_ci(method="wilson").high, abs=1e-6)
    assert above.low == pytest.approx(binomtest(30, 30).proportion_ci(method="wilson").low, abs=1e-6)


def test_pairs_that_share_questions_widen_the_intervals() -> None:
    probability, duplicate = made_up(8, n=900)
    copies, labels = np.repeat(probability, 9), np.repeat(duplicate, 9)
    apart = reliability(copies, labels, component=each_its_own(8100), prior=0.369, resamples=200)
    together = reliability(copies, labels, component=np.repeat(each_its_own(900), 9), prior=0.369, resamples=200)
    wider = [(two.high - two.low) / (one.high - one.low) for one, two in zip(apart, together, strict=True)]
    assert 2 < np.median(wider) < 4  # by the root of nine, where the bins hold enough pairs
