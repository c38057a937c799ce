"""Probabilities for another share of duplicates than the one they were fitted on.

All of this rests on *label shift*: among duplicates, and among the others, what the classifier looks at is spread as it
was where it was fitted, and only the share of duplicates is another. It does not hold where

- the questions are of another kind (a site on one subject, where everything lies nearer): use `dedup.adaptation`;
- the pairs were picked otherwise: the classifier was fitted on pairs of any distance and is asked about those under a
  cut-off. Then the share that the probabilities are for is not the fitted one, but the one *under the cut-off*, which
  `prior_under` gives; with it, the rest holds again.

An estimate is only as good as that; nothing in unlabelled probabilities themselves can tell.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedup.errors import ClassifierError
from dedup.evaluation import prior_weights
from dedup.questions import Float64

_LEAST = 1e-6  # a share of 0 or of 1 would make every later probability 0 or 1


@dataclass(frozen=True, slots=True)
class PriorEstimate:
    """The share of duplicates among pairs without labels."""

    prior: float  # from 1e-6 to 1 - 1e-6
    standard_error: float  # from the curvature of the likelihood; infinite where the probabilities tell nothing


def estimate_prior(probability: Float64, fitted_prior: float) -> PriorEstimate:
    """Estimate the share of duplicates among pairs from their probabilities alone, under label shift.

    The prior that makes the probabilities most likely. Saerens and others climb to it by expectation maximisation, in
    hundreds of steps where the classes overlap; in one unknown the likelihood has a single peak, and this finds the
    same one as the root of its slope.

    Parameters
    ----------
    probability
        (n_pairs,), calibrated for ``fitted_prior``.

    Raises
    ------
    ClassifierError
        If there is no pair, or the fitted prior is not above 0 and below 1.

    Source: Saerens, Latinne & Decaestecker (2002), "Adjusting the outputs of a classifier to new a priori
    probabilities"; Alexandari, Kundaje & Shrikumar (2020) on the single peak.
    """
    from scipy.optimize import brentq

    _check(fitted_prior)
    if not len(probability):
        raise ClassifierError("no pair to estimate the share of duplicates from; expected at least one probability")
    if_duplicate, if_other = probability / fitted_prior, (1 - probability) / (1 - fitted_prior)
    gain = if_duplicate - if_other

    def slope(prior: float) -> float:
        return float((gain / (if_other + prior * gain)).mean())

    if not gain.any():
        return PriorEstimate(fitted_prior, float("inf"))
    if slope(_LEAST) <= 0:
        prior = _LEAST
    elif slope(1 - _LEAST) >= 0:
        prior = 1 - _LEAST
    else:
        prior = float(brentq(slope, _LEAST, 1 - _LEAST, xtol=1e-12))
    information = float(((gain / (if_other + prior * gain)) ** 2).sum())
    return PriorEstimate(prior, information**-0.5)


def correct_prior(probability: Float64, fitted_prior: float, new_prior: float) -> Float64:
    """Return what probabilities for one share of duplicates are for another: the odds scaled by the ratio of the odds.

    Same shape; 0 and 1 stay. Back again with the two priors swapped.

    Raises
    ------
    ClassifierError
        If a prior is not above 0 and below 1.

    Source: Elkan (2001), "The foundations of cost-sensitive learning", theorem 2.
    """
    _check(fitted_prior)
    _check(new_prior)
    duplicate = probability * (new_prior / fitted_prior)
    other = (1 - probability) * ((1 - new_prior) / (1 - fitted_prior))
    corrected: Float64 = duplicate / (duplicate + other)
    return corrected


def prior_under(distance: np.typing.ArrayLike, duplicate: NDArray[np.bool_], cutoff: float, *, prior: float) -> float:
    """Return the share of duplicates among labelled pairs within a cut-off distance.

    It is the fitted prior of a classifier that was fitted on all these pairs at ``prior``, and is only asked about
    pairs within the cut-off: give it to `estimate_prior` and `correct_prior` together with such pairs.

    Parameters
    ----------
    distance, duplicate
        (n_pairs,): what the classifier was fitted on.
    prior
        The share of duplicates that those pairs were weighted to.

    Raises
    ------
    ClassifierError
        If the pairs within the cut-off are of one class only.
    """
    _check(prior)
    within = np.asarray(distance) <= cutoff
    positives = int(duplicate[within].sum())
    if positives in (0, int(within.sum())):
        raise ClassifierError(
            f"of the {int(within.sum())} labelled pairs within a distance of {cutoff:g}, {positives} are duplicates; "
            "give more labels, or a larger cut-off, so that there are some of both kinds"
        )
    weight = prior_weights(duplicate, prior)
    return float(weight[within & duplicate].sum() / weight[within].sum())


def _check(prior: float) -> None:
    if not 0 < prior < 1:
        raise ClassifierError(f"the prior is {prior:g}; expected a share of duplicates above 0 and below 1")
