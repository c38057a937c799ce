"""Whatever is damaged is found and named; what can be mended is, and then answers as before."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from corpora import KITCHEN
from damages import DAMAGES, cut_short, delete, flip_a_bit
from sqlalchemy import text

from dedup.artifacts import writing
from dedup.encoders.prepared import prepared_networks
from dedup.errors import StoreError
from dedup.mending import repair
from dedup.pipeline import RunResult
from dedup.progress import Silent
from dedup.queries import Searcher
from dedup.settings import SETTING_NAMES, Resolved, Settings
from dedup.soundness import Part, examine
from dedup.store import RunKind, Store
from dedup.store.database import Database

RunCsv = Callable[..., RunResult]
MORE = [("20", "How do I paint a house?", 4), ("21", "how can i paint houses", 2), ("22", "Do dogs eat rice?", 8)]
ASKED = ("how do i boil eggs", "tallest tree of the world?", "how to paint a house", "cats and rice")


@pytest.fixture
def shared(settings: Settings, database_url: str, run_csv: RunCsv) -> Settings:
    """The settings after two runs, so that there are two generations and two segments, with each kind of database."""
    run_csv(KITCHEN, db=database_url)
    run_csv(KITCHEN + MORE, db=database_url)
    return replace(settings, db=database_url)


def resolved(settings: Settings) -> Resolved:
    return Resolved(settings, dict.fromkeys(SETTING_NAMES, "default"))


def answers(settings: Settings) -> list[Any]:
    with Store.open(settings.db) as store:
        return Searcher.load(store, settings).query_many(ASKED, 4, 0.5)


def recorded(settings: Settings) -> list[Any]:
    with Store.open(settings.db) as store:
        return [*store.iter_pairs(0.0), *store.iter_clusters()]


@contextmanager
def statements(settings: Settings) -> Iterator[Any]:
    database = Database(settings.db)
    try:
        with database.writing() as connection:
            yield lambda statement: connection.execute(text(statement))
    finally:
        database.close()


def files(indexes: Path, pattern: str) -> list[Path]:
    found = sorted(file for file in indexes.glob(pattern) if not file.name.startswith("."))
    assert found
    return found


def test_what_is_as_it_was_written_is_sound(shared: Settings) -> None:
    before = sorted(path for path in shared.indexes.rglob("*") if not path.name.startswith("."))
    examined = examine(shared, Silent())
    assert (examined.questions, examined.generations, examined.segments) == (len(KITCHEN + MORE), 2, 2)
    assert examined.damages == ()
    assert repair(resolved(shared)).done == ()
    assert sorted(path for path in shared.indexes.rglob("*") if not path.name.startswith(".")) == before


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("at", [0, 1], ids=["before", "in-service"])
@pytest.mark.parametrize("name", ["index.faiss", "keys.npy", "places.npy", "reference.npy", "manifest.json"])
def test_a_damaged_file_of_a_generation_is_named_and_mended(
    settings: Settings, run_csv: RunCsv, name: str, at: int, how: str
) -> None:
    run_csv(KITCHEN)
    run_csv(KITCHEN + MORE)
    before, pairs = answers(settings), recorded(settings)
    file = files(settings.indexes, f"generation-*/{name}")[at]
    whole = file.read_bytes()
    DAMAGES[how](file)
    if (name, how) == ("manifest.json", "flip"):  # a bit that matters, of one file
        file.write_bytes(whole.replace(b'"sha256": "', b'"sha256": "0', 1))
    damages = examine(settings, Silent()).damages
    assert [damage.part for damage in damages] == [Part.GENERATION]
    assert str(file) in damages[0].said or name == "manifest.json"
    assert "\n" not in damages[0].said
    mended = repair(resolved(settings))
    assert mended.before.damages == damages
    assert mended.after.damages == ()
    assert answers(settings) == before
    assert recorded(settings) == pairs
    assert run_csv(KITCHEN + MORE).reused, "what was mended is the result in service"


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("at", [0, 1], ids=["older", "newer"])
@pytest.mark.parametrize("name", ["keys.npy", "vectors.npy", "manifest.json"])
def test_damaged_vectors_are_named_and_encoded_again(
    settings: Settings, run_csv: RunCsv, trigrams: Any, name: str, at: int, how: str
) -> None:
    run_csv(KITCHEN)
    run_csv(KITCHEN + MORE)
    before = answers(settings)
    file = files(settings.indexes, f"vectors/*/segment-*/{name}")[at]
    texts = len(trigrams.encoded)
    DAMAGES[how](file)
    if (name, how) == ("manifest.json", "flip"):
        cut_short(file)
    damages = examine(settings, Silent()).damages
    assert damages[0].part is Part.VECTORS
    assert str(file.parent) in damages[0].said
    assert repair(resolved(settings)).after.damages == ()
    assert len(trigrams.encoded) - texts == {0: 5, 1: 3}[at], "only what was lost is encoded"
    assert answers(settings) == before


def test_what_is_not_there_at_all_is_made_again(shared: Settings, run_csv: RunCsv) -> None:
    before = answers(shared)
    for path in (*files(shared.indexes, "generation-*/*"), *files(shared.indexes, "vectors/*/*/*")):
        path.unlink()
    mended = repair(resolved(shared))
    assert {damage.part for damage in mended.before.damages} == {Part.GENERATION, Part.VECTORS}
    assert mended.after.damages == ()
    assert answers(shared) == before
    with Store.open(shared.db) as store:
        assert store.last_run().kind is RunKind.REPAIR
        assert store.last_run().counts["encoded"] == 8


def test_places_that_lead_to_other_texts_are_found(settings: Settings, run_csv: RunCsv) -> None:
    """A generation whose files have the right hashes, written wrongly: what no checksum finds."""
    run_csv(KITCHEN)
    (folder,) = settings.indexes.glob("generation-*")
    manifest = json.loads((folder / "manifest.json").read_text())
    aside = folder.rename(folder.with_name("aside"))
    with writing(folder, {name: value for name, value in manifest.items() if name != "files"}) as beside:
        for name in manifest["files"]:
            shutil.copyfile(aside / name, beside / name)
        places = np.load(beside / "places.npy")
        np.save(beside / "places.npy", places[::-1])
    (damage,) = examine(settings, Silent()).damages
    assert damage.part is Part.GENERATION
    assert f"{folder} has the vectors of other texts at its places" in damage.said
    assert repair(resolved(settings)).after.damages == ()


def test_a_generation_of_another_corpus_than_the_recorded_one_is_found(shared: Settings) -> None:
    with Store.open(shared.db) as store:
        names = [each.name for each in store.generations()]
    with statements(shared) as execute:
        execute(f"UPDATE service SET generation_id = (SELECT id FROM generations WHERE name = '{names[1]}')")
    (damage,) = examine(shared, Silent()).damages
    assert f"{names[1]} lacks 3 of the recorded texts" in damage.said
    assert repair(resolved(shared)).after.damages == ()
    assert answers(shared)[2].matches[0].question.id == "20"


def test_a_manifest_that_says_something_else_than_the_book_is_found(settings: Settings, run_csv: RunCsv) -> None:
    run_csv(KITCHEN)
    (file,) = files(settings.indexes, "generation-*/manifest.json")
    file.write_text(file.read_text().replace('"recall": 1.0', '"recall": 0.9'))
    (damage,) = examine(settings, Silent()).damages
    assert "recall" in damage.said
    assert "0.9" in damage.said
    assert repair(resolved(settings)).after.damages == ()


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("UPDATE clusters SET size = size + 1 WHERE size = 2", "clusters have another size than members"),
        ("DELETE FROM cluster_members WHERE question_id = (SELECT max(question_id) FROM cluster_members)", "clusters"),
        ("UPDATE pairs SET probability = 1.5", "pairs have a distance or a probability that cannot be"),
        ("UPDATE pairs SET right_id = right_id + 1", "pairs have a question that is not recorded"),
    ],
)
def test_results_that_do_not_fit_together_are_found_anew(
    shared: Settings, run_csv: RunCsv, harm: str, said: str
) -> None:
    before = recorded(shared)
    with statements(shared) as execute:
        execute(harm)
    damages = examine(shared, Silent()).damages
    assert {damage.part for damage in damages} == {Part.RESULTS}
    assert any(said in damage.said for damage in damages)
    assert repair(resolved(shared)).done == ("the next run finds all pairs and clusters anew",)
    assert not run_csv(KITCHEN + MORE, db=shared.db).reused
    assert recorded(shared) == before
    assert examine(shared, Silent()).damages == ()


def test_an_altered_question_is_named(shared: Settings) -> None:
    with statements(shared) as execute:
        execute("UPDATE questions SET text = 'Can cats eat mice?' WHERE external_id = '6'")
    (damage,) = examine(shared, Silent()).damages
    assert damage.part is Part.DATABASE
    assert "question '6' of source 'default' is not as recorded" in damage.said


def test_a_damaged_database_file_is_named(settings: Settings, run_csv: RunCsv, tmp_path: Path) -> None:
    run_csv(KITCHEN)
    file = tmp_path / "dedup.db"
    content = bytearray(file.read_bytes())
    content[len(content) // 2 :: 4096] = b"\xff" * len(content[len(content) // 2 :: 4096])
    file.write_bytes(content)
    damages = examine(settings, Silent()).damages
    assert damages
    assert {damage.part for damage in damages} <= {Part.DATABASE, Part.RESULTS}
    assert damages[0].path == settings.db
    cut_short(file)
    assert Part.DATABASE in {damage.part for damage in examine(settings, Silent()).damages}
    delete(file)
    (damage,) = examine(settings, Silent()).damages
    assert "nothing recorded yet" in damage.said


def test_a_wrong_cache_is_dropped(settings: Settings, run_csv: RunCsv, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    run_csv(KITCHEN)
    network = tmp_path / "cache" / "question-dedup" / "networks" / "ab"
    with writing(network, {"format": 1}) as beside:
        (beside / "words.npy").write_bytes(b"words" * 100)
    assert examine(settings, Silent()).damages == ()
    flip_a_bit(network / "words.npy")
    (damage,) = examine(settings, Silent()).damages
    assert (damage.part, damage.path) == (Part.NETWORK, str(network))
    assert repair(resolved(settings)).after.damages == ()
    assert prepared_networks() == []


def test_a_damaged_classifier_is_named(settings: Settings, run_csv: RunCsv) -> None:
    run_csv(KITCHEN)
    file = next((settings.indexes / "classifiers").glob("*-euclidean.json"))
    cut_short(file)
    (damage,) = examine(settings, Silent()).damages
    assert (damage.part, damage.path) == (Part.CLASSIFIER, str(file))


def test_a_database_of_another_revision_is_named_and_left_alone(settings: Settings, run_csv: RunCsv) -> None:
    run_csv(KITCHEN)
    with statements(settings) as execute:
        execute("UPDATE alembic_version SET version_num = '9999'")
    (damage,) = examine(settings, Silent()).damages
    assert "is at revision 9999" in damage.said
    with pytest.raises(StoreError):
        repair(resolved(settings))


def test_a_note_that_all_was_well_does_not_count(settings: Settings, run_csv: RunCsv) -> None:
    run_csv(KITCHEN)
    answers(settings)  # each file has been read through and noted as right
    (file,) = files(settings.indexes, "generation-*/keys.npy")
    status = file.stat()
    flip_a_bit(file)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert examine(settings, Silent()).damages[0].part is Part.GENERATION
