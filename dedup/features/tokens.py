"""Texts as one array of numbered tokens, so that a word is looked at once and a text not at all."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from dedup.features.words import tokens_of
from dedup.questions import Int64

Said = TypeVar("Said", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of n texts, one text after the other."""

    words: tuple[str, ...]  # the distinct tokens
    ids: Int64  # (n_tokens,) into ``words``
    text: Int64  # (n_tokens,) whose it is
    starts: Int64  # (n + 1,) where each text's tokens begin; the last is n_tokens

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> Int64:
        """(n,) how many tokens each text has."""
        return np.diff(self.starts)

    def each(self, says: Callable[[str], object], dtype: type[Said]) -> NDArray[Said]:
        """Return what is said of each token, (n_tokens,); a word that occurs often is asked about once."""
        said: NDArray[Said] = np.array([says(word) for word in self.words], dtype=dtype)[self.ids]
        return said

    def any(self, of_token: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return for each text whether it holds for one of its tokens, (n,)."""
        return np.bincount(self.text[of_token], minlength=len(self)) > 0


def tokenise(texts: Sequence[str]) -> Tokens:
    """Cut normalised texts into tokens."""
    numbering = _Numbering()
    ids, starts = array("q"), array("q", [0])
    for text in texts:
        ids.extend(map(numbering.__getitem__, tokens_of(text)))
        starts.append(len(ids))
    ends = np.array(starts, dtype=np.int64)
    return Tokens(
        tuple(numbering), np.array(ids, dtype=np.int64), np.repeat(np.arange(len(texts)), np.diff(ends)), ends
    )


class _Numbering(dict[str, int]):
    """Numbers distinct tokens as they come."""

    def __missing__(self, token: str) -> int:
        self[token] = number = len(self)
        return number
