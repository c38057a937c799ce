"""What a model folder says of itself: ``question-dedup.json`` for programs, README.md for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dedup.artifacts import sha256
from dedup.encoders.registry import RECORD
from dedup.questions import Metric
from dedup.training.options import MAX_PAIR_TOKENS, MAX_TOKENS, Architecture

_LIBRARIES = ("torch", "transformers", "sentence-transformers", "tokenizers", "numpy")


@dataclass(frozen=True, slots=True)
class Record:
    """How a model came to be."""

    architecture: Architecture
    metric: Metric | None  # None of a cross-encoder, which measures no distance
    base: str
    base_fingerprint: str
    teacher: str | None
    options: Mapping[str, Any]
    files: Mapping[str, list[str]]  # names of the files of training pairs, dev pairs and kept questions
    sizes: Mapping[str, int]
    dev: Mapping[str, float]
    best_step: int
    steps: int
    seconds: float
    seed: int
    precision: str
    processor: str


def write_record(folder: Path, record: Record) -> None:
    """Write both files into a model's folder, which has everything else; the weights are named by their SHA-256."""
    weights = {file.relative_to(folder).as_posix(): sha256(file) for file in sorted(folder.rglob("*.safetensors"))}
    libraries = {name: version(name) for name in _LIBRARIES}
    written = {"format": 1, **asdict(record), "libraries": libraries, "weights": weights}
    (folder / RECORD).write_text(json.dumps(written, indent=2) + "\n", "utf-8")
    (folder / "README.md").write_text(_card(record), "utf-8")


def shown_name(encoder: str) -> str:
    """Return an encoder's name as it is recorded: of a folder the name alone, which says nothing of the machine."""
    return Path(encoder).resolve().name if Path(encoder).is_dir() else encoder


def _card(record: Record) -> str:
    if record.metric is None:
        return _pair_card(record)
    kept = (
        f"- {record.sizes['kept']:,} questions without labels, of {_names(record.files['keep'])}, whose distances were "
        "to stay what they were.\n"
        if record.files["keep"]
        else ""
    )
    taught = f", taught by {record.teacher}" if record.teacher else ""
    return f"""\
---
library_name: sentence-transformers
pipeline_tag: sentence-similarity
tags: [sentence-transformers, question-dedup]
---
# A {record.architecture} encoder of questions, for the {record.metric} distance

It turns a question into a vector of length 1; questions that ask the same thing get vectors that are near each other in
the {record.metric} distance. Made by `dedup train` of question-dedup from {record.base}{taught}.

{_training_data(record)}
{kept}
{_scores(record)}
## Limits
It knows the languages of its base and the topics of its training data. A text is cut where the tokenizer's limit is; a
transformer's texts were cut at {MAX_TOKENS} tokens in training. A distance is no
probability: fit a classifier with `dedup calibrate`.

## How to load it
`dedup run DUMP --encoder FOLDER --metric {record.metric}`, after `dedup calibrate PAIRS --encoder FOLDER --metric
{record.metric}`; or `SentenceTransformer("FOLDER")` of sentence-transformers.

{_how_trained(record)}
"""


def _pair_card(record: Record) -> str:
    return f"""\
---
library_name: sentence-transformers
pipeline_tag: text-ranking
tags: [sentence-transformers, cross-encoder, question-dedup]
---
# A cross-encoder of pairs of questions

It reads two questions together and says by one logit how probably they ask the same thing. Made by `dedup train` of
question-dedup from {record.base}.

{_training_data(record)}

{_scores(record)}
## Limits
It knows the languages of its base and the topics of its training data. In training a pair was cut at {MAX_PAIR_TOKENS}
tokens. A logit is no probability: `dedup calibrate PAIRS --rerank` fits what it means.

## How to load it
`dedup run DUMP --rerank --reranker FOLDER`, after `dedup calibrate PAIRS --rerank --reranker FOLDER`; or
`CrossEncoder("FOLDER")` of sentence-transformers. The score is the mean of both orders of the two questions.

{_how_trained(record)}
"""


def _training_data(record: Record) -> str:
    files, sizes = record.files, record.sizes
    return f"""\
## Training data
- {sizes["pairs"]:,} pairs, {sizes["duplicates"]:,} of them duplicates ({sizes["inferred"]:,} follow from others), over
  {sizes["texts"]:,} texts, of {_names(files["pairs"])}; terms: as their owners state.
- {sizes["dev_pairs"]:,} dev pairs, of {_names(files["dev"]) if files["dev"] else "the same files, held out"}."""


def _scores(record: Record) -> str:
    return f"""\
## How good it is
On the dev pairs, which also chose the best of its checkpoints, so that figures on other pairs will be a little lower:

| score | value |
|---|---|
{_rows(record.dev)}

Balanced means that duplicates and others are weighted alike; the natural prior of duplicates is 36.9%.
"""


def _how_trained(record: Record) -> str:
    return f"""\
Trained in {record.seconds:,.0f} s ({record.steps:,} steps, the best one was {record.best_step:,}) on {record.processor}
in {record.precision}, seed {record.seed}. Everything else is in {RECORD}."""


def _names(files: list[str]) -> str:
    return ", ".join(files)


def _rows(scores: Mapping[str, float]) -> str:
    return "\n".join(f"| {name.replace('_', ' ')} | {value:.4f} |" for name, value in scores.items())
