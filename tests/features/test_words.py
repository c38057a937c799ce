"""What words ask, negate and are compared as."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import repeatable

from dedup.features.tokens import tokenise
from dedup.features.words import (
    QuestionWord,
    ask_differently,
    asks_anywhere,
    asks_in_front,
    is_negation,
    is_stop_word,
    singular,
    tokens_of,
)
from dedup.text import normalise


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("what's c++ or c# (vs. node.js)?", ["what's", "c++", "or", "c#", "vs", "node", "js"]),
        ("x^5, 3.5mm & 1,000.5 twenty-five", ["x", "5", "3.5mm", "1,000.5", "twenty", "five"]),
        ("snake_case", ["snake", "case"]),
        ("日本の首都は何", list("日本の首都は何")),
        ("是python吗", ["是", "python", "吗"]),
        ("été naïve Привет", ["été", "naïve", "Привет"]),
        ("?!", ["?!"]),
        ("🤔 🤔", ["🤔", "🤔"]),
        ("", []),
    ],
)
def test_tokens_of_a_text(text: str, expected: list[str]) -> None:
    assert tokens_of(text) == expected


@repeatable
@given(st.lists(st.text(max_size=20), max_size=8))
def test_numbered_tokens_are_the_tokens(texts: list[str]) -> None:
    texts = [normalise(text) for text in texts]
    tokens = tokenise(texts)
    found = [[tokens.words[number] for number in tokens.ids[tokens.text == at]] for at in range(len(texts))]
    assert found == [tokens_of(text) for text in texts]
    assert tokens.lengths.tolist() == [len(tokens_of(text)) for text in texts]
    assert len(set(tokens.words)) == len(tokens.words)
    assert all(tokens_of(text) for text in texts if text)


@pytest.mark.parametrize(
    ("plural", "expected"),
    [
        ("cats", "cat"),
        ("cat's", "cat"),
        ("parties", "party"),
        ("phones", "phone"),
        ("glass", "glass"),
        ("virus", "virus"),
        ("gas", "gas"),
        ("shoes", "shoe"),
    ],
)
def test_plurals_are_compared_as_their_singular(plural: str, expected: str) -> None:
    assert singular(plural) == singular(expected) == expected


@pytest.mark.parametrize("word", ["not", "don't", "dont", "can't", "cannot", "without", "never", "non"])
def test_negations(word: str) -> None:
    assert is_negation(word)
    assert is_stop_word(word)


@pytest.mark.parametrize("word", ["note", "nothingness", "ant", "want", "know", "rice", "c", "r"])
def test_what_is_neither_a_negation_nor_a_stop_word(word: str) -> None:
    assert not is_negation(word)
    assert not is_stop_word(word)


def test_verbs_ask_in_front_only() -> None:
    assert asks_in_front("isn't") is asks_in_front("are") is QuestionWord.IS
    assert asks_anywhere("is") is QuestionWord.NONE
    assert asks_anywhere("what's") is asks_in_front("what") is QuestionWord.WHAT
    assert asks_in_front("can't") is asks_in_front("could") is QuestionWord.CAN
    assert asks_in_front("rice") is QuestionWord.NONE


def test_asking_differently_is_mutual_and_never_of_a_word_and_itself() -> None:
    different = ask_differently()
    np.testing.assert_array_equal(different, different.T)
    assert not different.diagonal().any()
    assert different[QuestionWord.WHY, QuestionWord.HOW]
    assert different[QuestionWord.HOW, QuestionWord.WHICH]
    assert not different[QuestionWord.WHAT, QuestionWord.WHICH]
    assert not different[QuestionWord.WILL, QuestionWord.IS]
    assert different[QuestionWord.NONE, 1:].all()
