"""Scores of probabilities against labelled pairs, and how sure each score is.

Pairs are weighted so that duplicates have the share ``prior``: a labelled set seldom has the share of real life, and
average precision, accuracy, F1, log-loss and calibration all depend on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedup.errors import EvaluationError
from dedup.evaluation.resampling import RESAMPLES, draws, intervals
from dedup.questions import Float64, Int64

_BINS = 15  # of the expected calibration error; the number of Guo et al. (2017), "On Calibration of Modern Networks"
_LEAST = 1e-12  # log-loss of a certainty that is wrong stays finite


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores of a classifier at a threshold, and the 95% interval of each."""

    n: int
    positives: int
    prior: float
    threshold: float
    scores: Mapping[str, float]  # average_precision, roc_auc, accuracy, f1, precision, recall, log_loss, brier, ece
    intervals: Mapping[str, tuple[float, float]]  # by score: the 2.5th and 97.5th percentile of resampled components


def evaluate_pairs(
    probability: Float64,
    duplicate: NDArray[np.bool_],
    *,
    component: Int64,
    prior: float,
    threshold: float,
    resamples: int = RESAMPLES,
) -> Evaluation:
    """Score probabilities against labels, with bootstrap intervals.

    Parameters
    ----------
    probability
        (n_pairs,) in [0, 1].
    duplicate
        (n_pairs,) the labels.
    component
        (n_pairs,) which pairs belong together because they share questions: these are drawn together.
    prior
        The share of duplicates that the pairs are weighted to.

    Raises
    ------
    EvaluationError
        If the labels are of one class only, or the prior is not above 0 and below 1.
    """
    require_both_labels(duplicate, prior)
    ranked = RankedPairs(probability, duplicate, prior, threshold)
    resampled = [ranked.scores(drawn) for drawn in draws(component, resamples)]
    return Evaluation(
        n=len(duplicate),
        positives=int(duplicate.sum()),
        prior=prior,
        threshold=threshold,
        scores=score_pairs(probability, duplicate, prior, threshold),
        intervals=intervals(resampled),
    )


def score_pairs(probability: Float64, duplicate: NDArray[np.bool_], prior: float, threshold: float) -> dict[str, float]:
    """Return every score of `Evaluation`, with duplicates weighted to ``prior``; both classes must occur."""
    once = np.ones((1, len(duplicate)))
    scores = RankedPairs(probability, duplicate, prior, threshold).scores(once)
    return {name: float(score[0]) for name, score in scores.items()}


def require_both_labels(duplicate: NDArray[np.bool_], prior: float) -> None:
    """Raise EvaluationError where labels are of one class only, or the prior is not above 0 and below 1."""
    if not 0 < prior < 1:
        raise EvaluationError(f"the prior is {prior:g}; expected a share of duplicates above 0 and below 1")
    positives = int(duplicate.sum())
    if positives in (0, len(duplicate)):
        raise EvaluationError(
            f"{positives} of the {len(duplicate)} labelled pairs are duplicates; give labels of both kinds"
        )


class RankedPairs:
    """Pairs sorted by probability once, so that a thousand resamples are scored without sorting again.

    ``distinct`` are the probabilities that occur, each once, the highest first.
    """

    def __init__(self, probability: Float64, duplicate: NDArray[np.bool_], prior: float, threshold: float) -> None:
        self._order = np.argsort(-probability, kind="stable")
        said = probability[self._order]
        self._duplicate = duplicate[self._order]
        self._prior = prior
        # Pairs of one probability are told apart by no threshold: a curve has a point at the last of each.
        self._last = np.flatnonzero(np.append(said[1:] != said[:-1], True))
        self.distinct: Float64 = said[self._last]
        certain = np.clip(np.where(self._duplicate, said, 1 - said), _LEAST, 1.0)
        gaps = np.zeros((len(said), _BINS))
        gaps[np.arange(len(said)), _bin_of(said)] = said - self._duplicate
        ones = np.ones(len(said))
        self._terms = np.column_stack([ones, said >= threshold, -np.log(certain), (said - self._duplicate) ** 2, gaps])

    def scores(self, drawn: Float64) -> dict[str, Float64]:
        """Score resamples, (n_resamples, n_pairs) of how often each pair is drawn: (n_resamples,) by score.

        NaN in a resample of one class only.
        """
        drawn = drawn[:, self._order]
        with np.errstate(invalid="ignore", divide="ignore"):
            return {**self._of_ranking(drawn), **self._of_terms(drawn)}

    def curve(self, drawn: Float64) -> tuple[Float64, Float64]:
        """Return recall and precision of resamples at every distinct probability, the highest first.

        Both (n_resamples, n_probabilities); precision is 1 where nothing drawn is so probable.
        """
        true, false = self._flagged(drawn[:, self._order])
        with np.errstate(invalid="ignore", divide="ignore"):
            return true / true[:, -1:], self._precision(true, false)

    def _flagged(self, drawn: Float64) -> tuple[Float64, Float64]:
        """Return how many duplicates and how many others are at least as probable as each distinct probability."""
        true = np.cumsum(drawn * self._duplicate, axis=1)[:, self._last]
        false = np.cumsum(drawn * ~self._duplicate, axis=1)[:, self._last]
        return true, false

    def _precision(self, true: Float64, false: Float64) -> Float64:
        recalled = self._prior * true / true[:, -1:]
        mistaken = (1 - self._prior) * false / false[:, -1:]
        flagged = recalled + mistaken
        precision: Float64 = np.where(flagged == 0, 1.0, recalled / flagged)
        return precision

    def _of_ranking(self, drawn: Float64) -> dict[str, Float64]:
        true, false = self._flagged(drawn)
        gained = np.diff(true, axis=1, prepend=0.0) / true[:, -1:]
        above = 1 - (false - np.diff(false, axis=1, prepend=0.0) / 2) / false[:, -1:]
        return {
            "average_precision": (gained * self._precision(true, false)).sum(axis=1),
            "roc_auc": (gained * above).sum(axis=1),
        }

    def _of_terms(self, drawn: Float64) -> dict[str, Float64]:
        """Return the scores that are means over the duplicates and means over the others, put together."""
        of_duplicates = drawn[:, self._duplicate] @ self._terms[self._duplicate]
        of_others = drawn[:, ~self._duplicate] @ self._terms[~self._duplicate]
        of_duplicates, of_others = of_duplicates / of_duplicates[:, :1], of_others / of_others[:, :1]
        recall, mistaken = of_duplicates[:, 1], of_others[:, 1]
        mean = self._prior * of_duplicates + (1 - self._prior) * of_others
        true = self._prior * recall
        flagged = mean[:, 1]
        return {
            "accuracy": true + (1 - self._prior) * (1 - mistaken),
            "f1": np.where(flagged == 0, 0.0, 2 * true / (flagged + self._prior)),
            "precision": np.where(flagged == 0, 0.0, true / flagged),
            "recall": recall,
            "log_loss": mean[:, 2],
            "brier": mean[:, 3],
            "ece": np.abs(mean[:, 4:]).sum(axis=1),  # Naeini, Cooper & Hauskrecht (2015): the mean gap over equal bins
        }


def prior_weights(duplicate: NDArray[np.bool_], prior: float) -> Float64:
    """Return a weight for each pair such that duplicates have the share ``prior`` of the whole."""
    share = duplicate.mean()
    weights: Float64 = np.where(duplicate, prior / share, (1 - prior) / (1 - share))
    return weights


def _bin_of(probability: Float64) -> Int64:
    return np.minimum((probability * _BINS).astype(np.int64), _BINS - 1)
