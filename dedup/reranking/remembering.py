"""Scores of a cross-encoder, kept from run to run beside the generation that came of them: reading a pair is slow.

The artifact ``indexes/scored/NAME/`` has the text keys of each pair, the smaller one first, and its score: whichever
question comes first, a `PairScorer` says the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from dedup.artifacts import manifest_with, writing
from dedup.progress import Advance
from dedup.questions import Float64
from dedup.reranking.cross_encoder import PairScorer
from dedup.text import KEY_BYTES, NORMALISER_VERSION, text_key

FOLDER = "scored"
_KEYS, _SCORES = "keys.npy", "scores.npy"


@dataclass(slots=True)
class RememberingScorer:
    """Asks another `PairScorer` only about pairs that it has no score of; satisfies `PairScorer` itself."""

    scorer: PairScorer
    known: dict[bytes, float]  # by the keys of both texts, the smaller first
    asked: dict[bytes, float] = field(default_factory=dict)  # those that were asked for here

    @property
    def name(self) -> str:
        """The other's."""
        return self.scorer.name

    @property
    def fingerprint(self) -> str:
        """The other's."""
        return self.scorer.fingerprint

    def score(self, pairs: Sequence[tuple[str, str]], advance: Advance) -> Float64:
        """See `PairScorer.score`."""
        keys = [b"".join(sorted((text_key(left), text_key(right)))) for left, right in pairs]
        unknown = [at for at, key in enumerate(keys) if key not in self.known]
        advance(len(pairs) - len(unknown))
        scores = self.scorer.score([pairs[at] for at in unknown], advance) if unknown else np.empty(0)
        self.known |= {keys[at]: float(score) for at, score in zip(unknown, scores, strict=True)}
        self.asked |= {key: self.known[key] for key in keys}
        return np.array([self.known[key] for key in keys], dtype=np.float64)


def save_scores(folder: Path, name: str, scorer: RememberingScorer) -> None:
    """Keep what was asked for under a generation's name."""
    keys = np.frombuffer(b"".join(scorer.asked), dtype=np.uint8).reshape(-1, 2 * KEY_BYTES)
    with writing(folder / FOLDER / name, _facts(scorer)) as beside:
        np.save(beside / _KEYS, keys)
        np.save(beside / _SCORES, np.array(list(scorer.asked.values()), dtype=np.float64))


def remembering(scorer: PairScorer, folder: Path, name: str | None) -> RememberingScorer:
    """Return a scorer with what a generation's run had asked for; with nothing, where that is of another cross-encoder.

    Raises
    ------
    ArtifactDamaged
        If a file is missing, cut short or altered.
    """
    path = folder / FOLDER / (name or "")
    if name is None or manifest_with(path, _facts(scorer)) is None:
        return RememberingScorer(scorer, {})
    keys, scores = (np.load(path / file, allow_pickle=False) for file in (_KEYS, _SCORES))
    return RememberingScorer(scorer, dict(zip(map(bytes, keys), scores.tolist(), strict=True)))


def _facts(scorer: PairScorer) -> dict[str, object]:
    return {"format": 1, "fingerprint": scorer.fingerprint, "normaliser_version": NORMALISER_VERSION}
