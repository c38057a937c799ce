"""The share of duplicates among pairs without labels: what probabilities have to be moved to.

A classifier is fitted on labelled pairs, of which a third are duplicates; a self-join yields others. Saerens, Latinne &
Decaestecker (2002), "Adjusting the outputs of a classifier to new a priori probabilities", estimate the new share from
the probabilities, provided that the others are spread as the labelled ones are. Those of a self-join are not: their
number grows with the distance, up to the cut-off. On Quora's dev questions that estimate is 1.9% where at least 17% are
labelled duplicates. So here the duplicates are spread as the labelled ones are, and the others exponentially, at a rate
that is estimated with the share.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dedup.errors import ClassifierError
from dedup.evaluation import prior_weights

_BINS = 40
_STEEPEST = 40.0  # e-folds from 0 to the cut-off
_LEAST = 1e-6  # a share of 0 or of 1 would make every later probability 0 or 1


def estimate_share(distance: np.typing.ArrayLike, percentiles: np.typing.ArrayLike, cutoff: float) -> float:
    """Estimate which share of the pairs within a cut-off are duplicates, from their distances alone.

    The most likely mixture of the labelled duplicates' distances and an exponential rise, both up to the cut-off, on a
    histogram.

    Parameters
    ----------
    distance
        (n_pairs,): of all pairs within ``cutoff``; farther ones are left out.
    percentiles
        (m,) ascending, from the 0th to the 100th, of the distances of labelled duplicates.

    Raises
    ------
    ClassifierError
        If no pair, or no labelled duplicate, is within the cut-off.
    """
    from scipy.optimize import brentq, minimize_scalar

    edges = np.linspace(0.0, max(cutoff, 0.0), _BINS + 1)
    counts = np.histogram(np.asarray(distance), edges)[0].astype(np.float64)
    shares = np.asarray(percentiles, dtype=np.float64)
    duplicates = np.diff(np.interp(edges, shares, np.linspace(0, 1, len(shares)))) if len(shares) else np.zeros(_BINS)
    if cutoff <= 0 or not counts.sum() or not duplicates.sum():
        raise ClassifierError(
            f"no pair, or no labelled duplicate, lies within a distance of {cutoff:g}: the share of duplicates cannot "
            "be estimated; give --prior a number"
        )
    duplicates /= duplicates.sum()

    def best_share(rate: float) -> tuple[float, float]:
        others = np.exp(rate * (edges[1:] / cutoff - 1))
        others /= others.sum()
        gain = duplicates - others

        def slope(share: float) -> float:
            return float(counts @ (gain / (others + share * gain)))

        if slope(_LEAST) <= 0:
            share = _LEAST
        elif slope(1 - _LEAST) >= 0:
            share = 1 - _LEAST
        else:
            share = float(brentq(slope, _LEAST, 1 - _LEAST))
        return share, -float(counts @ np.log(others + share * gain))

    rates = np.linspace(0, _STEEPEST, 41)
    start = rates[int(np.argmin([best_share(rate)[1] for rate in rates]))]
    found = minimize_scalar(lambda rate: best_share(rate)[1], bounds=(max(0.0, start - 1), start + 1), method="bounded")
    return best_share(float(found.x))[0]


def prior_under(distance: np.typing.ArrayLike, duplicate: NDArray[np.bool_], cutoff: float, *, prior: float) -> float:
    """Return the share of duplicates among labelled pairs within a cut-off distance.

    A classifier that was fitted on all these pairs at ``prior``, and is asked about pairs within the cut-off, takes
    this share of them for duplicates: what `estimate_share` is compared with.

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
