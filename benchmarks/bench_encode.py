"""How fast questions are encoded, and how near that is to what the processor can multiply. Prints JSON.

    python benchmarks/bench_encode.py DUMP [--questions 16384] [--encoder dedup-minilm]

Questions are drawn evenly from the dump, normalised, and encoded in calls as large as those of `dedup run`; the first
call, in which the runtime prepares what each shape needs, is made twice and counts once. The limit is a product of two
square matrices by torch, in the numbers that the encoder is run in. The arithmetic is counted from the tokens: padding
is no work. Cold is a process of its own that encodes one question as `dedup query` does, the median of five. Only
encoders that OpenVINO runs are measured.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from dedup.dumps import DumpOptions, read_dump
from dedup.encoders import load_encoder, runtime_of
from dedup.encoders.bert import read_bert, read_shape
from dedup.encoders.registry import base_folder
from dedup.encoders.tokens import cut_tokenizer, token_lists
from dedup.questions import Metric, Question
from dedup.text import normalise

_CALL_TEXTS = 4096
_SIDE = 4096
_COLD = """
from dedup.encoders import load_encoder
from dedup.questions import Metric
load_encoder({name!r}, Metric.EUCLIDEAN, quick=True).encode(["how do i learn python quickly"])
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dump", type=Path)
    parser.add_argument("--questions", type=int, default=16_384)
    parser.add_argument("--encoder", default="dedup-minilm", choices=["dedup-minilm", "all-MiniLM-L6-v2"])
    options = parser.parse_args()
    texts = sample(options.dump, options.questions)
    seconds = encoding_seconds(options.encoder, texts)
    tokens, work = arithmetic(texts)
    choice = runtime_of(options.encoder)
    limit = matrix_limit(choice.precision)
    report = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "encoder": options.encoder,
        **asdict(choice),
        "questions": len(texts),
        "tokens per question": tokens / len(texts),
        "seconds": seconds,
        "questions/s": len(texts) / seconds,
        "GFLOP per question": work / len(texts) / 1e9,
        "GFLOP/s": work / seconds / 1e9,
        "matrix limit, GFLOP/s": limit / 1e9,
        "share of the limit": work / seconds / limit,
        "cold, seconds": cold_seconds(options.encoder),
    }
    print(json.dumps({name: round(v, 4) if isinstance(v, float) else v for name, v in report.items()}, indent=2))


def sample(dump: Path, wanted: int) -> list[str]:
    """Return distinct normalised questions in an order that has nothing to do with the dump's."""
    records = read_dump(str(dump), DumpOptions())
    texts = sorted({normalise(record.text) for record in records if isinstance(record, Question)})
    return [texts[i] for i in np.random.default_rng(0).permutation(len(texts))[:wanted]]


def encoding_seconds(name: str, texts: list[str]) -> float:
    encoder = load_encoder(name, Metric.EUCLIDEAN)
    encoder.encode(texts[:_CALL_TEXTS])
    start = time.perf_counter()
    for first in range(0, len(texts), _CALL_TEXTS):
        encoder.encode(texts[first : first + _CALL_TEXTS])
    return time.perf_counter() - start


def arithmetic(texts: list[str]) -> tuple[int, float]:
    """Return how many tokens are read, and how many floating-point operations their matrix products are."""
    folder = base_folder()
    shape = read_shape(folder)
    assert shape is not None
    network = read_bert(folder, shape, None)
    length = np.array([len(own) for own in token_lists(cut_tokenizer(folder, shape.longest), texts)], dtype=np.float64)
    of_token, of_two_tokens = network.operations
    return int(length.sum()), float(length @ (of_token + of_two_tokens * length))


def matrix_limit(precision: str) -> float:
    """Return the floating-point operations per second of a large product, in bf16 or fp32: the best of ten."""
    import torch

    numbers = torch.bfloat16 if precision == "bf16" else torch.float32
    left, right = (torch.randn(_SIDE, _SIDE, dtype=numbers) for _ in range(2))
    best = float("inf")
    for _ in range(11):  # the first one prepares
        start = time.perf_counter()
        torch.mm(left, right)
        best = min(best, time.perf_counter() - start)
    return 2 * _SIDE**3 / best


def cold_seconds(name: str) -> float:
    took = []
    for _ in range(6):  # the first one fills the cache
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", _COLD.format(name=name)], check=True)
        took.append(time.perf_counter() - start)
    return statistics.median(took[1:])


if __name__ == "__main__":
    main()
