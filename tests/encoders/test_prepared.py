"""A network from the cache is the network; whatever has become of the cache, it is never another one."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from dedup.encoders import prepared
from dedup.encoders.bert import Bert, read_bert, read_shape
from dedup.encoders.prepared import cache_folder, prepared_bert
from dedup.encoders.registry import base_folder, find_folder

FINGERPRINT = "ab" * 32


def prepare() -> Bert:
    shape = read_shape(base_folder())
    assert shape is not None
    return prepared_bert(base_folder(), shape, find_folder("dedup-minilm"), FINGERPRINT)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where the network is kept, in a cache of this test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return cache_folder() / "networks" / FINGERPRINT[:32]


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """List the model folders that are read."""
    folders: list[Path] = []

    def read(folder: Path, *rest: object) -> Bert:
        folders.append(folder)
        return read_bert(folder, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(prepared, "read_bert", read)
    return folders


def assert_same(one: Bert, other: Bert) -> None:
    np.testing.assert_array_equal(one.words, other.words)
    assert one.shape == other.shape
    assert one.parameters.keys() == other.parameters.keys()
    for name, parameter in one.parameters.items():
        np.testing.assert_array_equal(parameter, other.parameters[name])


def test_a_network_is_prepared_once(kept: Path, unread: list[Path]) -> None:
    first = prepare()
    assert kept.is_dir()
    assert_same(prepare(), first)
    assert len(unread) == 1


@pytest.mark.parametrize("file", ["words.npy", "parameters.safetensors", "manifest.json"])
@pytest.mark.parametrize("damage", ["altered", "cut short", "gone"])
def test_a_damaged_one_is_made_anew(kept: Path, unread: list[Path], file: str, damage: str) -> None:
    first = prepare()
    damaged = kept / file
    match damage:
        case "altered":
            content = bytearray(damaged.read_bytes())
            content[len(content) // 2] ^= 1
            damaged.write_bytes(content)
        case "cut short":
            os.truncate(damaged, 100)
        case _:
            damaged.unlink()
    if (file, damage) == ("manifest.json", "altered"):
        damaged.write_text(damaged.read_text(errors="replace").replace(FINGERPRINT, "cd" * 32))
    assert_same(prepare(), first)
    assert len(unread) == 2
    assert_same(prepare(), first)
    assert len(unread) == 2


def test_another_encoders_network_is_not_taken(kept: Path, unread: list[Path]) -> None:
    first = prepare()
    other = kept.with_name("cd" * 16)
    shutil.copytree(kept, other)
    shape = read_shape(base_folder())
    assert shape is not None
    made = prepared_bert(base_folder(), shape, None, "cd" * 32)
    assert len(unread) == 2
    assert any((made.parameters[name] != first.parameters[name]).any() for name in made.parameters)


def test_without_a_cache_that_can_be_written_all_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unread: list[Path]
) -> None:
    (tmp_path / "file").write_text("where a folder would have to be")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert_same(prepare(), prepare())
    assert len(unread) == 2
