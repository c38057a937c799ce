"""Comparing a sample of a corpus with one shard of it: what recall is measured on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dedup.join.found import FoundPairs
from dedup.join.joining import exact_candidates
from dedup.join.recall import compared_with
from dedup.matching import Matcher
from dedup.shards.columns import as_arrays, described_of, joined, rows_of
from dedup.shards.context import ShardContext, background_for


@dataclass(frozen=True, slots=True)
class CompareSample:
    """A sample, by its file, and a shard, by its number."""

    context: ShardContext
    sample: str
    number: int
    rows: int  # of the whole corpus

    @property
    def name(self) -> str:
        """See `Task.name`."""
        return f"comparing a sample with shard {self.number}"


def compare_sample(task: CompareSample) -> FoundPairs:
    """Return the pairs of a sample with the rows of a shard, by the numbers of the whole corpus."""
    context = task.context
    sample = as_arrays(context.work.read(task.sample))
    shard = as_arrays(context.work.read(context.described(task.number)))
    shard["vector"] = as_arrays(context.work.read(context.vectors(task.number)))["vector"]
    start = task.number * context.shard_size
    shard["row"] = np.arange(start, start + len(shard["vector"]), dtype=np.int64)
    names = [name for name in shard if name in sample]
    both = joined([{name: columns[name] for name in names} for columns in (sample, shard)])
    # A row of both is there once, and rows are in the order of the corpus.
    row, first = np.unique(both["row"], return_index=True)
    both = rows_of(both, first)
    described = described_of(both, None if "content" not in both else background_for(context).idf)
    matcher = Matcher(both["vector"], described, context.classifier)
    _, cutoff = context.cutoffs(matcher)
    sampled, others = np.searchsorted(row, sample["row"]), np.searchsorted(row, shard["row"])
    candidates = exact_candidates(both["vector"], context.metric, cutoff, compared=len(sampled))
    found = list(compared_with(sampled, others, both["vector"], candidates, context.metric, cutoff))
    left, right = np.divmod(np.concatenate([some.number for some in found]), len(row))
    return FoundPairs(row[left] * task.rows + row[right], np.concatenate([some.distance for some in found]))
