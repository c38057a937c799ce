"""Joining and judging the rows of a bin, or of two bins of a hot cell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np

from dedup.cores import spread
from dedup.join.candidates import Candidates
from dedup.join.cells import Cells
from dedup.join.cutoff import Cutoff
from dedup.join.found import FoundPairs, in_order, measured
from dedup.join.joining import candidates_by_euclid, exact_candidates, met_in, tiles_apart, tiles_within
from dedup.matching import Matcher
from dedup.questions import Int64, Metric, Pairs
from dedup.shards.columns import as_arrays, as_batch, described_of, joined, rows_of
from dedup.shards.context import ShardContext, background_for


@dataclass(frozen=True, slots=True)
class JoinBins:
    """Two bins, or one with itself, and which of the cells that meet there are theirs."""

    context: ShardContext
    scattered: tuple[str, ...]
    one: int
    other: int
    cells: Int64
    visits: int
    ratio: float  # of L1 to L2 at the least, where L1 is joined in cells
    file: str

    @property
    def name(self) -> str:
        """See `Task.name`."""
        return f"joining bin {self.one}" if self.one == self.other else f"joining bins {self.one} and {self.other}"


def join_bins(task: JoinBins) -> str:
    """Write the pairs of some bins, with the probabilities of those that may be candidates; return the file's name."""
    context = task.context
    if context.work.has(task.file):
        return task.file
    rows, first = _load(task)
    described = described_of(rows, None if "content" not in rows else background_for(context).idf)
    matcher = Matcher(rows["vector"], described, context.classifier)
    within, cutoff = context.cutoffs(matcher)
    if context.in_cells and context.metric is Metric.MANHATTAN:
        candidates = candidates_by_euclid(matcher.embeddings, cutoff, task.ratio)
    else:
        candidates = exact_candidates(matcher.embeddings, context.metric, cutoff, compared=len(matcher.embeddings) / 2)
    cells = Cells(rows["near"], task.visits)
    found = _found(task, matcher, candidates, cutoff, cells, first)
    pairs = in_order(found, len(matcher.embeddings))
    probability = np.full(len(pairs), np.nan)
    possible = np.flatnonzero(pairs.distance <= within.of(pairs.left, pairs.right))
    judged = Pairs(pairs.left[possible], pairs.right[possible], pairs.distance[possible])
    probability[possible] = matcher.judge(judged)
    left, right = rows["row"][pairs.left], rows["row"][pairs.right]
    columns = {"left": left, "right": right, "distance": pairs.distance, "probability": probability}
    context.work.write(task.file, [as_batch(columns)], {"rows": len(matcher.embeddings), "pairs": len(pairs)})
    return task.file


def _load(task: JoinBins) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return the rows of the bins in the order of the corpus, and which are of the first bin."""
    bins = [task.one] if task.one == task.other else [task.one, task.other]
    parts = [as_arrays(task.context.work.read(file, each)) for each in bins for file in task.scattered]
    in_first = np.repeat(np.arange(len(parts)) < len(task.scattered), [len(part["row"]) for part in parts])
    rows = joined(parts)
    if len(bins) == 1:
        return rows, in_first  # shards are in order
    order = np.argsort(rows["row"])
    return rows_of(rows, order), in_first[order]


def _found(
    task: JoinBins, matcher: Matcher, candidates: Candidates, cutoff: Cutoff, cells: Cells, first: np.ndarray
) -> Iterator[FoundPairs]:
    residents, visitors = cells.members()

    def compare(cell: int) -> FoundPairs:
        living, visiting = residents[cell].astype(np.int64), visitors[cell].astype(np.int64)
        if task.one == task.other:
            tiles = tiles_within(living, visiting)
        else:
            here, there = living[first[living]], living[~first[living]]
            tiles = chain(
                tiles_apart(here, np.concatenate([there, visiting[~first[visiting]]])),
                tiles_apart(there, visiting[first[visiting]]),
            )
        return measured(matcher.embeddings, task.context.metric, cutoff, map(cells.once, met_in(candidates, tiles)))

    return spread(compare, [cell for cell in task.cells.tolist() if cell < len(residents)])
