"""Our self-join alone: cells and pairs, from vectors."""

from __future__ import annotations

from importlib import import_module

import numpy as np

from benchmarks.competitors.script import given, pairs_file, say
from benchmarks.vectors import read_cutoff, read_vectors
from dedup.index import approximates
from dedup.join import Cutoff, self_join
from dedup.products import has_bfloat16
from dedup.progress import Silent, Stopwatch
from dedup.questions import Metric
from dedup.reference import REFERENCE_SIZE, nearest_reference
from dedup.settings import IndexKind, Settings


def main() -> None:
    if has_bfloat16():
        import_module("torch")  # what multiplies is there before the clock starts, as it is for everybody
    asked, watch = given(), Stopwatch(Silent())
    metric = Metric(asked.metric)
    with watch.stage("load", "vectors"):
        embeddings, cutoff = read_vectors(asked.read, asked.rows), Cutoff(read_cutoff(asked.read, metric))
    with watch.stage("cells", "vectors"):
        near = None
        if approximates(len(embeddings), IndexKind.AUTO):
            near = nearest_reference(embeddings, embeddings[:REFERENCE_SIZE])
    joined = self_join(embeddings, metric, cutoff, near=near, recall_floor=Settings().recall_floor, progress=watch)
    np.save(pairs_file(), np.column_stack([joined.pairs.left, joined.pairs.right]))
    say(watch.seconds, pairs=len(joined.pairs))


if __name__ == "__main__":
    main()
