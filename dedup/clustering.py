"""From pairs to clusters, without chaining.

The rule: clusters grow along measured pairs at or above the threshold, most probable pair first, and two clusters
join only if *every* question of the one has at least the floor's probability with *every* question of the other
(complete linkage; Sørensen, 1948, where threshold and floor are one). So A~B~C~D does not end as one cluster when A and
D are strangers, and every cluster states its weakest link: the lowest probability of any two of its questions, never
under the floor. On Quora's labels this keeps the F1 of connected components and loses the chains
(docs/architecture.md has the figures).

Nothing here depends on the order of the rows: pairs of equal probability are taken by their rows, rows are in the order
of their text keys, and a cluster is named after none of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from dedup.gathering import selected
from dedup.linkage import grow
from dedup.matching import Matcher
from dedup.questions import Float64, Int64, Pairs


@dataclass(frozen=True, slots=True)
class Clusters:
    """A partition of the rows: ``label[row]`` is the cluster, 0 <= label < len(weakest).

    ``weakest[label]`` is the lowest match probability of two rows of the cluster, 1 for a single row.
    """

    label: Int64  # (n_rows,)
    weakest: Float64  # (n_clusters,)


def cluster_pairs(matcher: Matcher, pairs: Pairs, probability: Float64, *, threshold: float, floor: float) -> Clusters:
    """Group rows into clusters in which every two have at least the match probability ``floor``.

    Parameters
    ----------
    pairs, probability
        Judged pairs; those of at least the probability ``threshold`` can make clusters.
    floor
        At most ``threshold``.
    """
    linked = probability >= threshold
    left, right, sure = selected(linked, pairs.left, pairs.right, probability)
    rows = len(matcher.embeddings)
    graph = coo_array((np.ones(len(left), dtype=bool), (left, right)), shape=(rows, rows))
    component = connected_components(graph, directed=False)[1].astype(np.int64)
    size = np.bincount(component)
    links = np.bincount(component[left], minlength=len(size))
    chained = links < size * (size - 1) // 2  # a clique of links is a cluster as it stands: floor <= threshold
    in_chain = chained[component[left]]
    surest_first = np.argsort(-sure[in_chain], kind="stable")  # pairs stand in the order of their rows
    grown = grow(matcher, left[in_chain][surest_first], right[in_chain][surest_first], floor)
    weakest = np.ones(len(size))
    np.minimum.at(weakest, component[left[~in_chain]], sure[~in_chain])
    names, label = np.unique(np.where(chained[component], len(size) + grown.part, component), return_inverse=True)
    return Clusters(label.astype(np.int64), np.concatenate([weakest, grown.weakest])[names])


@dataclass(frozen=True, slots=True)
class NamedClusters:
    """The clusters of all questions, exact copies and single questions included.

    Clusters are numbered from 1, the largest first; of equal ones the one whose canonical question ranks higher.
    """

    number: Int64  # (n_questions,) the cluster of each question
    canonical: Int64  # (n_clusters,) the position of the question to keep; canonical[i] is that of cluster i + 1
    size: Int64  # (n_clusters,) its questions
    texts: Int64  # (n_clusters,) its distinct texts; 1 where all are exact copies
    weakest: Float64  # (n_clusters,) the lowest match probability of two of its questions


def name_clusters(clusters: Clusters, row: Int64, rank: Int64) -> NamedClusters:
    """Choose each cluster's canonical question, the one of the best rank, and number the clusters.

    Parameters
    ----------
    row
        (n_questions,) the row that stands for each question; exact copies share one.
    rank
        (n_questions,) a permutation; 0 is the question to prefer (most views, then highest score, then oldest, then
        smallest id).
    """
    label = clusters.label[row]
    size = np.bincount(label, minlength=len(clusters.weakest)).astype(np.int64)
    best = np.full(len(size), len(rank), dtype=np.int64)
    np.minimum.at(best, label, rank)
    by_rank = np.argsort(rank)
    order = np.lexsort((best, -size))
    number = np.empty(len(size), dtype=np.int64)
    number[order] = np.arange(1, len(size) + 1)
    texts = np.bincount(clusters.label)
    return NamedClusters(number[label], by_rank[best[order]], size[order], texts[order], clusters.weakest[order])
