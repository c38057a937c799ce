"""A backup is of one moment, whatever goes on meanwhile, and answers as that moment did, in either kind of database."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from corpora import KITCHEN, fake_classifier, many_questions, write_csv
from damages import DAMAGES
from fakes import HashingEncoder
from processes import encoded, started, until
from sqlalchemy import MetaData, text

from dedup import backup
from dedup.artifacts import MANIFEST
from dedup.backup import restore, save
from dedup.classifier import save_classifier
from dedup.errors import ArtifactDamaged, DedupError, StoreError
from dedup.pipeline import RunResult, run
from dedup.progress import Silent
from dedup.queries import Searcher
from dedup.settings import Settings
from dedup.soundness import examine
from dedup.store import HEAD, Store, copy_in, copying, current, upgrade
from dedup.store.database import Database
from dedup.store.models import Base

RunCsv = Callable[..., RunResult]
ASKED = ("how do i boil eggs", "tallest tree of the world?", "cats and rice")


@pytest.fixture
def shared(settings: Settings, database_url: str) -> Settings:
    return replace(settings, db=database_url)


@pytest.fixture
def elsewhere(settings: Settings, empty_database_url: str, tmp_path: Path) -> Settings:
    """Where nothing is yet: an empty database of each kind, and another folder of indexes."""
    return replace(settings, db=empty_database_url, indexes=tmp_path / "new" / "indexes")


def answers(settings: Settings) -> list[Any]:
    with Store.open(settings.db) as store:
        return Searcher.load(store, settings).query_many(ASKED, 4, 0.5)


def with_classifier(settings: Settings, trigrams: HashingEncoder) -> Settings:
    save_classifier(fake_classifier(trigrams.metric, trigrams), settings.indexes)
    return settings


def rows(settings: Settings) -> dict[str, list[Any]]:
    """Every row of every table, as Python has it."""
    database = Database(settings.db)
    try:
        with database.reading() as connection:
            return {
                each.name: [tuple(row) for row in connection.execute(each.select().order_by(*each.primary_key.columns))]
                for each in Base.metadata.sorted_tables
            }
    finally:
        database.close()


def test_what_is_restored_is_what_was_saved_also_in_the_other_kind_of_database(
    settings: Settings, elsewhere: Settings, run_csv: RunCsv, tmp_path: Path
) -> None:
    pairs = [("How do I boil an egg?", "How are eggs boiled?", 1), ("Can cats eat rice?", "Can dogs?", 0)]
    labels = write_csv(tmp_path / "labels.csv", pairs, ("question1", "question2", "is_duplicate"))
    run_csv(KITCHEN)
    run([labels], settings)
    saved = save(settings, tmp_path / "backup")
    restored = restore(elsewhere, tmp_path / "backup")
    assert restored == saved
    assert (saved.rows["questions"], saved.rows["labels"]) == (len(rows(settings)["questions"]), 2)
    assert rows(elsewhere) == rows(settings)
    assert answers(elsewhere) == answers(settings)
    assert examine(elsewhere, Silent()).damages == ()


def test_a_postgresql_database_goes_into_sqlite_and_work_goes_on_there(
    shared: Settings, run_csv: RunCsv, tmp_path: Path
) -> None:
    run_csv(KITCHEN, db=shared.db)
    save(shared, tmp_path / "backup")
    there = replace(shared, db=f"sqlite:///{tmp_path / 'there.db'}", indexes=tmp_path / "there")
    restore(there, tmp_path / "backup")
    assert rows(there) == rows(shared)
    assert run_csv(KITCHEN, db=there.db, indexes=there.indexes).reused
    more = run_csv([*KITCHEN, ("50", "How do I boil an old egg?", 1)], db=there.db, indexes=there.indexes)
    assert (more.summary.run_id, more.summary.encoded) == (3, 1)


def test_new_runs_are_numbered_after_the_restored_ones(elsewhere: Settings, run_csv: RunCsv, tmp_path: Path) -> None:
    for count in (3, 5, 7):
        run_csv(KITCHEN[:count])
    save(replace(elsewhere, db=f"sqlite:///{tmp_path / 'dedup.db'}", indexes=tmp_path / "indexes"), tmp_path / "backup")
    restore(elsewhere, tmp_path / "backup")
    again = run_csv([*KITCHEN, ("50", "Who?", 1)], db=elsewhere.db, indexes=elsewhere.indexes)
    assert again.summary.run_id == 4


@pytest.mark.slow
def test_a_backup_while_a_job_writes_is_of_one_moment(shared: Settings, run_csv: RunCsv, tmp_path: Path) -> None:
    run_csv(KITCHEN, db=shared.db)
    before = answers(shared)
    dump = write_csv(tmp_path / "many.csv", [(f"m{id_}", text, views) for id_, text, views in many_questions(3000)])
    taken = []
    with started(shared, "run", dump, "--candidate-floor", "0.9", "--threshold", "0.9", slow=0.2) as process:
        until(lambda: bool(encoded(shared)))
        while process.poll() is None or not taken:
            folder = tmp_path / f"backup-{len(taken)}"
            save(shared, folder)
            taken.append(folder)
        assert process.returncode == 0, process.communicate()[1]
    save(shared, tmp_path / "backup-last")
    for number, folder in enumerate([*taken, tmp_path / "backup-last"]):
        there = replace(shared, db=f"sqlite:///{tmp_path / f'there-{number}.db'}", indexes=tmp_path / f"there-{number}")
        restore(there, folder)
        assert examine(there, Silent()).damages == ()
        assert answers(there) == (before if number == 0 else answers(there))
    assert answers(there) == answers(shared) != before


def test_files_are_shared_where_they_can_be_and_copied_where_not(
    settings: Settings, run_csv: RunCsv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generation = run_csv(KITCHEN).summary.generation
    save(settings, tmp_path / "linked")

    def refuse(*_args: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    save(settings, tmp_path / "copied")
    file = f"indexes/{generation}/keys.npy"
    original = (tmp_path / file).stat()
    assert (tmp_path / "linked" / file).stat().st_ino == original.st_ino
    assert (tmp_path / "copied" / file).stat().st_ino != original.st_ino
    manifests = [json.loads((tmp_path / name / MANIFEST).read_text()) for name in ("linked", "copied")]
    assert manifests[0]["files"][file] == manifests[1]["files"][file]


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("pattern", ["tables/pairs.parquet", "indexes/vectors/*/*/vectors.npy", "manifest.json"])
def test_a_damaged_backup_is_refused_and_changes_nothing(
    settings: Settings, run_csv: RunCsv, tmp_path: Path, pattern: str, how: str
) -> None:
    run_csv(KITCHEN)
    folder = tmp_path / "backup"
    save(settings, folder)
    (file,) = folder.glob(pattern)
    content = file.read_bytes()
    file.unlink()  # not the shared one
    file.write_bytes(content)
    DAMAGES[how](file)
    if (pattern, how) == (MANIFEST, "flip"):
        file.write_bytes(content.replace(b'"sha256": "', b'"sha256": "0', 1))
    there = replace(settings, db=f"sqlite:///{tmp_path / 'there.db'}", indexes=tmp_path / "there")
    with pytest.raises(ArtifactDamaged, match="give a folder that `dedup backup` wrote"):
        restore(there, folder)
    assert not (tmp_path / "there.db").exists()
    assert examine(settings, Silent()).damages == ()


def test_damage_is_not_saved(settings: Settings, run_csv: RunCsv, tmp_path: Path) -> None:
    generation = run_csv(KITCHEN).summary.generation
    DAMAGES["flip"](settings.indexes / generation / "places.npy")
    with pytest.raises(ArtifactDamaged, match=r"places\.npy has SHA-256"):
        save(settings, tmp_path / "backup")
    assert not (tmp_path / "backup").exists()


def test_a_place_in_use_is_refused_unless_forced(
    settings: Settings, elsewhere: Settings, run_csv: RunCsv, trigrams: HashingEncoder, tmp_path: Path
) -> None:
    run_csv(KITCHEN)
    save(settings, tmp_path / "backup")
    with_classifier(elsewhere, trigrams)
    run_csv([("1", "What else is there?", 1)], db=elsewhere.db, indexes=elsewhere.indexes)
    before = rows(elsewhere)
    with pytest.raises(DedupError, match="in use already; give empty ones, or --force"):
        restore(elsewhere, tmp_path / "backup")
    assert rows(elsewhere) == before
    restore(elsewhere, tmp_path / "backup", force=True)
    assert rows(elsewhere) == rows(settings)
    assert answers(elsewhere) == answers(settings)
    with pytest.raises(DedupError, match="is there already and not empty"):
        save(settings, tmp_path / "backup")


def test_a_restore_that_fails_half_way_leaves_what_was_there(
    settings: Settings, elsewhere: Settings, run_csv: RunCsv, trigrams: HashingEncoder, tmp_path: Path, monkeypatch
) -> None:
    run_csv(KITCHEN)
    save(settings, tmp_path / "backup")
    there = with_classifier(elsewhere, trigrams)
    run_csv([("1", "What else is there?", 1)], db=there.db, indexes=there.indexes)
    before, recorded = answers(there), rows(there)

    def stop(*_args: object) -> None:
        raise InterruptedError("stopped")

    with monkeypatch.context() as patched:
        patched.setattr("dedup.store.copying._set_later", stop)
        with pytest.raises(InterruptedError):
            restore(there, tmp_path / "backup", force=True)
    assert rows(there) == recorded
    assert answers(there) == before
    restore(there, tmp_path / "backup", force=True)
    assert answers(there) == answers(settings)


def test_a_backup_of_an_earlier_revision_is_brought_up_to_date(elsewhere: Settings, tmp_path: Path) -> None:
    old = f"sqlite:///{tmp_path / 'old.db'}"
    upgrade(old, "0001")
    database = Database(old)
    with database.writing() as connection:
        connection.execute(
            text(
                "INSERT INTO runs (id, kind, state, started_at, metric, threshold, settings, counts, seconds) VALUES "
                "(5, 'run', 'done', '2026-01-01 00:00:00', 'euclidean', 0.5, '{}', '{}', '{}')"
            )
        )
    with database.reading() as connection:
        metadata = MetaData()
        metadata.reflect(connection)
        tables = [each.name for each in Base.metadata.sorted_tables if each.name in metadata.tables]
        for name in tables:
            copying._write(connection, copying._with_own_types(metadata.tables[name]), tmp_path)
    database.close()
    copy_in(elsewhere.db, tmp_path, "0001", tables, replace=False)
    assert current(elsewhere.db) == HEAD
    with Store.open(elsewhere.db) as store:
        assert store.last_run().id == 5
    with pytest.raises(StoreError, match=f"is at revision {HEAD}, the backup of revision 0001"):
        copy_in(elsewhere.db, tmp_path, "0001", tables, replace=True)


def test_a_generation_that_vanishes_meanwhile_is_taken_again(
    settings: Settings, run_csv: RunCsv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_csv(KITCHEN)
    needed, met = backup._needed, []

    def publish_first(*asked: Any) -> Any:
        if not met:
            met.append(asked)
            for threshold in (0.6, 0.7):  # two more are published, and the one that was read of is removed
                run_csv(KITCHEN, threshold=threshold)
        return needed(*asked)

    monkeypatch.setattr(backup, "_needed", publish_first)
    saved = save(settings, tmp_path / "backup")
    with Store.open(settings.db) as store:
        assert saved.generation == store.in_service().generation.name
    assert saved.rows["runs"] == 3
