"""What a competitor's result is worth, in a process of its own: it is not measured, and it needs memory.

    python -m benchmarks.judging clusters CLUSTERS LABELLED
    python -m benchmarks.judging pairs PAIRS VECTORS METRIC ROWS

Prints JSON: pairwise F1, precision and recall on labelled pairs; or the share of the true pairs under the cut-off.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import faiss
import numpy as np

from benchmarks.vectors import read_cutoff, read_vectors
from dedup.cluster_judging import evaluate_clustering
from dedup.distance import pair_distances
from dedup.questions import NATURAL_PRIOR, Int64, Metric
from dedup.settings import Settings

_SAMPLE = 1024  # rows whose pairs are all known
_BLOCK = 64
_SEED = 11
_SLACK = 1.001  # FAISS rounds otherwise than `dedup.distance`, which decides


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    kinds = parser.add_subparsers(dest="kind", required=True)
    clusters = kinds.add_parser("clusters")
    clusters.add_argument("clusters")
    clusters.add_argument("labelled")
    pairs = kinds.add_parser("pairs")
    pairs.add_argument("pairs", type=Path)
    pairs.add_argument("vectors", type=Path)
    pairs.add_argument("metric", type=Metric)
    pairs.add_argument("rows", type=int)
    asked = parser.parse_args()
    if asked.kind == "clusters":
        scores = evaluate_clustering([asked.labelled], asked.clusters, Settings(), prior=NATURAL_PRIOR).pairwise
        print(json.dumps({name: round(score, 4) for name, score in scores.items()}))
        return
    truth = true_pairs(asked.vectors, asked.metric, asked.rows)
    print(json.dumps({"recall": round(recall(np.load(asked.pairs), truth, asked.rows), 5), "true_pairs": len(truth)}))


def true_pairs(folder: Path, metric: Metric, rows: int) -> Int64:
    """Return every pair (n, 2), smaller row first, under the cut-off that a sample of rows is part of.

    Found by comparing the sample with all rows; kept beside the vectors.
    """
    kept = folder / f"true-{metric}-{rows}.npy"
    if kept.exists():
        stored: Int64 = np.load(kept)
        return stored
    vectors, cutoff = read_vectors(folder, rows), read_cutoff(folder, metric)
    sample = np.random.default_rng(_SEED).permutation(rows)[:_SAMPLE].astype(np.int64)
    index = faiss.IndexFlat(vectors.shape[1], faiss.METRIC_L1 if metric is Metric.MANHATTAN else faiss.METRIC_L2)
    index.add(vectors)
    radius = cutoff * _SLACK if metric is Metric.MANHATTAN else (cutoff * _SLACK) ** 2
    found = [np.empty((0, 2), dtype=np.int64)]
    for start in range(0, len(sample), _BLOCK):
        some = sample[start : start + _BLOCK]
        ends, _, other = index.range_search(vectors[some], radius)
        one = np.repeat(some, np.diff(ends).astype(np.int64))
        found.append(np.sort(np.column_stack([one, other])[one != other], axis=1))
    candidates = np.unique(np.concatenate(found), axis=0)
    truth: Int64 = candidates[pair_distances(vectors, candidates[:, 0], candidates[:, 1], metric) <= cutoff]
    np.save(kept, truth)
    return truth


def recall(found: Int64, truth: Int64, rows: int) -> float:
    """Return the share of the true pairs that were found, whichever row of a pair stands first; 1 of none."""
    if not len(truth):
        return 1.0
    numbers = [np.min(pairs, axis=1) * np.int64(rows) + np.max(pairs, axis=1) for pairs in (truth, found)]
    return float(np.isin(numbers[0], numbers[1]).mean())


if __name__ == "__main__":
    main()
