"""The training set: what labels say, what follows from them, and what of them cannot be learnt from."""

from __future__ import annotations

import logging
from itertools import combinations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import repeatable

from dedup.errors import TrainingError
from dedup.labelled import LabelledPairs
from dedup.training.examples import (
    TextPairs,
    duplicate_components,
    label_components,
    numbered_pairs,
    refuse_contradictions,
    text_pairs,
    training_pairs,
    with_inferred,
)


def labelled(*rows: tuple[str, str, int]) -> LabelledPairs:
    return LabelledPairs(
        tuple((left, right) for left, right, _ in rows), np.array([bool(label) for *_, label in rows]), 0, 0
    )


def named(pairs: TextPairs) -> set[tuple[str, str, bool]]:
    return {
        (pairs.texts[left], pairs.texts[right], bool(duplicate))
        for left, right, duplicate in zip(pairs.left, pairs.right, pairs.duplicate, strict=True)
    }


letters = st.sampled_from("abcdefghij")
label_rows = st.lists(st.tuples(letters, letters, st.booleans()), min_size=1, max_size=30)


def graph_of(rows: list[tuple[str, str, bool]], *, duplicates_only: bool) -> nx.Graph:
    graph = nx.Graph()
    graph.add_nodes_from(text for row in rows for text in row[:2])
    graph.add_edges_from((left, right) for left, right, duplicate in rows if duplicate or not duplicates_only)
    return graph


def groups(texts: tuple[str, ...], component: np.ndarray) -> set[frozenset[str]]:
    return {frozenset(np.array(texts, dtype=object)[component == number].tolist()) for number in np.unique(component)}


@repeatable
@given(label_rows)
def test_components_are_those_of_networkx(rows: list[tuple[str, str, bool]]) -> None:
    pairs = text_pairs(labelled(*rows))
    for component, only in ((duplicate_components(pairs), True), (label_components(pairs), False)):
        expected = nx.connected_components(graph_of(rows, duplicates_only=only))
        assert groups(pairs.texts, component) == {frozenset(group) for group in expected}


@repeatable
@given(label_rows, st.randoms())
def test_nothing_that_contradicts_the_rest_is_left_and_all_else_is(rows, random) -> None:
    said: dict[tuple[str, str], set[bool]] = {}
    for left, right, duplicate in rows:
        said.setdefault((min(left, right), max(left, right)), set()).add(duplicate)
    agreed = [(*pair, labels.pop()) for pair, labels in said.items() if len(labels) == 1]
    together = graph_of(agreed, duplicates_only=True)
    expected = {
        (left, right, duplicate)
        for left, right, duplicate in agreed
        if left != right and (duplicate or not nx.has_path(together, left, right))
    }
    shuffled = random.sample(rows, len(rows))
    assert named(training_pairs(labelled(*rows))) == expected
    assert named(training_pairs(labelled(*shuffled))) == expected


def test_what_is_left_out_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    rows = [("Why?", "Who", 1), ("why", "who?", 0), ("a", "A!", 0), ("a", "b", 1), ("b", "c", 1), ("a", "c", 0)]
    with caplog.at_level(logging.WARNING):
        assert named(training_pairs(labelled(*rows))) == {("a", "b", True), ("b", "c", True)}
    assert [record.message for record in caplog.records] == [
        "left out of training: 1 pairs labelled both ways once normalised",
        "left out of training: 1 pairs of equal text labelled as no duplicates",
        "left out of training: 1 pairs labelled as no duplicates that a chain of duplicates connects",
    ]


@pytest.mark.parametrize(("label", "count"), [(1, 2), (0, 0)])
def test_labels_of_one_class_are_refused(label: int, count: int) -> None:
    with pytest.raises(TrainingError, match=rf"pairs.csv has {count} duplicates among 2 labelled pairs; give labels"):
        refuse_contradictions(labelled(("a", "b", label), ("c", "d", label)), "pairs.csv")


def test_texts_labelled_both_ways_as_typed_are_refused_and_the_first_five_shown() -> None:
    rows = [(f"a{n}", f"b{n}", 1) for n in range(7)] + [(f"b{n}", f"a{n}", 0) for n in range(7)]
    message = r"pairs.csv says of 7 pairs both .*: 'a0' and 'b0'; .*'a4' and 'b4'; …; correct the labels"
    with pytest.raises(TrainingError, match=message):
        refuse_contradictions(labelled(*rows), "pairs.csv")
    refuse_contradictions(labelled(("Why?", "Who", 1), ("why", "who", 0)), "only equal once normalised")


@repeatable
@given(label_rows, st.integers(0, 3))
def test_inferred_duplicates_follow_from_others_and_are_no_more_than_their_component(rows, seed: int) -> None:
    pairs = training_pairs(labelled(*rows))
    complete = with_inferred(pairs, seed)
    added = named(complete) - named(pairs)
    together = graph_of([row for row in named(pairs) if row[2]], duplicates_only=True)
    assert len(complete) == len(pairs) + len(added)
    for group in nx.connected_components(together):
        possible = {(*pair, True) for pair in combinations(sorted(group), 2)} - named(pairs)
        inside = {pair for pair in added if pair[0] in group}
        assert inside <= possible
        assert len(inside) == min(len(possible), len(group))
        added -= inside
    assert not added
    assert named(with_inferred(pairs, seed)) == named(complete)


def test_pairs_are_numbered_without_a_gap() -> None:
    expected = [(i, j) for j in range(1, 60) for i in range(j)]
    i, j = numbered_pairs(np.arange(len(expected)))
    assert list(zip(i.tolist(), j.tolist(), strict=True)) == expected
