"""A whole training of a tiny cross-encoder: it learns, goes on after a kill, repeats itself, and is made small."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score
from torch import nn
from toy import hiding_rows, write_pairs

from dedup.encoders import registry
from dedup.errors import TrainingError
from dedup.evaluation import prior_weights
from dedup.progress import Silent
from dedup.questions import Metric
from dedup.reranking import load_cross_encoder
from dedup.settings import Settings
from dedup.text import normalise
from dedup.training import Architecture, Precision, TrainingOptions
from dedup.training.checkpoints import training_folder
from dedup.training.compacting import save_adapter
from dedup.training.judging import BEST_BY
from dedup.training.pair_teaching import PairLoss
from dedup.training.train import TrainedModel, train

OPTIONS = TrainingOptions(
    architecture=Architecture.CROSS_ENCODER,
    epochs=4,
    learning_rate=5e-3,
    pairs_per_batch=16,
    precision=Precision.FP32,
    base="",
)

# Trains what it is told, and is killed at its second checkpoint, before that is whole: half an epoch after the first.
KILLED = """
import os, signal, sys
from pathlib import Path
from dedup.progress import Silent
from dedup.settings import Settings
from dedup.training import Architecture, Precision, TrainingOptions
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
    architecture=Architecture.CROSS_ENCODER, epochs=4, learning_rate=5e-3, pairs_per_batch=16,
    precision=Precision.FP32, base=base, dev=(dev,),
)
train([pairs], Settings(indexes=Path(indexes)), options, output=Path(output), progress=Silent())
"""


class Site:
    """The toy site's files, and how to train on them."""

    def __init__(self, folder: Path, base: Path) -> None:
        self.folder, self.base = folder, base
        self.settings = Settings(indexes=folder / "indexes")
        self.pairs = write_pairs(folder / "pairs.csv", hiding_rows(dev=False))
        self.dev = write_pairs(folder / "dev.csv", hiding_rows(dev=True))
        self.options = replace(OPTIONS, base=str(base), dev=(self.dev,))

    def train(self, name: str, **changed: object) -> TrainedModel:
        options = replace(self.options, **changed)  # type: ignore[arg-type]
        return train([self.pairs], self.settings, options, output=self.folder / name, progress=Silent())


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> Site:
    return Site(tmp_path_factory.mktemp("site"), tiny_base)


