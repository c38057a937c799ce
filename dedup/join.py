"""Candidate pairs: every two vectors of a corpus that lie within a cut-off distance of each other.

There is no k: a question with ten thousand near copies gets ten thousand pairs. A small corpus is compared whole,
which is exact. A large one is cut into cells around centroids: a vector lives in the cell of its nearest centroid and
visits the cells of its next-nearest ones, and residents of a cell are compared with each other and with its visitors.
Visiting every cell within ``2 * cutoff`` of the home cell's distance would be exact by the triangle inequality, and
far too many cells on diffuse data; instead the number of cells visited is raised until the recall measured against
exact search on one sample passes the floor, and what is reported is measured on another.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import faiss
import numpy as np

from dedup.distance import pair_distances
from dedup.progress import Progress
from dedup.questions import Float32, Int64, Metric, Pairs

log = logging.getLogger(__name__)

_TILE = 2048  # rows compared at once: a tile of distances takes 16 MiB
_SAMPLES = (256, 1024, 4096)  # queries of each of the two recall samples: more where duplicates are few
_ENOUGH_PAIRS = 200  # from which a sample tells .995 from .99
_SEED = 20_000
_VISITS = (2, 3, 4, 6, 8, 12, 16, 24, 32)
# Tiles are computed through BLAS or SIMD with other rounding than `dedup.distance`: what they let through is
# measured again, so they must let through a little more.
_SLACK = 1.001


@dataclass(frozen=True, slots=True)
class Joined:
    """The pairs under the cut-off, and how they were found."""

    pairs: Pairs
    recall: float  # of the pairs under the cut-off, against exact search; 1.0 where the join is exact
    recall_pairs: int  # true pairs that it was measured on; 0 where the join is exact, or a sample held none
    visits: int  # cells each vector was compared in, its own included; 0 where all was compared with all


@dataclass(frozen=True, slots=True)
class Cutoff:
    """How far apart a pair may be: ``distance``, less what falls short on either side.

    Questions in sparse surroundings have to be nearer to be a candidate: joining all of them as far as the most crowded
    ones would find ten times as many pairs, to drop them again.
    """

    distance: float
    shortfall: Float32 | None = None  # (n,) of each row; None: of none

    def of(self, left: Int64, right: Int64) -> Float32 | float:
        """Return the cut-off of each pair of rows; the two are broadcast against each other."""
        if self.shortfall is None:
            return self.distance
        allowed: Float32 = np.float32(self.distance) - self.shortfall[left] - self.shortfall[right]
        return allowed


def self_join(
    embeddings: Float32,
    metric: Metric,
    cutoff: Cutoff,
    *,
    centroids: Float32 | None,
    recall_floor: float,
    progress: Progress,
) -> Joined:
    """Return every pair of rows within the cut-off: exactly, or in cells with measured recall.

    Parameters
    ----------
    embeddings
        (n, d) float32, unit rows.
    centroids
        (c, d) float32 to cut the corpus into cells, or None to compare all with all.
    recall_floor
        The share of the pairs under the cut-off that must be found; where cells cannot, all is compared with all.
    """
    if centroids is None:
        return _join_all(embeddings, metric, cutoff, progress)
    joined = _join_in_cells(embeddings, metric, cutoff, centroids, recall_floor, progress)
    if joined.recall >= recall_floor:
        return joined
    log.warning(
        "the join in cells found %.4f of the pairs under the cut-off, the recall floor is %g: comparing all with all",
        joined.recall,
        recall_floor,
    )
    return _join_all(embeddings, metric, cutoff, progress)


def _join_all(embeddings: Float32, metric: Metric, cutoff: Cutoff, progress: Progress) -> Joined:
    everything = np.arange(len(embeddings), dtype=np.int64)
    found = []
    with progress.stage("join", "rows", total=len(embeddings)) as advance:
        for rows, others in _tiles(everything, everything[:0]):
            found.append(_within(embeddings, rows, others, metric, cutoff))
            if rows is others:  # the first tile of these rows
                advance(len(rows))
    return Joined(_as_pairs(found, embeddings, metric, cutoff), recall=1.0, recall_pairs=0, visits=0)


def _join_in_cells(
    embeddings: Float32, metric: Metric, cutoff: Cutoff, centroids: Float32, recall_floor: float, progress: Progress
) -> Joined:
    with progress.stage("tune join", "samples", total=2) as advance:
        cells = _Cells.around(centroids, embeddings)
        tuning, held_out = _exact_samples(embeddings, metric, cutoff)
        visits = _fewest_visits(cells, tuning, recall_floor)
        advance(2)
    found = []
    with progress.stage("join", "cells", total=len(centroids)) as advance:
        for residents, visitors in cells.members(visits):
            for rows, others in _tiles(residents, visitors):
                left, right = _within(embeddings, rows, others, metric, cutoff)
                found.append(cells.once(left, right, visits))
            advance(1)
    pairs = _as_pairs(found, embeddings, metric, cutoff)
    return Joined(pairs, _recall(pairs, held_out, len(embeddings)), len(held_out), visits)


def _tiles(residents: Int64, visitors: Int64) -> Iterator[tuple[Int64, Int64]]:
    """Cut residents x (residents after them + visitors) into tiles; a tile on the diagonal has one array twice."""
    for start in range(0, len(residents), _TILE):
        rows = residents[start : start + _TILE]
        yield rows, rows
        others = np.concatenate([residents[start + _TILE :], visitors])
        for at in range(0, len(others), _TILE):
            yield rows, others[at : at + _TILE]


def _within(embeddings: Float32, rows: Int64, others: Int64, metric: Metric, cutoff: Cutoff) -> tuple[Int64, Int64]:
    """Return the pairs of ``rows`` x ``others`` that may lie within ``cutoff``; each once where the two are one."""
    left, right = embeddings[rows], embeddings[others]
    allowed = np.maximum(cutoff.of(rows[:, None], others[None, :]), 0) * _SLACK
    if metric is Metric.MANHATTAN:
        near = faiss.pairwise_distances(left, right, metric=faiss.METRIC_L1) <= allowed
    else:
        squared = np.einsum("nd,nd->n", right, right) - 2.0 * (left @ right.T)
        near = squared <= allowed**2 + 1e-5 - np.einsum("nd,nd->n", left, left)[:, None]
    if rows is others:
        near = np.triu(near, 1)  # self goes by its place on the diagonal, which is its own row number
    i, j = np.nonzero(near)
    return rows[i], others[j]


def _as_pairs(found: list[tuple[Int64, Int64]], embeddings: Float32, metric: Metric, cutoff: Cutoff) -> Pairs:
    """Put the smaller row left, measure each pair exactly, keep those within ``cutoff``, sort by (left, right)."""
    none = np.empty(0, dtype=np.int64)
    one = np.concatenate([none, *(pair[0] for pair in found)])
    other = np.concatenate([none, *(pair[1] for pair in found)])
    left, right = np.minimum(one, other), np.maximum(one, other)
    order = np.argsort(left * np.int64(len(embeddings)) + right, kind="stable")
    left, right = left[order], right[order]
    measured = pair_distances(embeddings, left, right, metric)
    kept = measured <= cutoff.of(left, right)
    return Pairs(left[kept], right[kept], measured[kept])


@dataclass(frozen=True, slots=True)
class _Cells:
    """Which cells each vector is at home in and visits: its nearest centroids, in L2, nearest first."""

    nearest: np.ndarray  # (n, most visits) int32
    count: int

    @classmethod
    def around(cls, centroids: Float32, embeddings: Float32) -> _Cells:
        quantizer = faiss.IndexFlatL2(centroids.shape[1])
        quantizer.add(centroids)
        most = min(_VISITS[-1], len(centroids))
        nearest = np.empty((len(embeddings), most), dtype=np.int32)
        for start in range(0, len(embeddings), 65_536):
            nearest[start : start + 65_536] = quantizer.search(embeddings[start : start + 65_536], most)[1]
        return cls(nearest, len(centroids))

    def members(self, visits: int) -> Iterator[tuple[Int64, Int64]]:
        """Yield each cell's residents and visitors, as rows in ascending order."""
        residents = _grouped(self.nearest[:, :1], self.count)
        visitors = _grouped(self.nearest[:, 1:visits], self.count)
        return zip(residents, visitors, strict=True)

    def once(self, resident: Int64, other: Int64, visits: int) -> tuple[Int64, Int64]:
        """Drop the pairs that are also found in the other one's home cell, where that cell has the smaller number."""
        home, away = self.nearest[resident, 0], self.nearest[other, 0]
        also_there = (self.nearest[resident, 1:visits] == away[:, None]).any(axis=1) & (away < home)
        return resident[~also_there], other[~also_there]

    def share_a_cell(self, left: Int64, right: Int64, visits: int) -> np.ndarray:
        """Tell which pairs a join with so many visits compares; (n_pairs,) of bool."""
        left_in = (self.nearest[left, :visits] == self.nearest[right, :1]).any(axis=1)
        right_in = (self.nearest[right, :visits] == self.nearest[left, :1]).any(axis=1)
        return np.asarray(left_in | right_in)


