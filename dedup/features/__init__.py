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
)

__all__ = [
    "CROWDING",
    "FEATURES",
    "Background",
    "Described",
    "background_of",
    "describe_questions",
    "needs_texts",
    "pair_features",
]
