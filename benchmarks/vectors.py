"""The vectors that joins are measured on: those of our encoders, kept in parts, so that a larger corpus adds to them.

    python -m benchmarks.vectors CORPUS FOLDER ENCODER

Also writes the cut-offs: the distance, by metric, up to which a pair of typical features is a candidate.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import numpy as np

from benchmarks.corpora import read_corpus
from dedup.installed import load_installed
from dedup.questions import Float32, Metric
from dedup.settings import Settings
from dedup.text import normalise

_PART = 16_384  # rows; what an interruption costs
_DESCRIBED = "vectors.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("encoder")
    asked = parser.parse_args()
    settings = {metric: Settings(encoder=asked.encoder, metric=metric, indexes=asked.folder) for metric in Metric}
    installed = {metric: load_installed(of_metric) for metric, of_metric in settings.items()}
    cutoffs = {
        str(metric): classifier.max_distance(settings[metric].candidate_floor)
        for metric, (_, classifier) in installed.items()
    }
    encoder, _ = installed[Metric.EUCLIDEAN]
    described, said = asked.folder / _DESCRIBED, {"fingerprint": encoder.fingerprint, "cutoffs": cutoffs}
    if not described.exists() or json.loads(described.read_text("utf-8")) != said:
        shutil.rmtree(asked.folder, ignore_errors=True)  # another encoder's vectors, and pairs under another cut-off
        asked.folder.mkdir(parents=True)
        described.write_text(json.dumps(said), "utf-8")
    _, texts = read_corpus(asked.corpus)
    for start in range(0, len(texts), _PART):
        some = texts[start : start + _PART]
        file = asked.folder / f"part-{start:09d}.npy"
        if not file.exists() or len(np.load(file, mmap_mode="r")) < len(some):
            beside = file.with_suffix(".unfinished.npy")
            np.save(beside, encoder.encode([normalise(text) for text in some]))
            beside.rename(file)


def read_vectors(folder: Path, rows: int) -> Float32:
    """Return the first ``rows`` vectors, (rows, d) float32, unit rows.

    Raises
    ------
    ValueError
        If there are not so many.
    """
    parts = [np.load(file, mmap_mode="r") for file in sorted(folder.glob("part-?????????.npy"))]
    vectors: Float32 = np.empty((rows, parts[0].shape[1]), dtype=np.float32)
    filled = 0
    for part in parts:
        some = part[: rows - filled]
        vectors[filled : filled + len(some)] = some
        filled += len(some)
    if filled < rows:
        raise ValueError(f"{folder} has {filled} vectors, {rows} are wanted; run the benchmark with FRESH=1")
    return vectors


def read_cutoff(folder: Path, metric: Metric) -> float:
    """Return the distance up to which pairs are candidates."""
    return float(json.loads((folder / _DESCRIBED).read_text("utf-8"))["cutoffs"][metric])


if __name__ == "__main__":
    main()
