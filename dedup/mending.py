"""Mending what is damaged, from what is not: vectors from texts, the index from texts and vectors.

What nothing else holds cannot be mended: the database. `dedup restore` has it as it was.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from dedup.artifacts import remove
from dedup.encoders import VECTORS, VectorStore, encode_missing
from dedup.errors import ArtifactDamaged, GenerationMismatch
from dedup.features import count_words, describe
from dedup.in_service import index_as_built, settings_in_service
from dedup.index import (
    FaissIndex,
    IndexedRows,
    Sample,
    TableIndex,
    build_index,
    build_table,
    generation_names,
    needed_segments,
    new_generation_name,
    save_generation,
)
from dedup.installed import load_installed
from dedup.jobs import Job, running
from dedup.kept_pairs import forget_pairs
from dedup.progress import Progress, Silent
from dedup.reference import REFERENCE_SIZE
from dedup.settings import IndexKind, Resolved, Settings
from dedup.sharing import forget, share
from dedup.soundness import Damage, Examined, Part, examine
from dedup.store import GenerationRecord, InService, RunKind, Store

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Mended:
    """What was wrong before, what was done about it, and what is still wrong."""

    before: Examined
    done: tuple[str, ...]
    after: Examined


def repair(resolved: Resolved, *, wait: float = 0.0, progress: Progress | None = None) -> Mended:
    """Look at everything, mend what can be, and look again.

    Damaged vectors are removed, and encoded again where the index in service needs them; that is built anew where it
    is damaged, or its vectors were; an older generation that is damaged is removed. Of pairs and clusters that do not
    fit together it is recorded that the next run has to find them anew.

    Raises
    ------
    StoreError
        Where the database cannot be opened: restore it from a backup.
    Locked
        If another job still works after ``wait`` seconds.
    """
    shown = progress or Silent()
    before = examine(resolved.settings, shown)
    if not before.damages:
        return Mended(before, (), before)
    with running(RunKind.REPAIR, resolved.settings, wait=wait, progress=shown) as job:
        before = examine(resolved.settings, job.watch)
        done, encoded = _mend(job, resolved, before.damages)
        counts = {"read": 0, "rejected": 0, "labels": 0, "encoded": encoded, "damages": len(before.damages)}
        published = job.store.published_generation()
        job.store.finish_run(job.run_id, counts, job.watch.seconds, generation=published.name if published else None)
    for line in done:
        log.info("%s", line)
    return Mended(before, tuple(done), examine(resolved.settings, shown))


def _mend(job: Job, resolved: Resolved, damages: Sequence[Damage]) -> tuple[list[str], int]:
    """Mend what can be; return what was done, line by line, and how many texts were encoded."""
    store, indexes = job.store, resolved.settings.indexes
    done = []
    for part, what in ((Part.NETWORK, "prepared network"), (Part.VECTORS, "segment of vectors")):
        for path in _paths(damages, part):
            remove(path)
            done.append(f"removed the {what} {path}")
    bad = {path.name for path in _paths(damages, Part.GENERATION)} | set(_without_vectors(indexes))
    service = store.in_service()
    encoded = 0
    if service is not None and service.generation.name in bad:
        rebuilt, encoded = _rebuild(job, resolved, service)
        done.append(f"built {indexes / rebuilt} anew in place of {service.generation.name}, {encoded} texts encoded")
    going = sorted(bad & set(generation_names(indexes)))
    forget(store, indexes, going)
    done += [f"removed the generation {name}" for name in going]
    if any(damage.part is Part.RESULTS for damage in damages):
        store.forget_digest()
        if service is not None:
            forget_pairs(indexes, service.generation.name)
        done.append("the next run finds all pairs and clusters anew")
    return done, encoded


def _rebuild(job: Job, resolved: Resolved, service: InService) -> tuple[str, int]:
    """Build the generation in service again, of the texts that are in clusters, and put it in service."""
    store, watch = job.store, job.watch
    settings = _as_built(store, settings_in_service(store, resolved), service)
    encoder, _ = load_installed(settings)
    recorded = store.encoder(service.generation.encoder_id)
    if encoder.fingerprint != recorded.fingerprint:
        raise GenerationMismatch(
            f"the generation in service is of {recorded.name} ({recorded.fingerprint[:16]}), the encoder is now "
            f"{encoder.name} ({encoder.fingerprint[:16]}); run `dedup run` to build one with it"
        )
    keys = store.text_keys(clustered=True)
    vectors = VectorStore(settings.indexes / VECTORS, encoder.fingerprint)
    encoded = encode_missing(encoder, vectors, keys, store.texts, watch)
    embeddings = vectors.gather(keys)
    sampled = keys[:REFERENCE_SIZE]
    name, floor = new_generation_name(datetime.now(UTC)), settings.recall_floor
    index: FaissIndex | TableIndex
    if settings.index is IndexKind.PGVECTOR:
        index = build_table(embeddings, encoder.metric, store, name, recall_floor=floor, progress=watch)
    else:
        index = build_index(embeddings, encoder.metric, settings.index, recall_floor=floor, progress=watch)
    store.begin_generation(job.run_id, name)
    save_generation(
        settings.indexes,
        name,
        IndexedRows(index, keys, len(keys)),
        vectors.places(keys),
        Sample(sampled, embeddings[:REFERENCE_SIZE], count_words(describe(store.texts_in_order(sampled)))),
        fingerprint=encoder.fingerprint,
        encoder=encoder.name,
        pair_recall=float(service.run.counts.get("pair_recall", 1.0)),
    )
    share(store, settings.indexes, name)
    store.replace_generation(
        GenerationRecord(name, service.generation.encoder_id, encoder.metric, str(index.kind), len(index), index.recall)
    )
    return name, encoded


def _as_built(store: Store, settings: Settings, service: InService) -> Settings:
    """Return the settings with those by which the run in service built its index."""
    floor = float(service.run.settings["recall_floor"])
    return replace(settings, index=index_as_built(store, service), recall_floor=floor)


def _paths(damages: Sequence[Damage], part: Part) -> list[Path]:
    return [Path(path) for path in dict.fromkeys(damage.path for damage in damages if damage.part is part)]


def _without_vectors(indexes: Path) -> list[str]:
    """Return the generations that cannot be read, or need vectors that are not there."""
    found = []
    for name in generation_names(indexes):
        try:
            if all(segment.is_dir() for segment in needed_segments(indexes, name)):
                continue
        except (ArtifactDamaged, KeyError):
            pass
        found.append(name)
    return found
