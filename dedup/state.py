"""What a corpus is compared with, and how: everything that its duplicates are a function of."""

from __future__ import annotations

from dataclasses import dataclass

from dedup.classifier import Classifier
from dedup.collapse import Texts
from dedup.decisions import Decisions
from dedup.encoders import Encoder, VectorStore
from dedup.questions import Float32
from dedup.reranking import Reranker, Rescoring
from dedup.store import Corpus


@dataclass(frozen=True, slots=True)
class Models:
    """What judges."""

    encoder: Encoder
    classifier: Classifier
    reranker: Reranker | None

    @property
    def rescoring(self) -> Rescoring | None:
        """What was fitted for the reranker."""
        return None if self.reranker is None else self.reranker.rescoring


@dataclass(frozen=True, slots=True)
class State:
    """A corpus with its vectors."""

    corpus: Corpus
    decisions: Decisions
    digest: str  # of all that the result is a function of
    texts: Texts
    embeddings: Float32  # (n_texts, d)
    vectors: VectorStore
    encoded: int
