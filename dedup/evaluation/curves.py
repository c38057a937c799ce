"""What a page draws of probabilities on labelled pairs: the precision-recall curve and the reliability diagram."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedup.evaluation.pairs import RankedPairs, prior_weights
from dedup.evaluation.resampling import RESAMPLES, draws, interval, wilson_interval
from dedup.questions import Float64, Int64

_POINTS = 201  # of the curve; every half percent of recall
_BINS = 15  # of the reliability diagram, as many as those of the expected calibration error


@dataclass(frozen=True, slots=True)
class PrecisionRecall:
    """Precision at each recall, and the ends of its 95% interval; all (n_points,), by recall from 0 to 1.

    ``probability`` is the threshold that first reaches the recall.
    """

    recall: Float64
    precision: Float64
    low: Float64
    high: Float64
    probability: Float64


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Pairs of similar probabilities: what was said of them and what came true, weighted to the prior.

    ``low`` and ``high`` are the ends of the 95% interval of ``came_true``.
    """

    least: float  # probability
    most: float
    pairs: int
    duplicates: int
    said: float
    came_true: float
    low: float
    high: float


def precision_recall(
    probability: Float64,
    duplicate: NDArray[np.bool_],
    *,
    component: Int64,
    prior: float,
    resamples: int = RESAMPLES,
) -> PrecisionRecall:
    """Return the precision-recall curve; its area, as steps, is the average precision.

    Parameters are those of `evaluate_pairs`; both classes must occur.
    """
    ranked = RankedPairs(probability, duplicate, prior, threshold=0.5)
    recall = np.linspace(0.0, 1.0, _POINTS)
    reached, precision = (curve[0] for curve in ranked.curve(np.ones((1, len(duplicate)))))
    first = np.searchsorted(reached, recall)
    resampled = [
        one[np.searchsorted(so_far, recall)]
        for drawn in draws(component, resamples)
        for so_far, one in zip(*ranked.curve(drawn), strict=True)
        if so_far[-1] == 1  # NaN where one class alone was drawn
    ]
    ends = np.array([interval(at) for at in np.transpose(resampled)])
    return PrecisionRecall(recall, precision[first], ends[:, 0], ends[:, 1], ranked.distinct[first])


def reliability(
    probability: Float64,
    duplicate: NDArray[np.bool_],
    *,
    component: Int64,
    prior: float,
    resamples: int = RESAMPLES,
) -> tuple[ReliabilityBin, ...]:
    """Return what came true of what was said, in bins of equal weight; pairs of one probability are in one bin.

    An interval reaches as far as the farther of two: Wilson's (1927), which knows that even a bin without a mistake is
    not certain, and that of the bootstrap by component, which knows that pairs share questions.

    Parameters are those of `evaluate_pairs`; both classes must occur.
    """
    weight = prior_weights(duplicate, prior)
    at = np.unique(probability, return_inverse=True)[1]
    heaped = np.bincount(at, weights=weight)
    middle = (np.cumsum(heaped) - heaped / 2) / heaped.sum()
    bin_of = np.unique(np.minimum((middle * _BINS).astype(np.int64), _BINS - 1), return_inverse=True)[1][at]
    inside = bin_of[:, None] == np.arange(bin_of.max() + 1)  # (n_pairs, n_bins)
    of_duplicates, of_others = inside & duplicate[:, None], inside & ~duplicate[:, None]
    odds = (prior / duplicate.mean()) / ((1 - prior) / (1 - duplicate.mean()))
    resampled = np.concatenate(
        [_share(drawn @ of_duplicates, drawn @ of_others, prior) for drawn in draws(component, resamples)]
    )
    share = _share(of_duplicates.sum(axis=0)[None], of_others.sum(axis=0)[None], prior)[0]
    made = []
    for number, members in enumerate(inside.T):
        pairs, duplicates = int(members.sum()), int((members & duplicate).sum())
        ends = [*_wilson(duplicates, pairs, odds), *interval(resampled[:, number])]
        made.append(
            ReliabilityBin(
                least=float(probability[members].min()),
                most=float(probability[members].max()),
                pairs=pairs,
                duplicates=duplicates,
                said=float(np.average(probability[members], weights=weight[members])),
                came_true=float(share[number]),
                low=min(ends),
                high=max(ends),
            )
        )
    return tuple(made)


def _share(duplicates: Float64, others: Float64, prior: float) -> Float64:
    """Return the weighted share of duplicates in each bin, from counts (n_resamples, n_bins); NaN in an empty one."""
    with np.errstate(invalid="ignore", divide="ignore"):
        true = prior * duplicates / duplicates.sum(axis=1, keepdims=True)
        false = (1 - prior) * others / others.sum(axis=1, keepdims=True)
        share: Float64 = true / (true + false)
    return share


def _wilson(duplicates: int, pairs: int, odds: float) -> tuple[float, float]:
    """Return Wilson's 95% interval of a counted share, its ends moved to the prior as the share itself is.

    ``odds`` is what the weighting to the prior multiplies the odds of a duplicate by.
    """
    low, high = wilson_interval(duplicates / pairs, pairs)
    return float(low * odds / (low * odds + 1 - low)), float(high * odds / (high * odds + 1 - high))
