"""From pairs to clusters, without chaining.

The rule: clusters grow along measured pairs at or above the threshold, most probable pair first, and two clusters
join only if *every* question of the one is within the floor's distance of *every* question of the other (complete
linkage; Sørensen, 1948, where threshold and floor are one). So A~B~C~D does not end as one cluster when A and D are
strangers, and every cluster states its weakest link: the largest distance between any two of its questions,
measured, never beyond the floor. On Quora's labels this keeps the F1 of connected components and loses the chains
(docs/architecture.md has the figures).

Nothing here depends on the order of the rows: pairs at equal distance are taken by their rows, rows are in the order of
their text keys, and a cluster is named after none of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from dedup.distance import farthest, pair_distances
from dedup.questions import Float32, Int64, Metric, Pairs


@dataclass(frozen=True, slots=True)
class Clusters:
    """A partition of the rows: ``label[row]`` is the cluster, 0 <= label < len(widest).

    ``widest[label]`` is the largest distance between two rows of the cluster, 0 for a single row.
    """

    label: Int64  # (n_rows,)
    widest: Float32  # (n_clusters,)


def cluster_pairs(embeddings: Float32, metric: Metric, pairs: Pairs, *, cutoff: float, widest: float) -> Clusters:
    """Group rows into clusters in which no two are farther apart than ``widest``.

    Parameters
    ----------
    embeddings
        (n, d) float32.
    pairs
        Measured pairs; those at a distance of at most ``cutoff`` (the threshold's) can make clusters.
    cutoff, widest
        In ``metric``; ``cutoff <= widest``.
    """
    linked = pairs.distance <= cutoff
    left, right, near = pairs.left[linked], pairs.right[linked], pairs.distance[linked]
    rows = len(embeddings)
    graph = coo_array((np.ones(len(left), dtype=bool), (left, right)), shape=(rows, rows))
    _, component = connected_components(graph, directed=False)
    label = component.astype(np.int64)
    parts = _split_chains(embeddings, metric, label, (left, right, near), widest)
    label = np.unique(np.where(parts >= 0, parts + rows, label), return_inverse=True)[1].astype(np.int64)
    return Clusters(label, _widest(embeddings, metric, label))


def _split_chains(
    embeddings: Float32, metric: Metric, component: Int64, links: tuple[Int64, Int64, Float32], widest: float
) -> Int64:
    """Return, for the rows of components that are not cliques of the links, which part each belongs to; else -1."""
    left, right, near = links
    size = np.bincount(component)
    edges = np.bincount(component[left], minlength=len(size))
    chained = edges < size * (size - 1) // 2  # a clique of links is a cluster as it stands: cutoff <= widest
    in_chain = np.flatnonzero(chained[component[left]])
    order = in_chain[np.lexsort((right[in_chain], left[in_chain], near[in_chain]))]
    growing = _Growing(embeddings, metric, widest, np.flatnonzero(chained[component]).tolist())
    for one, other in zip(left[order].tolist(), right[order].tolist(), strict=True):
        growing.link(one, other)
    part = np.full(len(component), -1, dtype=np.int64)
    part[list(growing.part)] = list(growing.part.values())
    return part


class _Growing:
    """Clusters while they grow, each named after one of its rows."""

    def __init__(self, embeddings: Float32, metric: Metric, widest: float, rows: list[int]) -> None:
        self._embeddings = embeddings
        self._metric = metric
        self._widest = widest
        self._members = {row: [row] for row in rows}
        self._apart: dict[int, set[int]] = {}  # clusters too far from each other: what they grow into stays apart too
        self.part = {row: row for row in rows}

    def link(self, one: int, other: int) -> None:
        """Join the clusters of two linked rows, unless some two rows of them are too far from each other."""
        a, b = self.part[one], self.part[other]
        if a == b or b in self._apart.get(a, ()):
            return
        if self._too_far(a, b):
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

    def _too_far(self, a: int, b: int) -> bool:
        rows, others = self._members[a], self._members[b]
        if len(rows) == len(others) == 1:
            return False  # linked themselves
        fewer, more = sorted((rows, others), key=len)
        return farthest(self._embeddings[fewer], self._embeddings[more], self._metric) > self._widest


def _widest(embeddings: Float32, metric: Metric, label: Int64) -> Float32:
    """Return the largest distance between two rows of each cluster."""
    size = np.bincount(label)
    widest = np.zeros(len(size), dtype=np.float32)
    order = np.argsort(label, kind="stable")
    start = np.concatenate([[0], np.cumsum(size)])
    twos = np.flatnonzero(size == 2)
    widest[twos] = pair_distances(embeddings, order[start[twos]], order[start[twos] + 1], metric)
    for cluster in np.flatnonzero(size > 2).tolist():
        rows = embeddings[order[start[cluster] : start[cluster + 1]]]
        widest[cluster] = farthest(rows, rows, metric)
    return widest


@dataclass(frozen=True, slots=True)
class NamedClusters:
    """The clusters of all questions, exact copies and single questions included.

    Clusters are numbered from 1, the largest first; of equal ones the one whose canonical question ranks higher.
    """

    number: Int64  # (n_questions,) the cluster of each question
    canonical: Int64  # (n_clusters,) the position of the question to keep; canonical[i] is that of cluster i + 1
    size: Int64  # (n_clusters,) its questions
    texts: Int64  # (n_clusters,) its distinct texts; 1 where all are exact copies
    widest: Float32  # (n_clusters,) the largest distance between two of its questions


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
    size = np.bincount(label, minlength=len(clusters.widest)).astype(np.int64)
    best = np.full(len(size), len(rank), dtype=np.int64)
    np.minimum.at(best, label, rank)
    by_rank = np.argsort(rank)
    order = np.lexsort((best, -size))
    number = np.empty(len(size), dtype=np.int64)
    number[order] = np.arange(1, len(size) + 1)
    texts = np.bincount(clusters.label)
    return NamedClusters(number[label], by_rank[best[order]], size[order], texts[order], clusters.widest[order])
