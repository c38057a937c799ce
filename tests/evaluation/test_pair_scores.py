"""Scores against scikit-learn's, and properties that must hold."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labelled_arrays import each_its_own, made_up, with_ties
from oracles import repeatable
from sklearn import metrics

from dedup.errors import EvaluationError
from dedup.evaluation import evaluate_pairs, prior_weights, score_pairs
from dedup.evaluation.pairs import RankedPairs
from dedup.evaluation.resampling import draws


def by_scikit_learn(
    probability: np.ndarray, duplicate: np.ndarray, prior: float, threshold: float, drawn: np.ndarray
) -> dict[str, float]:
    """Score pairs of which each counts as often as it was drawn."""
    share = np.average(duplicate, weights=drawn)
    weight = drawn * np.where(duplicate, prior / share, (1 - prior) / (1 - share))
    flagged = probability >= threshold
    return {
        "average_precision": metrics.average_precision_score(duplicate, probability, sample_weight=weight),
        "roc_auc": metrics.roc_auc_score(duplicate, probability, sample_weight=weight),
        "accuracy": metrics.accuracy_score(duplicate, flagged, sample_weight=weight),
        "f1": metrics.f1_score(duplicate, flagged, sample_weight=weight),
        "precision": metrics.precision_score(duplicate, flagged, sample_weight=weight, zero_division=0.0),
        "recall": metrics.recall_score(duplicate, flagged, sample_weight=weight),
        "log_loss": metrics.log_loss(duplicate, np.clip(probability, 1e-12, 1 - 1e-12), sample_weight=weight),
        "brier": metrics.brier_score_loss(duplicate, probability, sample_weight=weight),
    }


@pytest.mark.parametrize("prior", [0.369, 0.5, 0.05])
@pytest.mark.parametrize("make", [made_up, with_ties])
def test_scores_are_those_of_scikit_learn(make, prior: float) -> None:
    probability, duplicate = make(1)
    expected = by_scikit_learn(probability, duplicate, prior, 0.4, np.ones(len(duplicate)))
    found = score_pairs(probability, duplicate, prior, 0.4)
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-9)


@settings(repeatable, max_examples=20)
@given(st.integers(0, 1000), st.floats(0.01, 0.99), st.floats(0, 1))
def test_a_resample_is_scored_as_pairs_that_count_as_often_as_they_were_drawn(
    seed: int, prior: float, threshold: float
) -> None:
    probability, duplicate = with_ties(seed, n=60)
    (drawn,) = draws(np.arange(60) // 3, 4)
    found = RankedPairs(probability, duplicate, prior, threshold).scores(drawn)
    for row, counts in enumerate(drawn):
        expected = by_scikit_learn(probability, duplicate, prior, threshold, counts)
        assert {name: found[name][row] for name in expected} == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_a_resample_of_one_class_has_no_scores_but_does_not_hide_the_others() -> None:
    ranked = RankedPairs(np.array([0.9, 0.1]), np.array([True, False]), 0.5, 0.5)
    found = ranked.scores(np.array([[2.0, 0.0], [1.0, 1.0]]))
    assert np.isnan(found["average_precision"][0])
    assert found["average_precision"][1] == found["f1"][1] == 1.0


def test_a_threshold_that_nothing_reaches_has_no_precision() -> None:
    probability, duplicate = made_up(6, n=50)
    found = score_pairs(probability * 0.9, duplicate, 0.3, 0.95)
    assert (found["precision"], found["recall"], found["f1"], found["accuracy"]) == (0.0, 0.0, 0.0, 0.7)


def test_weights_give_duplicates_the_share_of_the_prior() -> None:
    _, duplicate = made_up(2)
    weight = prior_weights(duplicate, 0.369)
    assert weight[duplicate].sum() / weight.sum() == pytest.approx(0.369)
    assert weight.mean() == pytest.approx(1.0)


def test_calibration_error_against_a_slow_reading_of_its_definition() -> None:
    probability, duplicate = made_up(3)
    weight = prior_weights(duplicate, 0.3)
    expected = 0.0
    for low in np.arange(15) / 15:
        inside = (probability >= low) & ((probability < low + 1 / 15) | (low == 14 / 15))
        if inside.any():
            said = np.average(probability[inside], weights=weight[inside])
            came_true = np.average(duplicate[inside], weights=weight[inside])
            expected += weight[inside].sum() / weight.sum() * abs(said - came_true)
    assert score_pairs(probability, duplicate, 0.3, 0.5)["ece"] == pytest.approx(expected, abs=1e-9)


def test_a_calibrated_probability_has_hardly_any_calibration_error() -> None:
    random = np.random.default_rng(4)
    probability = random.random(200_000)
    duplicate = random.random(200_000) < probability
    assert score_pairs(probability, duplicate, float(duplicate.mean()), 0.5)["ece"] < 0.005


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    probability, duplicate = made_up(5, n=12_000)
    truth = score_pairs(probability, duplicate, 0.369, 0.5)
    covered = dict.fromkeys(("accuracy", "average_precision"), 0)
    for part in range(40):
        some = slice(part * 300, (part + 1) * 300)
        found = evaluate_pairs(
            probability[some], duplicate[some], component=each_its_own(300), prior=0.369, threshold=0.5, resamples=200
        )
        for name in covered:
            low, high = found.intervals[name]
            covered[name] += low <= truth[name] <= high
    assert min(covered.values()) >= 34


def test_pairs_that_share_questions_make_intervals_as_wide_as_their_number_without_copies() -> None:
    """A hundred pairs, each nine times, say no more than a hundred pairs."""
    probability, duplicate = made_up(7, n=100)
    settings = {"prior": 0.369, "threshold": 0.5}
    once = evaluate_pairs(probability, duplicate, component=each_its_own(100), **settings)
    copied = evaluate_pairs(
        np.repeat(probability, 9), np.repeat(duplicate, 9), component=np.repeat(each_its_own(100), 9), **settings
    )
    for name, ends in once.intervals.items():
        assert copied.intervals[name] == pytest.approx(ends), name


@settings(repeatable, max_examples=20)
@given(st.integers(0, 100), st.floats(0.01, 0.99))
def test_every_score_lies_in_its_range_and_does_not_depend_on_the_order_of_the_pairs(seed: int, prior: float) -> None:
    probability, duplicate = made_up(seed, n=300)
    component = np.random.default_rng(seed).integers(0, 60, 300)
    settings = {"prior": prior, "threshold": 0.5, "resamples": 20}
    found = evaluate_pairs(probability, duplicate, component=component, **settings)
    order = np.random.default_rng(seed).permutation(300)
    again = evaluate_pairs(probability[order], duplicate[order], component=component[order], **settings)
    for name, score in found.scores.items():
        low, high = found.intervals[name]
        assert low <= high
        assert score >= 0
        assert name == "log_loss" or score <= 1
        assert again.scores[name] == pytest.approx(score)
        assert again.intervals[name] == pytest.approx((low, high))


def test_a_thousand_resamples_of_ten_thousand_pairs_take_seconds() -> None:
    probability, duplicate = made_up(8, n=10_000)
    start = time.process_time()
    evaluate_pairs(probability, duplicate, component=each_its_own(10_000), prior=0.369, threshold=0.5)
    assert time.process_time() - start < 10


@pytest.mark.parametrize(("labels", "prior"), [([True, True], 0.3), ([False], 0.3), ([True, False], 0.0)])
def test_what_cannot_be_scored_is_refused(labels: list[bool], prior: float) -> None:
    with pytest.raises(EvaluationError, match=r"give labels of both kinds|above 0 and below 1"):
        evaluate_pairs(
            np.full(len(labels), 0.5),
            np.array(labels),
            component=each_its_own(len(labels)),
            prior=prior,
            threshold=0.5,
        )
