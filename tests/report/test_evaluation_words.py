"""Words that differ."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import repeatable

from dedup.report.evaluation_words import differing


def marked(left: str, right: str) -> tuple[list[str], list[str]]:
    one, other = differing(left, right)
    return [text for text, differs in one if differs], [text for text, differs in other if differs]


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("Is it far?", "is it FAR", ([], [])),
        ("Trains to Rome", "Trains from Rome", (["to"], ["from"])),
        ("from Rome to Paris", "from Paris to Rome", (["to", "Paris"], ["Paris", "to"])),
        ("Can I?", "Can I not eat 5 eggs?", ([], ["not", "eat", "5", "eggs"])),
        ("什么是数学", "什么是化学", (["数"], ["化"])),
        ("", "why", ([], ["why"])),
        ("C++, please", "C#, please", ([], [])),
    ],
)
def test_the_words_that_one_question_lacks_in_their_place(
    left: str, right: str, expected: tuple[list[str], list[str]]
) -> None:
    assert marked(left, right) == expected


@repeatable
@given(st.text(max_size=40), st.text(max_size=40))
def test_the_pieces_join_to_the_text_and_white_space_never_differs(left: str, right: str) -> None:
    for text, pieces in zip((left, right), differing(left, right), strict=True):
        assert "".join(piece for piece, _ in pieces) == text
        assert all(piece.strip() for piece, differs in pieces if differs)
    assert marked(left, left) == ([], [])
