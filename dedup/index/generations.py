"""Index generations on disk: ``indexes/generation-…/`` with the index, the keys and places of its rows, a manifest.

A generation stands by itself. One that was made by adding to another has that one's rows first, as many as the manifest
calls its ``base``, then the added ones; rows of texts that are gone are marked as dead. The manifest says what the
generation was made of (encoder fingerprint, metric, normaliser version), how many vectors it holds, how it was found to
search (measured recall), and the SHA-256 of every file. Which generation is in service is recorded in SQL, not here.
indexes/README.md describes the format for other readers.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup.artifacts import MANIFEST, read_manifest, remove, writing
from dedup.encoders import VECTORS, Places, StoredVectors, segment_folder
from dedup.errors import ArtifactDamaged, GenerationMismatch, NoGeneration
from dedup.index.build import IndexedRows
from dedup.index.faiss_index import FaissIndex
from dedup.index.protocol import VectorTables
from dedup.index.table_index import TableIndex
from dedup.questions import Float32, Keys, Metric
from dedup.settings import IndexKind
from dedup.text import NORMALISER_VERSION

FORMAT = 5
_INDEX, _KEYS, _PLACES, _DEAD = "index.faiss", "keys.npy", "places.npy", "dead.npy"
_CROWDING = "crowding.npy"
_REFERENCE, _REFERENCE_KEYS, _REFERENCE_WORDS = "reference.npy", "reference_keys.npy", "reference_words.npy"
_KEPT_WITH = ("joined", "near", "pairs", "scored", "traits")  # by `dedup.kept`
_FILES = {_KEYS, _DEAD, _REFERENCE, _REFERENCE_KEYS, _REFERENCE_WORDS}
_OWN_FILES = _FILES | {_INDEX, _PLACES}  # of a generation whose index and vectors are no database's


@dataclass(frozen=True, slots=True)
class Sample:
    """The reference vectors of a corpus (`dedup.reference`), their text keys, and the words of these texts."""

    keys: Keys  # (m,) ascending
    vectors: Float32  # (m, dimension)
    words: NDArray[np.int32]  # (2, n_words) as `dedup.features.count_words` returns them


@dataclass(frozen=True, slots=True)
class Generation:
    """An index and the text keys of its rows, ready to be searched."""

    name: str
    index: FaissIndex | TableIndex
    keys: Keys  # (rows,) S16; keys[row] is the text that row of the index stands for
    base: int  # rows there were when the index was last built
    reference: Sample
    crowding: Float32 | None  # (rows,) of `dedup.features`, NaN of a row of which it is not known; None: of none
    manifest: Mapping[str, Any]


def new_generation_name(now: datetime) -> str:
    """Return a name that no other generation has, which sorts by the time it was begun."""
    return f"generation-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}"


def save_generation(
    folder: Path,
    name: str,
    rows: IndexedRows,
    places: Places,
    reference: Sample,
    *,
    fingerprint: str,
    encoder: str,
    pair_recall: float,
    crowding: Float32 | None = None,
) -> Generation:
    """Write a generation beside the others in ``folder``, complete or not at all. ``places`` are those of all rows.

    With their ``crowding``, where it is known, stored rows need not be looked up again for each query.
    Of an index in a database's table neither the index nor the places are written: whoever has the rest and the
    database can search it.
    """
    index = rows.index
    table = index.table.name if isinstance(index, TableIndex) else None
    facts = {
        "format": FORMAT,
        "name": name,
        "encoder": encoder,
        "fingerprint": fingerprint,
        "metric": str(index.metric),
        "normaliser_version": NORMALISER_VERSION,
        "kind": str(index.kind),
        "vectors": len(index),
        "base": rows.base,
        "appended": index.rows - rows.base,
        "dead": index.rows - len(index),
        "dimension": reference.vectors.shape[1],
        "proposed": index.proposed,
        "recall": round(index.recall, 6),
        "pair_recall": round(pair_recall, 6),
        "segments": [] if table else list(places.segments),
        "table": table,
    }
    with writing(folder / name, facts) as beside:
        if isinstance(index, FaissIndex):
            index.save(beside / _INDEX)
            np.save(beside / _PLACES, places.at)
        np.save(beside / _KEYS, rows.keys)
        np.save(beside / _DEAD, np.flatnonzero(index.dead))
        if crowding is not None:
            np.save(beside / _CROWDING, crowding)
        np.save(beside / _REFERENCE, reference.vectors)
        np.save(beside / _REFERENCE_KEYS, reference.keys)
        np.save(beside / _REFERENCE_WORDS, reference.words)
    return Generation(name, index, rows.keys, rows.base, reference, crowding, facts)


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


def load_generation(
    folder: Path, name: str, tables: VectorTables, *, fingerprint: str, encoder: str, metric: Metric
) -> Generation:
    """Read a generation, ready to be searched; refused as `check_generation` does. ``tables`` has what is shared."""
    manifest = check_generation(folder, name, fingerprint=fingerprint, encoder=encoder, metric=metric)
    path = folder / name
    keys = np.asarray(np.load(path / _KEYS, mmap_mode="r", allow_pickle=False))
    gone = np.load(path / _DEAD, allow_pickle=False)
    dead = np.zeros(len(keys), dtype=bool)
    crowding = None
    if _CROWDING in manifest["files"]:
        crowding = np.asarray(np.load(path / _CROWDING, mmap_mode="r", allow_pickle=False))
    if manifest["kind"] == IndexKind.PGVECTOR:
        dead[gone] = True
        table = tables.open_vectors(str(manifest["table"]), int(manifest["dimension"]), metric)
        shared = TableIndex(table, metric, float(manifest["recall"]), int(manifest["proposed"]), dead)
        return Generation(name, shared, keys, int(manifest["base"]), _sample(path), crowding, manifest)
    at = np.asarray(np.load(path / _PLACES, mmap_mode="r", allow_pickle=False))
    if len(keys) != len(at) or (len(gone) and gone.max() >= len(keys)):
        raise ArtifactDamaged(
            f"{path} has {len(keys)} keys and {len(at)} places, of which number {gone.max(initial=0)} is dead; "
            "run `dedup run` to rebuild it"
        )
    vectors = stored_vectors(folder, fingerprint, Places(tuple(manifest["segments"]), at))
    dead[gone] = True
    index = FaissIndex.load(
        path / _INDEX, vectors, metric, recall=float(manifest["recall"]), proposed=int(manifest["proposed"]), dead=dead
    )
    return Generation(name, index, keys, int(manifest["base"]), _sample(path), crowding, manifest)


def stored_vectors(folder: Path, fingerprint: str, places: Places) -> StoredVectors:
    """Return the vectors at some places, read from the segments beside the generations in ``folder``."""
    return StoredVectors(segment_folder(folder / VECTORS, fingerprint), fingerprint, places)


def load_reference(folder: Path, name: str, *, fingerprint: str, encoder: str, metric: Metric) -> Sample:
    """Read a generation's sample of its corpus alone; refused as `check_generation` does."""
    check_generation(folder, name, fingerprint=fingerprint, encoder=encoder, metric=metric)
    return _sample(folder / name)


