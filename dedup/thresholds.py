"""From what a person wants, a precision or a cost, to the probability from which pairs are called duplicates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedup.errors import ClassifierError
from dedup.evaluation import wilson_interval
from dedup.questions import Float64, Int64

ENOUGH_FLAGGED = 30
"""Fewer flagged pairs than these, in effect, say nothing of a precision."""

_MOST_OF_ONE = 0.005  # of the pairs: as much as pairs that share questions count for, see `spread_weights`
_LEAST_OF_ONE = 10  # pairs that count in full, however few there are


@dataclass(frozen=True, slots=True)
class PrecisionThreshold:
    """A threshold and how good it is on the labelled pairs it was chosen on, which flatters it a little.

    ``low`` and ``high`` are the precision's 95% interval. What is reported to anybody is measured on other pairs.
    """

    threshold: float
    precision: float
    low: float
    high: float
    recall: float


def spread_weights(duplicate: NDArray[np.bool_], component: Int64, prior: float) -> Float64:
    """Weigh labelled pairs to a share of duplicates so that no component of connected questions outweighs the others.

    Where hundreds of pairs are about one subject, a mistake or two among them would decide which thresholds have a
    precision. Together they count as half a per cent of the pairs, or ten pairs.

    Parameters
    ----------
    duplicate, component
        (n_pairs,): labels of both kinds, and a number that pairs have in common which share questions.
    prior
        The share of duplicates that the weights sum to, of the whole; the sum is n_pairs.
    """
    most = max(_LEAST_OF_ONE, _MOST_OF_ONE * len(duplicate))
    _, of, size = np.unique(component, return_inverse=True, return_counts=True)
    counted = np.minimum(1.0, most / size)[of]
    share = np.where(duplicate, prior / counted[duplicate].sum(), (1 - prior) / counted[~duplicate].sum())
    weights: Float64 = counted * share * len(duplicate)
    return weights


def threshold_for_precision(
    probability: Float64, duplicate: NDArray[np.bool_], weight: Float64, wanted: float = 0.95
) -> PrecisionThreshold:
    """Return the smallest threshold that has the wanted precision, and above which no other falls short of it.

    The second condition keeps out a lucky dip: from there on, raising the threshold never costs precision that was
    wanted. Thresholds that flag fewer than `ENOUGH_FLAGGED` pairs are not judged.

    Parameters
    ----------
    probability, duplicate, weight
        (n_pairs,): of labelled pairs, weighted to the prior that the precision is wanted for.

    Raises
    ------
    ClassifierError
        If no threshold has it.

    Notes
    -----
    The interval is Wilson's (1927) on the flagged pairs' effective number, the square of the sum of their weights over
    the sum of their squares (Kish, 1965).
    """
    if not 0 < wanted < 1:
        raise ClassifierError(f"the wanted precision is {wanted:g}; expected one above 0 and below 1")
    order = np.argsort(-probability, kind="stable")
    ranked = probability[order]
    # Equal probabilities are flagged together, so only the last of them is a place to stop.
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True)[: len(ranked)])
    flagged = np.cumsum(weight[order])[last]
    true = np.cumsum(weight[order] * duplicate[order])[last]
    effective = flagged**2 / np.cumsum(weight[order] ** 2)[last]
    precision = true / flagged
    judged = effective >= ENOUGH_FLAGGED
    short = np.flatnonzero(judged & (precision < wanted))
    good = np.flatnonzero(judged[: short[0]] if len(short) else judged)
    if not len(good):
        best = f"the best of any threshold is {precision[judged].max():.3f}" if judged.any() else "too few are flagged"
        raise ClassifierError(
            f"no threshold has a precision of {wanted:g} on the {len(probability)} labelled pairs and keeps it above: "
            f"{best}; ask for less, give more labels, or use a better encoder"
        )
    at = good[-1]
    low, high = wilson_interval(float(precision[at]), float(effective[at]))
    return PrecisionThreshold(
        float(ranked[last[at]]), float(precision[at]), low, high, float(true[at] / weight[duplicate].sum())
    )


def threshold_for_cost(false_positive: float, false_negative: float) -> float:
    """Return the threshold of the least expected cost: merging strangers costs so much, missing a duplicate so much.

    Raises
    ------
    ClassifierError
        If a cost is not a number above 0.

    Source: Elkan (2001), "The foundations of cost-sensitive learning", equation 2.
    """
    for cost in (false_positive, false_negative):
        if not 0 < cost < float("inf"):
            raise ClassifierError(f"a mistake's cost is {cost:g}; expected a number above 0, in the same unit for both")
    return 1 / (1 + false_negative / false_positive)
