"""The training set: distinct texts, the pairs among them, and what of the labels cannot be learnt from."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedup.errors import TrainingError
from dedup.labelled import LabelledPairs
from dedup.questions import Int64
from dedup.text import normalise

log = logging.getLogger(__name__)

_SHOWN = 5  # examples in an error
_SHOWN_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class TextPairs:
    """Labelled pairs of rows of ``texts``, which are distinct, normalised and sorted."""

    texts: tuple[str, ...]
    left: Int64  # (n_pairs,)
    right: Int64  # (n_pairs,)
    duplicate: NDArray[np.bool_]  # (n_pairs,)

    def __len__(self) -> int:
        return len(self.left)

    def only(self, chosen: NDArray[np.bool_]) -> TextPairs:
        """Return the pairs where ``chosen``, (n_pairs,), is true, and of the texts those that they need."""
        rows, places = np.unique(np.concatenate([self.left[chosen], self.right[chosen]]), return_inverse=True)
        left, right = np.split(places.astype(np.int64), 2)
        return TextPairs(tuple(self.texts[row] for row in rows), left, right, self.duplicate[chosen])


def text_pairs(labelled: LabelledPairs) -> TextPairs:
    """Return labelled pairs as rows of their normalised texts, every one of them, in their order."""
    normalised = [normalise(text) for pair in labelled.texts for text in pair]
    texts = sorted(set(normalised))
    row_of = {text: row for row, text in enumerate(texts)}
    rows = np.array([row_of[text] for text in normalised], dtype=np.int64)
    return TextPairs(tuple(texts), rows[0::2], rows[1::2], labelled.duplicate)


def refuse_contradictions(labelled: LabelledPairs, about: str) -> None:
    """Refuse labels that one cannot learn from, or that nobody can have meant.

    Raises
    ------
    TrainingError
        If they are of one class only, or say both of the same two texts as they were typed, in either order.
    """
    duplicates = int(labelled.duplicate.sum())
    if duplicates in (0, len(labelled.duplicate)):
        raise TrainingError(
            f"{about} has {duplicates} duplicates among {len(labelled.duplicate)} labelled pairs; "
            "give labels of both kinds"
        )
    said: dict[tuple[str, str], set[bool]] = {}
    for (left, right), duplicate in zip(labelled.texts, labelled.duplicate.tolist(), strict=True):
        said.setdefault((min(left, right), max(left, right)), set()).add(duplicate)
    if both := [pair for pair, labels in said.items() if len(labels) == 2]:
        raise TrainingError(
            f"{about} says of {len(both):,} pairs both that they are duplicates and that they are not: "
            f"{listed(both)}; correct the labels"
        )


def training_pairs(labelled: LabelledPairs) -> TextPairs:
    """Return what can be learnt from labelled pairs: each pair once, ``left < right``, sorted.

    Left out, with their count in the log, is what contradicts itself only once texts are normalised or labels followed
    through: pairs labelled both ways, other-than-duplicates of equal text, and other-than-duplicates that a chain of
    duplicates connects. Duplicates of equal text go without a word: they are one text, and teach nothing.
    """
    every = text_pairs(labelled)
    ends = np.column_stack([np.minimum(every.left, every.right), np.maximum(every.left, every.right)])
    pairs, place, times = np.unique(ends, axis=0, return_inverse=True, return_counts=True)
    duplicates = np.bincount(place.ravel(), weights=every.duplicate, minlength=len(pairs))
    found = TextPairs(every.texts, pairs[:, 0].copy(), pairs[:, 1].copy(), duplicates == times)
    both_ways = (duplicates > 0) & (duplicates < times)
    equal = found.left == found.right
    component = duplicate_components(found)
    chained = ~found.duplicate & (component[found.left] == component[found.right]) & ~both_ways & ~equal
    for what, count in (
        ("pairs labelled both ways once normalised", int((both_ways & ~equal).sum())),
        ("pairs of equal text labelled as no duplicates", int((equal & (duplicates < times)).sum())),
        ("pairs labelled as no duplicates that a chain of duplicates connects", int(chained.sum())),
    ):
        if count:
            log.warning("left out of training: %d %s", count, what)
    return found.only(~(both_ways | equal | chained))


def duplicate_components(pairs: TextPairs) -> Int64:
    """Return the connected component of each text, (n_texts,), where duplicates are the edges; numbered by first text.

    Two texts of one component ask the same thing; a text without a duplicate is a component of its own.
    """
    return _components(len(pairs.texts), pairs.left[pairs.duplicate], pairs.right[pairs.duplicate])


def label_components(pairs: TextPairs) -> Int64:
    """Return the connected component of each text, (n_texts,), where labels of either kind are the edges."""
    return _components(len(pairs.texts), pairs.left, pairs.right)


def with_inferred(pairs: TextPairs, seed: int) -> TextPairs:
    """Add duplicates that follow from others: to each component as many pairs as it has texts, at the most.

    More would let the few large components drown the others: one of n texts has n(n-1)/2 pairs. Which ones is drawn
    from ``seed``, the same whatever the order of the labels was.
    """
    random = np.random.default_rng(seed)
    component = duplicate_components(pairs)
    labelled = set(zip(pairs.left[pairs.duplicate].tolist(), pairs.right[pairs.duplicate].tolist(), strict=True))
    known = np.bincount(component[pairs.left[pairs.duplicate]], minlength=len(pairs.texts))
    order = np.argsort(component, kind="stable")
    inferred: list[tuple[int, int]] = []
    for members in np.split(order, np.flatnonzero(np.diff(component[order])) + 1):
        size = len(members)
        if size > 2:  # two texts have one pair, which was labelled
            possible = size * (size - 1) // 2
            drawn = random.choice(possible, min(possible, size + int(known[component[members[0]]])), replace=False)
            i, j = numbered_pairs(drawn)
            found = zip(members[i].tolist(), members[j].tolist(), strict=True)
            inferred += [pair for pair in found if pair not in labelled][:size]
    left, right = np.array(inferred, dtype=np.int64).reshape(-1, 2).T
    log.info("%d duplicates added that follow from %d labelled ones", len(inferred), len(labelled))
    return TextPairs(
        pairs.texts,
        np.concatenate([pairs.left, left]),
        np.concatenate([pairs.right, right]),
        np.concatenate([pairs.duplicate, np.ones(len(inferred), dtype=bool)]),
    )


def numbered_pairs(number: Int64) -> tuple[Int64, Int64]:
    """Return the pairs (i, j), ``i < j``, at these places of the row (0, 1), (0, 2), (1, 2), (0, 3) and so on."""
    j = ((1 + np.sqrt(1 + 8 * number.astype(np.float64))) // 2).astype(np.int64)
    return number - j * (j - 1) // 2, j


def listed(pairs: Sequence[tuple[str, str]]) -> str:
    """Return the first few pairs of texts as they are shown in an error, each on the same line."""
    shown = [f"{left[:_SHOWN_CHARACTERS]!r} and {right[:_SHOWN_CHARACTERS]!r}" for left, right in pairs[:_SHOWN]]
    return "; ".join([*shown, "…"] if len(pairs) > _SHOWN else shown)


def _components(texts: int, left: Int64, right: Int64) -> Int64:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = coo_array((np.ones(len(left), dtype=np.int8), (left, right)), shape=(texts, texts))
    component: Int64 = connected_components(edges, directed=False)[1].astype(np.int64)
    return component
