"""Networks ready to run, kept in the user's cache folder under the encoder's fingerprint.

An adapter is added to its base once, and the word vectors are laid out so that a text reads only its own. The cache and
not the model's folder, which may be the system's and read-only, nor the folder of an index: every corpus uses the same.
Anything in it may be deleted at any time.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import numpy as np

from dedup.artifacts import read_manifest, writing
from dedup.encoders.bert import Bert, BertShape, read_bert
from dedup.errors import ArtifactDamaged, DedupError

_FORMAT = 1
_WORDS = "words.npy"
_PARAMETERS = "parameters.safetensors"

log = logging.getLogger(__name__)


def cache_folder() -> Path:
    """Return the folder of what can be made again: the platform's usual one, ``XDG_CACHE_HOME`` where it is set."""
    from platformdirs import user_cache_path

    return user_cache_path("question-dedup")


def prepared_networks() -> list[Path]:
    """Return the folders of all networks in the cache."""
    return sorted(path for path in _networks().glob("*") if path.is_dir())


def prepared_bert(folder: Path, shape: BertShape, adapter: Path | None, fingerprint: str) -> Bert:
    """Return a network from the cache; made, and put there, where it is not there whole.

    Where the cache cannot be written, the network is made each time.

    Raises
    ------
    EncoderError
        If the model's own files are damaged.
    """
    kept = _networks() / fingerprint[:32]
    try:
        return _read(kept, shape, fingerprint)
    except ArtifactDamaged as error:
        log.debug("%s; the network is made anew", str(error).split(";")[0])
    network = read_bert(folder, shape, adapter)
    try:
        shutil.rmtree(kept, ignore_errors=True)
        _write(kept, network, fingerprint)
    except DedupError as error:
        log.info("the network is not kept for the next time: %s", error)
    return network


def _networks() -> Path:
    return cache_folder() / "networks"


def _read(kept: Path, shape: BertShape, fingerprint: str) -> Bert:
    from safetensors.numpy import load_file

    manifest = read_manifest(kept)
    if (manifest.get("format"), manifest.get("fingerprint")) != (_FORMAT, fingerprint):
        raise ArtifactDamaged(f"{kept} holds another encoder's network; delete it, it is made again")
    words = np.load(kept / _WORDS, mmap_mode="r", allow_pickle=False)
    return Bert(shape, words, load_file(kept / _PARAMETERS))


def _write(kept: Path, network: Bert, fingerprint: str) -> None:
    from safetensors.numpy import save_file

    with writing(kept, {"format": _FORMAT, "fingerprint": fingerprint}) as beside:
        np.save(beside / _WORDS, network.words)
        save_file(dict(network.parameters), beside / _PARAMETERS)
