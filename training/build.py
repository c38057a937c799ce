"""Build the shipped models and classifiers from labelled pairs and questions: see training/README.md.

    python training/build.py PAIRS QUESTIONS WORK

Each step is one `dedup` command on files in the folder WORK; a training is skipped where its result is there already.
"""

from __future__ import annotations

import argparse
import csv
import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dedup.encoders import BASE_ENCODER, SHIPPED_ENCODERS
from dedup.encoders.registry import SHIPPED_RERANKER
from dedup.labelled import read_labelled_pairs
from dedup.questions import Metric
from dedup.settings import Settings
from dedup.training.compacting import save_adapter, save_quantised
from dedup.training.examples import TextPairs, training_pairs
from dedup.training.publishing import publishing
from dedup.training.splits import hold_out

HELD_OUT = 0.1
KEPT = 24_000
KEPT_FOR_STATIC = 60_000
RANK = 32
RERANKER_RANK = 64  # a cross-encoder changes more of its base than an encoder does
SEED = 0
PACKAGE = Path(__file__).resolve().parents[1] / "dedup"
MINILM, STATIC = SHIPPED_ENCODERS


def main() -> None:
    """Run every step that is not done yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pairs", type=Path, help="labelled pairs: question1, question2, is_duplicate")
    parser.add_argument("questions", type=Path, help="a Parquet file of questions: id, source, text")
    parser.add_argument("work", type=Path, help="a folder for what is made on the way")
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    asked.work.mkdir(parents=True, exist_ok=True)
    fit, held = split(asked.pairs, asked.work)
    keep = sample(asked.questions, asked.work, KEPT)
    many = sample(asked.questions, asked.work, KEPT_FOR_STATIC)
    indexes = ("--indexes", str(asked.work / "indexes"))
    trained = {name: asked.work / name for name in (*SHIPPED_ENCODERS, SHIPPED_RERANKER)}
    if not trained[MINILM].exists():
        dedup("train", fit, "--dev", held, "--keep", keep, "--output", trained[MINILM], *indexes)
    replace(MINILM, lambda folder: save_adapter(trained[MINILM], BASE_ENCODER, RANK, folder))
    if not trained[STATIC].exists():
        dedup(
            "train", fit, "--dev", held, "--keep", many, "--architecture", "static", "--teacher", MINILM,
            "--output", trained[STATIC], *indexes,
        )  # fmt: skip
    replace(STATIC, lambda folder: save_quantised(trained[STATIC], folder))
    if not trained[SHIPPED_RERANKER].exists():
        dedup(
            "train", fit, "--dev", held, "--architecture", "cross-encoder", "--output", trained[SHIPPED_RERANKER],
            *indexes,
        )  # fmt: skip
    reader = trained[SHIPPED_RERANKER]
    replace(SHIPPED_RERANKER, lambda folder: save_adapter(reader, BASE_ENCODER, RERANKER_RANK, folder))
    for encoder in (*SHIPPED_ENCODERS, BASE_ENCODER):
        for metric in Metric:
            named = ("--encoder", encoder, "--metric", metric, "--output", PACKAGE, *indexes)
            dedup("calibrate", held, "--anew", *named)
            dedup("calibrate", held, "--rerank", "--reranker", SHIPPED_RERANKER, *named)


def dedup(*arguments: str | Path) -> None:
    """Run one command of question-dedup."""
    subprocess.run([sys.executable, "-m", "dedup.cli", *map(str, arguments)], check=True)


def split(pairs: Path, work: Path) -> tuple[Path, Path]:
    """Hold out some components of the labelled pairs: they choose the best checkpoint and fit the classifiers.

    A classifier fitted on pairs that the encoder was trained on believes its distances too much.
    """
    files = work / "fit.tsv", work / "held.tsv"
    if not all(file.exists() for file in files):
        parts = hold_out(training_pairs(read_labelled_pairs([str(pairs)], Settings())), HELD_OUT, SEED)
        for file, part in zip(files, parts, strict=True):
            write_pairs(part, file)
    return files


def write_pairs(pairs: TextPairs, file: Path) -> None:
    """Write labelled pairs as a pair file."""
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, delimiter="\t")
        writer.writerow(["question1", "question2", "is_duplicate"])
        for left, right, duplicate in zip(pairs.left, pairs.right, pairs.duplicate, strict=True):
            writer.writerow([pairs.texts[left], pairs.texts[right], int(duplicate)])


def sample(questions: Path, work: Path, size: int) -> Path:
    """Draw questions of other sites than the labelled pairs': what they teach is to leave other topics alone."""
    file = work / f"keep-{size}.parquet"
    if not file.exists():
        table = pq.read_table(questions)
        table = table.filter(pc.not_equal(table["source"], "qqp"))
        rows = np.sort(np.random.default_rng(SEED).permutation(len(table))[:size])
        pq.write_table(table.take(rows).select(["id", "text"]), file)
    return file


def replace(name: str, save: Callable[[Path], None]) -> None:
    """Put a model into the package, complete or not at all."""
    with publishing(PACKAGE / "models" / name) as beside:
        save(beside)


if __name__ == "__main__":
    main()
