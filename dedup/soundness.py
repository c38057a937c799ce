"""Whether everything on record and on disk is as it was written, and fits together; each damage is one line."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path

import numpy as np

from dedup.artifacts import MANIFEST, damage, read_manifest
from dedup.classifier import damaged_classifiers
from dedup.encoders import open_segment, segment_folder, stored_keys, stored_segments
from dedup.encoders.prepared import prepared_networks
from dedup.errors import ArtifactDamaged, DedupError, StoreError
from dedup.index import generation_names, living_keys, needed_segments, read_rows, table_of
from dedup.progress import Progress
from dedup.questions import Keys
from dedup.settings import IndexKind, Settings
from dedup.sharing import fetch, table_damage
from dedup.store import InService, Store, display_url

_NAMED = 20  # questions at fault that are named


class Part(StrEnum):
    """What can be damaged."""

    DATABASE = "database"
    RESULTS = "results"
    GENERATION = "generation"
    VECTORS = "vectors"
    CLASSIFIER = "classifier"
    NETWORK = "network"


@dataclass(frozen=True, slots=True)
class Damage:
    """One thing that is not as it should be."""

    part: Part
    path: str  # the folder or the file; of what is in the database, its address
    said: str  # what was found, in one line that names it


@dataclass(frozen=True, slots=True)
class Examined:
    """How much was looked at, and what is wrong."""

    questions: int
    generations: int
    segments: int
    damages: tuple[Damage, ...]


def examine(settings: Settings, progress: Progress) -> Examined:
    """Look at the database, and read through all generations, vectors, classifiers and prepared networks.

    In the folder of indexes also what another database has there. Nothing is changed; a job may be under way.
    """
    names, segments = generation_names(settings.indexes), stored_segments(settings.indexes)
    damages: list[Damage] = []
    with progress.stage("check", "folders", total=len(names) + len(segments)) as advance:
        for path in segments:
            damages += segment_damage(path)
            advance(1)
        for name in names:
            damages += generation_damage(settings.indexes, name)
            advance(1)
    for path in prepared_networks():
        damages += [Damage(Part.NETWORK, str(path), _said(error)) for error in damage(path)]
    for file, error in damaged_classifiers(settings.indexes):
        damages.append(Damage(Part.CLASSIFIER, str(file), _said(error)))
    questions = 0
    try:
        with Store.open(settings.db, create=False) as store:
            damages += [Damage(Part.DATABASE, store.display_url, said) for said in store.file_damage()]
            questions = store.counts().questions
            damages += _record_damage(store, questions, progress)
            damages += [damage for name in names for damage in shared_damage(store, settings.indexes, name)]
            damages += _service_damage(store, settings)
    except StoreError as error:
        damages.append(Damage(Part.DATABASE, display_url(settings.db), _said(error)))
    return Examined(questions, len(names), len(segments), tuple(damages))


def segment_damage(path: Path) -> list[Damage]:
    """Return what is wrong with a segment of vectors; of one that a job has removed meanwhile, nothing."""
    found = [_said(error) for error in damage(path)]
    if not found:
        try:
            manifest_fingerprint = _fingerprint(path)
            keys, vectors = stored_keys(path), open_segment(path, manifest_fingerprint)
            if segment_folder(path.parent.parent, manifest_fingerprint) != path.parent:
                found = [f"{path} holds another encoder's vectors than its folder is for"]
            elif len(keys) != len(vectors) or not (keys[:-1] < keys[1:]).all():
                found = [f"{path} has {len(keys)} keys for {len(vectors)} vectors, or not in order"]
        except (ArtifactDamaged, ValueError) as error:
            found = [_said(error)]
    return [Damage(Part.VECTORS, str(path), said) for said in found] if path.exists() else []


def generation_damage(indexes: Path, name: str) -> list[Damage]:
    """Return what is wrong with a generation: its files, and whether its vectors are where it says they are."""
    path = indexes / name
    found = [_said(error) for error in damage(path)]
    if not found:
        try:
            found = list(_misplaced(indexes, name))
        except (ArtifactDamaged, ValueError, KeyError) as error:
            found = [f"{path}: {_said(error)}"]
    return [Damage(Part.GENERATION, str(path), said) for said in found] if path.exists() else []


def shared_damage(store: Store, indexes: Path, name: str) -> list[Damage]:
    """Return what is wrong with the vectors of a generation that are in the database; its files have been looked at."""
    try:
        said = table_damage(store, indexes, name) if name in store.shared_generations() else None
    except (ArtifactDamaged, KeyError, ValueError):
        return []
    return [] if said is None else [Damage(Part.GENERATION, str(indexes / name), said)]


def _misplaced(indexes: Path, name: str) -> Iterator[str]:
    path = indexes / name
    if table_of(indexes, name) is not None:
        return
    keys, places = read_rows(indexes, name)
    segments = needed_segments(indexes, name)
    if places.at.shape != (len(keys), 2):
        yield f"{path} has {len(places.at)} places for {len(keys)} keys"
        return
    if len(keys) and not (places.at[:, 0].min() >= 0 and places.at[:, 0].max() < len(segments)):
        yield f"{path} has places in segments beyond its {len(segments)}"
        return
    for number, segment in enumerate(segments):
        here = places.at[:, 0] == number
        rows = places.at[here, 1]
        if not (segment / MANIFEST).is_file():
            yield f"{path} needs the vectors of {segment}, which is not there"
            continue
        try:
            stored = stored_keys(segment)
        except ArtifactDamaged:
            continue  # named as the segment's own
        if len(rows) and not (rows.min() >= 0 and rows.max() < len(stored)):
            yield f"{path} has places beyond the {len(stored)} rows of {segment}"
        elif not np.array_equal(stored[rows], keys[here]):
            yield f"{path} has the vectors of other texts at its places in {segment}"


def _record_damage(store: Store, questions: int, progress: Progress) -> Iterator[Damage]:
    with progress.stage("check", "questions", total=questions) as advance:
        altered = store.altered_questions(advance)
        for said in islice(altered, _NAMED):
            yield Damage(Part.DATABASE, store.display_url, said)
        if more := sum(1 for _ in altered):
            yield Damage(Part.DATABASE, store.display_url, f"{more} more questions are not as recorded")
    for said in store.unsound_results():
        yield Damage(Part.RESULTS, store.display_url, said)


def _said_of_shared(store: Store, name: str) -> list[str]:
    """Return what is wrong with a shared generation that was never fetched here; it is, for this alone."""
    with tempfile.TemporaryDirectory() as elsewhere:
        try:
            fetch(store, Path(elsewhere), name)
        except DedupError as error:
            return [_said(error)]
        return [each.said for each in shared_damage(store, Path(elsewhere), name)]


def _service_damage(store: Store, settings: Settings) -> Iterator[Damage]:
    """Yield where what is in service does not belong together; what is wrong with its files is known already."""
    service = store.in_service()
    if service is None:
        return
    name, path = service.generation.name, settings.indexes / service.generation.name
    if service.generation.kind == IndexKind.PGVECTOR:
        if name not in store.shared_generations():
            said = f"{name} is in service, and its vectors are not in the database"
            yield Damage(Part.GENERATION, str(path), said)
            return
        if not path.is_dir():  # whoever needs its files fetches them
            yield from (Damage(Part.GENERATION, str(path), said) for said in _said_of_shared(store, name))
            return
    if not path.is_dir():
        yield Damage(Part.GENERATION, str(path), f"{path} is in service and is not there")
        return
    try:
        keys = living_keys(settings.indexes, name)
    except (ArtifactDamaged, ValueError, KeyError, IndexError, OSError):
        return
    generation, manifest = service.generation, read_manifest(path)
    for what, found, recorded in (
        ("fingerprint", manifest.get("fingerprint"), store.encoder(generation.encoder_id).fingerprint),
        ("metric", manifest.get("metric"), str(generation.metric)),
        ("kind", manifest.get("kind"), generation.kind),
        ("recall", manifest.get("recall"), round(generation.recall, 6)),
        ("number of vectors", len(keys), generation.vectors),
    ):
        if found != recorded:
            yield Damage(Part.GENERATION, str(path), f"{path} has the {what} {found}, on record is {recorded}")
    yield from _against_corpus(store, service, keys, path)


def _against_corpus(store: Store, service: InService, keys: Keys, path: Path) -> Iterator[Damage]:
    if not service.current:
        return
    if pending := store.pending_questions():
        yield Damage(
            Part.RESULTS, store.display_url, f"{pending} questions have no cluster, though nothing is new since the run"
        )
    recorded = store.text_keys()
    if not np.array_equal(np.sort(keys), recorded):
        missing, strange = np.setdiff1d(recorded, keys), np.setdiff1d(keys, recorded)
        said = f"{path} lacks {len(missing)} of the recorded texts and has {len(strange)} that are not recorded"
        yield Damage(Part.GENERATION, str(path), said)


def _fingerprint(path: Path) -> str:
    return str(read_manifest(path).get("fingerprint"))


def _said(error: Exception) -> str:
    return " ".join(str(error).split(";")[0].split())
