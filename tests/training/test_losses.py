"""The losses, against their formulas in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist, pdist
from torch import nn

from dedup.encoders.protocol import unit_rows
from dedup.questions import Metric
from dedup.training.losses import KEPT_WEIGHT, DuplicateLoss, distance_scale

SCIPY = {Metric.MANHATTAN: "cityblock", Metric.EUCLIDEAN: "euclidean"}
OTHER_WEIGHT = 0.7


class GivenVectors(nn.Module):
    """A network whose vectors are its input."""

    def forward(self, batch):
        return {"sentence_embedding": batch["vectors"]}


def unit(rows: int, seed: int) -> np.ndarray:
    return unit_rows(np.random.default_rng(seed).standard_normal((rows, 12)).astype(np.float32), ["?"] * rows)


@pytest.mark.parametrize("metric", Metric)
@pytest.mark.parametrize("label", [[1, 0, 1, 1, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]])
def test_the_three_losses_are_their_formulas(metric: Metric, label: list[int]) -> None:
    left, columns, kept, before = unit(5, 1), unit(8, 2), unit(4, 3), unit(4, 4)
    component = np.array([0, 1, 2, 3, 4, 0, 5, 2, 0, 6, 2, 7, 8])
    loss = DuplicateLoss(GivenVectors(), metric, OTHER_WEIGHT)
    found = loss(
        [
            {
                "vectors": torch.from_numpy(np.vstack([left, columns, kept])),
                "component": torch.from_numpy(component),
                "kept_vectors": torch.from_numpy(before.astype(np.float16)),
            }
        ],
        torch.tensor(label, dtype=torch.float32),
    )
    scale = np.sqrt(2 * 12 / np.pi) if metric is Metric.MANHATTAN else 1.0
    distance = cdist(left, columns, SCIPY[metric]) / scale
    own = distance[np.arange(5), np.arange(5)]
    slope, middle = loss.slope.item(), loss.middle.item()
    probability = 1 / (1 + np.exp(-slope * (middle - own)))
    weight = np.where(label, 1.0, OTHER_WEIGHT)
    pairwise = np.average(-np.log(np.where(label, probability, 1 - probability)), weights=weight)
    ranked = []
    for row in np.flatnonzero(label):
        allowed = [c for c in range(8) if c == row or component[5 + c] != component[row]]
        ranked.append(15 * own[row] + np.log(np.exp(-15 * distance[row, allowed]).sum()))
    changed = (pdist(kept, SCIPY[metric]) - pdist(before.astype(np.float16), SCIPY[metric])) / scale
    assert found["pairs"].item() == pytest.approx(pairwise, rel=1e-5)
    assert found["ranking"].item() == pytest.approx(0.3 * np.mean(ranked) if ranked else 0.0, rel=1e-4)
    assert found["kept"].item() == pytest.approx(KEPT_WEIGHT * np.mean(changed**2), rel=1e-4)


def test_without_kept_questions_nothing_is_said_of_them() -> None:
    batch = {
        "vectors": torch.from_numpy(unit(4, 1)),
        "component": torch.tensor([0, 1, 0, 2]),
        "kept_vectors": torch.empty((0, 12), dtype=torch.float16),
    }
    assert set(DuplicateLoss(GivenVectors(), Metric.EUCLIDEAN, 1.0)([batch], torch.ones(2))) == {"pairs", "ranking"}


def test_the_scale_makes_both_metrics_alike_for_differences_in_any_direction() -> None:
    difference = np.random.default_rng(0).standard_normal((2000, 384))
    ratio = np.abs(difference).sum(1) / np.linalg.norm(difference, axis=1)
    assert ratio.mean() / distance_scale(Metric.MANHATTAN, 384) == pytest.approx(1, abs=0.002)
    assert distance_scale(Metric.EUCLIDEAN, 384) == 1


@pytest.mark.parametrize("metric", Metric)
def test_equal_texts_have_a_gradient_that_is_a_number(metric: Metric) -> None:
    vectors = torch.from_numpy(np.vstack([unit(3, 1), unit(3, 1)])).requires_grad_()
    batch = {
        "vectors": vectors,
        "component": torch.arange(6),
        "kept_vectors": torch.empty((0, 12), dtype=torch.float16),
    }
    sum(DuplicateLoss(GivenVectors(), metric, 1.0)([batch], torch.tensor([1.0, 0, 1])).values()).backward()
    assert torch.isfinite(vectors.grad).all()
