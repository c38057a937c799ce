"""Candidate pairs: every two vectors of a corpus that lie within a cut-off distance of each other.

There is no k: a question with ten thousand near copies gets ten thousand pairs. A small corpus is compared whole,
which is exact. A large one is cut into cells around its reference vectors: a vector lives in the cell of the nearest
and visits those of the next-nearest, and residents of a cell are compared with each other and with its visitors.
Visiting every cell within ``2 * cutoff`` of the home cell's distance would be exact by the triangle inequality, and
far too many cells on diffuse data; instead the number of cells visited is raised until the recall measured against
exact search on one sample passes the floor, and what is reported is measured on another.

Where an earlier join is known, only rows that are fresh since are compared, and its pairs taken over. Few such rows
visit, and the others do not: each is then read once and not in every cell that it visits, which is what takes the time.
They visit as many more cells as the same recall needs on the sample.

L1 has no matrix product. Its candidates are the pairs within an L2 cut-off, as many times smaller as L1 is larger than
L2 at the least among the true pairs of the first sample; what that loses is in the recall measured on the other.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dedup.cores import spread
from dedup.join.candidates import Candidates, EuclideanCandidates, ManhattanCandidates, Strictly
from dedup.join.cells import Cells, FewVisitors, NearestCells
from dedup.join.cutoff import Cutoff
from dedup.join.found import FoundPairs, Met, in_order, measured
from dedup.join.known import Known
from dedup.join.recall import Tuned, exact_pairs, found_share, references_needed, smallest_ratio, tune
from dedup.memory import ease
from dedup.products import arithmetic_for
from dedup.progress import Advance, Progress
from dedup.questions import Float32, Int64, Metric, Pairs
from dedup.reference import Near

log = logging.getLogger(__name__)

Tile: TypeAlias = tuple[Int64, Int64, int]
"""Rows, others to compare them with, and how far behind the first of the rows the others begin."""

_FEW = 20  # one in so many rows: if fewer are fresh, it is quicker that they alone visit
_LOOKED_AT = 2048  # pairs of a sample by which it is chosen how many cells they visit
_MOST_VISITED = 512  # cells: with many more, all could be compared with all
_ROWS = 1024  # compared at once, at the most
_PRODUCTS = 1 << 20  # of rows and others at once: they stay in the processor's cache


@dataclass(frozen=True, slots=True)
class Joined:
    """The pairs under the cut-off, and how they were found."""

    pairs: Pairs
    recall: float  # of the pairs under the cut-off, against exact search; 1.0 where the join is exact
    recall_pairs: int  # true pairs that it was measured on; 0 where the join is exact, or a sample held none
    visits: int  # cells each vector is in, its own included, where all visit; 0 where all was compared with all
    compared: int  # rows that were fresh; the others' pairs were known
    covered: Cutoff  # within which all pairs are known now


def self_join(
    embeddings: Float32,
    metric: Metric,
    cutoff: Cutoff,
    *,
    near: Near | None,
    recall_floor: float,
    progress: Progress,
    known: Known | None = None,
    margin: float = 0.0,
) -> Joined:
    """Return every pair of rows within the cut-off, and a few more: exactly, or in cells with measured recall.

    Parameters
    ----------
    embeddings
        (n, d) float32.
    near
        The nearest to each of the reference vectors, which are the first rows, and around which the corpus is cut into
        cells; None to compare all with all.
    recall_floor
        The share of the pairs under the cut-off that must be found; where cells cannot, all is compared with all.
    known
        What an earlier join of rows among these found, in the same metric.
    margin
        How much farther than the cut-off is looked around each fresh row: while its cut-off grows by no more, it is not
        fresh again. With none, no pair beyond the cut-off is returned, but for those that are known.
    """
    nothing = Known.nothing(len(embeddings))
    task = _Task.of(known or nothing, cutoff, margin)
    if near is None:
        return _join_all(embeddings, metric, task, progress)
    joined = _join_in_cells(embeddings, metric, task, near, recall_floor, progress)
    if joined.recall < recall_floor and known is not None:
        log.info("of the pairs under the cut-off, %.4f are known: all are looked for anew", joined.recall)
        task = _Task.of(nothing, cutoff, margin)
        joined = _join_in_cells(embeddings, metric, task, near, recall_floor, progress)
    if joined.recall >= recall_floor:
        return joined
    log.warning(
        "the join in cells found %.4f of the pairs under the cut-off, the recall floor is %g: comparing all with all",
        joined.recall,
        recall_floor,
    )
    return _join_all(embeddings, metric, _Task.of(nothing, cutoff, margin), progress)


@dataclass(frozen=True, slots=True)
class _Task:
    """What is to be compared, how far it is looked, and what need not be looked for."""

    fresh: NDArray[np.bool_]  # (n,)
    cutoff: Cutoff
    known: Known

    @classmethod
    def of(cls, known: Known, cutoff: Cutoff, margin: float) -> Self:
        fresh = known.fresh(cutoff)
        return cls(fresh, known.covering(cutoff, fresh, margin), known)


def _join_all(embeddings: Float32, metric: Metric, task: _Task, progress: Progress) -> Joined:
    rows, fresh, cutoff = len(embeddings), task.fresh, task.cutoff
    fresh_first = np.argsort(~fresh, kind="stable")
    count = int(fresh.sum())
    candidates = exact_candidates(embeddings, metric, cutoff, compared=count / 2)

    def compare(start: int) -> FoundPairs:
        end = min(start + _ROWS, count)
        tiles = tiles_within(fresh_first[start:end], fresh_first[end:])
        return measured(embeddings, metric, cutoff, met_in(candidates, tiles))

    def found() -> Iterator[FoundPairs]:
        starts = range(0, count, _ROWS)
        for start, some in zip(starts, spread(compare, starts), strict=True):
            yield some
            advance(min(_ROWS, count - start))

    with progress.stage("join", "rows", total=count) as advance:
        return Joined(in_order(found(), rows, task.known.still(fresh)), 1.0, 0, 0, count, cutoff)


def _join_in_cells(
    embeddings: Float32, metric: Metric, task: _Task, near: Near, recall_floor: float, progress: Progress
) -> Joined:
    rows, fresh, cutoff = len(embeddings), task.fresh, task.cutoff
    with progress.stage("tune join", "samples", total=2) as advance:
        candidates = exact_candidates(embeddings, metric, cutoff, compared=rows)
        nearest = NearestCells(embeddings, near.references)
        around = nearest.around(near)
        pairs_of = partial(exact_pairs, embeddings, candidates, metric, cutoff)

        def cells_of(some: Int64, count: int) -> NDArray[np.int16]:
            return around[some] if count <= around.shape[1] else nearest.around_some(some, count)

        tuned = tune(rows, pairs_of, cells_of, recall_floor)
        cells = _cells(nearest, around, fresh, tuned, recall_floor)
        if metric is Metric.MANHATTAN:
            candidates = candidates_by_euclid(embeddings, cutoff, smallest_ratio(embeddings, tuned.tuning))
        advance(2)

    with progress.stage("join", "cells", total=cells.count) as advance:
        found = _found_in_cells(embeddings, metric, cutoff, candidates, cells, fresh, advance)
        pairs = in_order(found, rows, task.known.still(fresh))
    recall = found_share(pairs, tuned.held_out)
    return Joined(pairs, recall, len(tuned.held_out), tuned.visits, int(fresh.sum()), cutoff)


def _cells(
    nearest: NearestCells,
    around: NDArray[np.int16],
    fresh: NDArray[np.bool_],
    tuned: Tuned,
    recall_floor: float,
) -> Cells | FewVisitors:
    """Let all rows visit, or the fresh ones alone, where they are few."""
    rows = np.flatnonzero(fresh)
    if len(rows) * _FEW <= len(fresh):
        looked = slice(None, None, max(1, len(tuned.tuning) // _LOOKED_AT))
        left, right = tuned.tuning.left[looked], tuned.tuning.right[looked]
        needed = references_needed(around[right, 0], nearest.around_some(left, _MOST_VISITED), recall_floor)
        if needed is not None:
            return FewVisitors(around[:, 0], rows, nearest.around_some(rows, needed))
    if tuned.visits > around.shape[1]:
        around = nearest.around_all(tuned.visits)
    return Cells(around, tuned.visits)


def _found_in_cells(
    embeddings: Float32,
    metric: Metric,
    cutoff: Cutoff,
    candidates: Candidates,
    cells: Cells | FewVisitors,
    fresh: NDArray[np.bool_],
    advance: Advance,
) -> Iterator[FoundPairs]:
    def compare(members: tuple[NDArray[np.int32], NDArray[np.int32]]) -> FoundPairs:
        residents, visitors = (some.astype(np.int64) for some in members)
        is_fresh = fresh[residents]
        new, old = residents[is_fresh], residents[~is_fresh]
        tiles = chain(
            tiles_within(new, np.concatenate([old, visitors])),
            tiles_apart(old, visitors[fresh[visitors]]),
        )
        return measured(embeddings, metric, cutoff, map(cells.once, met_in(candidates, tiles)))

    # The largest first: results come in order, and behind a large cell among small ones all cores but one would wait.
    members = sorted(
        zip(*cells.members(), strict=True), key=lambda some: len(some[0]) * (len(some[0]) + len(some[1])), reverse=True
    )
    for some in spread(compare, members):
        yield some
        advance(1)


def candidates_by_euclid(embeddings: Float32, cutoff: Cutoff, ratio: float) -> Candidates:
    """Return what proposes pairs in L1: those within the L2 cut-off that is so many times smaller."""
    halves = cutoff.halves(len(embeddings)) / np.float32(ratio)
    arithmetic = arithmetic_for(float(embeddings.size) * len(embeddings))
    return Strictly(EuclideanCandidates(embeddings, halves, arithmetic), embeddings, halves)


def exact_candidates(embeddings: Float32, metric: Metric, cutoff: Cutoff, *, compared: float) -> Candidates:
    """Return what proposes every pair within the cut-off; each row is compared with so many others."""
    if metric is Metric.MANHATTAN:
        return ManhattanCandidates(embeddings, cutoff)
    return EuclideanCandidates(embeddings, cutoff.halves(len(embeddings)), arithmetic_for(embeddings.size * compared))


def tiles_within(rows: Int64, others: Int64) -> Iterator[Tile]:
    """Cut rows x (rows + others) into tiles."""
    for start in range(0, len(rows), _ROWS):
        some = rows[start : start + _ROWS]
        beside = np.concatenate([rows[start:], others])
        wide = _PRODUCTS // len(some)
        for at in range(0, len(beside), wide):
            yield some, beside[at : at + wide], at


def tiles_apart(rows: Int64, others: Int64) -> Iterator[Tile]:
    """Cut rows x others into tiles, where no row is among the others."""
    for start in range(0, len(rows), _ROWS):
        some = rows[start : start + _ROWS]
        wide = _PRODUCTS // len(some)
        for at in range(0, len(others), wide):
            yield some, others[at : at + wide], len(some) + at


def met_in(candidates: Candidates, tiles: Iterator[Tile]) -> Iterator[Met]:
    """Look for pairs in each tile. The others begin with the rows themselves: no row is met with itself, or twice."""
    for rows, others, at in tiles:
        ease()  # Linux maps 16 pages for each row that is read: the rows of a tile are a hundred MiB
        row, other = candidates.within(rows, others)
        met = Met(rows, others, row, other)
        yield met if at >= len(rows) else met.where(at + other > row)
