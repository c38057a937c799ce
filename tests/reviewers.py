"""Reviewers who judge as a classifier would have it."""

from __future__ import annotations

import numpy as np

from dedup.store import PairRecord, Store, Stratum, Verdict


def review(store: Store, count: int, log_odds: float = 0.0) -> None:
    """Say of uncertain pairs that they are the same as often as their probability, moved by some log-odds, has it."""
    random = np.random.default_rng(11)
    for pair in apart(store)[:count]:
        odds = np.log(pair.probability) - np.log1p(-pair.probability) + log_odds
        verdict = Verdict.SAME if random.random() < 1 / (1 + np.exp(-odds)) else Verdict.DIFFERENT
        store.record_review(pair.left, pair.right, verdict, "ana", Stratum.UNCERTAIN)


def apart(store: Store) -> list[PairRecord]:
    """Return uncertain recorded pairs, of which no two share a question."""
    seen = set[int]()
    found = []
    for pair in store.pairs_from(0, 99_999):
        if 0.35 < pair.probability < 0.95 and not seen & {pair.left, pair.right}:
            seen |= {pair.left, pair.right}
            found.append(pair)
    return found
