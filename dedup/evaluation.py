"""How good probabilities are, on labelled pairs that were not used to choose anything.

Pairs are weighted so that duplicates have the share ``prior``: a labelled set seldom has the share of real life, and
average precision, accuracy, F1, log-loss and calibration all depend on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedup.errors import EvaluationError
from dedup.questions import Float64

BINS = 15
"""Of the expected calibration error; the number of Guo et al. (2017)."""

_RESAMPLES = 1000
_SEED = 369
_LEAST = 1e-12  # log-loss of a certainty that is wrong stays finite


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores of a classifier at a threshold, and the 95% interval of each."""

    n: int
    positives: int
    prior: float
    threshold: float
    scores: Mapping[str, float]  # average_precision, roc_auc, accuracy, f1, precision, recall, log_loss, brier, ece
    intervals: Mapping[str, tuple[float, float]]  # by score: the 2.5th and 97.5th percentile of resampled pairs


def evaluate_pairs(
    probability: Float64, duplicate: NDArray[np.bool_], *, prior: float, threshold: float, resamples: int = _RESAMPLES
) -> Evaluation:
    """Score probabilities against labels, with bootstrap intervals (Efron, 1979: pairs drawn with replacement).

    Parameters
    ----------
    probability
        (n_pairs,) in [0, 1].
    duplicate
        (n_pairs,) the labels.
    prior
        The share of duplicates that the pairs are weighted to.

    Raises
    ------
    EvaluationError
        If the labels are of one class only, or the prior is not above 0 and below 1.
    """
    if not 0 < prior < 1:
        raise EvaluationError(f"the prior is {prior:g}; expected a share of duplicates above 0 and below 1")
    positives = int(duplicate.sum())
    if positives in (0, len(duplicate)):
        raise EvaluationError(
            f"{positives} of the {len(duplicate)} labelled pairs are duplicates; give labels of both kinds"
        )
    random = np.random.default_rng(_SEED)
    resampled: dict[str, list[float]] = {}
    for _ in range(resamples):
        drawn = random.integers(0, len(duplicate), len(duplicate))
        if not 0 < duplicate[drawn].sum() < len(drawn):
            continue  # a tiny set may be drawn with one class only, which has no scores
        for name, score in score_pairs(probability[drawn], duplicate[drawn], prior, threshold).items():
            resampled.setdefault(name, []).append(score)
    intervals = {name: (float(low), float(high)) for name, (low, high) in _middle(resampled).items()}
    scores = score_pairs(probability, duplicate, prior, threshold)
    return Evaluation(len(duplicate), positives, prior, threshold, scores, intervals)


def score_pairs(probability: Float64, duplicate: NDArray[np.bool_], prior: float, threshold: float) -> dict[str, float]:
    """Return every score of `Evaluation`, with duplicates weighted to ``prior``; both classes must occur."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    weight = prior_weights(duplicate, prior)
    flagged = probability >= threshold
    flagged_weight, true_weight = float(weight[flagged].sum()), float(weight[flagged & duplicate].sum())
    precision = true_weight / flagged_weight if flagged_weight else 0.0
    recall = true_weight / float(weight[duplicate].sum())
    certain = np.clip(np.where(duplicate, probability, 1 - probability), _LEAST, 1.0)
    return {
        "average_precision": float(average_precision_score(duplicate, probability, sample_weight=weight)),
        "roc_auc": float(roc_auc_score(duplicate, probability, sample_weight=weight)),
        "accuracy": float(np.average(flagged == duplicate, weights=weight)),
        "f1": 2 * precision * recall / (precision + recall) if true_weight else 0.0,
        "precision": precision,
        "recall": recall,
        "log_loss": float(np.average(-np.log(certain), weights=weight)),
        "brier": float(np.average((probability - duplicate) ** 2, weights=weight)),
        "ece": calibration_error(probability, duplicate, weight),
    }


def prior_weights(duplicate: NDArray[np.bool_], prior: float) -> Float64:
    """Return a weight for each pair such that duplicates have the share ``prior`` of the whole."""
    share = duplicate.mean()
    weights: Float64 = np.where(duplicate, prior / share, (1 - prior) / (1 - share))
    return weights


def calibration_error(probability: Float64, duplicate: NDArray[np.bool_], weight: Float64) -> float:
    """Return the expected calibration error: the mean gap between what was said and what came true, over equal bins.

    Source: Naeini, Cooper & Hauskrecht (2015); Guo et al. (2017), "On Calibration of Modern Neural Networks".
    """
    bin_of = np.minimum((probability * BINS).astype(np.int64), BINS - 1)
    said = np.bincount(bin_of, weights=weight * probability, minlength=BINS)
    came_true = np.bincount(bin_of, weights=weight * duplicate, minlength=BINS)
    return float(np.abs(said - came_true).sum() / weight.sum())


def _middle(resampled: Mapping[str, list[float]]) -> dict[str, NDArray[np.float64]]:
    return {name: np.quantile(scores, [0.025, 0.975]) for name, scores in resampled.items()}
