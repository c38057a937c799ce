"""A generation is read back as it was written, or refused by name with what to do."""

import json
import os
import shutil
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from oracles import clustered_unit_rows

from dedup import artifacts
from dedup.artifacts import MANIFEST
from dedup.encoders import VECTORS as FOLDER
from dedup.encoders import VectorStore
from dedup.errors import ArtifactDamaged, DedupError, GenerationMismatch, NoGeneration
from dedup.index import (
    IndexedRows,
    Sample,
    build_index,
    generations,
    load_generation,
    load_reference,
    new_generation_name,
    save_generation,
)
from dedup.progress import Silent
from dedup.questions import Metric
from dedup.settings import IndexKind
from dedup.text import key_array, key_bytes, text_key

FINGERPRINT = "ab" * 32
NO_TABLES: Any = None  # of these generations none is in a database
NAME = "generation-20260101T000000Z-01234567"
VECTORS = clustered_unit_rows(21, 300, 16, groups=30, spread=0.5)
REFERENCE = VECTORS[:80]
WORDS = np.array([[3, 17, 99], [80, 2, 1]], dtype=np.int32)
KEYS = np.sort(key_array([bytes(16), b"\x01" * 15 + b"\x00", *(text_key(str(n)) for n in range(298))]))


def save(folder, metric=Metric.EUCLIDEAN, kind=IndexKind.FLAT, keys=KEYS, crowding=None):
    index = build_index(VECTORS, metric, kind, recall_floor=0.9, progress=Silent())
    store = VectorStore(folder / FOLDER, FINGERPRINT)
    for some in (slice(1, None, 2), slice(0, None, 2)):  # the order in which texts came is not that of the rows
        if len(store) < len(KEYS):
            store.append(KEYS[some], VECTORS[some])
    return save_generation(
        folder,
        NAME,
        IndexedRows(index, keys, len(keys)),
        store.places(KEYS),
        Sample(keys[: len(REFERENCE)], REFERENCE, WORDS),
        fingerprint=FINGERPRINT,
        encoder="trigrams",
        pair_recall=0.995,
        crowding=crowding,
    )


def load(folder, *, fingerprint=FINGERPRINT, metric=Metric.EUCLIDEAN):
    return load_generation(folder, NAME, NO_TABLES, fingerprint=fingerprint, encoder="trigrams", metric=metric)


@pytest.fixture
def folder(tmp_path):
    save(tmp_path / "indexes")
    return tmp_path / "indexes"


@pytest.mark.parametrize("metric", list(Metric))
@pytest.mark.parametrize("kind", [IndexKind.FLAT, IndexKind.PQ])
def test_a_generation_is_read_back_as_it_was_written(tmp_path, metric, kind):
    written = save(tmp_path, metric, kind)
    read = load(tmp_path, metric=metric)
    assert read.name == NAME
    assert key_bytes(read.keys) == key_bytes(KEYS)
    np.testing.assert_array_equal(read.reference.vectors, REFERENCE)
    assert key_bytes(read.reference.keys) == key_bytes(KEYS[:80])
    assert (read.index.kind, read.index.metric, read.index.recall) == (kind, metric, round(written.index.recall, 6))
    before, after = written.index.search(VECTORS, 5), read.index.search(VECTORS, 5)
    np.testing.assert_array_equal(after.rows, before.rows)
    np.testing.assert_array_equal(after.distance, before.distance)
    assert {name: read.manifest[name] for name in written.manifest} == written.manifest
    assert read.manifest["vectors"] == 300
    assert read.manifest["pair_recall"] == 0.995
    assert set(read.manifest["files"]) == {
        "index.faiss",
        "keys.npy",
        "places.npy",
        "dead.npy",
        "reference.npy",
        "reference_keys.npy",
        "reference_words.npy",
    }


def test_the_crowding_of_rows_is_read_back_where_it_was_known(tmp_path):
    crowding = np.linspace(1, 2, len(KEYS), dtype=np.float32)
    save(tmp_path / "known", crowding=crowding)
    save(tmp_path / "unknown")
    np.testing.assert_array_equal(load(tmp_path / "known").crowding, crowding)
    assert "crowding.npy" in load(tmp_path / "known").manifest["files"]
    assert load(tmp_path / "unknown").crowding is None


def test_the_sample_of_the_corpus_is_read_without_the_index(folder):
    sample = load_reference(folder, NAME, fingerprint=FINGERPRINT, encoder="trigrams", metric=Metric.EUCLIDEAN)
    assert key_bytes(sample.keys) == key_bytes(KEYS[:80])
    np.testing.assert_array_equal(sample.vectors, REFERENCE)
    np.testing.assert_array_equal(sample.words, WORDS)
    with pytest.raises(GenerationMismatch, match=f"{NAME} holds vectors of trigrams"):
        load_reference(folder, NAME, fingerprint="cd" * 32, encoder="other", metric=Metric.EUCLIDEAN)


def test_a_generation_that_is_not_there_is_named(tmp_path):
    with pytest.raises(NoGeneration, match=f"{NAME} is not in .*`dedup run`.*--indexes"):
        load(tmp_path)


