"""What is drawn, and which pairs hang together."""

from __future__ import annotations

import networkx as nx
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from oracles import repeatable

from dedup.evaluation import largest_share, number_texts, question_components
from dedup.evaluation.resampling import draws, interval

edges = st.lists(st.tuples(st.integers(0, 14), st.integers(0, 14), st.booleans()), min_size=1, max_size=30)


@repeatable
@given(edges)
def test_components_are_those_of_networkx(drawn: list[tuple[int, int, bool]]) -> None:
    numbers = {question: at for at, question in enumerate(sorted({end for edge in drawn for end in edge[:2]}))}
    left, right = (np.array([numbers[edge[side]] for edge in drawn]) for side in (0, 1))
    joined = np.array([edge[2] for edge in drawn])
    for chosen in (None, joined):
        graph = nx.Graph()
        graph.add_nodes_from(range(len(numbers)))
        kept = np.ones(len(left), dtype=bool) if chosen is None else chosen
        graph.add_edges_from(zip(left[kept].tolist(), right[kept].tolist(), strict=True))
        found = question_components(left, right, chosen)
        parts = {frozenset(np.flatnonzero(found == one).tolist()) for one in found}
        assert parts == set(map(frozenset, nx.connected_components(graph)))


def test_rows_of_one_component_are_drawn_equally_often_and_components_as_many_as_there_are() -> None:
    component = np.array([7, 3, 7, 7, 5, 3])
    drawn = np.concatenate(list(draws(component, 300)))
    assert drawn.shape == (300, 6)
    np.testing.assert_array_equal(drawn[:, 0], drawn[:, 2])
    np.testing.assert_array_equal(drawn[:, 0], drawn[:, 3])
    np.testing.assert_array_equal(drawn[:, 1], drawn[:, 5])
    np.testing.assert_array_equal(drawn[:, [0, 1, 4]].sum(axis=1), 3)
    assert abs(drawn.mean() - 1) < 0.1


def test_draws_are_the_same_every_time_however_they_come_in_blocks() -> None:
    large = np.arange(200_000)  # of which few fit into a block
    blocks = list(draws(large, 12))
    assert len(blocks) > 1
    again = np.concatenate(list(draws(large, 12)))
    np.testing.assert_array_equal(np.concatenate(blocks), again)
    np.testing.assert_array_equal(np.concatenate(list(draws(large, 3))), again[:3])


def test_an_interval_leaves_out_what_is_not_defined() -> None:
    assert interval(np.array([np.nan, *np.arange(1001.0), np.nan])) == (25.0, 975.0)


def test_texts_of_one_text_key_have_one_number() -> None:
    left, right = number_texts([("Why?", "Who?"), ("who", "When?"), ("WHY", "why ?")])
    assert left[0] == left[2] == right[2]
    assert right[0] == left[1]
    assert sorted({*left.tolist(), *right.tolist()}) == [0, 1, 2]


def test_the_largest_share_is_that_of_the_fullest_component() -> None:
    assert largest_share(np.array([4, 4, 9, 4])) == 0.75
