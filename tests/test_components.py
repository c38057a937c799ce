"""Connected components, part by part, against the same links looked at at once."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from dedup.components import components


def parts(left: np.ndarray, right: np.ndarray, size: int) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(left[start : start + size], right[start : start + size]) for start in range(0, len(left), size)]


@given(
    st.integers(1, 40),
    st.lists(st.tuples(st.integers(0, 39), st.integers(0, 39)), max_size=80),
    st.integers(1, 100),
)
def test_components_are_those_of_all_links_at_once(rows: int, links: list[tuple[int, int]], part: int) -> None:
    ends = np.array(links, dtype=np.int64).reshape(-1, 2) % rows
    left, right = ends.T
    graph = coo_array((np.ones(len(left), dtype=bool), (left, right)), shape=(rows, rows))
    _, expected = connected_components(graph, directed=False)
    smallest = np.array([np.flatnonzero(expected == label)[0] for label in expected])
    np.testing.assert_array_equal(components(rows, parts(left, right, part)), smallest)


@pytest.mark.parametrize("part", [1, 7, 1000])
def test_a_long_chain_is_one_component_whatever_its_order(part: int) -> None:
    order = np.random.default_rng(0).permutation(1000)
    left, right = np.array(list(pairwise(order)), dtype=np.int64).T
    assert set(components(1001, parts(left, right, part)).tolist()) == {0, 1000}


def test_without_links_each_row_is_alone() -> None:
    np.testing.assert_array_equal(components(3, []), [0, 1, 2])