def test_another_encoders_generation_is_refused(folder):
    with pytest.raises(GenerationMismatch, match=f"{NAME} holds vectors of trigrams .abababababababab., the"):
        load(folder, fingerprint="cd" * 32)


def test_another_metrics_generation_is_refused(folder):
    with pytest.raises(GenerationMismatch, match=f"{NAME} has the metric euclidean, asked for was manhattan"):
        load(folder, metric=Metric.MANHATTAN)


def test_a_generation_of_another_normaliser_is_refused(folder, monkeypatch):
    monkeypatch.setattr(generations, "NORMALISER_VERSION", generations.NORMALISER_VERSION + 1)
    with pytest.raises(GenerationMismatch, match=f"{NAME} has the normaliser version 1, asked for was 2"):
        load(folder)


def test_a_generation_of_another_format_is_refused(folder, monkeypatch):
    monkeypatch.setattr(generations, "FORMAT", generations.FORMAT + 1)
    with pytest.raises(GenerationMismatch, match=f"{NAME} has the format 5, asked for was 6"):
        load(folder)


@pytest.mark.parametrize("file", ["index.faiss", "keys.npy", "places.npy", "reference.npy"])
@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_a_damaged_file_is_named(folder, file, damage):
    path = folder / NAME / file
    if damage == "flip":
        content = bytearray(path.read_bytes())
        content[-1] ^= 0x80
        path.write_bytes(content)
    elif damage == "cut":
        os.truncate(path, path.stat().st_size - 1)
    else:
        path.unlink()
    said = {"flip": "has SHA-256", "cut": r"has \d+ bytes, its manifest says", "remove": "cannot be read"}[damage]
    with pytest.raises(ArtifactDamaged, match=f"{NAME}/{file} {said}"):
        load(folder)


@pytest.mark.parametrize("file", ["index.faiss", "keys.npy", "places.npy", "reference.npy"])
def test_a_manifest_without_one_of_the_files_is_refused(folder, file):
    manifest = json.loads((folder / NAME / MANIFEST).read_text())
    del manifest["files"][file]
    (folder / NAME / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ArtifactDamaged, match=f"the manifest of generation {NAME} lacks a file"):
        load(folder)


@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_a_damaged_segment_is_named_when_its_vectors_are_needed(folder, damage):
    """A vector is stored once, in its segment: the index refers to it."""
    segment = sorted((folder / FOLDER).glob("*/segment-*"))[1]
    if damage == "remove":
        shutil.rmtree(segment)
    elif damage == "cut":
        os.truncate(segment / "vectors.npy", 1000)
    else:
        content = bytearray((segment / "vectors.npy").read_bytes())
        content[-1] ^= 0x80
        (segment / "vectors.npy").write_bytes(content)
    said = {"flip": "vectors.npy has SHA-256", "cut": "vectors.npy has 1000 bytes", "remove": "is not there"}[damage]
    with pytest.raises(ArtifactDamaged, match=f"{segment.name}.*{said}.*dedup run"):
        load(folder).index.search(VECTORS[:50], 5)


def test_segments_that_are_not_needed_are_not_opened(folder):
    removed = sorted((folder / FOLDER).glob("*/segment-*"))[1]
    shutil.rmtree(removed)  # it holds the even rows
    np.testing.assert_array_equal(load(folder).index.vectors(np.array([1, 7, 299])), VECTORS[[1, 7, 299]])


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"files": 3}'])
def test_a_damaged_manifest_is_named(folder, content):
    (folder / NAME / MANIFEST).write_text(content)
    with pytest.raises(ArtifactDamaged, match=f"{NAME}/{MANIFEST} is missing or not a manifest"):
        load(folder)


def test_files_beside_those_of_the_manifest_do_not_count(folder):
    (folder / NAME / "notes.txt").write_text("made on a Monday")
    assert len(load(folder).index) == 300


def test_keys_of_another_number_than_the_vectors_are_refused(tmp_path):
    save(tmp_path, keys=KEYS[1:])
    with pytest.raises(ArtifactDamaged, match="has 299 keys and 300 places"):
        load(tmp_path)


def test_an_unchanged_generation_is_not_read_through_again(folder, monkeypatch):
    load(folder)
    monkeypatch.setattr(artifacts, "sha256", lambda file: pytest.fail(f"{file} is read through"))
    assert len(load(folder).index.search(VECTORS[:9], 5).rows) == 9


def test_two_generations_of_one_name_cannot_be(folder):
    before = json.loads((folder / NAME / MANIFEST).read_text())
    with pytest.raises(DedupError, match="cannot be written"):
        save(folder, Metric.MANHATTAN)
    assert json.loads((folder / NAME / MANIFEST).read_text()) == before
    assert sorted(path.name for path in folder.iterdir()) == [NAME, FOLDER]


def test_names_sort_by_time_wherever_they_were_begun_and_are_never_twice_the_same():
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    later_elsewhere = (noon + timedelta(seconds=1)).astimezone(timezone(timedelta(hours=-8)))
    first, second = new_generation_name(noon), new_generation_name(later_elsewhere)
    assert first.startswith("generation-20260101T120000Z-")
    assert first < second
    assert len({new_generation_name(noon) for _ in range(100)}) == 100
