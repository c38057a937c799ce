"""An encoder and a cross-encoder that need no weights, for tests that are about something else."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from dedup.encoders.protocol import unit_rows
from dedup.progress import Advance
from dedup.questions import Float32, Float64, Metric


@dataclass
class HashingEncoder:
    """Counts hashed character trigrams: texts that share many are near each other. Satisfies `dedup.encoders.Encoder`.

    ``encoded`` lists every text it was given; where ``fails_after`` is set, it encodes that many texts and then raises.
    """

    name: str = "trigrams"
    metric: Metric = Metric.EUCLIDEAN
    dimension: int = 64
    fails_after: int | None = None
    encoded: list[str] = field(default_factory=list)

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(f"trigrams {self.dimension}".encode()).hexdigest()

    def encode(self, texts: Sequence[str]) -> Float32:
        if self.fails_after is not None and len(self.encoded) + len(texts) > self.fails_after:
            raise InterruptedError("the encoder was stopped")
        self.encoded += texts
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for vector, text in zip(vectors, texts, strict=True):
            padded = f"^^{text}$"
            for start in range(len(padded) - 2):
                hashed = hashlib.blake2b(padded[start : start + 3].encode(), digest_size=4).digest()
                vector[int.from_bytes(hashed, "big") % self.dimension] += 1
        return unit_rows(vectors, texts)


@dataclass
class SharedWords:
    """Scores a pair by the share of words that both texts have, from -2 to 2. Satisfies `dedup.reranking.PairScorer`.

    ``scored`` lists every pair it was given.
    """

    name: str = "words"
    fingerprint: str = "5" * 64
    scored: list[tuple[str, str]] = field(default_factory=list)

    def score(self, pairs: Sequence[tuple[str, str]], advance: Advance) -> Float64:
        self.scored += pairs
        advance(len(pairs))
        words = [(set(left.split()), set(right.split())) for left, right in pairs]
        return np.array([4 * len(left & right) / len(left | right) - 2 for left, right in words], dtype=np.float64)
