"""Cells are put into bins that are not too large, and every two rows of a cell are compared exactly once."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from oracles import repeatable

from dedup.shards.layout import lay_out


@repeatable
@given(sizes=st.lists(st.integers(0, 9), min_size=1, max_size=7), most=st.integers(1, 8))
def test_every_two_rows_of_a_cell_are_compared_in_one_task(sizes, most):
    layout = lay_out(np.array(sizes, dtype=np.int64), most)
    cells = np.repeat(np.arange(len(sizes)), sizes)
    rows = np.arange(len(cells))
    bins = layout.bins_of(rows, cells[:, None].astype(np.int16))[:, 0]
    compared: Counter[tuple[int, int]] = Counter()
    for one, other, theirs in layout.together():
        for cell in theirs.tolist():
            here = rows[(cells == cell) & (bins == one)].tolist()
            there = rows[(cells == cell) & (bins == other)].tolist()
            pairs = combinations(here, 2) if one == other else ((a, b) for a in here for b in there)
            compared.update((min(pair), max(pair)) for pair in pairs)
    expected = {(a, b) for a, b in combinations(rows.tolist(), 2) if cells[a] == cells[b]}
    assert compared == Counter(dict.fromkeys(expected, 1))


@repeatable
@given(sizes=st.lists(st.integers(0, 50), min_size=1, max_size=20), most=st.integers(1, 30))
def test_no_bin_is_larger_than_asked_for_and_the_hot_cells_are_told(sizes, most):
    layout = lay_out(np.array(sizes, dtype=np.int64), most)
    assert layout.largest_bin <= most
    assert layout.largest_cell == max(sizes)
    assert layout.hot_cells == sum(size > most for size in sizes)