@pytest.fixture(scope="module")
def trained(site: Site) -> TrainedModel:
    return site.train("undisturbed")


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def dev_scores(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    rows = hiding_rows(dev=True)
    pairs = [(normalise(left), normalise(right)) for left, right, _ in rows]
    return load_cross_encoder(str(folder)).score(pairs, lambda _: None), np.array([bool(row[2]) for row in rows])


def test_it_learns_what_it_has_not_seen_and_says_how_well(site: Site, trained: TrainedModel) -> None:
    score, duplicate = dev_scores(trained.output)
    found = average_precision_score(duplicate, score, sample_weight=prior_weights(duplicate, 0.5))
    assert found > 0.97
    assert trained.record.dev[BEST_BY] == pytest.approx(found)


def test_the_finished_folder_is_whole_and_says_what_it_is(site: Site, trained: TrainedModel) -> None:
    assert not training_folder(trained.output).exists()
    assert trained.fingerprint == load_cross_encoder(str(trained.output)).fingerprint
    record = json.loads((trained.output / "question-dedup.json").read_text())
    assert (record["architecture"], record["metric"], record["base"]) == ("cross-encoder", None, "tiny")
    assert record["weights"] == {"model.safetensors": hashlib.sha256(weights(trained.output)).hexdigest()}
    assert record["dev"] == trained.record.dev
    assert record["sizes"]["inferred"] == 42  # of three phrases two pairs are labelled, the third follows
    card = (trained.output / "README.md").read_text()
    assert "# A cross-encoder of pairs of questions" in card
    assert "210 pairs, 126 of them duplicates (42 follow from others)" in card
    assert "--rerank --reranker FOLDER" in card
    assert str(site.folder) not in card + json.dumps(record)


def test_same_inputs_same_weights_whatever_the_metric_and_another_seed_others(
    site: Site, trained: TrainedModel
) -> None:
    manhattan = replace(site.settings, metric=Metric.MANHATTAN)
    again = train([site.pairs], manhattan, site.options, output=site.folder / "again", progress=Silent())
    assert weights(again.output) == weights(trained.output)
    assert weights(site.train("other", seed=1, epochs=1).output) != weights(trained.output)


@pytest.mark.slow
def test_after_a_kill_it_goes_on_to_the_same_weights(site: Site, trained: TrainedModel) -> None:
    output = site.folder / "killed"
    script = [sys.executable, "-c", KILLED, site.pairs, site.dev, str(site.base), str(site.settings.indexes)]
    killed = subprocess.run([*script, str(output)], check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()[-2000:]
    assert not output.exists()
    with pytest.raises(TrainingError, match=r"killed\.training holds a training of other inputs \(architecture"):
        site.train("killed", architecture=Architecture.TRANSFORMER, pairs_per_batch=16)
    resumed = site.train("killed")
    assert weights(resumed.output) == weights(trained.output)
    assert resumed.record.dev == trained.record.dev
    assert (resumed.record.steps, resumed.record.best_step) == (trained.record.steps, trained.record.best_step)


def test_the_base_begins_with_what_it_knows_and_its_embeddings_stay(site: Site, trained: TrainedModel) -> None:
    from safetensors.numpy import load_file

    before, after = load_file(site.base / "model.safetensors"), load_file(trained.output / "model.safetensors")
    found = {name.removeprefix("bert."): value for name, value in after.items()}
    assert set(found) - set(before) == {"classifier.weight", "classifier.bias"}
    for name, value in before.items():
        assert ("embeddings." in name) == bool((value == found[name]).all()), name


def test_made_small_at_full_rank_it_scores_the_same(
    site: Site, trained: TrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (file,) = site.base.glob("*.safetensors")
    monkeypatch.setattr(registry, "base_folder", lambda: site.base)
    monkeypatch.setattr(registry, "_BASE_WEIGHTS_SHA256", hashlib.sha256(file.read_bytes()).hexdigest())
    monkeypatch.setattr("dedup.reranking.scoring.has_bf16", lambda device: False)
    small = tmp_path / "small"
    small.mkdir()
    save_adapter(trained.output, str(site.base), 10_000, small)
    record = json.loads((small / "question-dedup.json").read_text())
    assert (record["architecture"], record["compacted"]) == ("cross-encoder", {"rank": 10_000})
    assert list(record["weights"]) == ["adapter.safetensors"]
    np.testing.assert_allclose(dev_scores(small)[0], dev_scores(trained.output)[0], atol=0.05)


def test_the_loss_is_the_weighted_cross_entropy_of_its_formula() -> None:
    logit, weight = torch.tensor([0.3, -2.0, 5.0]), torch.tensor([0.5, 1.0, 1.5])
    label = torch.tensor([1.0, 0.0, 0.0])

    class Given(nn.Module):
        def forward(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
            return {"scores": batch["logit"][:, None]}

    found = PairLoss(Given())([{"logit": logit, "weight": weight}], label)["pairs"].item()
    probability = 1 / (1 + np.exp(-logit.numpy()))
    right = np.where(label.numpy() > 0, probability, 1 - probability)
    assert found == pytest.approx(float(-(weight.numpy() * np.log(right)).mean()), rel=1e-5)


def test_a_base_that_is_no_transformer_is_refused(site: Site) -> None:
    with pytest.raises(TrainingError, match="dedup-static is no transformer; a cross-encoder begins with one"):
        site.train("static", base="dedup-static")


@pytest.mark.parametrize("given", [{"teacher": "all-MiniLM-L6-v2"}, {"keep": ("kept.csv",)}])
def test_what_makes_no_sense_for_it_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(TrainingError, match=r"a cross-encoder starts from its base .*; leave --teacher and --keep out"):
        replace(OPTIONS, **given)  # type: ignore[arg-type]
