"""Hard negatives, against an exhaustive search."""

from __future__ import annotations

import numpy as np
import pytest

from dedup.distance import cross_distances
from dedup.encoders.protocol import unit_rows
from dedup.progress import Silent
from dedup.questions import Metric
from dedup.training.mining import NEGATIVES, mine_negatives


def exhaustive(vectors, component, guard, metric):
    distance = cross_distances(vectors, vectors, metric)
    found = np.full((len(vectors), NEGATIVES), -1)
    for row, (near, own) in enumerate(zip(distance, component, strict=True)):
        allowed = [other for other in np.argsort(near) if component[other] != own and near[other] >= guard]
        found[row, : len(allowed[:NEGATIVES])] = allowed[:NEGATIVES]
    return found


@pytest.mark.parametrize("metric", Metric)
@pytest.mark.parametrize("quantile", [0.0, 0.01, 0.4, 0.999])
def test_negatives_are_the_nearest_of_other_components_beyond_the_guard(metric: Metric, quantile: float) -> None:
    random = np.random.default_rng(5)
    vectors = unit_rows(random.standard_normal((300, 16)).astype(np.float32), ["?"] * 300)
    component = random.integers(0, 120, 300)
    guard = float(np.quantile(cross_distances(vectors, vectors, metric), quantile))
    np.testing.assert_array_equal(
        mine_negatives(vectors, component, guard, metric, Silent()), exhaustive(vectors, component, guard, metric)
    )


def test_the_search_goes_on_past_a_crowd_of_duplicates() -> None:
    random = np.random.default_rng(6)
    crowd = np.array([1.0, 0, 0, 0]) + 0.01 * random.standard_normal((200, 4))
    vectors = unit_rows(np.vstack([crowd, random.standard_normal((50, 4))]).astype(np.float32), ["?"] * 250)
    component = np.array([0] * 200 + list(range(1, 51)))
    found = mine_negatives(vectors, component, 0.0, Metric.EUCLIDEAN, Silent())
    np.testing.assert_array_equal(found, exhaustive(vectors, component, 0.0, Metric.EUCLIDEAN))
    assert (found[:200] >= 200).all()
