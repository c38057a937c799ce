"""What is past its time goes, and nothing that is referred to does."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from corpora import KITCHEN, write_csv
from processes import ended
from sqlalchemy import text

from dedup.index import generation_names
from dedup.pipeline import RunResult
from dedup.settings import Settings
from dedup.store import RunState, Store
from dedup.store.database import Database

RunCsv = Callable[..., RunResult]


@pytest.fixture
def shared(settings: Settings, database_url: str) -> Settings:
    return replace(settings, db=database_url)


def runs(settings: Settings) -> list[int]:
    database = Database(settings.db)
    try:
        with database.reading() as connection:
            return list(connection.execute(text("SELECT id FROM runs ORDER BY id")).scalars())
    finally:
        database.close()


def numbers(folder: Path, pattern: str) -> list[int]:
    return sorted(int(file.stem.rsplit("-", 1)[1]) for file in folder.glob(pattern))


def test_of_runs_that_nothing_refers_to_the_newest_stay(shared: Settings, run_csv: RunCsv) -> None:
    for _ in range(5):
        run_csv(KITCHEN, db=shared.db, keep_runs=2)
    # run 1 recorded the questions, the pairs and the clusters; each run since has seen the questions again
    assert runs(shared) == [1, 4, 5]
    assert numbers(shared.reports, "run-*.html") == [1, 4, 5], "run 1 is in service"


def test_reports_and_rejects_files_go_with_their_time_also_where_the_run_stays(
    shared: Settings, run_csv: RunCsv
) -> None:
    for night in range(4):
        run_csv(
            [*KITCHEN, (str(100 + night), f"What is new in night {night}?", 1), ("", "no id", 1)],
            db=shared.db,
            keep_runs=2,
        )
    assert runs(shared) == [1, 2, 3, 4], "a question refers to each"
    assert numbers(shared.reports, "run-*.html") == [3, 4]
    assert numbers(shared.reports, "rejects-*.csv") == [3, 4]


def test_the_run_in_service_stays_with_its_report_however_old(shared: Settings, run_csv: RunCsv, trigrams) -> None:
    run_csv(KITCHEN, db=shared.db)
    trigrams.fails_after = len(trigrams.encoded)
    for night in range(3):
        with pytest.raises(InterruptedError):
            run_csv([(str(200 + night), f"Night {night}?", 1)], db=shared.db, keep_runs=1)
    with Store.open(shared.db) as store:
        assert store.in_service().run.id == 1
        assert store.old_runs(1)[0].id == 2
        store.forget_runs([run.id for run in store.old_runs(1)], [])
        assert store.in_service().run.id == 1
        assert store.run(4).state is RunState.FAILED
    assert numbers(shared.reports, "run-*.html") == [1]


def test_generations_beyond_those_kept_leave_folder_and_book(shared: Settings, run_csv: RunCsv) -> None:
    made = [
        run_csv(KITCHEN, db=shared.db, keep_runs=3, keep_generations=2, threshold=threshold).summary.generation
        for threshold in (0.5, 0.501, 0.502, 0.5, 0.501, 0.502)  # so near that no cluster changes
    ]
    assert generation_names(shared.indexes) == sorted(made[-2:])
    with Store.open(shared.db) as store:
        recorded = [each.name for each in store.generations()]
    assert recorded[:3] == made[:2:-1]
    assert made[1] not in recorded, "nothing refers to it, and its run is past its time"


def test_another_databases_files_in_the_same_folder_stay(settings: Settings, run_csv: RunCsv, tmp_path: Path) -> None:
    stranger = settings.reports / "run-20200101T000000Z-000002.html"
    settings.reports.mkdir()
    stranger.write_text("of another database's run 2")
    for _ in range(3):
        run_csv(KITCHEN, keep_runs=1)
    assert stranger.exists()
    assert numbers(settings.reports, "run-*.html") == [1, 2, 3]


def test_what_cannot_be_removed_does_not_undo_a_run(settings: Settings, run_csv: RunCsv, monkeypatch) -> None:
    def refuse(*_args: object) -> None:
        raise PermissionError(13, "Permission denied")

    run_csv(KITCHEN)
    monkeypatch.setattr("dedup.retention._remove_files", refuse)
    done = run_csv(KITCHEN, keep_runs=1).summary.run_id
    with Store.open(settings.db) as store:
        assert store.run(done).state is RunState.DONE


@pytest.mark.slow
def test_what_a_killed_job_wrote_and_never_put_in_service_goes_with_the_next_job(
    shared: Settings, run_csv: RunCsv, tmp_path: Path
) -> None:
    first = run_csv(KITCHEN, db=shared.db).summary.generation
    others = shared.indexes / "generation-20200101T000000Z-of-others"
    others.mkdir()
    dump = write_csv(tmp_path / "new.csv", [("90", "How do I boil my eggs?", 1)])
    for _ in range(2):
        code, _, _ = ended(shared, "reindex", dump, dies=True)
        assert code == -signal.SIGKILL
    left = set(generation_names(shared.indexes)) - {first, others.name}
    assert len(left) == 1, "the second job has removed the first one's"
    assert (shared.indexes / "pairs" / next(iter(left))).is_dir()
    code, _, err = ended(shared, "reindex", dump)
    assert code == 0, err
    with Store.open(shared.db) as store:
        recorded = {each.name for each in store.generations()}
    assert len(recorded) == 2
    assert set(generation_names(shared.indexes)) == {*recorded, others.name}
    assert {path.name for path in (shared.indexes / "pairs").iterdir()} == recorded
