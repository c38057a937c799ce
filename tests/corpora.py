"""Small corpora on disk, and a pipeline that encodes them without weights."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fakes import HashingEncoder, SharedWords

from dedup.classifier import Classifier, Feature, save_classifier
from dedup.pipeline import RunResult, run
from dedup.questions import NATURAL_PRIOR, Metric
from dedup.reranking import Rescoring, save_rescoring
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


def fake_classifier(metric: Metric, encoder: HashingEncoder, features: tuple[Feature, ...] = ()) -> Classifier:
    slope, intercept = COEFFICIENTS[metric]
    fit = {"pairs": "made up"}
    return Classifier(encoder.name, encoder.fingerprint, metric, slope, intercept, features, NATURAL_PRIOR, fit)


def fake_rescoring(classifier: Classifier, scorer: SharedWords) -> Rescoring:
    return Rescoring(
        *(classifier.encoder, classifier.fingerprint, classifier.metric, classifier.identity),
        *(scorer.name, scorer.fingerprint),
        *(0.2, 0.9, 0.6, 1.7, -0.3, NATURAL_PRIOR, {"pairs": "made up"}),
    )


def made_up_features(metric: Metric) -> tuple[Feature, ...]:
    """A feature of a question's surroundings, one with a range and one that is 0 or 1, of weights that are felt."""
    typical = {Metric.EUCLIDEAN: 2.3, Metric.MANHATTAN: 0.59}[metric]  # among `many_questions`
    return (
        Feature("crowding", 1.5 / typical, typical, 0.5 * typical, 1.5 * typical),
        Feature("rare_word_missing", -1.5, 0.6, 0.1, 0.9),
        Feature("different_numbers", -2.0, 0.0, 0.0, 1.0),
    )


def many_questions(n: int) -> list[tuple[str, str, int]]:
    """Return n questions of few words, many of which are alike: enough for surroundings from 1,229 on."""
    random = np.random.default_rng(17)
    verbs, things = ("boil", "paint", "sell", "draw", "hide"), ("egg", "house", "horse", "kettle", "guitar", "lamp")
    asked = ("how do i", "what is the best way to", "why should i not", "can one")
    found = dict[str, None]()
    while len(found) < n:
        number = int(random.integers(2, 40))
        words = [str(random.choice(some)) for some in (asked, verbs, things, verbs, things)]
        found[f"{words[0]} {words[1]} {number} {words[2]}s and {words[3]} a {words[4]}?"] = None
    return [(str(at), text, at % 50) for at, text in enumerate(found)]


@pytest.fixture
def trigrams(monkeypatch: pytest.MonkeyPatch) -> HashingEncoder:
    """Make every command encode with one `HashingEncoder`, which remembers what it was given."""
    encoder = HashingEncoder()

    def load(name: str, metric: Metric, *, batch_size: int, quick: bool = False) -> HashingEncoder:
        encoder.metric = metric
        return encoder

    for room in ("installed", "calibration", "judging", "rerank_calibration"):
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
def words(settings: Settings, trigrams: HashingEncoder, monkeypatch: pytest.MonkeyPatch) -> SharedWords:
    """Make every command judge uncertain pairs again by one `SharedWords`, with made-up weights."""
    scorer = SharedWords()
    for room in ("reranking.reranker", "rerank_calibration"):
        monkeypatch.setattr(f"dedup.{room}.load_cross_encoder", lambda name: scorer)
    for metric in Metric:
        save_rescoring(fake_rescoring(fake_classifier(metric, trigrams), scorer), settings.indexes)
    return scorer


@pytest.fixture
def run_csv(tmp_path: Path, settings: Settings) -> Callable[..., RunResult]:
    """Run the pipeline on rows of a CSV file."""

    def run_rows(rows: Sequence[Sequence[object]], **changed: object) -> RunResult:
        dump = write_csv(tmp_path / "questions.csv", rows)
        return run([dump], replace(settings, **changed))  # type: ignore[arg-type]

    return run_rows
