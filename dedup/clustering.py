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
from numpy.typing import NDArray

from dedup.components import components
from dedup.external_sort import ExternalSort, chunks, marked, selected
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
    linked = marked(len(pairs), lambda some: probability[some] >= threshold)
    left, right, sure = selected(linked, pairs.left, pairs.right, probability)
    component = components(len(matcher.embeddings), ((left[some], right[some]) for some in chunks(len(left))))
    chained = _chained(component, left)
    surest_first = ExternalSort(np.int64, np.int64, np.int64, ties=True)  # pairs stand in the order of their rows
    weakest = np.ones(len(component))  # of cliques, by their names
    for some in chunks(len(left)):
        of, probable = component[left[some]], sure[some]
        kept = chained[of]
        surest_first.add(_falling(probable[kept]), left[some][kept], right[some][kept])
        np.minimum.at(weakest, of[~kept], probable[~kept])
    _, one, other = surest_first.in_order()
    grown = grow(matcher, one, other, floor)
    names, label = np.unique(np.where(chained[component], grown.part, component), return_inverse=True)
    return Clusters(label.astype(np.int64), np.minimum(weakest, grown.weakest)[names])


def _chained(component: Int64, left: Int64) -> NDArray[np.bool_]:
    """Tell of each component, by its name, whether some two of its rows have no link, (n_rows,); ``left`` of each link.

    A clique of links is a cluster as it stands: the floor is at most the threshold.
    """
    links = np.zeros(len(component), dtype=np.int64)
    for some in chunks(len(left)):
        np.add.at(links, component[left[some]], 1)
    size = np.bincount(component, minlength=len(component))
    chained: NDArray[np.bool_] = links < size * (size - 1) // 2
    return chained


def _falling(probability: Float64) -> Int64:
    """Return numbers that fall as probabilities rise: the bits of a number >= 0 are in its order."""
    return -np.ascontiguousarray(probability).view(np.int64)


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
