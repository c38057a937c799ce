"""Generations that several machines search in one PostgreSQL database: what one of them built, the others fetch.

The database has the vectors, and the small files of each generation (its keys, its sample of the corpus, its manifest)
with the classifiers that go with it. A machine's folder of indexes is a cache of those: it may be empty, or lost.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dedup.artifacts import MANIFEST, read_manifest, replacing, writing
from dedup.classifier import FOLDER as CLASSIFIERS
from dedup.encoders import Encoder, VectorStore
from dedup.errors import ArtifactDamaged, DedupError, GenerationError
from dedup.index import generation_names, load_generation, remove_generations, table_of
from dedup.questions import Metric
from dedup.store import Store

log = logging.getLogger(__name__)

_BORROWED = 16_384  # vectors at once


def share(store: Store, indexes: Path, name: str) -> None:
    """Put the files of a generation that was just saved where all find them; nothing, where its index is its own."""
    table = table_of(indexes, name)
    if table is None:
        return
    folder = indexes / name
    files = {file: folder / file for file in (*read_manifest(folder)["files"], MANIFEST)}
    files |= {f"{CLASSIFIERS}/{file.name}": file for file in (indexes / CLASSIFIERS).glob("*.json")}
    store.share_generation(name, *table, files)


def fetch(store: Store, indexes: Path, name: str) -> None:
    """Have a generation's files in a folder, where they are shared and the folder does not have them.

    With its classifiers: one that came with another shared generation is replaced, the user's own stays. Generations
    in the folder that are no longer shared are removed.
    """
    if (indexes / name / MANIFEST).is_file():
        return
    files = store.shared_files(name)
    if not files:
        return
    manifest = json.loads(files.pop(MANIFEST))
    facts = {key: value for key, value in manifest.items() if key != "files"}
    for file in [file for file in files if file.startswith(f"{CLASSIFIERS}/")]:
        _put_classifier(store, indexes, file, files.pop(file))
    try:
        with writing(indexes / name, facts) as beside:
            for file, content in files.items():
                (beside / file).write_bytes(content)
    except DedupError:
        if not (indexes / name / MANIFEST).is_file():  # else another process has fetched it meanwhile
            raise
    if read_manifest(indexes / name)["files"] != manifest["files"]:
        remove_generations(indexes, [name])
        raise ArtifactDamaged(f"the shared files of {name} are not as its manifest says; run `dedup run` again")
    shared = {*store.shared_generations(), name}
    on_record = {each.name for each in store.generations()}
    gone = [each for each in generation_names(indexes) if each in on_record - shared and _is_in_table(indexes, each)]
    remove_generations(indexes, gone)


def borrow_vectors(store: Store, indexes: Path, name: str, encoder: Encoder, vectors: VectorStore) -> None:
    """Take over the vectors of a shared generation of this encoder that this machine does not have.

    Where they are damaged they are encoded again, and the index is built anew.
    """
    try:
        if table_of(indexes, name) is None:
            return
        metric = Metric(read_manifest(indexes / name)["metric"])
        generation = load_generation(
            indexes, name, store, fingerprint=encoder.fingerprint, encoder=encoder.name, metric=metric
        )
        rows = np.flatnonzero(np.isin(generation.keys, vectors.missing(generation.keys)))
        for start in range(0, len(rows), _BORROWED):
            some = rows[start : start + _BORROWED]
            vectors.append(generation.keys[some], generation.index.vectors(some))
    except (ArtifactDamaged, GenerationError) as error:
        log.warning("%s; its vectors are not taken over", str(error).split(";")[0])
        return
    if len(rows):
        log.info("%d vectors came from the database, where another machine had put them", len(rows))


def forget(store: Store, indexes: Path, names: Sequence[str]) -> None:
    """Remove generations, here and where they are shared."""
    remove_generations(indexes, names)
    store.forget_shared(names)


def present_generations(store: Store, indexes: Path) -> set[str]:
    """Return the names of the generations that can be put in service: in the folder, or shared."""
    return {*generation_names(indexes), *store.shared_generations()}


def table_damage(store: Store, indexes: Path, name: str) -> str | None:
    """Return what is wrong with the table of vectors that a generation searches; None where nothing is, or has none."""
    table = table_of(indexes, name)
    if table is None:
        return None
    manifest = read_manifest(indexes / name)
    try:
        vectors = store.open_vectors(table[0], int(manifest["dimension"]), Metric(manifest["metric"]))
        return vectors.damage(table[1])
    except ArtifactDamaged as error:
        return str(error).split(";")[0]


def _put_classifier(store: Store, indexes: Path, file: str, content: bytes) -> None:
    own = indexes / file
    if own.is_file() and (there := own.read_bytes()) != content and not store.was_shared(file, there):
        log.warning("%s is another classifier than the shared one, and stays; delete it to judge as all others do", own)
        return
    with replacing(own) as beside:
        beside.write_bytes(content)


def _is_in_table(indexes: Path, name: str) -> bool:
    try:
        return table_of(indexes, name) is not None
    except ArtifactDamaged:
        return False
