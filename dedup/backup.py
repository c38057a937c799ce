"""A backup: every table, the index in service, the vectors that it needs, and the user's own classifiers.

Taken while jobs go on: the tables are read in one transaction, and the index is the one that they name. A backup is an
artifact, complete and with the SHA-256 of every file, or not there.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dedup.artifacts import MANIFEST, copy, damage, read_manifest, remove, replacing, writing
from dedup.classifier import FOLDER as CLASSIFIERS
from dedup.encoders import VECTORS, stored_segments
from dedup.errors import ArtifactDamaged, DedupError, NoGeneration
from dedup.index import generation_names, needed_segments
from dedup.jobs import alone
from dedup.progress import Progress, Silent
from dedup.settings import Settings
from dedup.sharing import fetch
from dedup.store import Snapshot, Store, copy_in, is_in_use

_FORMAT = 1
_TABLES, _INDEXES = "tables", "indexes"
_ATTEMPTS = 3  # to copy a generation that jobs may remove meanwhile, after others have come


@dataclass(frozen=True, slots=True)
class Saved:
    """What is in a backup."""

    folder: Path
    generation: str | None  # in service; None before the first run
    rows: dict[str, int]  # by table
    segments: int  # of vectors
    bytes: int


def save(settings: Settings, folder: Path, *, progress: Progress | None = None) -> Saved:
    """Write a backup to ``folder``, which must not be there, or be empty; jobs may go on meanwhile.

    Files of the index are shared where ``folder`` is on the same file system, for they are never changed; elsewhere
    they are copied.

    Raises
    ------
    ArtifactDamaged
        Where what is in service is damaged: `dedup doctor` says more.
    DedupError
        Where ``folder`` has something in it, or cannot be written.
    """
    shown = progress or Silent()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DedupError(f"{folder} is there already and not empty; give a backup a folder of its own")
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return _save(settings, folder, shown)
        except NoGeneration:
            if attempt == _ATTEMPTS:
                raise
    raise AssertionError("the last attempt returns or raises")


def restore(
    settings: Settings, folder: Path, *, force: bool = False, wait: float = 0.0, progress: Progress | None = None
) -> Saved:
    """Put a backup into the database and the folder of indexes of the settings, which may be of another kind.

    Files first, then all tables in one transaction: a kill leaves what was in service there.

    Parameters
    ----------
    force
        Replace what is recorded there. Index generations that are there stay.

    Raises
    ------
    ArtifactDamaged
        Where the backup is not whole; nothing is changed then.
    DedupError
        Where something is recorded or indexed there already, without ``force``.
    """
    shown = progress or Silent()
    manifest = _checked(folder)
    with alone(settings, "dedup restore", wait=wait, progress=shown):
        if not force and (is_in_use(settings.db) or generation_names(settings.indexes)):
            raise DedupError(
                f"the database or {settings.indexes} is in use already; give empty ones, or --force to replace what is "
                "recorded"
            )
        source = folder / _INDEXES
        artifacts = [*stored_segments(source), *(source / name for name in generation_names(source))]
        with shown.stage("copy", "folders", total=len(artifacts)) as advance:
            for artifact in artifacts:
                _put_back(artifact, settings.indexes / artifact.relative_to(source))
                advance(1)
        for file in sorted((source / CLASSIFIERS).glob("*.json")):
            with replacing(settings.indexes / CLASSIFIERS / file.name) as beside:
                shutil.copyfile(file, beside)
        with shown.stage("restore", "tables", total=1) as advance:
            copy_in(settings.db, folder / _TABLES, manifest["revision"], list(manifest["tables"]), replace=force)
            advance(1)
    return _described(folder, manifest)


def _save(settings: Settings, folder: Path, progress: Progress) -> Saved:
    facts: dict[str, Any] = {"format": _FORMAT}
    with Store.open(settings.db, create=False) as store, writing(folder, facts) as beside:
        (beside / _TABLES).mkdir()
        with progress.stage("save", "tables", total=1) as advance:
            snapshot = store.copy_out(beside / _TABLES)
            advance(1)
        if snapshot.generation is not None:
            fetch(store, settings.indexes, snapshot.generation)
        artifacts = _needed(settings.indexes, snapshot)
        with progress.stage("copy", "folders", total=len(artifacts)) as advance:
            for artifact in artifacts:
                _copy(artifact, beside / _INDEXES / artifact.relative_to(settings.indexes))
                advance(1)
        for file in sorted((settings.indexes / CLASSIFIERS).glob("*.json")):
            (beside / _INDEXES / CLASSIFIERS).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, beside / _INDEXES / CLASSIFIERS / file.name)
        facts |= {
            "saved_at": datetime.now(UTC).isoformat(),
            "database": store.display_url,
            "revision": snapshot.revision,
            "generation": snapshot.generation,
            "tables": snapshot.tables,
        }
    return _described(folder, read_manifest(folder))


def _needed(indexes: Path, snapshot: Snapshot) -> list[Path]:
    if snapshot.generation is None:
        return []
    path = indexes / snapshot.generation
    if not path.is_dir():
        raise NoGeneration(f"the generation in service, {path}, is not there; run `dedup doctor --repair` first")
    return [path, *needed_segments(indexes, snapshot.generation)]


def _copy(artifact: Path, to: Path) -> None:
    try:
        copy(artifact, to, link=True)
    except DedupError:
        if artifact.is_dir():
            raise
        raise NoGeneration(f"{artifact} was removed meanwhile; run it again") from None


def _put_back(artifact: Path, to: Path) -> None:
    if to.is_dir():
        if not damage(to):
            return
        remove(to)
    copy(artifact, to, link=False)  # a backup shares nothing with what it was put back to


def _checked(folder: Path) -> dict[str, Any]:
    """Return the manifest of a backup that has been read through."""
    if damages := damage(folder):
        said = str(damages[0]).split(";")[0]
        raise ArtifactDamaged(f"{said}; give a folder that `dedup backup` wrote, and another one if this was it")
    manifest = read_manifest(folder)
    if manifest.get("format") != _FORMAT:
        raise DedupError(
            f"{folder} is a backup of format {manifest.get('format')}, this program reads {_FORMAT}; update dedup"
        )
    return manifest


def _described(folder: Path, manifest: dict[str, Any]) -> Saved:
    files = manifest["files"]
    segments = sum(name.startswith(f"{_INDEXES}/{VECTORS}/") and name.endswith(MANIFEST) for name in files)
    size = sum(int(about["bytes"]) for about in files.values())
    return Saved(folder, manifest["generation"], dict(manifest["tables"]), segments, size)
