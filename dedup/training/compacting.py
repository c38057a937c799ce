"""Making a trained model small: an adapter over its base, or token vectors of one byte a number."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np

from dedup.artifacts import sha256
from dedup.encoders.adapter import ADAPTER_FILE, differences
from dedup.encoders.registry import RECORD, find_folder, is_cross_encoder
from dedup.errors import TrainingError
from dedup.questions import Float32

_WEIGHTS = "model.safetensors"
_STEPS = 127  # on each side of 0, of a signed byte


def save_adapter(tuned: Path, base: str, rank: int, output: Path) -> None:
    """Write what ``tuned`` changes of ``base`` to the empty folder ``output``, at the best of that rank.

    ``base`` is the name or folder of the transformer that it was trained from. The record and the card go with it. A
    cross-encoder's head, which the base has none of, is a change from 0.
    """
    from safetensors.numpy import save_file

    if is_cross_encoder(tuned):
        before, after = _pair_parameters(find_folder(base), headless=True), _pair_parameters(tuned, headless=False)
    else:
        before, after = _parameters(base), _parameters(str(tuned))
    if {name: each.shape for name, each in before.items()} != {name: each.shape for name, each in after.items()}:
        raise TrainingError(f"{tuned} and {base} are not of one architecture; give the base that it was trained from")
    save_file(differences(before, after, rank), output / ADAPTER_FILE)
    shutil.copy(tuned / "README.md", output)
    _copy_record(tuned, output, {"rank": rank})


def save_quantised(tuned: Path, output: Path) -> None:
    """Write the static model in ``tuned`` to the empty folder ``output`` with one byte for each number.

    Each token's vector is divided by its largest component and rounded to 127ths. The names of the tensors are those of
    model2vec, which sentence-transformers reads too. Tokens that no training text has shrink to the same.
    """
    from safetensors.numpy import load_file, save_file

    for file in tuned.rglob("*"):
        if file.is_file() and file.name not in (_WEIGHTS, RECORD):
            target = output / file.relative_to(tuned)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
    vectors = load_file(tuned / _WEIGHTS)["embedding.weight"]
    scale = np.maximum(np.abs(vectors).max(axis=1), np.finfo(np.float32).tiny) / _STEPS
    rounded = np.rint(vectors / scale[:, None]).astype(np.int8)
    save_file({"embeddings": rounded, "weights": scale.astype(np.float32)}, output / _WEIGHTS)
    _copy_record(tuned, output, {"bits": 8})


def _parameters(name: str) -> dict[str, Float32]:
    """Return a sentence-transformers model's parameters by their names in the model."""
    from dedup.training.architectures import load_for_training

    return {name: each.detach().numpy() for name, each in load_for_training(name).named_parameters()}


def _pair_parameters(folder: Path, *, headless: bool) -> dict[str, Float32]:
    """Return a cross-encoder's parameters by their names in the model; those of a head that it has none of are 0."""
    from dedup.reranking.scoring import clear_head, new_network

    network = new_network(folder)
    if headless:
        clear_head(network, folder)
    return {name: each.detach().cpu().numpy() for name, each in network.named_parameters()}


def _copy_record(tuned: Path, output: Path, compacted: dict[str, int]) -> None:
    record = json.loads((tuned / RECORD).read_text("utf-8"))
    record["compacted"] = compacted
    for file in output.rglob("*.safetensors"):
        file.chmod(0o644)  # safetensors writes for the owner alone, and packages keep that
    record["weights"] = {
        file.relative_to(output).as_posix(): sha256(file) for file in sorted(output.rglob("*.safetensors"))
    }
    (output / RECORD).write_text(json.dumps(record, indent=2) + "\n", "utf-8")
