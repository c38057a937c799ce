"""Scores against scikit-learn's, and properties that must hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from dedup.errors import EvaluationError
from dedup.evaluation import calibration_error, evaluate_pairs, prior_weights, score_pairs


def made_up(seed: int, n: int = 2000, share: float = 0.8) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    duplicate = random.random(n) < share
    return np.clip(random.normal(np.where(duplicate, 0.65, 0.35), 0.2), 0, 1), duplicate


@pytest.mark.parametrize("prior", [0.369, 0.5, 0.05])
def test_scores_are_those_of_scikit_learn(prior: float) -> None:
    probability, duplicate = made_up(1)
    weight = prior_weights(duplicate, prior)
    flagged = probability >= 0.4
    found = score_pairs(probability, duplicate, prior, 0.4)
    expected = {
        "average_precision": metrics.average_precision_score(duplicate, probability, sample_weight=weight),
        "roc_auc": metrics.roc_auc_score(duplicate, probability, sample_weight=weight),
        "accuracy": metrics.accuracy_score(duplicate, flagged, sample_weight=weight),
        "f1": metrics.f1_score(duplicate, flagged, sample_weight=weight),
        "precision": metrics.precision_score(duplicate, flagged, sample_weight=weight),
        "recall": metrics.recall_score(duplicate, flagged, sample_weight=weight),
        "log_loss": metrics.log_loss(duplicate, np.clip(probability, 1e-12, 1 - 1e-12), sample_weight=weight),
        "brier": metrics.brier_score_loss(duplicate, probability, sample_weight=weight),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-6)


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
    assert calibration_error(probability, duplicate, weight) == pytest.approx(expected, abs=1e-9)


def test_a_calibrated_probability_has_hardly_any_calibration_error() -> None:
    random = np.random.default_rng(4)
    probability = random.random(200_000)
    duplicate = random.random(200_000) < probability
    assert calibration_error(probability, duplicate, np.ones(200_000)) < 0.005


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    probability, duplicate = made_up(5, n=12_000)
    truth = score_pairs(probability, duplicate, 0.369, 0.5)["accuracy"]
    covered = 0
    for part in range(40):
        some = slice(part * 300, (part + 1) * 300)
        low, high = evaluate_pairs(
            probability[some], duplicate[some], prior=0.369, threshold=0.5, resamples=60
        ).intervals["accuracy"]
        covered += low <= truth <= high
    assert 34 <= covered <= 40


@settings(derandomize=True, max_examples=15, deadline=None)
@given(st.integers(0, 100), st.floats(0.01, 0.99))
def test_every_score_lies_in_its_interval_and_range(seed: int, prior: float) -> None:
    probability, duplicate = made_up(seed, n=300)
    found = evaluate_pairs(probability, duplicate, prior=prior, threshold=0.5, resamples=20)
    for name, score in found.scores.items():
        low, high = found.intervals[name]
        assert low <= high
        assert score >= 0
        assert name == "log_loss" or score <= 1


@pytest.mark.parametrize(("labels", "prior"), [([True, True], 0.3), ([False], 0.3), ([True, False], 0.0)])
def test_what_cannot_be_scored_is_refused(labels: list[bool], prior: float) -> None:
    with pytest.raises(EvaluationError, match=r"give labels of both kinds|above 0 and below 1"):
        evaluate_pairs(np.full(len(labels), 0.5), np.array(labels), prior=prior, threshold=0.5)
