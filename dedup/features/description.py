"""Questions and pairs as a classifier sees them beside the distance: only what it asks for is computed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dedup.features.lexical import TRAITS, Idf, TextTraits, describe, fit_idf, idf_of, pair_traits
from dedup.features.surroundings import Reference, choose_reference, crowding
from dedup.questions import Float32, Float64, Int64, Keys, Metric
from dedup.reference import REFERENCE_SIZE, Near

if TYPE_CHECKING:
    from dedup.index import Sample

CROWDING = "crowding"
FEATURES = (CROWDING, *TRAITS)
"""Everything that a classifier can ask for; `pair_features` says what each is."""


@dataclass(frozen=True, slots=True)
class Background:
    """A sample of a corpus that its questions, and others, are seen against.

    The `REFERENCE_SIZE` questions of the smallest text keys: what a feature says of a pair does not depend on how large
    the corpus is, and hardly changes as it grows.
    """

    reference: Reference
    idf: Idf | None  # None where no feature needs it


@dataclass(frozen=True, slots=True)
class Described:
    """n questions, as far as the features asked for look at them."""

    crowding: Float32 | None  # (n,)
    traits: TextTraits | None
    idf: Idf | None

    def __post_init__(self) -> None:
        assert (self.traits is None) == (self.idf is None)


def needs_texts(features: Collection[str]) -> bool:
    """Tell whether any of the features is read off the texts."""
    return not set(features).isdisjoint(TRAITS)


def background_of(keys: Keys, embeddings: Float32, texts: Sequence[str] | None) -> Background:
    """Sample a corpus.

    Parameters
    ----------
    keys, embeddings
        (n,) distinct and ascending, (n, d).
    texts
        Normalised, of the first `REFERENCE_SIZE` keys or of more; None where no feature needs them.
    """
    idf = None if texts is None else fit_idf(describe(texts[:REFERENCE_SIZE]))
    return Background(choose_reference(keys, embeddings), idf)


def sampled_background(sample: Sample, features: Collection[str]) -> Background:
    """See questions against a generation's sample of its corpus, as the run did that made it."""
    idf = idf_of(sample.words, len(sample.keys)) if needs_texts(features) else None
    return Background(choose_reference(sample.keys, sample.vectors), idf)


def describe_questions(
    features: Collection[str],
    background: Background,
    keys: Keys,
    embeddings: Float32,
    texts: Sequence[str] | None,
    metric: Metric,
    near: Near | None = None,
    traits: TextTraits | None = None,
    crowded: Float32 | None = None,
) -> Described:
    """Describe questions of the background's corpus, or others beside it; row i is of ``keys[i]``.

    ``near`` are their nearest reference vectors, ``traits`` those of their texts, where they are known already. Of
    their crowding all may be known, (n,) ``crowded``, but for some that are NaN: ``embeddings`` are then of these.
    """
    if traits is None and texts is not None and needs_texts(features):
        traits = describe(texts, features)
    if CROWDING not in features:
        crowded = None
    elif crowded is None:
        crowded = crowding(keys, embeddings, background.reference, metric, near)
    else:
        crowded, unknown = crowded.copy(), np.isnan(crowded)
        crowded[unknown] = crowding(keys[unknown], embeddings, background.reference, metric)
    return Described(
        crowded,
        traits,
        background.idf if needs_texts(features) else None,
    )


def pair_features(
    features: Collection[str], left: Described, left_rows: Int64, right: Described, right_rows: Int64
) -> dict[str, Float64]:
    """Return the features asked for of each pair ``left_rows[i]``, ``right_rows[i]``: (n_pairs,) each, by name.

    ``crowding`` is the mean of both questions' (see `dedup.features.surroundings`), NaN where it is not known; for the
    others see `dedup.features.lexical.pair_traits`. The same whichever side is left.
    """
    found: dict[str, Float64] = {}
    if CROWDING in features:
        assert left.crowding is not None
        assert right.crowding is not None
        found[CROWDING] = (left.crowding[left_rows].astype(np.float64) + right.crowding[right_rows]) / 2
    if needs_texts(features):
        assert left.traits is not None
        assert right.traits is not None
        assert left.idf is not None
        found |= pair_traits(features, left.traits, left_rows, right.traits, right_rows, left.idf)
    return found
