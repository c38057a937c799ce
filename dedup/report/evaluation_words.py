"""Which words two questions do not share."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from itertools import groupby

from dedup.text import normalise

# A run of letters and digits; Han and kana are written without spaces, so that each character counts as a word.
_PIECES = re.compile("[\u3040-\u30ff\u3400-\u9fff]|[^\\W\u3040-\u30ff\u3400-\u9fff]+|\\W+")
_WORD = re.compile(r"\w")


def differing(left: str, right: str) -> tuple[tuple[tuple[str, bool], ...], tuple[tuple[str, bool], ...]]:
    """Return both texts in pieces that join to the text again, each with whether the other text lacks it in its place.

    Words are compared in order and as `normalise` has them, so that "to" and "from" in "A to B" and "A from B" differ,
    and so do A and B where they change places. White space and punctuation never differ.
    """
    pieces = [_PIECES.findall(text) for text in (left, right)]
    places = [[at for at, piece in enumerate(side) if _WORD.match(piece)] for side in pieces]
    words = [[normalise(side[at]) for at in chosen] for side, chosen in zip(pieces, places, strict=True)]
    lacking = [set(chosen) for chosen in places]
    for *starts, length in SequenceMatcher(None, words[0], words[1]).get_matching_blocks():
        for side, start in enumerate(starts):
            lacking[side].difference_update(places[side][start : start + length])
    return _joined(pieces[0], lacking[0]), _joined(pieces[1], lacking[1])


def _joined(pieces: list[str], lacking: set[int]) -> tuple[tuple[str, bool], ...]:
    runs = groupby(enumerate(pieces), key=lambda piece: piece[0] in lacking)
    return tuple(("".join(text for _, text in run), differs) for differs, run in runs)
