"""Numbers are the same however they are written."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import repeatable

from dedup.features.numbers import counted, number_of
from dedup.features.words import tokens_of


def numbers(text: str) -> list[str]:
    return counted(number_of(token) for token in tokens_of(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("top 5 phones", ["5"]),
        ("top five phones", ["5"]),
        ("twenty-five and 7", ["25", "7"]),
        ("two hundred fifty five rupees", ["255"]),
        ("3 million people", ["3000000"]),
        ("1,000 and 1,00,000", ["1000", "100000"]),
        ("one thousand", ["1000"]),
        ("a hundred", ["100"]),
        ("under 35k or 35000", ["35000", "35000"]),
        ("in 4k, 5kg, the 2nd", ["2", "4000", "5"]),
        ("3.50 or 3.5", ["3.5", "3.5"]),
        ("x^5 + 007", ["5", "7"]),
        ("one two three", ["2", "3"]),
        ("twenty thirty", ["20", "30"]),
        ("how does one do it in 1 day", []),
        ("10/12/2016", ["10", "12", "2016"]),
        ("mp3 and b12 are names", []),
        ("٣ or 3", ["3", "3"]),
        ("0 degrees", ["0"]),
        ("why", []),
    ],
)
def test_numbers_of_a_text(text: str, expected: list[str]) -> None:
    assert numbers(text) == expected


@repeatable
@given(st.integers(2, 10**20))
def test_thousands_may_be_grouped(number: int) -> None:
    assert numbers(f"{number:,}") == numbers(str(number)) == [str(number)]


@repeatable
@given(st.lists(st.integers(0, 10**6), max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_numbers_does_not_matter(found: list[int], random) -> None:
    shuffled = random.sample(found, len(found))
    expected = sorted(str(number) for number in found if number != 1)
    assert numbers(" or ".join(map(str, shuffled))) == expected


@pytest.mark.parametrize("text", ["9" * 5000, "million " * 100_000, "1,000" * 3000, "twenty " * 5000, "1." * 5000])
def test_no_text_is_too_much(text: str) -> None:
    assert all(Decimal(number) >= 0 for number in numbers(text))
