"""Files and folders that are either complete and unaltered, or not there: reports, generations, vector segments.

An artifact is a folder of files and a ``manifest.json`` that names each file, by its path in the folder, with its size
and SHA-256, beside the facts its owner adds. It is written under a temporary name beside its final one, flushed to
disk, and renamed into place: a kill at any instant leaves the old state or the new one. Nothing executable is ever read
from one.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias

from dedup.errors import ArtifactDamaged, DedupError

MANIFEST = "manifest.json"
_VERIFIED = ".verified"  # which files (size, times, inode) had which SHA-256 when they were last read through
_TEMPORARY = ".writing-"
_ABANDONED_SECONDS = 24 * 3600


Signature: TypeAlias = list[int | str]


@contextmanager
def writing(folder: Path, facts: dict[str, Any]) -> Iterator[Path]:
    """Yield an empty folder to fill; on leaving it becomes ``folder``, with ``facts`` and its files in the manifest.

    ``facts`` is read when the context ends, so that it may be completed inside. On an exception nothing is left.

    Raises
    ------
    DedupError
        Where the folder cannot be written to (permissions, disk full).
    """
    beside = _beside(folder)
    try:
        make_folder(beside.parent)
        _sweep(beside.parent)
        beside.mkdir()
        yield beside
        written = sorted(beside.rglob("*"))
        files = {file.relative_to(beside).as_posix(): _described(file) for file in written if not file.is_dir()}
        (beside / MANIFEST).write_text(json.dumps({**facts, "files": files}, indent=2) + "\n", "utf-8")
        for path in (*written, beside / MANIFEST, beside):
            flush(path)
        beside.rename(folder)
        flush(folder.parent)
    except OSError as error:
        raise _unwritable(folder, error) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a complete artifact whose files all have the size and SHA-256 it gives.

    A file is read through again only if its size, a time, its inode or the SHA-256 asked for changed since.

    Raises
    ------
    ArtifactDamaged
        Naming the file that is missing, cut short or altered.
    """
    manifest, expected = _expected(folder)
    verified = _read_verified(folder)
    found = {name: _verify(folder, name, *expected[name], verified.get(name)) for name in expected}
    if found != verified:
        _remember_verified(folder, found)
    return manifest


def manifest_with(folder: Path, facts: Mapping[str, object]) -> dict[str, Any] | None:
    """Return an artifact's manifest as `read_manifest` does; None where there is no artifact, or with other facts."""
    if not (folder / MANIFEST).is_file():
        return None
    manifest = read_manifest(folder)
    return manifest if all(manifest.get(fact) == value for fact, value in facts.items()) else None


def damage(folder: Path) -> list[ArtifactDamaged]:
    """Read every file of an artifact through, whatever was found before, and return what is wrong with each."""
    try:
        _, expected = _expected(folder)
    except ArtifactDamaged as error:
        return [error]
    found = []
    for name, (size, digest) in expected.items():
        try:
            _verify(folder, name, size, digest, None)
        except ArtifactDamaged as error:
            found.append(error)
    return found


def copy(folder: Path, to: Path, *, link: bool) -> None:
    """Copy an artifact, complete or not at all, and read the copy through; with ``link``, share files where that works.

    Sharing is safe, for an artifact's files are never changed; it takes one file system for both.

    Raises
    ------
    ArtifactDamaged
        If a file is not as the artifact's manifest says; no copy is left then.
    DedupError
        Where the copy cannot be written.
    """
    manifest, expected = _expected(folder)
    facts = {name: value for name, value in manifest.items() if name != "files"}
    with writing(to, facts) as beside:
        for name in expected:
            (beside / name).parent.mkdir(parents=True, exist_ok=True)
            _copy_file(folder / name, beside / name, link=link)
    if _expected(to)[1] != expected:
        remove(to)
        raise damage(folder)[0]


def remove(folder: Path) -> None:
    """Remove an artifact, at once as others see it; one that cannot be removed, or is not there, is passed over."""
    beside = _beside(folder)
    with suppress(OSError):
        folder.rename(beside)
    shutil.rmtree(beside, ignore_errors=True)


@contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """Yield a path beside ``file`` to write to; on leaving it takes the place of ``file`` at once, and is on disk.

    Raises
    ------
    DedupError
        Where it cannot be written (permissions, disk full). What was there before stays.
    """
    beside = _beside(file)
    try:
        make_folder(file.parent)
        yield beside
        flush(beside)
        beside.replace(file)
        flush(file.parent)
    except OSError as error:
        raise _unwritable(file, error) from error
    finally:
        with suppress(OSError):  # gone where all went well
            beside.unlink()


def require_writable(folder: Path) -> None:
    """Make ``folder``, and make sure, before any work, that files can be put into it.

    Raises
    ------
    DedupError
        Where they cannot.
    """
    try:
        make_folder(folder)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _unwritable(folder, error) from error


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, each on disk before anything is put into it."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        flush(folder.parent)


def flush(path: Path) -> None:
    """Put a file or a folder's entries on disk, so that a power cut does not undo them."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _beside(path: Path) -> Path:
    return path.with_name(f"{_TEMPORARY}{uuid.uuid4().hex}")


def _sweep(folder: Path) -> None:
    """Remove what a kill left half written, a day ago or more: what is younger may be another process's."""
    for left in folder.glob(f"{_TEMPORARY}*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > _ABANDONED_SECONDS:
                shutil.rmtree(left) if left.is_dir() else left.unlink()


def _unwritable(path: Path, error: OSError) -> DedupError:
    reason = error.strerror or str(error)
    return DedupError(f"{path} cannot be written: {reason}; free some space or choose a writable folder")


def _described(file: Path) -> dict[str, Any]:
    return {"bytes": file.stat().st_size, "sha256": sha256(file)}


def sha256(file: Path) -> str:
    """Return a file's SHA-256, as 64 hexadecimal digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _copy_file(file: Path, to: Path, *, link: bool) -> None:
    if link:
        with suppress(OSError):  # another file system, or one without links
            os.link(file, to)
            return
    shutil.copyfile(file, to)


def _expected(folder: Path) -> tuple[dict[str, Any], dict[str, tuple[int, str]]]:
    """Return an artifact's manifest, and the size and SHA-256 that it gives for each file."""
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text("utf-8"))
        files: Mapping[str, Mapping[str, Any]] = manifest["files"]
        return manifest, {name: (int(about["bytes"]), str(about["sha256"])) for name, about in files.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactDamaged(
            f"{folder / MANIFEST} is missing or not a manifest ({error}); {_remedy(folder)}"
        ) from error


def _verify(folder: Path, name: str, size: int, digest: str, verified: Signature | None) -> Signature:
    file = folder / name
    try:
        status = file.stat()
        if status.st_size != size:
            raise ArtifactDamaged(f"{file} has {status.st_size} bytes, its manifest says {size}; {_remedy(folder)}")
        signature: Signature = [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, digest]
        if signature != verified and (found := sha256(file)) != digest:
            raise ArtifactDamaged(
                f"{file} has SHA-256 {found[:16]}…, its manifest says {digest[:16]}…; {_remedy(folder)}"
            )
    except OSError as error:
        raise ArtifactDamaged(f"{file} cannot be read ({error.strerror}); {_remedy(folder)}") from error
    return signature


def _remedy(folder: Path) -> str:
    return f"run `dedup doctor --repair`, or delete {folder} and run `dedup run` again"


def _read_verified(folder: Path) -> dict[str, Signature]:
    try:
        verified: dict[str, Signature] = json.loads((folder / _VERIFIED).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return verified if isinstance(verified, dict) else {}


def _remember_verified(folder: Path, found: dict[str, Signature]) -> None:
    beside = folder / f"{_VERIFIED}-{uuid.uuid4().hex}"
    try:
        beside.write_text(json.dumps(found), "utf-8")
        beside.rename(folder / _VERIFIED)
    except OSError:  # a read-only folder: the files are read through each time, nothing else changes
        with suppress(OSError):  # a read-only file system refuses to unlink even what is not there
            beside.unlink()
