"""What the words of two questions tell that the distance between their vectors does not: numbers, negation, names.

Two questions that differ in one number, or in one rare word, lie near each other and ask different things. Everything
is read off a text once (`describe`); what is said of a pair is arithmetic on arrays (`pair_traits`).
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from dedup.features.numbers import counted, number_of, plain
from dedup.features.tokens import Tokens, tokenise
from dedup.features.words import (
    REMEMBERED,
    QuestionWord,
    ask_differently,
    asks_anywhere,
    asks_in_front,
    is_negation,
    is_stop_word,
    singular,
)
from dedup.questions import Float64, Int64

VERSION = 1
"""Changes whenever `describe` says something else of any text: what was read off texts before is then worthless."""

TRAITS = (
    "different_numbers",
    "one_negated",
    "different_question_word",
    "overlap",
    "rare_word_missing",
    "swapped",
    "length_ratio",
    "length",
)
"""What `pair_traits` says of a pair, in this order."""

COLUMNS = 1 << 20
"""Words are hashed into so many columns: of 200,000 words, one in ten shares its column with another."""

_STEPS = 64  # in which what is weighed by IDF goes from 0 to 1, see `_compare`
_LARGEST_RATIO = 2.0  # e^2: one text is seven times as long as the other
_LONGEST = 64  # tokens; a longer text is as long as that
_TEXTS = 1 << 16  # texts whose tokens are in memory at once
_CHUNK = 1 << 17  # pairs looked at together: their words take some 30 MiB

Hashes: TypeAlias = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Words:
    """The distinct words of n texts, one text after the other, as the columns they are hashed into."""

    columns: NDArray[np.int32]  # (n_words,) ascending within a text
    starts: Int64  # (n + 1,) where each text's words begin; the last is n_words

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, rows: Int64, /) -> Words:
        """Return the words of some texts, in the order in which they are given."""
        first = self.starts[rows]
        count = self.starts[rows + 1] - first
        starts = np.concatenate([[0], np.cumsum(count)])
        return Words(self.columns[np.arange(starts[-1]) + np.repeat(first - starts[:-1], count)], starts)


@dataclass(frozen=True, slots=True)
class TextTraits:
    """What can be read off each of n normalised texts alone.

    ``content`` are the words that are no stop words; where a text has stop words only, those.
    """

    numbers: Hashes  # (n,) of the multiset of numbers in the text; 0 where there are none
    negated: NDArray[np.bool_]  # (n,)
    asks: NDArray[np.int8]  # (n,) a `QuestionWord`
    tokens: Int64  # (n,) how many
    bag: Hashes  # (n,) of the multiset of content words
    sequence: Hashes  # (n,) of the content words in their order
    content: Words

    def __len__(self) -> int:
        return len(self.tokens)

    def take(self, rows: Int64) -> TextTraits:
        """Return the traits of some rows, in the order in which they are given."""
        return TextTraits(
            self.numbers[rows],
            self.negated[rows],
            self.asks[rows],
            self.tokens[rows],
            self.bag[rows],
            self.sequence[rows],
            self.content[rows],
        )


def one_after_another(parts: Sequence[TextTraits]) -> TextTraits:
    """Return the traits of several parts, one or more, as those of one."""
    if len(parts) == 1:
        return parts[0]
    return TextTraits(
        numbers=np.concatenate([part.numbers for part in parts]),
        negated=np.concatenate([part.negated for part in parts]),
        asks=np.concatenate([part.asks for part in parts]),
        tokens=np.concatenate([part.tokens for part in parts]),
        bag=np.concatenate([part.bag for part in parts]),
        sequence=np.concatenate([part.sequence for part in parts]),
        content=words_one_after_another([part.content for part in parts]),
    )


def words_one_after_another(parts: Sequence[Words]) -> Words:
    """Return the words of several parts, one or more, as those of one."""
    before = np.cumsum([0, *(len(part.columns) for part in parts)])
    starts = [part.starts[:-1] + first for part, first in zip(parts, before[:-1], strict=True)]
    return Words(np.concatenate([part.columns for part in parts]), np.concatenate([*starts, before[-1:]]))


@dataclass(frozen=True, slots=True)
class Idf:
    """How much a word's presence tells, by its column: the inverse of the share of texts that have it."""

    weight: Float64  # (COLUMNS,) >= 1
    largest: float  # of a word that no text has


def describe(texts: Sequence[str], names: Collection[str] = TRAITS) -> TextTraits:
    """Read off the traits of texts that `dedup.text.normalise` returned; row i is of ``texts[i]``.

    Numbers, negations and question words are left out, as if no text had any, where none of ``names`` needs them: they
    are half of the work.
    """
    starts = range(0, max(1, len(texts)), _TEXTS)
    return one_after_another([_describe(texts[start : start + _TEXTS], names) for start in starts])


