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
    left, right, sure = pairs.left[linked], pairs.right[linked], probability[linked]
    rows = len(matcher.embeddings)
    graph = coo_array((np.ones(len(left), dtype=bool), (left, right)), shape=(rows, rows))
    _, component = connected_components(graph, directed=False)
    label = component.astype(np.int64)
    parts = _split_chains(matcher, label, (left, right, sure), floor)
    label = np.unique(np.where(parts >= 0, parts + rows, label), return_inverse=True)[1].astype(np.int64)
    return Clusters(label, _weakest(matcher, label))


def _split_chains(matcher: Matcher, component: Int64, links: tuple[Int64, Int64, Float64], floor: float) -> Int64:
    """Return, for the rows of components that are not cliques of the links, which part each belongs to; else -1."""
    left, right, sure = links
    size = np.bincount(component)
    edges = np.bincount(component[left], minlength=len(size))
    chained = edges < size * (size - 1) // 2  # a clique of links is a cluster as it stands: floor <= threshold
    in_chain = np.flatnonzero(chained[component[left]])
    order = in_chain[np.lexsort((right[in_chain], left[in_chain], -sure[in_chain]))]
    growing = _Growing(matcher, floor, np.flatnonzero(chained[component]).tolist())
    for one, other in zip(left[order].tolist(), right[order].tolist(), strict=True):
        growing.link(one, other)
    part = np.full(len(component), -1, dtype=np.int64)
    part[list(growing.part)] = list(growing.part.values())
    return part


class _Growing:
    """Clusters while they grow, each named after one of its rows."""

    def __init__(self, matcher: Matcher, floor: float, rows: list[int]) -> None:
        self._matcher = matcher
        self._floor = floor
        self._members = {row: [row] for row in rows}
        self._apart: dict[int, set[int]] = {}  # strangers: what they grow into stays apart too
        self.part = {row: row for row in rows}

    def link(self, one: int, other: int) -> None:
        """Join the clusters of two linked rows, unless some two rows of them are strangers."""
        a, b = self.part[one], self.part[other]
        if a == b or b in self._apart.get(a, ()):
            return
        if self._strangers(a, b):
            self._apart.setdefault(a, set()).add(b)
            self._apart.setdefault(b, set()).add(a)
            return
        if len(self._members[a]) < len(self._members[b]):
            a, b = b, a
        for row in self._members[b]:
            self.part[row] = a
        self._members[a] += self._members.pop(b)
        for stranger in self._apart.pop(b, ()):
            self._apart[stranger].remove(b)
            self._apart[stranger].add(a)
            self._apart.setdefault(a, set()).add(stranger)

    def _strangers(self, a: int, b: int) -> bool:
        rows, others = self._members[a], self._members[b]
        if len(rows) == len(others) == 1:
            return False  # linked themselves
        return not self._matcher.all_reach(np.array(rows), np.array(others), self._floor)


def _weakest(matcher: Matcher, label: Int64) -> Float64:
    """Return the lowest match probability of two rows of each cluster."""
    size = np.bincount(label)
    weakest = np.ones(len(size))
    order = np.argsort(label, kind="stable")
    start = np.concatenate([[0], np.cumsum(size)])
    twos = np.flatnonzero(size == 2)
    weakest[twos] = matcher.between(order[start[twos]], order[start[twos] + 1])
    for cluster in np.flatnonzero(size > 2).tolist():
        rows = order[start[cluster] : start[cluster + 1]]
        weakest[cluster] = matcher.weakest(rows, rows)
    return weakest


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
