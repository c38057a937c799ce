"""Held-out pairs: no text is on both sides, and the same labels give the same split."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from oracles import repeatable
from toy import toy_rows

from dedup.errors import TrainingError
from dedup.labelled import LabelledPairs
from dedup.training.examples import TextPairs, text_pairs, training_pairs
from dedup.training.splits import hold_out, refuse_overlap


def pairs_of(rows) -> TextPairs:
    texts, duplicate = tuple((left, right) for left, right, _ in rows), np.array([bool(row[2]) for row in rows])
    return training_pairs(LabelledPairs(texts, duplicate, 0, 0))


def edges(pairs: TextPairs) -> set[tuple[str, str]]:
    return {(pairs.texts[left], pairs.texts[right]) for left, right in zip(pairs.left, pairs.right, strict=True)}


def islands(count: int) -> list[tuple[str, str, int]]:
    return [(f"{n} {a}", f"{n} {b}", label) for n in range(count) for a, b, label in (("a", "b", 1), ("b", "c", 0))]


@repeatable
@given(st.integers(2, 40), st.floats(0.1, 0.5), st.integers(0, 5))
def test_no_component_is_on_both_sides_and_no_pair_is_lost(count: int, share: float, seed: int) -> None:
    pairs = pairs_of(islands(count))
    assume(round(share * len(pairs)) >= 2)
    training, dev = hold_out(pairs, share, seed)
    assert edges(training) | edges(dev) == edges(pairs)
    assert len(training) + len(dev) == len(pairs)
    whole = nx.Graph(list(edges(pairs)))
    for component in nx.connected_components(whole):
        assert not (component & set(training.texts) and component & set(dev.texts))
    assert round(share * len(pairs)) - 1 <= len(dev) <= round(share * len(pairs))


def test_the_split_does_not_depend_on_the_order_of_the_labels_and_does_on_the_seed() -> None:
    rows = islands(30)
    _, dev = hold_out(pairs_of(rows), 0.2, 0)
    _, again = hold_out(pairs_of(rows[::-1]), 0.2, 0)
    _, other = hold_out(pairs_of(rows), 0.2, 1)
    assert edges(dev) == edges(again) != edges(other)


def test_labels_that_hang_together_cannot_be_held_out() -> None:
    with pytest.raises(TrainingError, match=r"10% of the \d+ training pairs.* give dev pairs of their own with --dev"):
        hold_out(pairs_of(toy_rows(dev=False)), 0.1, 0)


def test_dev_pairs_that_are_trained_on_are_refused_in_whichever_order_they_are_typed() -> None:
    training = pairs_of([("a", "b", 1), ("c", "d", 0)])
    typed = LabelledPairs((("D?", "C"), ("a", "c")), np.array([False, True]), 0, 0)
    with pytest.raises(TrainingError, match=r"1 of the 2 dev pairs are also training pairs: 'c' and 'd'; leave them"):
        refuse_overlap(training, text_pairs(typed))
    refuse_overlap(training, text_pairs(LabelledPairs((("a", "c"),), np.array([True]), 0, 0)))
