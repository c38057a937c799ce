"""Where a training is kept while it runs, so that the same command goes on after a kill.

``OUTPUT.training/`` stands beside the folder of the finished model, with ``inputs.json`` (what the training is of) and
the trainer's checkpoints: weights as safetensors, and the states of the optimizer and of the random numbers, which
torch writes as pickles. Those are this run's own: they are written and read by the one training, and go with the folder
when the model is finished. No finished model has any.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dedup.artifacts import make_folder, replacing
from dedup.errors import TrainingError
from dedup.training.examples import TextPairs

_INPUTS = "inputs.json"
_COMPLETE = "complete.json"  # written into a checkpoint after everything else
_CHECKPOINT = "checkpoint-"


def training_folder(output: Path) -> Path:
    """Return the folder in which the training of ``output`` is kept."""
    return output.with_name(f"{output.name}.training")


def open_checkpoints(folder: Path, inputs: Mapping[str, Any], *, fresh: bool) -> Path | None:
    """Make the folder ready for a training of ``inputs``; return the checkpoint to go on from, None to begin.

    A checkpoint that a kill left half written is removed, and with ``fresh`` everything is.

    Raises
    ------
    TrainingError
        If what is there was trained on something else.
    """
    if fresh:
        shutil.rmtree(folder, ignore_errors=True)
    file = folder / _INPUTS
    if file.is_file():
        _refuse_others(folder, json.loads(file.read_text("utf-8")), inputs)
    else:
        make_folder(folder)
        with replacing(file) as beside:
            beside.write_text(json.dumps(inputs, indent=2) + "\n", "utf-8")
    found = sorted(folder.glob(f"{_CHECKPOINT}*"), key=lambda path: int(path.name.removeprefix(_CHECKPOINT)))
    for path in found:
        if not (path / _COMPLETE).is_file():
            shutil.rmtree(path)
    return next((path for path in reversed(found) if path.exists()), None)


def remove_checkpoints(folder: Path) -> None:
    """Remove the folder of a training whose model is finished."""
    shutil.rmtree(folder, ignore_errors=True)


def mark_complete(folder: Path, step: int, seconds: float) -> None:
    """Say of a step's checkpoint that it is whole, and how many seconds the training has taken to it."""
    with replacing(folder / f"{_CHECKPOINT}{step}" / _COMPLETE) as beside:
        beside.write_text(json.dumps({"seconds": round(seconds, 1)}), "utf-8")


def seconds_until(checkpoint: Path | None) -> float:
    """Return how many seconds the training took to a checkpoint."""
    return float(json.loads((checkpoint / _COMPLETE).read_text("utf-8"))["seconds"]) if checkpoint else 0.0


def digest_pairs(pairs: TextPairs) -> str:
    """Return 16 hexadecimal digits that differ wherever pairs do."""
    digest = hashlib.sha256(digest_texts(pairs.texts).encode())
    for column in (pairs.left, pairs.right, pairs.duplicate):
        digest.update(np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()[:16]


def digest_texts(texts: tuple[str, ...]) -> str:
    """Return 16 hexadecimal digits that differ wherever texts do."""
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()[:16]


def _refuse_others(folder: Path, found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    if other := sorted(name for name in expected if found.get(name) != expected[name]):
        raise TrainingError(
            f"{folder} holds a training of other inputs ({', '.join(other)}); give --fresh to start over, or the same "
            "files and options to go on"
        )
