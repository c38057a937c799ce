"""A whole training, of a tiny network on a toy site: it learns, it goes on after a kill, and it repeats itself."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from toy import NOUNS, PHRASES, VERBS, toy_rows, write_pairs

from dedup.distance import cross_distances, pair_distances
from dedup.encoders import load_encoder
from dedup.encoders.registry import fingerprint_folder
from dedup.errors import TrainingError
from dedup.labelled import LabelledPairs
from dedup.progress import Silent
from dedup.questions import Metric
from dedup.settings import Settings
from dedup.text import normalise
from dedup.training import Architecture, Precision, TrainingOptions
from dedup.training.checkpoints import training_folder
from dedup.training.examples import text_pairs
from dedup.training.judging import BEST_BY, dev_scores
from dedup.training.train import TrainedModel, train

OPTIONS = TrainingOptions(
    epochs=3, learning_rate=2e-3, pairs_per_batch=16, precision=Precision.FP32, base="", dev=("dev.csv",)
)

# Trains what it is told, and is killed at its second checkpoint, before that is whole: half an epoch after the first.
KILLED = """
import os, signal, sys
from pathlib import Path
from dedup.progress import Silent
from dedup.settings import Settings
from dedup.training import Precision, TrainingOptions
from dedup.training import callbacks
from dedup.training.train import train

pairs, dev, base, indexes, output = sys.argv[1:]
mark, marked = callbacks.mark_complete, []

def mark_or_die(folder, step, seconds):
    if marked:
        os.kill(os.getpid(), signal.SIGKILL)
    marked.append(step)
    mark(folder, step, seconds)

callbacks.mark_complete = mark_or_die
options = TrainingOptions(
    epochs=3, learning_rate=2e-3, pairs_per_batch=16, precision=Precision.FP32, base=base, dev=(dev,)
)
train([pairs], Settings(indexes=Path(indexes)), options, output=Path(output), progress=Silent())
"""


class Site:
    """The toy site's files, and how to train on them."""

    def __init__(self, folder: Path, base: Path) -> None:
        self.folder, self.base = folder, base
        self.settings = Settings(indexes=folder / "indexes")
        self.pairs = write_pairs(folder / "pairs.csv", toy_rows(dev=False))
        self.dev = write_pairs(folder / "dev.csv", toy_rows(dev=True))
        self.options = replace(OPTIONS, base=str(base), dev=(self.dev,))

    def train(self, name: str, metric: Metric = Metric.EUCLIDEAN, **changed: object) -> TrainedModel:
        options = replace(self.options, **changed)  # type: ignore[arg-type]
        settings = replace(self.settings, metric=metric)
        return train([self.pairs], settings, options, output=self.folder / name, progress=Silent())


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> Site:
    return Site(tmp_path_factory.mktemp("site"), tiny_base)


@pytest.fixture(scope="module")
def trained(site: Site) -> TrainedModel:
    return site.train("undisturbed")


def balanced_ap(site: Site, encoder: str, metric: Metric) -> float:
    rows = toy_rows(dev=True)
    labels = np.array([bool(row[2]) for row in rows])
    dev = text_pairs(LabelledPairs(tuple((row[0], row[1]) for row in rows), labels, 0, 0))
    vectors = load_encoder(encoder, metric).encode(dev.texts)
    return dev_scores(dev, vectors, metric, slope=1.0, middle=0.0)[BEST_BY]


