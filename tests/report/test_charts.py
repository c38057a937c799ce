"""The histogram's geometry says what the counts say."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from dedup.classifier import Classifier
from dedup.questions import NATURAL_PRIOR, Metric
from dedup.report.charts import Histogram, draw_histogram

CLASSIFIER = Classifier("tiny", "f" * 64, Metric.MANHATTAN, 7.5, -6.0, (), NATURAL_PRIOR, {})
ABOUT = {"rel": 1e-4, "abs": 2e-4}  # places are written to four decimals of a percent


@st.composite
def histograms(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, float]:
    bins = draw(st.integers(1, 60))
    low = draw(st.floats(0, 5))
    width = draw(st.floats(0.01, 20))
    edges = np.linspace(low, low + width, bins + 1)
    counts = np.array(draw(st.lists(st.integers(0, 10**7), min_size=bins, max_size=bins)))
    counts[draw(st.integers(0, bins - 1))] += 1  # never without a pair
    return edges, counts, draw(st.floats(-1, 30))


def drawn(edges: np.ndarray, counts: np.ndarray, cutoff: float) -> Histogram:
    histogram = draw_histogram(edges, counts, cutoff, CLASSIFIER)
    assert histogram is not None
    return histogram


def axis_of(edges: np.ndarray, cutoff: float) -> tuple[float, float]:
    return min(edges[0], max(cutoff, 0)), max(edges[-1], cutoff)


def number(label: str) -> float:
    scale = {"k": 1e3, "M": 1e6, "G": 1e9}.get(label[-1], 1)
    return float(label.rstrip("kMG").replace(",", "")) * scale


@settings(derandomize=True, deadline=None)
@given(histograms())
def test_heights_are_proportional_to_counts_and_fit_the_plot(drawing: tuple[np.ndarray, np.ndarray, float]) -> None:
    edges, counts, cutoff = drawing
    histogram = drawn(edges, counts, cutoff)
    top = number(histogram.y_ticks[-1].label)
    assert histogram.y_ticks[-1].at == 100
    assert counts.max() <= top
    for bar in histogram.bars:
        assert bar.height == pytest.approx(100 * bar.bin.count / top, **ABOUT)
    assert {bar.bin.low for bar in histogram.bars} == set(edges[:-1][counts > 0])
    assert [one.count for one in histogram.bins] == counts.tolist()
    assert histogram.total == counts.sum()
    assert histogram.fullest.low == edges[counts.argmax()]


@settings(derandomize=True, deadline=None)
@given(histograms())
def test_bars_cover_their_bins_and_change_sides_at_the_threshold(
    drawing: tuple[np.ndarray, np.ndarray, float],
) -> None:
    edges, counts, cutoff = drawing
    histogram = drawn(edges, counts, cutoff)
    low, high = axis_of(edges, cutoff)
    for one in histogram.bins:
        parts = [bar for bar in histogram.bars if bar.bin is one]
        if not one.count:
            assert not parts
            continue
        assert parts[0].left == pytest.approx(100 * (one.low - low) / (high - low), **ABOUT)
        assert sum(part.width for part in parts) == pytest.approx(100 * (one.high - one.low) / (high - low), **ABOUT)
        assert [part.duplicates for part in parts] == sorted((part.duplicates for part in parts), reverse=True)
        coloured = sum(part.width for part in parts if part.duplicates)
        share = min(max(cutoff - one.low, 0), one.high - one.low)
        assert coloured == pytest.approx(100 * share / (high - low), **ABOUT)


@settings(derandomize=True, deadline=None)
@given(histograms())
def test_threshold_and_labels_stand_where_their_numbers_are(drawing: tuple[np.ndarray, np.ndarray, float]) -> None:
    edges, counts, cutoff = drawing
    histogram = drawn(edges, counts, cutoff)
    low, high = axis_of(edges, cutoff)
    if cutoff < 0:
        assert histogram.threshold is None
    else:
        assert histogram.threshold == pytest.approx(100 * (cutoff - low) / (high - low), **ABOUT)
    assert 2 <= len(histogram.x_ticks) <= 7  # room for every label at a phone's width
    for tick in histogram.x_ticks:
        assert tick.at == pytest.approx(100 * (float(tick.label) - low) / (high - low), abs=0.01)
        assert -0.01 <= tick.at <= 100.01
    assert 2 <= len(histogram.y_ticks) <= 6
    for tick in histogram.y_ticks:
        assert tick.at == pytest.approx(100 * number(tick.label) / number(histogram.y_ticks[-1].label), **ABOUT)


@settings(derandomize=True, deadline=None)
@given(histograms())
def test_the_curve_is_the_classifiers_probability(drawing: tuple[np.ndarray, np.ndarray, float]) -> None:
    edges, counts, cutoff = drawing
    histogram = drawn(edges, counts, cutoff)
    low, high = axis_of(edges, cutoff)
    points = np.array([point.split(",") for point in histogram.curve.removeprefix("M").split(" L")], dtype=float)
    assert points[0, 0] == 0
    assert points[-1, 0] == 100
    across = np.linspace(low, high, len(points))
    np.testing.assert_allclose(points[:, 0], 100 * (across - low) / (high - low), atol=0.006)
    np.testing.assert_allclose(points[:, 1], 100 - 100 * expit(-(7.5 * across - 6.0)), atol=0.006)
    middles = np.array([(one.low + one.high) / 2 for one in histogram.bins])
    np.testing.assert_allclose([one.probability for one in histogram.bins], expit(-(7.5 * middles - 6.0)), rtol=1e-9)


@pytest.mark.parametrize("counts", [np.zeros(4, np.int64), np.zeros(0, np.int64)])
def test_nothing_is_drawn_where_there_are_no_pairs(counts: np.ndarray) -> None:
    assert draw_histogram(np.linspace(0, 1, len(counts) + 1), counts, 0.5, CLASSIFIER) is None


def test_pairs_that_are_all_equal_vectors_can_be_drawn() -> None:
    histogram = drawn(np.zeros(2), np.array([5]), -0.1)
    assert math.isfinite(sum(bar.left + bar.width + bar.height for bar in histogram.bars))
    assert histogram.total == 5
