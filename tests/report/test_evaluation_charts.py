"""An evaluation's pictures say what the figures say."""

from __future__ import annotations

import numpy as np
import pytest
from evaluation_reports import EVALUATION

from dedup.report.evaluation_charts import draw_distances, draw_precision_recall, draw_reliability


def points(path: str) -> np.ndarray:
    return np.array([point.split(",") for point in path.removeprefix("M").removesuffix(" Z").split(" L")], dtype=float)


def test_the_curve_and_its_band_are_drawn_from_the_top_left() -> None:
    curve = EVALUATION.precision_recall
    drawn = draw_precision_recall(curve, EVALUATION.evaluation)
    np.testing.assert_allclose(
        points(drawn.curve), 100 * np.column_stack([curve.recall, 1 - curve.precision]), atol=0.006
    )
    there, back = np.split(points(drawn.band), 2)
    np.testing.assert_allclose(there, 100 * np.column_stack([curve.recall, 1 - curve.high]), atol=0.006)
    np.testing.assert_allclose(back[::-1], 100 * np.column_stack([curve.recall, 1 - curve.low]), atol=0.006)
    np.testing.assert_allclose([point.recall for point in drawn.points], np.linspace(0, 1, 21), atol=1e-9)


def test_reliability_points_have_their_intervals_and_bars_their_weights() -> None:
    drawn = draw_reliability(EVALUATION.reliability, EVALUATION.said)
    for point in drawn.points:
        assert point.top <= point.down <= point.bottom
        assert (point.across, point.down) == pytest.approx(
            (100 * point.bin.said, 100 - 100 * point.bin.came_true), abs=1e-3
        )
        assert (point.top, point.bottom) == pytest.approx(
            (100 - 100 * point.bin.high, 100 - 100 * point.bin.low), abs=1e-3
        )
    heights = np.array([bar.height for bar in drawn.said])
    np.testing.assert_allclose(heights / heights.sum(), EVALUATION.said, atol=1e-5)
    assert heights.max() == 100
    assert all(bar.top + bar.height == pytest.approx(100) for bar in drawn.said)  # they stand on the floor


def test_both_kinds_stand_on_the_middle_and_are_as_high_as_their_shares() -> None:
    edges = np.array([0.0, 0.5, 1.0, 1.5, 2.0])
    drawn = draw_distances(edges, np.array([6, 3, 1, 0]), np.array([0, 100, 150, 250]))
    assert drawn.top == 0.6
    assert [bar.height for bar in drawn.duplicates] == pytest.approx([50, 25, 50 / 6], abs=1e-3)
    assert [bar.height for bar in drawn.others] == pytest.approx([50 / 3, 25, 50 * 5 / 6], abs=1e-3)
    assert [bar.left for bar in drawn.duplicates] == [0, 25, 50]
    assert [bar.left for bar in drawn.others] == [25, 50, 75]
    assert all(bar.top + bar.height == pytest.approx(50) for bar in drawn.duplicates)
    assert {bar.top for bar in drawn.others} == {50}
    assert drawn.others[-1].label == "1.5 to 2: 250 pairs"
    for tick in drawn.x_ticks:
        assert tick.at == pytest.approx(50 * float(tick.label), abs=0.01)


def test_pairs_that_are_all_equally_far_can_be_drawn() -> None:
    edges = np.histogram_bin_edges(np.full(5, 0.7), 40)
    counts = np.histogram(np.full(5, 0.7), edges)[0]
    drawn = draw_distances(edges, counts, counts)
    assert [bar.height for bar in drawn.duplicates] == [50]