@pytest.mark.parametrize("metric", Metric)
def test_it_learns_what_it_has_not_seen(site: Site, metric: Metric, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        made = site.train(f"learnt-{metric}", metric)
    before, after = (balanced_ap(site, str(folder), metric) for folder in (site.base, made.output))
    assert before < 0.8
    assert after > 0.95
    assert made.record.dev[BEST_BY] == pytest.approx(after)
    losses = [record.args[2] for record in caplog.records if "loss" in record.msg]
    assert losses[-1] < losses[0] / 2


def test_the_finished_folder_is_whole_says_what_it_is_and_can_run_no_code(site: Site, trained: TrainedModel) -> None:
    assert not training_folder(trained.output).exists()
    assert trained.fingerprint == fingerprint_folder(trained.output)  # which refuses pickles
    record = json.loads((trained.output / "question-dedup.json").read_text())
    assert record["architecture"] == "transformer"
    assert record["metric"] == "euclidean"
    assert record["base"] == "tiny"
    assert record["base_fingerprint"] == fingerprint_folder(site.base)
    assert record["files"] == {"pairs": ["pairs.csv"], "dev": ["dev.csv"], "keep": []}
    assert (
        record["sizes"]["pairs"] == trained.record.sizes["pairs"] == 240 + 60
    )  # one more of three duplicates follows from two
    assert record["sizes"]["inferred"] == 60  # of three phrases two pairs are labelled, the third follows
    assert record["dev"] == trained.record.dev
    assert {"torch", "transformers", "sentence-transformers"} <= set(record["libraries"])
    card = (trained.output / "README.md").read_text()
    assert "for the euclidean distance" in card
    assert "300 pairs, 180 of them duplicates (60 follow from others)" in card
    assert str(site.folder) not in card + json.dumps(record)


def test_same_inputs_same_weights_and_another_seed_others(site: Site, trained: TrainedModel) -> None:
    again = site.train("again")
    assert weights(again.output) == weights(trained.output)
    assert again.record.dev == trained.record.dev
    assert weights(site.train("other", seed=1, epochs=1).output) != weights(trained.output)


@pytest.mark.slow
def test_after_a_kill_it_goes_on_to_the_same_weights(site: Site, trained: TrainedModel, caplog) -> None:
    output = site.folder / "killed"
    script = [sys.executable, "-c", KILLED, site.pairs, site.dev, str(site.base), str(site.settings.indexes)]
    killed = subprocess.run([*script, str(output)], check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    assert not output.exists()
    with pytest.raises(
        TrainingError, match=r"killed\.training holds a training of other inputs \(seed\); give --fresh"
    ):
        site.train("killed", seed=1)
    with caplog.at_level(logging.INFO):
        resumed = site.train("killed")
    first = next(record.args[0] for record in caplog.records if "loss" in record.msg)
    assert first == 20  # steps: half an epoch of 19 is 10, and it goes on from there
    assert weights(resumed.output) == weights(trained.output)
    assert resumed.record.dev == trained.record.dev
    assert (resumed.record.steps, resumed.record.best_step) == (trained.record.steps, trained.record.best_step)


def test_what_is_there_is_not_overwritten(site: Site, trained: TrainedModel) -> None:
    with pytest.raises(TrainingError, match=r"undisturbed holds a trained model; give another --output, or --fresh"):
        site.train("undisturbed")
    (site.folder / "notes").mkdir()
    (site.folder / "notes" / "mine.txt").write_text("mine")
    with pytest.raises(TrainingError, match=r"notes is there and is not a model of `dedup train`; give another"):
        site.train("notes", fresh=True)


def test_fresh_replaces_a_model(site: Site) -> None:
    site.train("replaced", epochs=1)
    (site.folder / "replaced" / "stale.txt").write_text("of the old one")
    site.train("replaced", epochs=1, fresh=True, seed=2)
    assert not (site.folder / "replaced" / "stale.txt").exists()
    assert json.loads((site.folder / "replaced" / "question-dedup.json").read_text())["seed"] == 2


def test_kept_questions_keep_their_distances(site: Site, trained: TrainedModel) -> None:
    questions = [phrase.format(verb, noun) for phrase in PHRASES for verb in VERBS for noun in NOUNS[:4]]
    kept = site.folder / "kept.csv"
    kept.write_text("\n".join(["id,question", *(f"{n},{text}" for n, text in enumerate(questions))]))
    held = site.train("kept", keep=(str(kept),))
    assert json.loads((held.output / "question-dedup.json").read_text())["sizes"]["kept"] > 0
    texts = [normalise(text) for text in questions]
    before, free, bound = (
        cross_distances(vectors, vectors, Metric.EUCLIDEAN)
        for vectors in (
            load_encoder(str(folder), Metric.EUCLIDEAN).encode(texts)
            for folder in (site.base, trained.output, held.output)
        )
    )
    assert np.abs(bound - before).mean() < np.abs(free - before).mean() / 2


@pytest.mark.parametrize("architecture", [Architecture.STATIC, Architecture.LSTM, Architecture.CNN])
def test_small_networks_learn_too_from_a_teacher_and_the_labels(site: Site, architecture: Architecture) -> None:
    made = site.train(
        f"small-{architecture}", architecture=architecture, teacher=str(site.base), learning_rate=5e-3, epochs=5
    )
    assert made.record.dev[BEST_BY] > 0.9
    assert made.record.dev[BEST_BY] == pytest.approx(balanced_ap(site, str(made.output), Metric.EUCLIDEAN))
    encoder = load_encoder(str(made.output), Metric.EUCLIDEAN, batch_size=4)
    texts = ["how do i boil a egg", "any tips to boil my kettle", "what is the best way to repair a guitar"]
    together = encoder.encode(texts)
    alone = np.vstack([encoder.encode([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert pair_distances(together, np.array([0]), np.array([0]), Metric.EUCLIDEAN)[0] == 0


def test_without_dev_pairs_a_share_is_held_out(site: Site) -> None:
    rows = [
        (f"{phrase} {verb} {noun} one", f"{other} {verb} {noun} two", int(phrase == other))
        for verb in VERBS
        for noun in NOUNS
        for phrase, other in (("boil", "boil"), ("boil", "paint"))
    ]
    pairs = write_pairs(site.folder / "islands.csv", rows)
    options = replace(site.options, dev=(), dev_share=0.2, epochs=1)
    made = train([pairs], site.settings, options, output=site.folder / "held-out", progress=Silent())
    assert (made.record.sizes["pairs"], made.record.sizes["dev_pairs"]) == (128, 32)


def test_training_needs_its_libraries(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dedup.training.train.find_spec", lambda name: None if name == "datasets" else object())
    with pytest.raises(TrainingError, match=r"training needs datasets, not installed here; run `pip install"):
        site.train("nowhere")
