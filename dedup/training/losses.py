"""What is minimised: a loss in the index's own metric, so that what is learnt is what is searched."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from dedup.questions import Metric

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_SLOPE, _MIDDLE = 6.4, 0.6  # where the default encoder's pairs are told apart best before training, in L2
_SHARPNESS = 15.0
_RANKING_WEIGHT = 0.3
KEPT_WEIGHT = 20.0
"""How much a squared change of the distances between kept questions weighs against the loss of the labels."""

_LEAST_SQUARE = 1e-8  # the root has no derivative at 0
_MASKED = -1e4


def distance_scale(metric: Metric, dimension: int) -> float:
    """Return what a distance is divided by, so that one slope, middle and sharpness serve both metrics.

    For differences that point in any direction alike, each of the d components is normal with variance L2²/d, whose
    mean absolute value is L2 sqrt(2 / (pi d)); so L1 is on average L2 sqrt(2d / pi).
    """
    return math.sqrt(2 * dimension / math.pi) if metric is Metric.MANHATTAN else 1.0


class DuplicateLoss(nn.Module):
    """Three losses of one batch, whose texts go through the network once.

    1. Pairwise logistic regression, which is how the distance is used afterwards: a slope and a middle are learnt with
       the network, P(duplicate) = 1 / (1 + exp(-slope * (middle - distance))), and other pairs are weighted so that
       both classes count the same.
    2. In-batch ranking of each labelled duplicate against every other question on the right of the batch and its hard
       negatives, save those of its own component (van den Oord, Li & Vinyals, 2018, "Representation Learning with
       Contrastive Predictive Coding", on distances).
    3. For kept questions, nobody knows which are duplicates: the distances among them should stay what they are under
       ``kept_vectors`` (Park et al., 2019, "Relational Knowledge Distillation", the distance-wise loss).
    """

    def __init__(self, model: SentenceTransformer, metric: Metric, other_weight: float) -> None:
        super().__init__()
        self.model = model
        self.slope = nn.Parameter(torch.tensor(_SLOPE))
        self.middle = nn.Parameter(torch.tensor(_MIDDLE))
        self._metric = metric
        self._power = 1.0 if metric is Metric.MANHATTAN else 2.0
        self._other_weight = other_weight

    def forward(self, features: list[dict[str, Tensor]], label: Tensor) -> dict[str, Tensor]:
        """Return the losses, weighted, by name; their sum is minimised.

        Parameters
        ----------
        features
            One dictionary: the tokens of the left texts, the right ones, the hard negatives and the kept ones, in this
            order; ``component`` of all but the kept ones, and ``kept_vectors`` of those: (n_kept, d), of what
            placed them before, which may have another dimension.
        label
            (n_pairs,): 1 for duplicates.
        """
        (batch,) = features
        component, kept_vectors = batch.pop("component"), batch.pop("kept_vectors")
        # Distances of nearly equal vectors are lost in bf16: from here on everything is in fp32.
        vectors = self.model(batch)["sentence_embedding"]
        with torch.autocast(vectors.device.type, enabled=False):
            vectors = vectors.float()
            pairs = len(label)
            left, columns, kept = vectors.split([pairs, len(component) - pairs, len(kept_vectors)])
            losses = {
                "pairs": self.pairwise(left, columns[:pairs], label),
                "ranking": _RANKING_WEIGHT
                * self.ranking(left, columns, component[:pairs, None] == component[pairs:], label),
            }
            if len(kept_vectors):
                losses["kept"] = KEPT_WEIGHT * self.kept(kept, kept_vectors.float())
        return losses

    def pairwise(self, left: Tensor, right: Tensor, label: Tensor) -> Tensor:
        """Return the weighted mean of the logistic loss over the pairs."""
        distance = self._distances(left - right)
        weight = torch.where(label > 0, 1.0, self._other_weight)
        loss = functional.binary_cross_entropy_with_logits(
            self.slope * (self.middle - distance), label, weight, reduction="sum"
        )
        return loss / weight.sum()

    def ranking(self, left: Tensor, columns: Tensor, same: Tensor, label: Tensor) -> Tensor:
        """Return the mean over the duplicates of -log softmax(-sharpness * distance) at their own right side.

        ``same`` (n_pairs, n_columns) marks columns of the row's own component; they are no negatives of it.
        """
        duplicates = torch.nonzero(label > 0)[:, 0]
        if not len(duplicates):
            return label.new_zeros(())
        distances = torch.cdist(left[duplicates], columns, p=self._power)
        distances = distances / distance_scale(self._metric, columns.shape[1])
        masked = same[duplicates].scatter(1, duplicates[:, None], False)
        return functional.cross_entropy((-_SHARPNESS * distances).masked_fill(masked, _MASKED), duplicates)

    def kept(self, vectors: Tensor, before: Tensor) -> Tensor:
        """Return the mean squared change of the distances among the kept texts."""
        now, then = (
            torch.pdist(rows, p=self._power) / distance_scale(self._metric, rows.shape[1]) for rows in (vectors, before)
        )
        return functional.mse_loss(now, then)

    def _distances(self, difference: Tensor) -> Tensor:
        if self._metric is Metric.MANHATTAN:
            return difference.abs().sum(1) / distance_scale(self._metric, difference.shape[1])
        return difference.pow(2).sum(1).clamp_min(_LEAST_SQUARE).sqrt()