def _sample(path: Path) -> Sample:
    return Sample(
        np.load(path / _REFERENCE_KEYS, allow_pickle=False),
        np.load(path / _REFERENCE, allow_pickle=False),
        np.load(path / _REFERENCE_WORDS, allow_pickle=False),
    )


def remove_generations(folder: Path, names: Sequence[str]) -> None:
    """Remove generations that are no longer wanted, with what was kept for the next run to go on from.

    One that cannot be removed, or is not there, is passed over.
    """
    for name in names:
        for path in (folder / name, *(folder / kept / name for kept in _KEPT_WITH)):
            remove(path)


def generation_names(folder: Path) -> list[str]:
    """Return the names of all generations that have a folder, whoever recorded them, in the order they were begun."""
    return sorted(path.name for path in folder.glob("generation-*") if path.is_dir())


def needed_segments(folder: Path, name: str) -> list[Path]:
    """Return the folders of the vectors that a generation needs; ArtifactDamaged where it cannot be read."""
    manifest = read_manifest(folder / name)
    vectors = segment_folder(folder / VECTORS, str(manifest["fingerprint"]))
    return [vectors / segment for segment in manifest["segments"]]


def table_of(folder: Path, name: str) -> tuple[str, int] | None:
    """Return the database's table that a generation's vectors are in, and how many of its rows; None: in segments."""
    manifest = read_manifest(folder / name)
    if manifest.get("kind") != IndexKind.PGVECTOR:
        return None
    return str(manifest["table"]), int(manifest["base"]) + int(manifest["appended"])


def read_rows(folder: Path, name: str) -> tuple[Keys, Places]:
    """Return the text keys of a generation's rows, and the places of their vectors, as they are written there."""
    manifest = read_manifest(folder / name)
    keys = np.load(folder / name / _KEYS, allow_pickle=False)
    at = np.load(folder / name / _PLACES, allow_pickle=False)
    return keys, Places(tuple(manifest["segments"]), at)


def living_keys(folder: Path, name: str) -> Keys:
    """Return the text keys of a generation's rows that are not dead, ascending."""
    keys, _ = read_rows(folder, name)
    alive: Keys = np.sort(np.delete(keys, np.load(folder / name / _DEAD, allow_pickle=False)))
    return alive


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
    needed = _FILES if manifest.get("kind") == IndexKind.PGVECTOR else _OWN_FILES
    if not manifest["files"].keys() >= needed or not isinstance(manifest.get("recall"), float):
        raise ArtifactDamaged(f"the manifest of generation {name} lacks a file or its recall; run `dedup run` again")
    if manifest.get("fingerprint") != fingerprint:
        raise GenerationMismatch(
            f"generation {name} holds vectors of {manifest.get('encoder')} "
            f"({str(manifest.get('fingerprint'))[:16]}), the encoder is {encoder} ({fingerprint[:16]}); "
            "run `dedup run` to rebuild it"
        )
