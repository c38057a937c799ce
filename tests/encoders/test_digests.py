"""A file's SHA-256 is always that of what it holds now, and an unchanged file is not read again."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dedup.encoders import digests
from dedup.encoders.digests import file_digests
from dedup.encoders.prepared import cache_folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with two settled files, and give this test a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(digests, "_SETTLED_SECONDS", -1.0)  # files are as old as this test
    made = tmp_path / "model"
    made.mkdir()
    for name in ("a.safetensors", "b.json"):
        (made / name).write_bytes(name.encode() * 100)
    return made


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """List the files that are read through."""
    names: list[str] = []

    def sha256(file: Path) -> str:
        names.append(file.name)
        return hashlib.sha256(file.read_bytes()).hexdigest()

    monkeypatch.setattr(digests, "sha256", sha256)
    return names


def found(folder: Path) -> dict[str, str]:
    return file_digests(folder, sorted(folder.iterdir()))


def truth(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(folder.iterdir())}


def test_unchanged_files_are_read_once(folder: Path, read: list[str]) -> None:
    assert found(folder) == found(folder) == truth(folder)
    assert read == ["a.safetensors", "b.json"]


def in_place(file: Path) -> None:
    with file.open("r+b") as stream:
        stream.write(b"X")


def replaced(file: Path) -> None:
    beside = file.with_name("beside")
    beside.write_bytes(b"Y" * file.stat().st_size)
    beside.replace(file)


def with_its_old_times(file: Path) -> None:
    before = file.stat()
    in_place(file)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def shorter(file: Path) -> None:
    os.truncate(file, 3)


@pytest.mark.parametrize("alter", [in_place, replaced, with_its_old_times, shorter])
def test_an_altered_file_is_read_again(folder: Path, read: list[str], alter: Callable[[Path], None]) -> None:
    found(folder)
    os.utime(folder / "a.safetensors", ns=(10**18, 10**18))
    found(folder)
    read.clear()
    alter(folder / "a.safetensors")
    assert found(folder) == truth(folder)
    assert read == ["a.safetensors"]


def test_a_file_that_changed_a_moment_ago_is_read_again(
    folder: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "_SETTLED_SECONDS", 3600.0)
    found(folder)
    found(folder)
    assert read == ["a.safetensors", "b.json"] * 2


@pytest.mark.parametrize("content", ["", "[]", '{"a.safetensors": 3}', '{"a.safetensors": [], "b.json": [1, 2]}'])
def test_a_damaged_list_is_no_list(folder: Path, content: str) -> None:
    found(folder)
    (kept,) = (cache_folder() / "digests").iterdir()
    kept.write_text(content)
    assert found(folder) == truth(folder)


def test_without_a_cache_that_can_be_written_all_is_read_every_time(
    folder: Path, read: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "b.json"))
    assert found(folder) == found(folder) == truth(folder)
    assert len(read) == 4
