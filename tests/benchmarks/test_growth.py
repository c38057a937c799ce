"""Near-copies are near, never the same, and always the same ones."""

from itertools import islice
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from oracles import repeatable

from benchmarks.growth import near_copies, near_copy
from dedup.text import normalise

TEXTS = ["How do I boil an egg?", "What is the tallest tree in the world?", "Why?"]


def edits(one: str, other: str) -> int:
    """Count the letters to add, drop or change from one text to the other (Levenshtein's distance)."""
    row = list(range(len(other) + 1))
    for at, letter in enumerate(one, 1):
        before, row = row, [at]
        for place, wanted in enumerate(other, 1):
            row.append(min(before[place] + 1, row[-1] + 1, before[place - 1] + (letter != wanted)))
    return row[-1]


@repeatable
@given(st.text(min_size=1, max_size=40).filter(str.strip), st.integers(0, 50))
def test_a_copy_is_never_the_same_text(text: str, seed: int) -> None:
    assert normalise(near_copy(text, Random(seed))) != normalise(text)


def test_a_copy_keeps_most_of_what_it_copies() -> None:
    text = "which ingredients can replace the eggs when baking a cake for six people"
    copies = [near_copy(text, Random(seed)) for seed in range(200)]
    assert max(edits(text, copy) for copy in copies) <= len(text) // 2
    assert all(abs(len(copy.split()) - len(text.split())) <= 6 for copy in copies)


def test_every_text_is_copied_before_one_is_copied_again() -> None:
    copies = list(islice(near_copies(TEXTS), 9))
    nearest = [min(TEXTS, key=lambda text: edits(text, copy)) for copy in copies]
    assert nearest == TEXTS * 3


def test_fewer_copies_are_the_start_of_more() -> None:
    assert list(islice(near_copies(TEXTS), 5)) == list(islice(near_copies(TEXTS), 50))[:5]
