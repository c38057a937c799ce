"""Dev scores: those of the distances, whatever the slope; and weights that have become no numbers."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from dedup.distance import pair_distances
from dedup.encoders.protocol import unit_rows
from dedup.errors import TrainingError
from dedup.evaluation import prior_weights
from dedup.questions import NATURAL_PRIOR, Metric
from dedup.training.examples import TextPairs
from dedup.training.judging import DevJudge, dev_scores
from dedup.training.losses import DuplicateLoss


class Endless:
    """A network whose weights overflowed."""

    def encode(self, texts: list[str], *, batch_size: int, show_progress_bar: bool) -> np.ndarray:
        return np.full((len(texts), 4), np.nan)


def dev_pairs() -> TextPairs:
    random = np.random.default_rng(2)
    texts = tuple(f"text {n:03}" for n in range(80))
    return TextPairs(texts, random.integers(0, 40, 200), random.integers(40, 80, 200), random.random(200) < 0.3)


@pytest.mark.parametrize("metric", Metric)
@pytest.mark.parametrize(("slope", "middle"), [(1.0, 0.0), (6.4, 0.6), (20.0, 1.0)])
def test_scores_are_those_of_the_distances(metric: Metric, slope: float, middle: float) -> None:
    dev = dev_pairs()
    vectors = unit_rows(np.random.default_rng(3).standard_normal((80, 16)).astype(np.float32), dev.texts)
    near = -pair_distances(vectors, dev.left, dev.right, metric).astype(np.float64)
    found = dev_scores(dev, vectors, metric, slope=slope, middle=middle)
    for name, prior in (("average_precision_balanced", 0.5), ("average_precision", NATURAL_PRIOR)):
        expected = average_precision_score(dev.duplicate, near, sample_weight=prior_weights(dev.duplicate, prior))
        assert found[name] == pytest.approx(expected)
    assert found["roc_auc"] == pytest.approx(roc_auc_score(dev.duplicate, near))


def test_vectors_that_are_no_numbers_end_the_training() -> None:
    judge = DevJudge(dev_pairs(), Metric.EUCLIDEAN, DuplicateLoss(None, Metric.EUCLIDEAN, 1.0))
    with pytest.raises(TrainingError, match=r"no numbers any more after 7 steps; give a lower --learning-rate"):
        judge(Endless(), steps=7)
