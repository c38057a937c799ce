"""What tells duplicates apart besides their distance: the words of the two texts, and how crowded it is there."""

from dedup.features.description import (
    CROWDING,
    FEATURES,
    Background,
    Described,
    background_of,
    describe_questions,
    needs_texts,
    pair_features,
    sampled_background,
)
from dedup.features.known import KnownTraits, describe_news, load_traits, save_traits
from dedup.features.lexical import TextTraits, count_words, describe

__all__ = [
    "CROWDING",
    "FEATURES",
    "Background",
    "Described",
    "KnownTraits",
    "TextTraits",
    "background_of",
    "count_words",
    "describe",
    "describe_news",
    "describe_questions",
    "load_traits",
    "needs_texts",
    "pair_features",
    "sampled_background",
    "save_traits",
]
