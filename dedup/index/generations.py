"""Index generations on disk: ``indexes/generation-…/`` with the index, the keys and places of its rows, a manifest.

The manifest says what the generation was made of (encoder fingerprint, metric, normaliser version), how many vectors it
holds, how it was found to search (measured recall), and the SHA-256 of every file. Which generation is in service is
recorded in SQL, not here. indexes/README.md describes the format for other readers.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from dedup.artifacts import MANIFEST, read_manifest, remove, writing
from dedup.encoders import VECTORS, Places, StoredVectors, segment_folder
from dedup.errors import ArtifactDamaged, GenerationMismatch, NoGeneration
from dedup.index.faiss_index import FaissIndex
from dedup.index.protocol import Index
from dedup.questions import Float32, Keys, Metric
from dedup.text import NORMALISER_VERSION

FORMAT = 3
_INDEX, _KEYS, _PLACES, _REFERENCE = "index.faiss", "keys.npy", "places.npy", "reference.npy"


@dataclass(frozen=True, slots=True)
class Generation:
    """An index and the text keys of its rows, ready to be searched."""

    name: str
    index: Index
    keys: Keys  # (n,) S16, ascending; keys[row] is the text that row of the index stands for
    reference: Float32  # (m, dimension) the vectors of its first m rows, a sample of the corpus
    manifest: Mapping[str, Any]


def new_generation_name(now: datetime) -> str:
    """Return a name that no other generation has, which sorts by the time it was begun."""
    return f"generation-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}"


def save_generation(
    folder: Path,
    name: str,
    index: FaissIndex,
    keys: Keys,
    places: Places,
    reference: Float32,
    *,
    fingerprint: str,
    encoder: str,
    pair_recall: float,
) -> Generation:
    """Write a generation beside the others in ``folder``, complete or not at all."""
    facts = {
        "format": FORMAT,
        "name": name,
        "encoder": encoder,
        "fingerprint": fingerprint,
        "metric": str(index.metric),
        "normaliser_version": NORMALISER_VERSION,
        "kind": str(index.kind),
        "vectors": len(index),
        "dimension": reference.shape[1],
        "proposed": index.proposed,
        "recall": round(index.recall, 6),
        "pair_recall": round(pair_recall, 6),
        "segments": list(places.segments),
    }
    with writing(folder / name, facts) as beside:
        index.save(beside / _INDEX)
        np.save(beside / _KEYS, keys)
        np.save(beside / _PLACES, places.at)
        np.save(beside / _REFERENCE, reference)
    return Generation(name, index, keys, reference, facts)


def check_generation(folder: Path, name: str, *, fingerprint: str, encoder: str, metric: Metric) -> Mapping[str, Any]:
    """Return a generation's manifest; refuse it, by name, if it is damaged or holds other vectors than asked for.

    Raises
    ------
    NoGeneration
        If its folder is not there.
    ArtifactDamaged
        If a file is missing, cut short or has the wrong SHA-256.
    GenerationMismatch
        If it was made by another encoder or normaliser, or for another metric.
    """
    path = folder / name
    if not (path / MANIFEST).is_file():
        raise NoGeneration(
            f"the index generation {name} is not in {folder}; run `dedup run` to build one, "
            "or set --indexes to the folder that has it"
        )
    manifest = read_manifest(path)
    _refuse_others(name, manifest, fingerprint, encoder, metric)
    return manifest


def load_generation(folder: Path, name: str, *, fingerprint: str, encoder: str, metric: Metric) -> Generation:
    """Read a generation, ready to be searched; refused as `check_generation` does."""
    manifest = check_generation(folder, name, fingerprint=fingerprint, encoder=encoder, metric=metric)
    path = folder / name
    keys, at = (np.asarray(np.load(path / file, mmap_mode="r", allow_pickle=False)) for file in (_KEYS, _PLACES))
    places = Places(tuple(manifest["segments"]), at)
    vectors = StoredVectors(segment_folder(folder / VECTORS, fingerprint), fingerprint, places)
    index = FaissIndex.load(
        path / _INDEX, vectors, metric, recall=float(manifest["recall"]), proposed=int(manifest["proposed"])
    )
    if not len(keys) == len(vectors) == len(index):
        raise ArtifactDamaged(
            f"{path} has {len(keys)} keys and {len(vectors)} places for {len(index)} vectors; run `dedup run` to "
            "rebuild it"
        )
    return Generation(name, index, keys, np.load(path / _REFERENCE, allow_pickle=False), manifest)


def load_reference(folder: Path, name: str, *, fingerprint: str, encoder: str, metric: Metric) -> tuple[Keys, Float32]:
    """Read a generation's sample of its corpus alone, keys and vectors; refused as `check_generation` does."""
    check_generation(folder, name, fingerprint=fingerprint, encoder=encoder, metric=metric)
    vectors = np.load(folder / name / _REFERENCE, allow_pickle=False)
    keys = np.load(folder / name / _KEYS, mmap_mode="r", allow_pickle=False)
    return np.array(keys[: len(vectors)]), vectors


def remove_generations(folder: Path, names: Sequence[str]) -> None:
    """Remove generations that are no longer wanted; one that cannot be removed, or is not there, is passed over."""
    for name in names:
        remove(folder / name)


def generation_names(folder: Path) -> list[str]:
    """Return the names of all generations that have a folder, whoever recorded them, in the order they were begun."""
    return sorted(path.name for path in folder.glob("generation-*") if path.is_dir())


def needed_segments(folder: Path, name: str) -> list[Path]:
    """Return the folders of the vectors that a generation needs; ArtifactDamaged where it cannot be read."""
    manifest = read_manifest(folder / name)
    vectors = segment_folder(folder / VECTORS, str(manifest["fingerprint"]))
    return [vectors / segment for segment in manifest["segments"]]


def read_rows(folder: Path, name: str) -> tuple[Keys, Places]:
    """Return the text keys of a generation's rows, and the places of their vectors, as they are written there."""
    manifest = read_manifest(folder / name)
    keys = np.load(folder / name / _KEYS, allow_pickle=False)
    at = np.load(folder / name / _PLACES, allow_pickle=False)
    return keys, Places(tuple(manifest["segments"]), at)


def _refuse_others(name: str, manifest: Mapping[str, Any], fingerprint: str, encoder: str, metric: Metric) -> None:
    for what, found, expected in (
        ("format", manifest.get("format"), FORMAT),
        ("metric", manifest.get("metric"), str(metric)),
        ("normaliser version", manifest.get("normaliser_version"), NORMALISER_VERSION),
    ):
        if found != expected:
            raise GenerationMismatch(
                f"generation {name} has the {what} {found}, asked for was {expected}; "
                "run `dedup run` to build one that has it, or ask for what is there"
            )
    files = {_INDEX, _KEYS, _PLACES, _REFERENCE}
    if not files <= manifest["files"].keys() or not isinstance(manifest.get("recall"), float):
        raise ArtifactDamaged(f"the manifest of generation {name} lacks a file or its recall; run `dedup run` again")
    if manifest.get("fingerprint") != fingerprint:
        raise GenerationMismatch(
            f"generation {name} holds vectors of {manifest.get('encoder')} "
            f"({str(manifest.get('fingerprint'))[:16]}), the encoder is {encoder} ({fingerprint[:16]}); "
            "run `dedup run` to rebuild it"
        )
