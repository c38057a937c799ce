"""A cross-encoder, and what its scores mean for the pairs of one classifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dedup.classifier import Classifier
from dedup.progress import Progress
from dedup.questions import Float64
from dedup.reranking.cross_encoder import PairScorer, load_cross_encoder
from dedup.reranking.rescoring import Rescoring, load_rescoring


@dataclass(frozen=True, slots=True)
class Reranker:
    """Judges again those pairs of which the classifier is not sure."""

    scorer: PairScorer
    rescoring: Rescoring

    def uncertain(self, probability: Float64) -> NDArray[np.bool_]:
        """Tell which pairs, by the classifier's probability, (n_pairs,), are judged again."""
        return self.rescoring.uncertain(probability)

    def judge(
        self, classified: Float64, texts: Sequence[tuple[str, str]], *, prior: float, progress: Progress
    ) -> Float64:
        """Return the new probability of uncertain pairs, (n_pairs,).

        Parameters
        ----------
        classified
            (n_pairs,): the classifier's probability, for the share of duplicates ``prior``.
        texts
            The pairs' normalised texts.
        """
        with progress.stage("rerank", "pairs", total=len(texts)) as advance:
            logit = self.scorer.score(texts, advance)
        return self.rescoring.probability(classified, logit, prior=prior)


def load_reranker(name: str, indexes: Path, classifier: Classifier) -> Reranker:
    """Load the cross-encoder called ``name`` and what was fitted for it and an installed classifier.

    Raises
    ------
    EncoderError
        If there is no such cross-encoder.
    ClassifierError
        If nothing was fitted for the two.
    """
    scorer = load_cross_encoder(name)
    return Reranker(scorer, load_rescoring(indexes, classifier, scorer.name, scorer.fingerprint))