def _describe(texts: Sequence[str], names: Collection[str]) -> TextTraits:
    tokens = tokenise(texts)
    content = _content(tokens)
    column = tokens.each(_column, np.int64)[content]
    bag, sequence = _signatures(column, tokens.text[content], len(texts))
    n = len(texts)
    return TextTraits(
        numbers=_numbers(tokens) if "different_numbers" in names else np.zeros(n, dtype=np.uint64),
        negated=tokens.any(tokens.each(is_negation, np.bool_)) if "one_negated" in names else np.zeros(n, dtype=bool),
        asks=_asks(tokens) if "different_question_word" in names else np.zeros(n, dtype=np.int8),
        tokens=tokens.lengths,
        bag=bag,
        sequence=sequence,
        content=_distinct(column, tokens.text[content], n),
    )


def count_words(traits: TextTraits) -> NDArray[np.int32]:
    """Return the columns of all words, ascending, and how many of the texts have each: (2, n_words)."""
    texts_with = np.bincount(traits.content.columns, minlength=COLUMNS)
    columns = np.flatnonzero(texts_with)
    return np.stack([columns, texts_with[columns]]).astype(np.int32)


def idf_of(words: NDArray[np.int32], texts: int) -> Idf:
    """Weigh words by how few texts of a corpus, or of a sample of it, have them.

    ln((1 + texts) / (1 + texts that have it)) + 1, as if one more text had every word. With no text at all, every word
    weighs the same.

    Source: Spärck Jones (1972), "A statistical interpretation of term specificity"; smoothed as scikit-learn does.

    Parameters
    ----------
    words
        What `count_words` returned for the texts.
    """
    texts_with = np.zeros(COLUMNS)
    texts_with[words[0]] = words[1]
    return Idf(np.log((1 + texts) / (1 + texts_with)) + 1, float(np.log(1 + texts) + 1))


def fit_idf(traits: TextTraits) -> Idf:
    """Weigh words by the texts of `TextTraits`; see `idf_of`."""
    return idf_of(count_words(traits), len(traits))


def pair_traits(
    names: Collection[str], left: TextTraits, left_rows: Int64, right: TextTraits, right_rows: Int64, idf: Idf
) -> dict[str, Float64]:
    """Describe each pair ``left_rows[i]``, ``right_rows[i]`` by some of the features of `TRAITS`: (n_pairs,) each.

    The same whichever side is left. ``left`` and ``right`` are one object where a corpus is compared with itself.
    Eight features of ten million pairs take 640 MB: ask for as many pairs at once as are needed at once.

    different_numbers
        1 where one text has numbers that the other has not, else 0.
    one_negated
        1 where one text is negated and the other is not, else 0.
    different_question_word
        1 where one asks why and the other how, or one has no question word, else 0; what and which ask the same.
    overlap
        The share that common words have in all words of the two, each weighted by its IDF (Jaccard): 0 to 1.
    rare_word_missing
        The IDF of the rarest word that only one of them has, in shares of the largest IDF: 0 (none missing) to 1.
    swapped
        1 where both have the same words in another order ("from A to B", "from B to A"), else 0.
    length_ratio
        |ln(tokens / tokens)|, at most 2.
    length
        ln(tokens) of the shorter, at most ln(64).
    """
    found: dict[str, Float64] = {}
    if "different_numbers" in names:
        found["different_numbers"] = (left.numbers[left_rows] != right.numbers[right_rows]).astype(np.float64)
    if "one_negated" in names:
        found["one_negated"] = (left.negated[left_rows] != right.negated[right_rows]).astype(np.float64)
    if "different_question_word" in names:
        differ = ask_differently()[left.asks[left_rows], right.asks[right_rows]]
        found["different_question_word"] = differ.astype(np.float64)
    if "overlap" in names or "rare_word_missing" in names:
        overlap, missing = _compare(left, left_rows, right, right_rows, idf)
        found["overlap"], found["rare_word_missing"] = overlap, missing
    if "swapped" in names:
        same_words = left.bag[left_rows] == right.bag[right_rows]
        found["swapped"] = (same_words & (left.sequence[left_rows] != right.sequence[right_rows])).astype(np.float64)
    if "length_ratio" in names:
        ratio = np.log(np.maximum(left.tokens[left_rows], 1)) - np.log(np.maximum(right.tokens[right_rows], 1))
        found["length_ratio"] = np.minimum(np.abs(ratio), _LARGEST_RATIO)
    if "length" in names:
        shorter = np.clip(np.minimum(left.tokens[left_rows], right.tokens[right_rows]), 1, _LONGEST)
        found["length"] = np.log(shorter)
    return {name: found[name] for name in TRAITS if name in names}


