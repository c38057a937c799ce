"""How good a whole clustering is, against labelled pairs or against clusters that were labelled whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedup.errors import EvaluationError
from dedup.evaluation.pairs import RankedPairs, require_both_labels
from dedup.evaluation.resampling import RESAMPLES, draws, intervals
from dedup.questions import Float64, Int64

SCORES = ("precision", "recall", "f1")


@dataclass(frozen=True, slots=True)
class ClusterEvaluation:
    """Scores of a clustering, each a mapping of `SCORES`, and the 95% interval of each."""

    n: int  # pairs that are judged: the labelled ones, or all pairs of the questions in labelled clusters
    positives: int
    prior: float  # the share of duplicates that the pairs are weighted to
    clusters: int  # of two questions or more
    pairwise: Mapping[str, float]
    b_cubed: Mapping[str, float]
    pairwise_intervals: Mapping[str, tuple[float, float]]
    b_cubed_intervals: Mapping[str, tuple[float, float]]


def evaluate_clusters(
    cluster: Int64,
    *,
    left: Int64,
    right: Int64,
    duplicate: NDArray[np.bool_],
    gold: Int64,
    component: Int64,
    prior: float,
    clusters: int,
    resamples: int = RESAMPLES,
) -> ClusterEvaluation:
    """Score a clustering by labelled pairs.

    Pairwise scores say how the labelled pairs are parted, weighted to the prior. B-cubed scores are against ``gold``,
    the connected components of the duplicate labels, among the labelled questions alone. Labels leave most pairs open:
    two questions of different components are taken for different there, which labels of neighbours need not mean, so
    that B-cubed precision is rather too low.

    Parameters
    ----------
    cluster
        (n_questions,) the cluster of each labelled question; one in no cluster has a number of its own.
    left, right, duplicate
        (n_pairs,) the labelled pairs, by questions 0 to n_questions - 1, and their labels.
    gold, component
        (n_questions,) connected components of the duplicate labels, and of all labels: these are resampled.
    clusters
        How many clusters of two questions or more there are, unlabelled questions included.

    Raises
    ------
    EvaluationError
        If the labels are of one class only, or the prior is not above 0 and below 1.
    """
    require_both_labels(duplicate, prior)
    together = (cluster[left] == cluster[right]).astype(np.float64)
    ranked = RankedPairs(together, duplicate, prior, threshold=0.5)
    precision, recall = b_cubed(cluster, gold)
    pairs = len(left)
    pairwise_blocks, b_cubed_blocks = [], []
    for drawn in draws(np.concatenate([component[left], component]), resamples):
        pairwise_blocks.append(_chosen(ranked.scores(drawn[:, :pairs])))
        b_cubed_blocks.append(_mean_b_cubed(precision, recall, drawn[:, pairs:]))
    return ClusterEvaluation(
        n=pairs,
        positives=int(duplicate.sum()),
        prior=prior,
        clusters=clusters,
        pairwise=_only(_chosen(ranked.scores(np.ones((1, pairs))))),
        b_cubed=_only(_mean_b_cubed(precision, recall, np.ones((1, len(cluster))))),
        pairwise_intervals=intervals(pairwise_blocks),
        b_cubed_intervals=intervals(b_cubed_blocks),
    )


def evaluate_labelled_clusters(
    cluster: Int64, gold: Int64, *, clusters: int, resamples: int = RESAMPLES
) -> ClusterEvaluation:
    """Score a clustering by clusters that were labelled whole: every pair of their questions is known.

    Nothing is weighted: the prior is the share that duplicates have. What is resampled are the labelled clusters.

    Parameters
    ----------
    cluster, gold
        (n_questions,) the cluster of each labelled question, found and labelled; one in none has a number of its own.
    clusters
        How many clusters of two questions or more there are, unlabelled questions included.

    Raises
    ------
    EvaluationError
        If every question is labelled as the only one of its cluster, or all are labelled as one cluster.
    """
    n = len(gold) * (len(gold) - 1) // 2
    size = np.unique(gold, return_counts=True)[1]
    positives = int((size * (size - 1) // 2).sum())
    if positives in (0, n):
        raise EvaluationError(
            f"{len(gold)} questions are labelled as {len(size)} clusters; give several clusters, and of two or more"
        )
    shared = _Contingency(cluster, gold)
    precision, recall = b_cubed(cluster, gold)
    of_question = np.unique(gold, return_inverse=True)[1]
    pairwise_blocks, b_cubed_blocks = [], []
    for drawn in draws(np.arange(len(size)), resamples):
        pairwise_blocks.append(shared.pairwise(drawn))
        b_cubed_blocks.append(_mean_b_cubed(precision, recall, drawn[:, of_question]))
    return ClusterEvaluation(
        n=n,
        positives=positives,
        prior=positives / n,
        clusters=clusters,
        pairwise=_only(shared.pairwise(np.ones((1, len(size))))),
        b_cubed=_only(_mean_b_cubed(precision, recall, np.ones((1, len(gold))))),
        pairwise_intervals=intervals(pairwise_blocks),
        b_cubed_intervals=intervals(b_cubed_blocks),
    )


def b_cubed(cluster: Int64, gold: Int64) -> tuple[Float64, Float64]:
    """Return the B-cubed precision and recall of each question, (n_questions,) each.

    Of the questions in its cluster (itself included), the share that the gold cluster has as well; and the reverse.

    Source: Bagga & Baldwin (1998), "Entity-Based Cross-Document Coreferencing Using the Vector Space Model"; Amigó,
    Gonzalo, Artiles & Verdejo (2009) for why.
    """
    cell = np.unique(np.stack([cluster, gold]), axis=1, return_inverse=True)[1].reshape(-1)
    shared = np.bincount(cell)[cell]
    return shared / _size_of_own(cluster), shared / _size_of_own(gold)


class _Contingency:
    """How many questions each labelled cluster shares with each found one, for resamples of labelled clusters."""

    def __init__(self, cluster: Int64, gold: Int64) -> None:
        from scipy.sparse import csr_array

        row, column = (np.unique(of, return_inverse=True)[1] for of in (gold, cluster))
        self._shared = csr_array((np.ones(len(gold)), (row, column)))  # (n_gold, n_clusters); equal places add up
        self._shared.sum_duplicates()
        self._squares = np.asarray(self._shared.multiply(self._shared).sum(axis=1))
        self._found = (self._squares - np.asarray(self._shared.sum(axis=1))) / 2  # true pairs that are found
        size = np.bincount(row)
        self._true = size * (size - 1) / 2

    def pairwise(self, drawn: Float64) -> dict[str, Float64]:
        """Score (n_resamples, n_gold) counts of how often each labelled cluster is drawn, by all pairs of questions.

        Two draws of one labelled cluster are not compared with each other.
        """
        true, found = drawn @ self._true, drawn @ self._found
        squares = ((drawn @ self._shared) ** 2).sum(axis=1)
        mistaken = (squares - drawn**2 @ self._squares) / 2  # pairs of a found cluster, of two labelled ones
        with np.errstate(invalid="ignore", divide="ignore"):
            return {
                "precision": np.where(found == 0, 0.0, found / (found + mistaken)),
                "recall": found / true,
                "f1": np.where(found == 0, 0.0, 2 * found / (found + mistaken + true)),
            }


def _mean_b_cubed(precision: Float64, recall: Float64, drawn: Float64) -> dict[str, Float64]:
    """Average over questions, (n_resamples, n_questions) of how often each is drawn; F1 is of the averages."""
    count = drawn.sum(axis=1)
    precise, recalled = drawn @ precision / count, drawn @ recall / count
    return {"precision": precise, "recall": recalled, "f1": 2 * precise * recalled / (precise + recalled)}


def _size_of_own(group: Int64) -> Int64:
    _, own, size = np.unique(group, return_inverse=True, return_counts=True)
    return np.asarray(size[own], dtype=np.int64)


def _chosen(scores: Mapping[str, Float64]) -> dict[str, Float64]:
    return {name: scores[name] for name in SCORES}


def _only(scores: Mapping[str, Float64]) -> dict[str, float]:
    return {name: float(score[0]) for name, score in scores.items()}
