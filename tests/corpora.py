"""Small corpora on disk, and a pipeline that encodes them without weights."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import HashingEncoder

from dedup.classifier import Classifier, save_classifier
from dedup.pipeline import RunResult, run
from dedup.questions import Metric
from dedup.settings import Settings

# In these trigram vectors, texts that differ in a word or two are about .5 (L2) or 3 (L1) apart.
COEFFICIENTS = {Metric.EUCLIDEAN: (10.0, -6.0), Metric.MANHATTAN: (1.6, -6.0)}

KITCHEN = [
    ("1", "How do I boil an egg?", 5),
    ("2", "how do i boil an egg", 90),
    ("3", "How do I boil eggs?", 10),
    ("4", "What is the tallest tree in the world?", 7),
    ("5", "Which is the tallest tree in the world?", 3),
    ("6", "Can cats eat rice?", 1),
    ("10", "HOW DO I BOIL AN EGG???", None),
]


def write_csv(file: Path, rows: Sequence[Sequence[object]], header: Sequence[str] = ("id", "question", "views")) -> str:
    with file.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([header, *rows])
    return str(file)


def read_csv(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def fake_classifier(metric: Metric, encoder: HashingEncoder) -> Classifier:
    slope, intercept = COEFFICIENTS[metric]
    return Classifier(encoder.name, encoder.fingerprint, metric, slope, intercept, {"pairs": "made up"})


@pytest.fixture
def trigrams(monkeypatch: pytest.MonkeyPatch) -> HashingEncoder:
    """Make every command encode with one `HashingEncoder`, which remembers what it was given."""
    encoder = HashingEncoder()

    def load(name: str, metric: Metric, *, batch_size: int) -> HashingEncoder:
        encoder.metric = metric
        return encoder

    for room in ("pipeline", "queries", "calibration"):
        monkeypatch.setattr(f"dedup.{room}.load_encoder", load)
    return encoder


@pytest.fixture
def settings(tmp_path: Path, trigrams: HashingEncoder) -> Settings:
    """Settings whose files are all in ``tmp_path``, with a classifier of the fake encoder for each metric."""
    made = Settings(db=f"sqlite:///{tmp_path / 'dedup.db'}", indexes=tmp_path / "indexes", reports=tmp_path / "reports")
    for metric in Metric:
        save_classifier(fake_classifier(metric, trigrams), made.indexes)
    return made


@pytest.fixture
def run_csv(tmp_path: Path, settings: Settings) -> Callable[..., RunResult]:
    """Run the pipeline on rows of a CSV file."""

    def run_rows(rows: Sequence[Sequence[object]], **changed: object) -> RunResult:
        dump = write_csv(tmp_path / "questions.csv", rows)
        return run([dump], replace(settings, **changed))  # type: ignore[arg-type]

    return run_rows