def _grouped(cells: np.ndarray, count: int) -> Iterator[Int64]:
    """Yield, for each cell number, the rows in which it stands."""
    flat = cells.ravel()
    order = np.argsort(flat, kind="stable")
    ends = np.cumsum(np.bincount(flat, minlength=count))
    rows = order // max(1, cells.shape[1])
    return (rows[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True))


def _exact_samples(embeddings: Float32, metric: Metric, cutoff: Cutoff) -> tuple[Pairs, Pairs]:
    """Return all pairs under the cut-off of two disjoint samples of rows, found by comparing them with every row.

    Where duplicates are few, a small sample may hold none, and would call any recall perfect: it is made larger.
    """
    shuffled = np.random.default_rng(_SEED).permutation(len(embeddings))
    everything = np.arange(len(embeddings), dtype=np.int64)

    def exact(sample: Int64) -> Pairs:
        found = [
            _within(embeddings, sample[at : at + _TILE], everything[start : start + _TILE], metric, cutoff)
            for at in range(0, len(sample), _TILE)
            for start in range(0, len(everything), _TILE)
        ]
        distinct = [(one[one != other], other[one != other]) for one, other in found]
        return _as_pairs(distinct, embeddings, metric, cutoff)

    for size in _SAMPLES:
        tuning, held_out = exact(shuffled[: 2 * size : 2]), exact(shuffled[1 : 2 * size : 2])
        if min(len(tuning), len(held_out)) >= _ENOUGH_PAIRS or 2 * size >= len(embeddings):
            break
    return tuning, held_out


def _fewest_visits(cells: _Cells, truth: Pairs, recall_floor: float) -> int:
    """Return the fewest visits whose recall on the tuning sample is half-way from the floor to 1; else the most.

    One more pair counts as missed: a handful of pairs, all found, shows little.
    """
    wanted, most = (1 + recall_floor) / 2 * (len(truth) + 1), int(cells.nearest.shape[1])
    for visits in _VISITS:
        if visits < most and cells.share_a_cell(truth.left, truth.right, visits).sum() >= wanted:
            return visits
    return most


def _recall(pairs: Pairs, truth: Pairs, rows: int) -> float:
    """Return the share of the true pairs that were found."""
    if len(truth) == 0:
        return 1.0
    found = pairs.left * np.int64(rows) + pairs.right
    return float(np.isin(truth.left * np.int64(rows) + truth.right, found).mean())
