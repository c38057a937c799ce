"""The recall of pairs is against every true pair of the sampled rows."""

import json
from pathlib import Path

import numpy as np
import pytest
from oracles import clustered_unit_rows, pairs_within

from benchmarks.judging import recall, true_pairs
from dedup.questions import Metric

ROWS = 300
CUTOFFS = {Metric.EUCLIDEAN: 0.5, Metric.MANHATTAN: 1.6}


@pytest.mark.parametrize("metric", Metric)
def test_true_pairs_are_all_pairs_within_the_cutoff_where_all_rows_are_sampled(tmp_path: Path, metric: Metric) -> None:
    vectors = clustered_unit_rows(5, ROWS, 16, groups=40, spread=0.3)
    np.save(tmp_path / f"part-{0:09d}.npy", vectors[:200])
    np.save(tmp_path / f"part-{200:09d}.npy", vectors[200:])
    (tmp_path / "vectors.json").write_text(json.dumps({"cutoffs": CUTOFFS}))
    found = true_pairs(tmp_path, metric, ROWS)
    expected = pairs_within(vectors, metric, CUTOFFS[metric])
    assert len(expected) > 100
    assert set(map(tuple, found.tolist())) == set(expected)
    assert np.array_equal(true_pairs(tmp_path, metric, ROWS), found)  # from where it was kept


def test_recall_counts_true_pairs_whichever_row_stands_first() -> None:
    truth = np.array([[0, 1], [2, 5], [3, 4], [1, 7]])
    found = np.array([[1, 0], [2, 5], [5, 6], [4, 7]])
    assert recall(found, truth, 8) == 0.5


def test_recall_of_nothing_to_find_is_whole() -> None:
    none = np.empty((0, 2), dtype=np.int64)
    assert recall(none, none, 8) == 1.0
    assert recall(none, np.array([[0, 1]]), 8) == 0.0
