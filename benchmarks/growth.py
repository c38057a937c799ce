"""A corpus grown past what there is: near-copies with typos and swapped words, always the same ones.

Real duplicates are paraphrases, which nobody can make up by rule; these are for the law by which time grows, not for
quality.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from dedup.text import normalise

_SEED = 641
_MOST_EDITS = 3
_TRIES = 8
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def near_copies(texts: Sequence[str]) -> Iterator[str]:
    """Yield a near-copy of each text in turn, over and over: the n-th one depends on n and on its text alone."""
    if not texts:
        raise ValueError("no text to copy")
    copy = 0
    while True:
        for text in texts:
            yield near_copy(text, random.Random(f"{_SEED} {copy}"))
            copy += 1


def near_copy(text: str, chance: random.Random) -> str:
    """Return ``text`` with one to three slips of a person who types it again; never the same once normalised."""
    same = normalise(text)
    for _ in range(_TRIES):
        copy = text
        for _ in range(chance.randint(1, _MOST_EDITS)):
            copy = chance.choice(_SLIPS)(copy, chance)
        if normalise(copy) != same:
            return copy
    return f"{text} {chance.randrange(10**6)}"  # a text of one sign has hardly any near-copy


def _swap_words(text: str, chance: random.Random) -> str:
    words = text.split()
    if len(words) < 2:
        return text
    at = chance.randrange(len(words) - 1)
    words[at], words[at + 1] = words[at + 1], words[at]
    return " ".join(words)


def _drop_word(text: str, chance: random.Random) -> str:
    words = text.split()
    if len(words) < 4:
        return text
    del words[chance.randrange(len(words))]
    return " ".join(words)


def _swap_letters(text: str, chance: random.Random) -> str:
    at = chance.randrange(max(1, len(text) - 1))
    return text[:at] + text[at + 1 : at + 2] + text[at : at + 1] + text[at + 2 :]


def _drop_letter(text: str, chance: random.Random) -> str:
    at = chance.randrange(len(text))
    return (text[:at] + text[at + 1 :]) or text


def _add_letter(text: str, chance: random.Random) -> str:
    at = chance.randrange(len(text) + 1)
    return text[:at] + chance.choice(_LETTERS) + text[at:]


_SLIPS = (_swap_words, _drop_word, _swap_letters, _drop_letter, _add_letter)
