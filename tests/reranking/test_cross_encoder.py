"""Scores of pairs: those of sentence-transformers, the same in both orders and in any company; and what is refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from toy import NOUNS, PHRASES, VERBS, save_tiny_transformer

from dedup.encoders import load_encoder, registry
from dedup.encoders.adapter import ADAPTER_FILE, differences
from dedup.errors import EncoderError, TamperedWeights
from dedup.questions import Metric
from dedup.reranking import load_cross_encoder


def asked() -> list[tuple[str, str]]:
    texts = [phrase.format(verb, noun).lower() for phrase in PHRASES for verb in VERBS for noun in NOUNS]
    random = np.random.default_rng(4)
    short = [(texts[a], texts[b]) for a, b in random.integers(0, len(texts), (60, 2))]
    long = [(" ".join([left] * 3), right) for left, right in short[:9]]
    return [*short, *long, ("egg", "boat"), (short[0][0], short[0][0])]


PAIRS = asked()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "base"
    save_tiny_transformer(folder)
    return folder


@pytest.fixture(scope="module")
def folder(base: Path) -> Path:
    """A cross-encoder whose scores are spread: its weights are large."""
    import torch

    from dedup.reranking.scoring import new_network

    torch.manual_seed(5)
    network = new_network(base)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "classifier" in name or "pooler" in name:
                parameter.copy_(torch.randn_like(parameter))
            elif parameter.ndim == 2:
                parameter.mul_(6)
    made = base.with_name("cross-encoder")
    network.save_pretrained(str(made), create_model_card=False)
    return made


def score(folder: Path, pairs: list[tuple[str, str]]) -> np.ndarray:
    return load_cross_encoder(str(folder)).score(pairs, lambda _: None)


def test_scores_are_the_mean_logits_of_both_orders(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sentence_transformers import CrossEncoder
    from torch import nn

    monkeypatch.setattr("dedup.reranking.scoring.has_bf16", lambda device: False)
    oracle = CrossEncoder(str(folder), device="cpu", local_files_only=True)
    there, back = (
        oracle.predict(pairs, activation_fn=nn.Identity(), show_progress_bar=False)
        for pairs in (PAIRS, [(right, left) for left, right in PAIRS])
    )
    found = score(folder, PAIRS)
    np.testing.assert_allclose(found, (there + back) / 2, atol=1e-5)
    assert np.ptp(found) > 0.2
    assert np.abs(there - back).max() > 1e-3  # one order alone is not symmetric


@pytest.mark.parametrize("bf16", [False, True])
def test_a_score_depends_on_the_two_texts_alone(folder: Path, monkeypatch: pytest.MonkeyPatch, bf16: bool) -> None:
    monkeypatch.setattr("dedup.reranking.scoring.has_bf16", lambda device: bf16)
    together = score(folder, PAIRS)
    np.testing.assert_allclose(score(folder, [(right, left) for left, right in PAIRS]), together, atol=1e-6)
    np.testing.assert_allclose(score(folder, PAIRS[::-1])[::-1], together, atol=1e-6)
    for at in (0, 30, 62, len(PAIRS) - 1):
        np.testing.assert_allclose(score(folder, [PAIRS[at]]), together[at], atol=1e-6)
    monkeypatch.setattr("dedup.reranking.scoring._CHUNK_PAIRS", 7)
    np.testing.assert_allclose(score(folder, PAIRS), together, atol=1e-6)


def test_progress_counts_every_pair_and_no_pair_loads_nothing(folder: Path, tmp_path: Path) -> None:
    counted: list[int] = []
    load_cross_encoder(str(folder)).score(PAIRS, counted.append)
    assert sum(counted) == len(PAIRS)
    (tmp_path / "broken").mkdir()
    for file in folder.iterdir():
        content = b"not weights" if file.suffix == ".safetensors" else file.read_bytes()
        (tmp_path / "broken" / file.name).write_bytes(content)
    broken = load_cross_encoder(str(tmp_path / "broken"))
    assert broken.score([], counted.append).tolist() == []
    with pytest.raises(EncoderError, match="cannot be loaded as a cross-encoder"):
        broken.score(PAIRS, counted.append)


def test_pairs_longer_than_the_network_reads_are_cut(folder: Path) -> None:
    long = " ".join(["boil a egg"] * 100)
    assert np.isfinite(score(folder, [(long, long), (long, "egg")])).all()


def test_weights_that_are_no_numbers_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dedup.reranking.scoring.score_pairs", lambda *_: np.array([np.nan]))
    with pytest.raises(EncoderError, match="the cross-encoder cross-encoder gave a pair no number; train or"):
        score(folder, PAIRS[:1])


def test_an_adapter_over_the_base_is_the_whole_network(
    base: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.numpy import save_file

    from dedup.reranking.scoring import clear_head, new_network

    (weights,) = base.glob("*.safetensors")
    monkeypatch.setattr("dedup.reranking.scoring.has_bf16", lambda device: False)
    monkeypatch.setattr(registry, "base_folder", lambda: base)
    monkeypatch.setattr(registry, "_BASE_WEIGHTS_SHA256", hashlib.sha256(weights.read_bytes()).hexdigest())
    headless = new_network(base)
    clear_head(headless, base)
    before, after = (
        {name: each.detach().numpy() for name, each in network.named_parameters()}
        for network in (headless, new_network(folder))
    )
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    save_file(differences(before, after, 10_000), adapter / ADAPTER_FILE)
    digest = hashlib.sha256((adapter / ADAPTER_FILE).read_bytes()).hexdigest()
    record = {"architecture": "cross-encoder", "weights": {ADAPTER_FILE: digest}}
    (adapter / registry.RECORD).write_text(json.dumps(record))
    np.testing.assert_allclose(score(adapter, PAIRS), score(folder, PAIRS), atol=0.05)  # in float16
    assert load_cross_encoder(str(adapter)).fingerprint != load_cross_encoder(str(folder)).fingerprint
    (adapter / registry.RECORD).write_text(json.dumps({**record, "weights": {ADAPTER_FILE: "0" * 64}}))
    with pytest.raises(TamperedWeights, match=r"adapter\.safetensors has SHA-256"):
        load_cross_encoder(str(adapter))


def test_encoders_and_cross_encoders_are_not_taken_for_each_other(base: Path, folder: Path) -> None:
    with pytest.raises(EncoderError, match="base is not a cross-encoder, and cannot score pairs; give a folder that"):
        load_cross_encoder(str(base))
    with pytest.raises(EncoderError, match="cross-encoder is a cross-encoder, which makes no vectors; give it"):
        load_encoder(str(folder), Metric.EUCLIDEAN)


def test_a_reranker_that_is_not_installed_is_refused_with_the_way_to_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dedup.reranking.cross_encoder.find_folder", lambda name: tmp_path / name)
    with pytest.raises(EncoderError, match=r"the reranker dedup-reranker is not installed; train one \(`dedup train"):
        load_cross_encoder("dedup-reranker")


def test_pickled_weights_are_refused(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in folder.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    (copy / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(EncoderError, match=r"pytorch_model\.bin can run code"):
        load_cross_encoder(str(copy))
