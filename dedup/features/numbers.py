"""The numbers in a text, however they are written: "five" is 5, "1,000" and "one thousand" are 1000."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from dedup.features.words import REMEMBERED

_SMALL = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
nineteen
"""
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_SCALES = {
    "hundred": 100,
    "thousand": 1000,
    "lakh": 10**5,
    "million": 10**6,
    "crore": 10**7,
    "billion": 10**9,
    "trillion": 10**12,
}


@dataclass(frozen=True, slots=True)
class Number:
    """What one token counts."""

    value: Decimal
    whole: bool  # the token is nothing but the number: "35k", not "2nd"
    spelt: bool = False
    room: int = 0  # what a spelt number after it must be below to be added: 10 after "twenty"

    @property
    def scales(self) -> bool:
        """Whether it multiplies a number before it, as "hundred" does."""
        return self.room >= 100


_SPELT = {
    **{word: Number(Decimal(value), whole=True, spelt=True) for value, word in enumerate(_SMALL.split())},
    **{word: Number(Decimal(10 * tens), whole=True, spelt=True, room=10) for tens, word in enumerate(_TENS.split(), 2)},
    **{word: Number(Decimal(scale), whole=True, spelt=True, room=scale) for word, scale in _SCALES.items()},
}
_COUNTABLE = 10**24  # "million million million ..." overflows in the end
_DIGITS = re.compile(r"(\d[\d,]*(?:\.\d+)?)(k?)")


@lru_cache(REMEMBERED)
def number_of(token: str) -> Number | None:
    """Return what a token counts: the digits it starts with ("2nd" is 2, "35k" 35000) or a number word, or None."""
    if digits := _DIGITS.match(token):
        whole = digits[0] == token
        count = Decimal(digits[1].replace(",", ""))
        return Number(count * 1000 if whole and digits[2] else count, whole)
    return _SPELT.get(token)


def counted(read: Iterable[Number | None]) -> list[str]:
    """Return the numbers of one text in their plain form, sorted; ``read`` is what each of its tokens counts.

    Spelt parts that follow one another are one number ("twenty five", "3 million"). A one is left out: "a year", "one
    year" and "1 year" are the same, and nobody counts when asking how one learns something.
    """
    counts: list[Decimal] = []
    before: Number | None = None
    room = 0
    for number in read:
        if number is None:
            room = 0
        elif before is not None and number.scales and counts[-1] < _COUNTABLE:
            counts[-1] *= number.value
            room = number.room
        elif number.spelt and number.value < room:
            counts[-1] += number.value
            room = number.room
        else:
            counts.append(number.value)
            room = number.room
        before = number
    return sorted(plain(count) for count in counts if count != 1)


def plain(count: Decimal) -> str:
    """Return a number's only form: without exponent and trailing zeros."""
    return format(count.normalize(), "f")
