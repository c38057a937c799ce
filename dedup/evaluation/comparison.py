"""Two sets of probabilities for the same labelled pairs, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedup.evaluation.pairs import RankedPairs, require_both_labels, score_pairs
from dedup.evaluation.resampling import RESAMPLES, draws, intervals
from dedup.questions import Float64, Int64


@dataclass(frozen=True, slots=True)
class Difference:
    """How much higher B's score is than A's, and the 95% interval of that."""

    value: float
    low: float
    high: float

    @property
    def certain(self) -> bool:
        """Whether the interval excludes 0."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """The scores of `Evaluation` for A and for B, and of each score the difference, B less A."""

    n: int
    positives: int
    prior: float
    a: Mapping[str, float]
    b: Mapping[str, float]
    difference: Mapping[str, Difference]


def compare_pairs(
    a: Float64,
    b: Float64,
    duplicate: NDArray[np.bool_],
    *,
    component: Int64,
    prior: float,
    threshold: float,
    resamples: int = RESAMPLES,
) -> Comparison:
    """Score two sets of probabilities, and their differences by paired bootstrap: both on the same resamples.

    ``a`` and ``b`` are (n_pairs,) probabilities of the same pairs; the other parameters are those of `evaluate_pairs`.

    Source: Efron & Tibshirani (1993), "An Introduction to the Bootstrap"; Koehn (2004) for pairing the resamples.

    Raises
    ------
    EvaluationError
        If the labels are of one class only, or the prior is not above 0 and below 1.
    """
    require_both_labels(duplicate, prior)
    ranked_a, ranked_b = (RankedPairs(side, duplicate, prior, threshold) for side in (a, b))
    blocks = []
    for drawn in draws(component, resamples):
        of_a, of_b = ranked_a.scores(drawn), ranked_b.scores(drawn)
        blocks.append({name: of_b[name] - of_a[name] for name in of_a})
    scores_a, scores_b = (score_pairs(side, duplicate, prior, threshold) for side in (a, b))
    return Comparison(
        n=len(duplicate),
        positives=int(duplicate.sum()),
        prior=prior,
        a=scores_a,
        b=scores_b,
        difference={
            name: Difference(scores_b[name] - scores_a[name], low, high)
            for name, (low, high) in intervals(blocks).items()
        },
    )
