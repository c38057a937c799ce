"""sentence-transformers' paraphrase_mining_embeddings alone, on our vectors."""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.competitors.mining import mined_pairs
from benchmarks.competitors.script import given, pairs_file, say
from benchmarks.vectors import read_cutoff, read_vectors
from dedup.progress import Silent, Stopwatch
from dedup.questions import Metric


def main() -> None:
    asked, watch = given(), Stopwatch(Silent())
    with watch.stage("load", "vectors"):
        vectors = torch.from_numpy(read_vectors(asked.read, asked.rows))
        cutoff = read_cutoff(asked.read, Metric.EUCLIDEAN)
    with watch.stage("join", "vectors"):
        pairs, mined = mined_pairs(vectors, 1 - cutoff**2 / 2)  # of unit vectors, |a - b|^2 = 2 - 2 cos
    np.save(pairs_file(), pairs)
    say(watch.seconds, pairs=len(pairs), mined=mined)


if __name__ == "__main__":
    main()
