"""FAISS, exact: a flat index searched with all of its own vectors for what lies within the cut-off."""

from __future__ import annotations

import faiss
import numpy as np

from benchmarks.competitors.script import given, pairs_file, say
from benchmarks.vectors import read_cutoff, read_vectors
from dedup.progress import Silent, Stopwatch
from dedup.questions import Metric

_BLOCK = 4096  # queries of a search: its results are in memory at once


def main() -> None:
    asked, watch = given(), Stopwatch(Silent())
    metric = Metric(asked.metric)
    with watch.stage("load", "vectors"):
        embeddings, cutoff = read_vectors(asked.read, asked.rows), read_cutoff(asked.read, metric)
    with watch.stage("join", "vectors"):
        index: faiss.Index
        if metric is Metric.MANHATTAN:
            index, radius = faiss.IndexFlat(embeddings.shape[1], faiss.METRIC_L1), cutoff
        else:
            index, radius = faiss.IndexFlatL2(embeddings.shape[1]), cutoff**2
        index.add(embeddings)
        found = []
        for start in range(0, len(embeddings), _BLOCK):
            ends, _, other = index.range_search(embeddings[start : start + _BLOCK], radius)
            one = start + np.repeat(np.arange(len(ends) - 1), np.diff(ends).astype(np.int64))
            found.append(np.column_stack([one, other])[one < other])
        pairs = np.concatenate(found)
    np.save(pairs_file(), pairs)
    say(watch.seconds, pairs=len(pairs))


if __name__ == "__main__":
    main()
