"""Slow and obviously right: what the fast ways are compared with, and the vectors they are compared on."""

from __future__ import annotations

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from dedup.distance import distance
from dedup.questions import Float32, Metric, Pairs

repeatable = settings(derandomize=True, deadline=None)
"""Examples of hypothesis that are the same in every run, on a machine of any speed."""


def random_unit_rows(seed: int, rows: int, dimension: int) -> Float32:
    vectors = np.random.default_rng(seed).normal(size=(rows, dimension)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def clustered_unit_rows(seed: int, rows: int, dimension: int, *, groups: int, spread: float) -> Float32:
    """Return unit rows around ``groups`` centres, so that there are near-duplicates and cells worth having."""
    random = np.random.default_rng(seed)
    centres = random_unit_rows(seed + 1, groups, dimension)
    vectors = (
        centres[random.integers(0, groups, rows)] + spread * random.normal(size=(rows, dimension)) / dimension**0.5
    )
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def grid_vectors(most_rows: int, *, fewest_rows: int = 1) -> st.SearchStrategy[Float32]:
    """Draw up to ``most_rows`` vectors of a coarse grid in the unit ball: many equal rows and many equal distances."""
    return st.tuples(st.integers(fewest_rows, most_rows), st.integers(1, 3)).flatmap(
        lambda shape: arrays.arrays(np.int8, shape, elements=st.integers(-4, 4)).map(
            lambda steps: (steps / 8).astype(np.float32)
        )
    )


def between(vectors: Float32, one: int, other: int, metric: Metric) -> np.float32:
    return distance(vectors[one : one + 1], vectors[other : other + 1], metric)[0]


def pairs_within(vectors: Float32, metric: Metric, cutoff: float) -> dict[tuple[int, int], np.float32]:
    """Return every pair of rows within the cut-off and its distance, by looking at every pair."""
    found: dict[tuple[int, int], np.float32] = {}
    for one in range(len(vectors) - 1):
        to_later = distance(vectors[one], vectors[one + 1 :], metric)
        found.update({(one, one + 1 + int(at)): to_later[at] for at in np.flatnonzero(to_later <= cutoff)})
    return found


def as_dict(pairs: Pairs) -> dict[tuple[int, int], np.float32]:
    """Return pairs by their rows; a pair given twice, or not in order, is a failure."""
    listed = list(zip(pairs.left.tolist(), pairs.right.tolist(), strict=True))
    assert listed == sorted(set(listed))
    assert all(left < right for left, right in listed)
    return dict(zip(listed, pairs.distance, strict=True))


def as_pairs(found: dict[tuple[int, int], np.float32]) -> Pairs:
    ordered = sorted(found)
    rows = np.array(ordered, dtype=np.int64).reshape(-1, 2)
    return Pairs(rows[:, 0], rows[:, 1], np.array([found[pair] for pair in ordered], dtype=np.float32))
