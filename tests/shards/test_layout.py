"""Cells are put into bins that are not too large, and every two rows of a cell are compared exactly once."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import repeatable

from dedup.join.cells import NONE
from dedup.shards.layout import lay_out, near_together

cells = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=7)


@repeatable
@given(sizes=cells, most=st.integers(1, 8), data=st.data())
def test_every_two_rows_that_have_to_meet_in_a_cell_do_so_in_one_task(sizes, most, data):
    order = np.array(data.draw(st.permutations(range(len(sizes) + 1))))
    residents, visitors = np.array(sizes, dtype=np.int64).T
    home = np.repeat(np.arange(len(sizes)), residents)
    visit = np.repeat(np.arange(len(sizes)), visitors)
    # Visitors live in a cell of which nothing is asked: the last one, of no size.
    layout = lay_out(np.append(residents, 0), np.append(visitors, 0), order, alone=2 * most, meeting=most)
    near = np.stack([np.append(home, np.full(len(visit), len(sizes))), np.append(np.full(len(home), NONE), visit)], 1)
    bins = layout.bins_of(np.arange(len(near)), near.astype(np.int16))
    compared: Counter[tuple[int, int]] = Counter()
    for one, other, theirs in layout.together():
        for cell in set(theirs.tolist()) - {len(sizes)}:
            (here, here_visit), (there, there_visit) = (
                [np.flatnonzero((near[:, at] == cell) & (bins[:, at] == each)).tolist() for at in (0, 1)]
                for each in (one, other)
            )
            if one == other:
                met = [*combinations(here, 2), *product(here, here_visit)]
            else:
                met = [*product(here, there), *product(here, there_visit), *product(there, here_visit)]
            compared.update((min(pair), max(pair)) for pair in met)
    expected = {
        (a, b)
        for a, b in combinations(range(len(near)), 2)
        if a < len(home) and near[a, 0] == (near[b, 0] if b < len(home) else near[b, 1])
    }
    assert compared == Counter(dict.fromkeys(expected, 1))


@repeatable
@given(sizes=cells, most=st.integers(1, 30))
def test_no_bin_is_larger_than_asked_for_and_the_hot_cells_are_told(sizes, most):
    layout = lay_out(*np.array(sizes, dtype=np.int64).T, np.arange(len(sizes)), alone=most, meeting=-(-most // 2))
    residents, visitors = np.array(sizes, dtype=np.int64).T
    filled = np.zeros(layout.bins)
    np.add.at(filled, layout.first[0][~layout.hot], (residents + visitors)[~layout.hot])
    assert filled.max(initial=0) <= most
    assert all(
        -(-(residents, visitors)[kind][cell] // layout.parts[kind][cell]) <= -(-most // 2)
        for cell in np.flatnonzero(layout.hot)
        for kind in (0, 1)
        if layout.parts[kind][cell]
    )
    assert layout.largest_cell == max(map(sum, sizes))
    assert layout.hot.tolist() == [sum(size) > most for size in sizes]


def test_a_cell_of_many_visitors_is_not_read_once_for_each_of_their_bins():
    layout = lay_out(np.array([10]), np.array([300]), np.array([0]), alone=20, meeting=10)
    assert layout.bins == 31
    assert len(layout.together()) == 31  # and not 31 * 32 / 2


def test_vectors_near_each_other_follow_each_other():
    groups = np.repeat(np.eye(8, dtype=np.float32), 16, axis=0)
    vectors = groups + np.random.default_rng(0).normal(0, 0.01, groups.shape).astype(np.float32)
    shuffled = np.random.default_rng(1).permutation(len(vectors))
    order = near_together(vectors[shuffled])
    assert sorted(order.tolist()) == list(range(len(vectors)))
    group = shuffled[order] // 16
    assert np.count_nonzero(np.diff(group)) == 7


@pytest.mark.parametrize("count", [0, 1, 2, 3, 50])
def test_equal_vectors_have_an_order_as_well(count):
    assert sorted(near_together(np.ones((count, 4), dtype=np.float32)).tolist()) == list(range(count))
