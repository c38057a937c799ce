"""How well a network in training tells dev pairs apart, by the distance of its vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sentence_transformers.base.evaluation import SentenceEvaluator

from dedup.distance import pair_distances
from dedup.encoders import Encoder
from dedup.encoders.protocol import unit_rows
from dedup.errors import TrainingError
from dedup.evaluation import score_pairs
from dedup.questions import NATURAL_PRIOR, Float32, Float64, Metric
from dedup.training.examples import TextPairs
from dedup.training.losses import DuplicateLoss, distance_scale

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

BEST_BY = "average_precision_balanced"
"""The score by which the best checkpoint is chosen: average precision, both classes weighted alike."""

_BATCH_TEXTS = 128


class DevJudge(SentenceEvaluator):
    """Scores the network on the dev pairs whenever the trainer asks; TrainingError where its vectors are no numbers."""

    def __init__(self, dev: TextPairs, metric: Metric, loss: DuplicateLoss) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.primary_metric = BEST_BY
        self._dev = dev
        self._metric = metric
        self._loss = loss

    def __call__(  # type: ignore[override]  # of the models there are, it judges encoders
        self, model: SentenceTransformer, output_path: str | None = None, epoch: float = -1, steps: int = -1
    ) -> dict[str, Any]:
        """Return the dev scores; nothing is written."""
        vectors = np.asarray(
            model.encode(list(self._dev.texts), batch_size=_BATCH_TEXTS, show_progress_bar=False), dtype=np.float32
        )
        if not np.isfinite(vectors).all():
            raise no_numbers(steps)
        return dev_scores(
            self._dev,
            unit_rows(vectors, self._dev.texts),
            self._metric,
            slope=float(self._loss.slope.detach()),
            middle=float(self._loss.middle.detach()),
        )


def no_numbers(steps: int) -> TrainingError:
    """Return what is raised where the weights have overflowed."""
    return TrainingError(f"the weights are no numbers any more after {steps} steps; give a lower --learning-rate")


def exact_scores(dev: TextPairs, encoder: Encoder, loss: DuplicateLoss) -> dict[str, float]:
    """Return the dev scores of a finished model, in the precision in which it will encode."""
    slope, middle = float(loss.slope.detach()), float(loss.middle.detach())
    return dev_scores(dev, encoder.encode(dev.texts), encoder.metric, slope=slope, middle=middle)


def dev_scores(dev: TextPairs, vectors: Float32, metric: Metric, *, slope: float, middle: float) -> dict[str, float]:
    """Return the scores of the distances between ``vectors``, (n_texts, dimension), of the dev pairs' texts.

    ``slope`` and ``middle`` are the loss's: they were learnt with both classes weighted alike, so the probability, and
    what is named balanced, is for a prior of one half.
    """
    distance = pair_distances(vectors, dev.left, dev.right, metric) / distance_scale(metric, vectors.shape[1])
    probability = 1 / (1 + np.exp(slope * (distance.astype(np.float64) - middle)))
    return balanced_scores(probability, dev.duplicate)


def balanced_scores(probability: Float64, duplicate: NDArray[np.bool_]) -> dict[str, float]:
    """Return the scores of probabilities of dev pairs, (n_pairs,), that are for a prior of one half."""
    balanced = score_pairs(probability, duplicate, 0.5, 0.5)
    natural = score_pairs(probability, duplicate, NATURAL_PRIOR, 0.5)
    return {
        BEST_BY: balanced["average_precision"],
        "accuracy_balanced": balanced["accuracy"],
        "average_precision": natural["average_precision"],
        "roc_auc": balanced["roc_auc"],
    }
