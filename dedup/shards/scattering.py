"""Sending the rows of a shard to the bins of their cells: one file a shard, one record batch a bin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dedup.questions import Int64
from dedup.shards.columns import as_arrays, as_batch, rows_of
from dedup.shards.context import ShardContext
from dedup.shards.layout import Layout


@dataclass(frozen=True, slots=True)
class ScatterShard:
    """A described shard, and where its rows go when each is in so many cells."""

    context: ShardContext
    number: int
    visits: int
    layout: Layout
    file: str

    @property
    def name(self) -> str:
        """See `Task.name`."""
        return f"scattering shard {self.number}"


def scatter_shard(task: ScatterShard) -> Int64:
    """Write the rows of a shard by the bins in which they are met; return how many went to each, (n_bins,)."""
    context = task.context
    if task.context.work.has(task.file):
        return np.array(context.work.facts(task.file)["rows"], dtype=np.int64)
    shard = as_arrays(context.work.read(context.described(task.number)))
    shard["vector"] = as_arrays(context.work.read(context.vectors(task.number)))["vector"]
    start, rows = task.number * context.shard_size, len(shard["vector"])
    shard["near"] = shard["near"][:, : task.visits] if context.in_cells else np.zeros((rows, 1), dtype=np.int16)
    shard["row"] = np.arange(start, start + rows, dtype=np.int64)
    where = task.layout.bins_of(shard["row"], shard["near"])
    # Each bin once for each row, bin by bin, the rows of one in order.
    placed = np.unique(where * rows + np.arange(rows)[:, None])
    bounds = np.searchsorted(placed, np.arange(1, task.layout.bins) * rows)
    bins = np.split(placed, bounds)
    sent = [len(some) for some in bins]
    context.work.write(task.file, [as_batch(rows_of(shard, some % rows)) for some in bins], {"rows": sent})
    return np.array(sent, dtype=np.int64)
