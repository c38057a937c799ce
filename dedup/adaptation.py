"""Making a classifier at home on a new site with few labels: from twenty on, hundreds are plenty.

A fit from scratch on so few labels is worse than the shipped weights, and the shipped weights are fitted on other
questions. In between: stay near the shipped weights, as far as the labels do not say otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedup.errors import ClassifierError
from dedup.evaluation import prior_weights
from dedup.questions import Float64, Int64

# How far things may go from where they are shipped, in standard deviations of the Gaussian prior. Where one shipped
# weight is wrong they often all are, by one factor, and the intercept is: those two may go far, and are always fitted.
_INTERCEPT = 1.5
_SCALE = 0.5
FREEDOMS = (0.0, 0.1, 0.3, 1.0)
"""Of each weight by itself, for features of unit variance: what cross-validation chooses from."""

_FOLDS = 5


@dataclass(frozen=True, slots=True)
class LogisticWeights:
    """A logistic regression on named features: P(duplicate) = 1 / (1 + exp(-(intercept + features @ weights)))."""

    names: tuple[str, ...]
    weights: Float64  # (n_features,), of features that were standardised
    intercept: float

    def log_odds(self, features: Float64) -> Float64:
        """Return ln(P / (1 - P)) of each row of ``features`` (n, n_features), whose columns are ``names``."""
        odds: Float64 = features @ self.weights + self.intercept
        return odds


@dataclass(frozen=True, slots=True)
class Adapted:
    """Weights fitted near others, and how near: ``freedom`` is the standard deviation that each was allowed."""

    weights: LogisticWeights
    freedom: float
    log_loss: float  # of held-out labels, in the folds that the freedom was chosen on


def adapt(
    shipped: LogisticWeights,
    features: Float64,
    duplicate: NDArray[np.bool_],
    *,
    prior: float,
    component: Int64 | None = None,
) -> Adapted:
    """Fit a logistic regression that stays near the shipped weights as far as the labels let it.

    Logistic regression under a Gaussian prior around the shipped weights: wide along them (all too large or too small
    by one factor), and for each by itself as narrow as does no worse on held-out labels than the best, within one
    standard error. Without a label that says otherwise the result is what was shipped; with thousands it is the fit
    that knows nothing of it. The order of the rows does not matter.

    Parameters
    ----------
    features
        (n, n_features), standardised as those were that ``shipped`` was fitted on.
    duplicate
        (n,) the labels.
    prior
        The share of duplicates that the labels are weighted to.
    component
        (n,) numbers of the connected components of questions, so that no question is on both sides of a fold; without
        them each pair is by itself.

    Raises
    ------
    ClassifierError
        If the labels are of one class only, or the features are not those of ``shipped``.

    Source: Chelba & Acero (2004), "Adaptation of maximum entropy capitalizer: little data can help a lot"; Breiman and
    others (1984), "Classification and regression trees", for the one standard error: with fifty labels the best of
    several held-out losses is often the best by luck, and the freest.
    """
    if features.shape[1:] != shipped.weights.shape:
        raise ClassifierError(
            f"the labelled pairs have features of shape {features.shape}, the classifier has {len(shipped.weights)}: "
            f"{', '.join(shipped.names)}; compute the features that it was fitted on"
        )
    positives = int(duplicate.sum())
    if positives in (0, len(duplicate)):
        raise ClassifierError(
            f"{positives} of the {len(duplicate)} labelled pairs are duplicates; give labels of both kinds"
        )
    weight = prior_weights(duplicate, prior)
    fold = _folds(features, duplicate, component)
    losses = [weight * _held_out_losses(shipped, features, duplicate, weight, fold, freedom) for freedom in FREEDOMS]
    best = losses[int(np.argmin([loss.sum() for loss in losses]))]
    no_worse = [_within_one_error(loss - best) for loss in losses]
    freedom, loss = next(
        (freedom, loss) for freedom, loss, good in zip(FREEDOMS, losses, no_worse, strict=True) if good
    )
    return Adapted(_fit(shipped, features, duplicate, weight, freedom), freedom, float(loss.mean()))


def _within_one_error(more: Float64) -> bool:
    """Tell whether what the held-out labels lose more is at most the standard error of its sum."""
    return bool(more.sum() <= more.std(ddof=1) * np.sqrt(len(more)))


def _folds(features: Float64, duplicate: NDArray[np.bool_], component: Int64 | None) -> Int64:
    """Return each row's fold, with both classes in every fold as far as components let them.

    Rows are dealt in an order of their own contents, so that the order they come in does not matter.
    """
    ranked = np.lexsort((*features.T, duplicate))
    place = np.empty(len(ranked), dtype=np.int64)
    place[ranked] = np.arange(len(ranked))
    together = place if component is None else np.unique(component, return_inverse=True)[1]
    first = np.full(int(together.max()) + 1, len(place), dtype=np.int64)
    np.minimum.at(first, together, place)
    dealt = np.empty(len(first), dtype=np.int64)
    dealt[np.argsort(first)] = np.arange(len(first)) % _FOLDS
    fold: Int64 = dealt[together]
    return fold


def _held_out_losses(
    shipped: LogisticWeights,
    features: Float64,
    duplicate: NDArray[np.bool_],
    weight: Float64,
    fold: Int64,
    freedom: float,
) -> Float64:
    """Return the log-loss of each label under the fit to the other folds, (n,)."""
    losses = np.empty(len(duplicate))
    for held_out in (fold == number for number in range(_FOLDS)):
        kept = ~held_out
        fitted = _fit(shipped, features[kept], duplicate[kept], weight[kept], freedom)
        log_odds = fitted.log_odds(features[held_out])
        losses[held_out] = np.logaddexp(0.0, np.where(duplicate[held_out], -log_odds, log_odds))
    return losses


def _fit(
    shipped: LogisticWeights, features: Float64, duplicate: NDArray[np.bool_], weight: Float64, freedom: float
) -> LogisticWeights:
    """Maximise the posterior. What is searched for is in standard deviations from what was shipped; 0 is no change."""
    from scipy.optimize import minimize

    start = shipped.log_odds(features)
    # One column for the intercept, one for the factor of all weights, one for each weight.
    steps = np.column_stack(
        [np.full(len(features), _INTERCEPT), _SCALE * (start - shipped.intercept), freedom * features]
    )
    sign = np.where(duplicate, 1.0, -1.0)

    def loss(moved: Float64) -> tuple[float, Float64]:
        against = -sign * (start + steps @ moved)
        slope = -sign * weight * np.exp(-np.logaddexp(0.0, -against))
        value = float(weight @ np.logaddexp(0.0, against)) + float(moved @ moved) / 2
        return value, steps.T @ slope + moved

    moved = minimize(
        loss, np.zeros(steps.shape[1]), jac=True, method="L-BFGS-B", options={"gtol": 1e-8, "ftol": 1e-14}
    ).x
    weights = shipped.weights * (1 + _SCALE * moved[1]) + freedom * moved[2:]
    return LogisticWeights(shipped.names, weights, shipped.intercept + _INTERCEPT * float(moved[0]))
