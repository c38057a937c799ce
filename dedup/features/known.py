"""What was read off the texts of an earlier corpus, so that only new texts have to be read.

The artifact ``indexes/traits/NAME/`` has the text keys and an array for each of the traits of `TextTraits`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dedup.artifacts import manifest_with, writing
from dedup.features.lexical import VERSION, TextTraits, Words, describe, one_after_another
from dedup.questions import Keys, rows_of
from dedup.text import NORMALISER_VERSION

_FORMAT = 1
_FOLDER = "traits"
_KEYS, _COLUMNS, _STARTS = "keys.npy", "columns.npy", "starts.npy"
_ARRAYS = ("numbers", "negated", "asks", "tokens", "bag", "sequence")


@dataclass(frozen=True, slots=True)
class KnownTraits:
    """The traits of an earlier corpus of n texts."""

    keys: Keys  # (n,) ascending
    traits: TextTraits


def describe_news(keys: Keys, texts_of: Callable[[Keys], Sequence[str]], known: KnownTraits | None) -> TextTraits:
    """Return the traits of a corpus, by (n,) ascending keys, reading only texts that are not known.

    ``texts_of`` gives the normalised texts of ascending keys.
    """
    if known is None:
        return describe(texts_of(keys))
    then = rows_of(known.keys, keys)
    unknown = then < 0
    if not unknown.any():
        return known.traits.take(then)
    # New ones follow those of then, in the order of their keys.
    then[unknown] = len(known.keys) + np.arange(int(unknown.sum()))
    return one_after_another([known.traits, describe(texts_of(keys[unknown]))]).take(then)


def save_traits(folder: Path, name: str, keys: Keys, traits: TextTraits) -> None:
    """Keep the traits of the texts of ``keys``, (n,) ascending, under a generation's name."""
    with writing(folder / _FOLDER / name, dict(_FACTS)) as beside:
        np.save(beside / _KEYS, keys)
        for array in _ARRAYS:
            np.save(beside / f"{array}.npy", getattr(traits, array))
        np.save(beside / _COLUMNS, traits.content.columns)
        np.save(beside / _STARTS, traits.content.starts)


def load_traits(folder: Path, name: str) -> KnownTraits | None:
    """Return what was kept under a generation's name; None where there is none of use.

    Raises
    ------
    ArtifactDamaged
        If a file is missing, cut short or altered.
    """
    path = folder / _FOLDER / name
    if manifest_with(path, _FACTS) is None:
        return None
    content = Words(*(np.load(path / file, allow_pickle=False) for file in (_COLUMNS, _STARTS)))
    numbers, negated, asks, tokens, bag, sequence = (
        np.load(path / f"{array}.npy", allow_pickle=False) for array in _ARRAYS
    )
    traits = TextTraits(numbers, negated, asks, tokens, bag, sequence, content)
    return KnownTraits(np.load(path / _KEYS, allow_pickle=False), traits)


_FACTS: Mapping[str, object] = {
    "format": _FORMAT,
    "traits_version": VERSION,
    "normaliser_version": NORMALISER_VERSION,
}
