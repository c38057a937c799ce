"""What counts as the same text: the normaliser and the text key.

Two questions with one text key are exact duplicates: one vector stands for all of them, so the encoder reads the
*normalised* text and a vector is a function of the key. Changing anything here changes every key and every vector:
raise `NORMALISER_VERSION`, which is part of every fingerprint.
"""

from __future__ import annotations

import hashlib
import html
import re
import unicodedata
from collections.abc import Iterable

import numpy as np

from dedup.questions import Keys

NORMALISER_VERSION = 1

KEY_BYTES = 16

# Invisible characters that people paste without knowing: soft hyphen, zero-width space, word joiner, BOM, direction
# marks. The zero-width joiners (U+200C, U+200D) stay: they change what is read in several scripts and in emoji.
_INVISIBLE = re.compile("[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# Word processors and phones put these in for the plain ones; NFKC leaves them.
_TYPOGRAPHIC = str.maketrans({"‘": "'", "’": "'", "‛": "'", "“": '"', "”": '"', "„": '"', "‐": "-", "–": "-", "—": "-"})
# Sentence-final marks of the scripts that have their own, and the space between them.
_TRAILING = " .,;:!?…‥。，！？؟۔।;"
# NFKC makes 10⁵ into 105 and 2ⁿ into 2n, and two questions into one; 10^5 and 2^n are what people type.
_SUPERSCRIPT = re.compile("[⁺⁻]?[⁰¹²³⁴-⁹ⁿ]+")
# Python's html.unescape raises on a number of more than 4,300 digits; the last code point has seven.
_ENDLESS_REFERENCE = re.compile("&#[0-9]{9,};?")
# Putting n combining marks in canonical order takes n^2 steps; no script puts more than a few on a letter.
_UNBROKEN = re.compile(r"[^\s!-~]{31,}")
_MOST_MARKS = 30
_MOST_ROUNDS = 8


def normalise(text: str) -> str:
    """Return ``text`` as it is compared: the same question typed another way gives the same string.

    HTML entities are resolved, Unicode is put in NFKC and case-folded, typographic quotes and dashes become plain ones,
    invisible characters go, white space runs become one space, trailing punctuation goes ("why?", "why ?!" and "Why"
    are one; a text of nothing but punctuation keeps it). Superscripts become ``^5``. Applied until nothing
    changes, so that ``normalise(normalise(text)) == normalise(text)``, in time linear in the length.

    Source: Unicode Standard Annex #15 (NFKC; 30 combining marks in a row are its Stream-Safe Text Format) and section
    3.13 of the Unicode Standard (case folding).
    """
    if text.isascii() and "&" not in text:  # most questions; for these one round of the rest is all there is
        return _trimmed(text.lower())
    for _ in range(_MOST_ROUNDS):
        if (once := _normalise_once(text)) == text:
            return text
        text = once
    # Entities nested deeper than anyone types them: each round peels off one layer, which is quadratic in the length.
    return normalise(text.replace("&", " "))


def _normalise_once(text: str) -> str:
    text = _SUPERSCRIPT.sub(r"^\g<0>", html.unescape(_ENDLESS_REFERENCE.sub("\ufffd", text)))
    text = _UNBROKEN.sub(_with_fewer_marks, text)
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return _trimmed(_INVISIBLE.sub("", text.translate(_TYPOGRAPHIC)))


def _trimmed(text: str) -> str:
    if not text.isprintable():
        text = _CONTROL.sub(" ", text)
    text = " ".join(text.split())
    return text.rstrip(_TRAILING) or text


def _with_fewer_marks(unbroken: re.Match[str]) -> str:
    """Drop the combining marks after the thirtieth in a row; half-width kana's voicing marks become such in NFKC."""
    kept, marks = [], 0
    for character in unbroken[0]:
        marks = marks + 1 if unicodedata.category(character)[0] == "M" or character in "ﾞﾟ" else 0
        if marks <= _MOST_MARKS:
            kept.append(character)
    return "".join(kept)


def text_key(normalised: str) -> bytes:
    """Return the 16-byte key of a text that `normalise` returned: BLAKE2b, with the normaliser's version as its key."""
    return hashlib.blake2b(
        normalised.encode("utf-8", "surrogatepass"),
        digest_size=KEY_BYTES,
        person=f"dedup-{NORMALISER_VERSION}".encode(),
    ).digest()


def key_array(keys: Iterable[bytes]) -> Keys:
    """Return keys as one array of dtype S16; NUL bytes are kept."""
    return np.frombuffer(b"".join(keys), dtype=f"S{KEY_BYTES}")


def key_bytes(keys: Keys) -> list[bytes]:
    """Return an array of keys as Python bytes, 16 each, also where they end in NUL."""
    raw = np.ascontiguousarray(keys).tobytes()
    return [raw[i : i + KEY_BYTES] for i in range(0, len(raw), KEY_BYTES)]
