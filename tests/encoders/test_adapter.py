"""An adapter is the best of its rank, and its base with it is the tuned network again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from toy import PHRASES, save_tiny_transformer

from dedup.encoders import Encoder, load_encoder, registry
from dedup.encoders.adapter import ADAPTER_FILE, differences, read_changes
from dedup.errors import EncoderError, TamperedWeights
from dedup.questions import Metric

TEXTS = [phrase.format("boil", "egg").lower() for phrase in PHRASES]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "base"
    save_tiny_transformer(folder)
    return folder


@pytest.fixture(autouse=True)
def installed(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny transformer stands for the base encoder."""
    (weights,) = base.glob("*.safetensors")
    monkeypatch.setattr(registry, "base_folder", lambda: base)
    monkeypatch.setattr(registry, "_BASE_WEIGHTS_SHA256", hashlib.sha256(weights.read_bytes()).hexdigest())


def parameters(folder: Path) -> dict[str, np.ndarray]:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    return {name: parameter.detach().numpy().copy() for name, parameter in model.named_parameters()}


def tuned_parameters(base: Path, seed: int = 3) -> dict[str, np.ndarray]:
    """Change every second parameter of the base; the others are frozen, as it were."""
    random = np.random.default_rng(seed)
    return {
        name: before + (0.05 * random.normal(size=before.shape) if at % 2 else 0).astype(np.float32)
        if at % 2
        else before
        for at, (name, before) in enumerate(parameters(base).items())
    }


def save_adapter(folder: Path, tensors: dict[str, np.ndarray]) -> Path:
    folder.mkdir()
    save_file(tensors, folder / ADAPTER_FILE)
    return folder


def save_tuned(base: Path, folder: Path, tuned: dict[str, np.ndarray]) -> Path:
    import torch
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(base), device="cpu", local_files_only=True)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.from_numpy(tuned[name]))
    model.save_pretrained(str(folder), create_model_card=False)
    return folder


def test_at_full_rank_it_changes_the_base_into_the_tuned_network(base: Path, tmp_path: Path) -> None:
    before, tuned = parameters(base), tuned_parameters(base)
    folder = save_adapter(tmp_path / "adapter", differences(before, tuned, rank=10_000))
    changes = read_changes(folder)
    assert set(changes) == {name for name, value in tuned.items() if (value != before[name]).any()}
    for name, change in changes.items():
        np.testing.assert_allclose(before[name] + change, tuned[name], atol=1e-3, err_msg=name)  # kept in float16
    adapted = load_encoder(str(folder), Metric.EUCLIDEAN).encode(TEXTS)
    whole = load_encoder(str(save_tuned(base, tmp_path / "tuned", tuned)), Metric.EUCLIDEAN).encode(TEXTS)
    np.testing.assert_allclose(adapted, whole, atol=2e-3)
    assert np.abs(adapted - load_encoder(str(base), Metric.EUCLIDEAN).encode(TEXTS)).max() > 0.05


@pytest.mark.parametrize("rank", [1, 3, 8])
def test_what_a_rank_leaves_out_is_the_least_that_any_of_that_rank_can(base: Path, tmp_path: Path, rank: int) -> None:
    """Eckart and Young: the root of the sum of the squares of the singular values behind it."""
    before, tuned = parameters(base), tuned_parameters(base)
    tensors = differences(before, tuned, rank)
    changes = read_changes(save_adapter(tmp_path / "adapter", tensors))
    matrices = 0
    for name, change in changes.items():
        wanted = tuned[name] - before[name]
        if wanted.ndim < 2:
            np.testing.assert_allclose(change, wanted, atol=1e-4)
            continue
        matrices += 1
        assert np.linalg.matrix_rank(change.astype(np.float64), tol=1e-3) <= rank
        left_out = np.sqrt((np.linalg.svd(wanted, compute_uv=False)[rank:] ** 2).sum())
        assert np.linalg.norm(wanted - change) == pytest.approx(left_out, rel=1e-3)
        assert tensors[f"{name}.up"].shape == (wanted.shape[0], rank)
        assert tensors[f"{name}.down"].shape == (rank, wanted.shape[1])
    assert matrices >= 4


def test_a_network_that_was_not_tuned_has_an_empty_adapter(base: Path) -> None:
    assert differences(parameters(base), parameters(base), rank=4) == {}


def loaded(folder: Path) -> Encoder:
    return load_encoder(str(folder), Metric.EUCLIDEAN)


def test_its_fingerprint_covers_the_adapter_and_the_base(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = parameters(base)
    one, same = (
        save_adapter(tmp_path / name, differences(before, tuned_parameters(base), rank=2)) for name in ("one", "same")
    )
    other = save_adapter(tmp_path / "other", differences(before, tuned_parameters(base, seed=4), rank=2))
    assert loaded(one).fingerprint == loaded(same).fingerprint
    assert len({loaded(folder).fingerprint for folder in (one, other, base)}) == 3
    fingerprint = loaded(one).fingerprint
    (base / "note.json").write_text("{}")  # any file of the base that could shape a vector
    assert loaded(one).fingerprint != fingerprint
    (base / "note.json").unlink()
    monkeypatch.setattr(registry, "_BASE_WEIGHTS_SHA256", "0" * 64)
    with pytest.raises(TamperedWeights, match="the published weights have 0000"):
        loaded(one)


def test_an_adapter_that_is_not_the_recorded_one_is_refused(base: Path, tmp_path: Path) -> None:
    folder = save_adapter(tmp_path / "adapter", differences(parameters(base), tuned_parameters(base), rank=2))
    digest = hashlib.sha256((folder / ADAPTER_FILE).read_bytes()).hexdigest()
    (folder / registry.RECORD).write_text(json.dumps({"weights": {ADAPTER_FILE: digest}}))
    loaded(folder)
    content = bytearray((folder / ADAPTER_FILE).read_bytes())
    content[-1] ^= 1
    (folder / ADAPTER_FILE).write_bytes(content)
    with pytest.raises(
        TamperedWeights, match=rf"adapter\.safetensors has SHA-256 .*the published weights have {digest[:16]}"
    ):
        loaded(folder)


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({"no.such.parameter.delta": np.zeros(3, np.float16)}, "changes no.such.parameter, which its base does not"),
        ({"alone.up": np.zeros((3, 1), np.float16)}, r"adapter\.safetensors is not an adapter"),
        ({"odd.up": np.zeros((3, 1), np.float16), "odd.down": np.zeros((2, 3), np.float16)}, "is not an adapter"),
    ],
)
def test_an_adapter_of_another_network_is_refused(tmp_path: Path, tensors: dict[str, np.ndarray], said: str) -> None:
    folder = save_adapter(tmp_path / "adapter", tensors)
    with pytest.raises(EncoderError, match=said):
        loaded(folder).encode(TEXTS)


def test_a_damaged_adapter_is_refused_by_name(tmp_path: Path) -> None:
    folder = save_adapter(tmp_path / "adapter", {"x.delta": np.zeros(3, np.float16)})
    (folder / ADAPTER_FILE).write_bytes(b"not an adapter")
    with pytest.raises(EncoderError, match=r"adapter\.safetensors is not an adapter .*install the package again"):
        loaded(folder).encode(TEXTS)
