"""The questions that are measured on, as Parquet (id, text): so many of a dump, or those of labelled pairs.

    python -m benchmarks.corpora FILE [--dump DUMP --size N] [--labelled PAIRS]

With a dump: N of its questions in one fixed random order, so that a smaller corpus is the start of a larger one; past
the dump's own, near-copies (growth.py). Without: the questions of the labelled pairs. Prints what it wrote, as JSON.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.growth import near_copies
from dedup.dumps import DumpOptions, read_dump
from dedup.labelled import read_labelled_pairs
from dedup.questions import Question
from dedup.settings import Settings

_SEED = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("file", type=Path)
    parser.add_argument("--dump", type=Path)
    parser.add_argument("--size", type=int)
    parser.add_argument("--labelled", type=Path)
    asked = parser.parse_args()
    judged = labelled_texts(asked.labelled) if asked.labelled else []
    texts = judged if asked.dump is None else questions_of(asked.dump, asked.size)
    write_corpus(texts, asked.file)
    print(
        json.dumps({"size": len(texts), "sample": texts[0], "labelled": bool(judged) and set(texts).issuperset(judged)})
    )


def questions_of(dump: Path, size: int) -> list[str]:
    """Return ``size`` texts of a dump, and near-copies of all of them where it has fewer."""
    texts = [record.text for record in read_dump(str(dump), DumpOptions()) if isinstance(record, Question)]
    random.Random(_SEED).shuffle(texts)
    return [*texts[:size], *islice(near_copies(texts), max(0, size - len(texts)))]


def labelled_texts(pairs: Path) -> list[str]:
    """Return the texts that a file of labelled pairs has a label for, each once."""
    labelled = read_labelled_pairs([str(pairs)], Settings())
    return list(dict.fromkeys(text for pair in labelled.texts for text in pair))


def write_corpus(texts: Sequence[str], file: Path) -> None:
    """Write the texts with their places as ids; the file is whole or not there."""
    beside = file.with_suffix(".unfinished")
    ids = [str(place) for place in range(len(texts))]
    pq.write_table(pa.table({"id": ids, "text": pa.array(texts, pa.large_string())}), beside)
    beside.rename(file)


def read_corpus(file: Path) -> tuple[list[str], list[str]]:
    """Return the ids and the texts of a corpus."""
    table = pq.read_table(file)
    return table["id"].to_pylist(), table["text"].to_pylist()


if __name__ == "__main__":
    main()