def _asks(tokens: Tokens) -> NDArray[np.int8]:
    """Return the first question word of each text; a verb asks only in front."""
    word = tokens.each(asks_anywhere, np.int8)
    first = tokens.starts[:-1][tokens.lengths > 0]
    in_front = tokens.each(asks_in_front, np.int8)
    word[first] = in_front[first]
    for counting, asked in (("many", QuestionWord.HOW_MANY), ("much", QuestionWord.HOW_MUCH)):
        after = np.flatnonzero(tokens.each(counting.__eq__, np.bool_)[1:])
        word[after[(word[after] == QuestionWord.HOW) & (tokens.text[after] == tokens.text[after + 1])]] = asked
    asking = np.flatnonzero(word)
    text, at = np.unique(tokens.text[asking], return_index=True)
    asks = np.full(len(tokens), QuestionWord.NONE, dtype=np.int8)
    asks[text] = word[asking[at]]
    return asks


def _numbers(tokens: Tokens) -> Hashes:
    read = [number_of(word) for word in tokens.words]
    hashes = np.zeros(len(tokens), dtype=np.uint64)
    for text in np.unique(tokens.text[tokens.each(number_of, np.bool_)]).tolist():
        if counts := counted(read[word] for word in tokens.ids[tokens.starts[text] : tokens.starts[text + 1]]):
            digest = hashlib.blake2b(" ".join(counts).encode(), digest_size=8).digest()
            hashes[text] = int.from_bytes(digest, "big")
    return hashes


def _content(tokens: Tokens) -> NDArray[np.bool_]:
    """Return which tokens are content words: those that are not stop words, or all where a text has no other."""
    content = ~tokens.each(is_stop_word, np.bool_)
    return content | ~tokens.any(content)[tokens.text]


@lru_cache(REMEMBERED)
def _column(word: str) -> int:
    number = number_of(word)
    compared = plain(number.value) if number and number.whole else singular(word)
    return zlib.crc32(compared.encode("utf-8", "surrogatepass")) % COLUMNS


def _signatures(column: Int64, text: Int64, texts: int) -> tuple[Hashes, Hashes]:
    """Hash the content words of each text as a multiset, and in their order."""
    place = np.arange(len(text)) - np.searchsorted(text, text)
    mixed = _mixed(column.astype(np.uint64) + np.uint64(1))
    in_place = _mixed(mixed + place.astype(np.uint64))
    bag, sequence = np.zeros(texts, dtype=np.uint64), np.zeros(texts, dtype=np.uint64)
    np.add.at(bag, text, mixed)
    np.add.at(sequence, text, in_place)
    return bag, sequence


def _mixed(hashes: Hashes) -> Hashes:
    """Spread 64-bit numbers over all 64-bit numbers, so that sums of different ones differ.

    Source: Steele, Lea & Flood (2014), "Fast splittable pseudorandom number generators": SplitMix64's last steps.
    """
    mixed = hashes * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _distinct(column: Int64, text: Int64, texts: int) -> Words:
    words = np.unique(text * COLUMNS + column)  # however often a text has a word
    return Words((words % COLUMNS).astype(np.int32), np.searchsorted(words, np.arange(texts + 1) * COLUMNS))


def _per_row(together: np.ufunc, values: Float64, count: Int64) -> Float64:
    """Return the sum, or the largest, of what each row holds, ``count`` values each; 0 for an empty row."""
    found = np.zeros(len(count))
    filled = count > 0
    if filled.any():
        found[filled] = together.reduceat(values, (np.cumsum(count) - count)[filled])
    return found


def _compare(
    left: TextTraits, left_rows: Int64, right: TextTraits, right_rows: Int64, idf: Idf
) -> tuple[Float64, Float64]:
    """Return the overlap and the rarest missing word of each pair, in steps.

    With every new question the sample by which words are weighed may change, and with it a share in its fourth digit.
    """
    overlap, missing = np.empty(len(left_rows)), np.empty(len(left_rows))
    for start in range(0, len(left_rows), _CHUNK):
        some = slice(start, start + _CHUNK)
        one, other = left.content[left_rows[some]], right.content[right_rows[some]]
        sides = [(words.columns, np.diff(words.starts)) for words in (one, other)]
        every = sum(_per_row(np.add, idf.weight[columns], count) for columns, count in sides)
        # All words of each pair side by side, those that both have twice; the two are sorted, so this is a merge.
        pair = np.arange(len(left_rows[some])) * COLUMNS
        both = np.concatenate([np.repeat(pair, count) + columns for columns, count in sides])
        both.sort(kind="stable")
        again = both[1:] == both[:-1]
        once = np.ones(len(both), dtype=bool)
        once[1:] &= ~again
        once[:-1] &= ~again
        apart = both[once]
        weight, count = idf.weight[apart % COLUMNS], np.bincount(apart // COLUMNS, minlength=len(pair))
        only_one = _per_row(np.add, weight, count)
        # every counts common words twice, only_one not at all: union = (every + only_one) / 2.
        either = np.maximum((every + only_one) / 2, np.finfo(np.float64).tiny)
        overlap[some] = np.maximum((every - only_one) / 2, 0.0) / either
        missing[some] = _per_row(np.maximum, weight, count) / idf.largest
    return np.round(overlap * _STEPS) / _STEPS, np.round(missing * _STEPS) / _STEPS
