"""Describing a shard: which reference vectors are near each question, how crowded it is there, what its words say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dedup.features import describe_questions, needs_texts
from dedup.join.cells import NONE, cells_around, grouping
from dedup.join.recall import FURTHER
from dedup.questions import Int64
from dedup.reference import NEAREST
from dedup.shards.columns import as_arrays, as_batch, described_columns
from dedup.shards.context import ShardContext, background_for, texts_of


@dataclass(frozen=True, slots=True)
class DescribeShard:
    """A shard of vectors, by its number."""

    context: ShardContext
    number: int

    @property
    def name(self) -> str:
        """See `Task.name`."""
        return f"describing shard {self.number}"


def describe_shard(task: DescribeShard) -> int:
    """Write what is known of a shard's questions beside their vectors; return how many words they have in all."""
    context, number = task.context, task.number
    if context.work.has(context.described(number)):
        return int(context.work.facts(context.described(number))["words"])
    seen_against, features = background_for(context), context.classifier.feature_names
    shard = as_arrays(context.work.read(context.vectors(number)))
    keys, vectors = shard["key"], shard["vector"]
    texts = texts_of(shard) if needs_texts(features) else None
    near = seen_against.reference.look_up.nearest(vectors, count=FURTHER[-1]) if context.in_cells else None
    nearest = None if near is None else near.first(NEAREST)
    described = describe_questions(features, seen_against, keys, vectors, texts, context.metric, nearest)
    cells = np.zeros((len(keys), 1), dtype=np.int16)
    if near is not None:
        cells = cells_around(near, grouping(seen_against.reference.vectors, context.rows))
    words = 0 if described.traits is None else len(described.traits.content.columns)
    columns = {"near": cells, **described_columns(described)}
    context.work.write(context.described(number), [as_batch(columns)], {"words": words})
    return words


@dataclass(frozen=True, slots=True)
class CountCells:
    """A described shard, when each row is in so many cells."""

    context: ShardContext
    number: int
    visits: int

    @property
    def name(self) -> str:
        """See `Task.name`."""
        return f"counting the cells of shard {self.number}"


def count_cells(task: CountCells) -> Int64:
    """Return how many rows of a shard live in each cell, and how many visit it, (2, n_cells)."""
    near = as_arrays(task.context.work.read(task.context.described(task.number)))["near"][:, : task.visits]
    cells, visited = int(near.max()) + 1, near[:, 1:]
    return np.stack([np.bincount(near[:, 0], minlength=cells), np.bincount(visited[visited != NONE], minlength=cells)])
