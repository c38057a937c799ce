"""What the page of an evaluation holds, from labelled pairs and what was said of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedup import __version__
from dedup.evaluation import Evaluation, PrecisionRecall, ReliabilityBin, precision_recall, prior_weights, reliability
from dedup.questions import Float32, Float64, Int64, Metric
from dedup.report.evaluation_words import differing

_DISTANCE_BINS = 40
_PROBABILITY_BINS = 20
_MISTAKES = 20  # of each kind


@dataclass(frozen=True, slots=True)
class Mistake:
    """A pair on the wrong side of the threshold; each text in pieces, with whether the other text lacks it."""

    left: tuple[tuple[str, bool], ...]
    right: tuple[tuple[str, bool], ...]
    distance: float
    probability: float


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """One evaluation, with everything its page shows.

    ``labels`` are the names of the files of labelled pairs. ``false_positives`` are the least expected of the pairs
    that are labelled as different and were found to be duplicates, the most probable first; ``false_negatives`` the
    reverse, the least probable first. ``mistakes`` says how many there are of both kinds, shown or not.
    """

    evaluation: Evaluation
    version: str
    labels: tuple[str, ...]
    encoder: str
    metric: Metric
    classifier: str
    precision_recall: PrecisionRecall
    reliability: tuple[ReliabilityBin, ...]
    said: Float64  # (bins,) the weight of the pairs by probability, in equal bins from 0 to 1; together 1
    distance_edges: Float64  # (bins + 1,) in ``metric``, ascending
    duplicate_counts: Int64  # (bins,)
    other_counts: Int64  # (bins,)
    false_positives: tuple[Mistake, ...]
    false_negatives: tuple[Mistake, ...]
    mistakes: tuple[int, int]


def describe_evaluation(
    evaluation: Evaluation,
    *,
    probability: Float64,
    duplicate: NDArray[np.bool_],
    component: Int64,
    distance: Float32,
    texts: Sequence[tuple[str, str]],
    labels: tuple[str, ...],
    encoder: str,
    metric: Metric,
    classifier: str,
) -> EvaluationReport:
    """Gather what the page of an evaluation shows; the arrays are (n_pairs,), as they were evaluated."""
    prior = evaluation.prior
    weight = prior_weights(duplicate, prior)
    said, _ = np.histogram(probability, bins=_PROBABILITY_BINS, range=(0.0, 1.0), weights=weight / weight.sum())
    edges = np.histogram_bin_edges(distance.astype(np.float64), _DISTANCE_BINS)
    flagged = probability >= evaluation.threshold
    false_positive, false_negative = flagged & ~duplicate, ~flagged & duplicate

    def worst(wrong: NDArray[np.bool_], sign: int) -> tuple[Mistake, ...]:
        rows = sorted(
            np.flatnonzero(wrong).tolist(), key=lambda row: (sign * probability[row], -sign * distance[row], texts[row])
        )
        return tuple(
            Mistake(*differing(*texts[row]), float(distance[row]), float(probability[row])) for row in rows[:_MISTAKES]
        )

    return EvaluationReport(
        evaluation=evaluation,
        version=__version__,
        labels=labels,
        encoder=encoder,
        metric=metric,
        classifier=classifier,
        precision_recall=precision_recall(probability, duplicate, component=component, prior=prior),
        reliability=reliability(probability, duplicate, component=component, prior=prior),
        said=said,
        distance_edges=edges,
        duplicate_counts=np.histogram(distance[duplicate], bins=edges)[0].astype(np.int64),
        other_counts=np.histogram(distance[~duplicate], bins=edges)[0].astype(np.int64),
        false_positives=worst(false_positive, -1),
        false_negatives=worst(false_negative, 1),
        mistakes=(int(false_positive.sum()), int(false_negative.sum())),
    )
