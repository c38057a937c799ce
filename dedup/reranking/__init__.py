"""Judging uncertain pairs again, by a cross-encoder: it reads both questions together, at hundreds of pairs a second.

`cross_encoder` loads it and `scoring` (which needs torch) runs it, `rescoring` makes one probability of what the
classifier and it say, `reranker` puts the two together, `remembering` keeps scores from run to run.
"""

from dedup.reranking.cross_encoder import PairScorer, load_cross_encoder
from dedup.reranking.remembering import RememberingScorer, remembering, save_scores
from dedup.reranking.reranker import Reranker, load_reranker
from dedup.reranking.rescoring import BAND, Rescoring, fit_rescoring, load_rescoring, save_rescoring

__all__ = [
    "BAND",
    "PairScorer",
    "RememberingScorer",
    "Reranker",
    "Rescoring",
    "fit_rescoring",
    "load_cross_encoder",
    "load_reranker",
    "load_rescoring",
    "remembering",
    "save_rescoring",
    "save_scores",
]
