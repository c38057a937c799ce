"""Made-up probabilities and labels."""

from __future__ import annotations

import numpy as np

from dedup.questions import Float64, Int64


def made_up(seed: int, n: int = 2000, share: float = 0.8, spread: float = 0.2) -> tuple[Float64, np.ndarray]:
    random = np.random.default_rng(seed)
    duplicate = random.random(n) < share
    return np.clip(random.normal(np.where(duplicate, 0.65, 0.35), spread), 0.01, 0.99), duplicate


def with_ties(seed: int, n: int = 400) -> tuple[Float64, np.ndarray]:
    """Make up probabilities of which many are equal."""
    probability, duplicate = made_up(seed, n)
    return np.clip(np.round(probability, 1), 0.05, 0.95), duplicate


def each_its_own(n: int) -> Int64:
    return np.arange(n, dtype=np.int64)
