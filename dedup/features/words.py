"""The words of a text: what they ask, whether they negate, and the form they are compared in. English, normalised."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import IntEnum
from functools import lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

# A number with its unit ("3.5mm", "2nd"), an ideograph or kana (those scripts put no spaces between words), or a word,
# with the marks that tell c++ from c#. Endless digits are cut into several numbers, so that arithmetic stays exact.
_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_TOKEN = re.compile(
    rf"(?:\d{{1,3}}(?:,\d{{2,3}}){{0,6}},\d{{3}}(?!\d)|\d{{1,24}})(?:\.\d{{1,4}})?[^\W\d_{_UNSPACED}]*"
    rf"|[{_UNSPACED}]"
    rf"|[^\W_{_UNSPACED}]+(?:'[^\W_{_UNSPACED}]+)*(?:\+\+|#)?"
)


REMEMBERED = 1 << 16
"""Words of which is remembered what is said of them: a query, and each part of a corpus, has mostly common ones."""


class QuestionWord(IntEnum):
    """What a question begins with, as far as it tells what is asked for."""

    NONE = 0
    WHAT = 1
    WHO = 2
    WHEN = 3
    WHERE = 4
    WHY = 5
    HOW = 6
    HOW_MANY = 7
    HOW_MUCH = 8
    WHICH = 9
    CAN = 10
    IS = 11
    DO = 12
    SHOULD = 13
    WILL = 14
    HAVE = 15


def _by_word(listed: Mapping[QuestionWord, str]) -> dict[str, QuestionWord]:
    return {word: asked for asked, words in listed.items() for word in words.split()}


# Those that ask wherever they stand; typed without the apostrophe too ("whats").
_ASKING = _by_word(
    {
        QuestionWord.WHAT: "what whats",
        QuestionWord.WHO: "who whom whose whos",
        QuestionWord.WHEN: "when",
        QuestionWord.WHERE: "where wheres",
        QuestionWord.WHY: "why",
        QuestionWord.HOW: "how hows",
        QuestionWord.WHICH: "which",
    }
)
# Those that ask only where the text begins with them; elsewhere they are verbs among others.
_OPENING = _by_word(
    {
        QuestionWord.CAN: "can ca cannot could may might",
        QuestionWord.IS: "is are am was were",
        QuestionWord.DO: "do does did",
        QuestionWord.SHOULD: "should shall must ought",
        QuestionWord.WILL: "will wo would",
        QuestionWord.HAVE: "has have had",
    }
)

# Which words ask the same often enough to say nothing where they differ: among Quora's training pairs they differ so in
# about as large a share of the duplicates as of the others (.8 to 3 times), while why and how, or what and who, differ
# in half the share and less.
_INTERCHANGEABLE = (
    (QuestionWord.WHAT, QuestionWord.WHICH),
    (QuestionWord.WHAT, QuestionWord.HOW),
    (QuestionWord.HOW, QuestionWord.CAN),
    (QuestionWord.HOW, QuestionWord.WHERE),
    *combinations(sorted(set(_OPENING.values())), 2),
)

_NEGATING = """
no non none nobody nothing nowhere not never neither nor cannot without except unable
aint arent cant couldnt didnt doesnt dont hadnt hasnt havent isnt shouldnt wasnt werent wont wouldnt
"""
_NEGATIONS = frozenset(_NEGATING.split())

# Function words: what they say of a pair is said by the other traits, or by the order of the words around them.
_FUNCTION = """
a an the this that these those there here it its i me my mine myself we us our ours you your yours yourself
he him his she her hers they them their theirs one 1 some any and or but if then than so as of at by for from in into
on onto to with about over up out off be been being am is are was were do does did doing done have has had having can
could may might must shall should will would ought what whats who whom whose whos when where wheres why how hows which
im ive id ill u ur get got just also too very really please
"""
_STOP = frozenset(_FUNCTION.split())


def tokens_of(text: str) -> list[str]:
    """Return the words and numbers of a normalised text, in order; of one that has none ("?!"), what spaces part."""
    return _TOKEN.findall(text) or text.split()


def singular(token: str) -> str:
    """Return an English word without its plural or possessive s, roughly: that it is the same on both sides is enough.

    Source: Harman (1991), "How effective is suffixing?": the S stemmer.
    """
    token = token.removesuffix("'s")
    if len(token) < 4 or not token.endswith("s"):
        return token
    if token.endswith("ies") and not token.endswith(("eies", "aies")):
        return token[:-3] + "y"
    if token.endswith("es") and not token.endswith(("aes", "ees", "oes")):
        return token[:-1]
    return token if token.endswith(("us", "ss")) else token[:-1]


@lru_cache(REMEMBERED)
def is_negation(token: str) -> bool:
    """Tell whether a word turns a question into its opposite."""
    return token in _NEGATIONS or token.endswith("n't")


@lru_cache(REMEMBERED)
def is_stop_word(token: str) -> bool:
    """Tell whether a word says nothing of what a question is about."""
    return is_negation(token) or token.partition("'")[0] in _STOP


@lru_cache(REMEMBERED)
def asks_anywhere(token: str) -> QuestionWord:
    """Return what a word asks for wherever it stands; NONE for most words."""
    return _ASKING.get(token.partition("'")[0], QuestionWord.NONE)


@lru_cache(REMEMBERED)
def asks_in_front(token: str) -> QuestionWord:
    """Return what a word asks for where the text begins with it; NONE for most words."""
    return _OPENING.get(token.removesuffix("n't")) or asks_anywhere(token)


def ask_differently() -> NDArray[np.bool_]:
    """Return for every two question words whether what they ask differs: (16, 16), symmetric."""
    different = ~np.eye(len(QuestionWord), dtype=bool)
    for one, other in _INTERCHANGEABLE:
        different[one, other] = different[other, one] = False
    return different
