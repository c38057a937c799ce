"""Machines that share one PostgreSQL database answer alike, from whichever of them what is in service came."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from corpora import KITCHEN, fake_classifier, many_questions, write_csv
from fakes import HashingEncoder
from processes import encoded, ended, started
from sqlalchemy import make_url

from dedup.backup import restore, save
from dedup.classifier import load_classifier, save_classifier
from dedup.errors import ArtifactDamaged, Interrupted, StoreError
from dedup.generations import list_generations, prune, roll_back, verify_generations
from dedup.in_service import settings_in_service, settings_to_go_on
from dedup.mending import repair
from dedup.pipeline import reindex, run
from dedup.progress import Silent
from dedup.queries import Answer, Searcher
from dedup.questions import Metric, Question
from dedup.settings import SETTING_NAMES, IndexKind, Resolved, Settings
from dedup.soundness import examine
from dedup.store import Store
from dedup.store.retries import ATTEMPTS, retried

MANY = many_questions(300)
ASKED = [text for _, text, _ in MANY[::17]] + ["how do i paint 7 eggs and hide a lamp?", "what is a horse?"]
metrics = pytest.mark.parametrize("metric", list(Metric))


@pytest.fixture
def database_kind() -> str:
    return "postgresql"


@pytest.fixture
def here(settings: Settings, database_url: str) -> Settings:
    """One machine."""
    return replace(settings, db=database_url, index=IndexKind.PGVECTOR, keep_generations=10)


@pytest.fixture
def there(here: Settings, tmp_path: Path) -> Settings:
    """Another one, on the same database, with nothing of its own."""
    return replace(here, indexes=tmp_path / "other" / "indexes", reports=tmp_path / "other" / "reports")


def dump(folder: Path, rows: Sequence[Any], name: str = "dump.csv") -> list[str]:
    return [write_csv(folder / name, rows)]


def answers(settings: Settings, k: int = 8) -> list[Answer]:
    resolved = Resolved(settings, {**dict.fromkeys(SETTING_NAMES, "default"), "metric": "--metric"})
    with Store.open(settings.db) as store:
        searcher = Searcher.load(store, settings_in_service(store, resolved))
        return searcher.query_many(ASKED, k, settings.threshold)


def plain(found: list[Answer]) -> list[list[tuple[str, float, float]]]:
    return [[(match.question.id, match.distance, match.probability) for match in answer.matches] for answer in found]


def address(settings: Settings) -> str:
    return make_url(settings.db).set(drivername="postgresql").render_as_string(hide_password=False)


def tables(settings: Settings) -> list[str]:
    with psycopg.connect(address(settings)) as connection:
        found = connection.execute("SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ^@ 'dedup_vectors_'")
        return sorted(name for (name,) in found)


@metrics
def test_answers_are_those_of_an_exact_index_on_every_machine(
    metric: Metric, here: Settings, there: Settings, settings: Settings, tmp_path: Path
) -> None:
    flat = replace(settings, metric=metric, index=IndexKind.FLAT)
    here, there = replace(here, metric=metric), replace(there, metric=metric)
    run(dump(tmp_path, MANY), flat)
    expected = plain(answers(flat))
    run(dump(tmp_path, MANY), here)
    assert plain(answers(there)) == expected


def test_what_another_machine_built_needs_no_files_and_no_encoding(
    here: Settings, there: Settings, trigrams: HashingEncoder, tmp_path: Path
) -> None:
    run(dump(tmp_path, MANY), here)
    before = plain(answers(here))
    trigrams.encoded.clear()
    assert plain(answers(there)) == before
    assert len(trigrams.encoded) == len(ASKED)
    done = reindex(dump(tmp_path, [*MANY, ("new", "how do i boil 99 lamps?", 1)]), there)
    assert done.summary.encoded == 1
    assert done.summary.questions == len(MANY) + 1


def test_what_was_added_and_deleted_by_turns_is_as_if_all_was_built_anew(
    here: Settings, there: Settings, tmp_path: Path
) -> None:
    """Each machine goes on from what the other one published, in the same table of vectors."""
    run(dump(tmp_path, MANY[:280]), here)
    first = tables(here)
    for settings, until in ((there, 285), (here, 292)):
        done = reindex(dump(tmp_path, MANY[until - 280 : until]), settings, complete=True)
        assert not done.summary.compacted
    assert tables(here) == first
    amended = plain(answers(here))
    assert plain(answers(there)) == amended
    run(dump(tmp_path, MANY[12:292]), replace(here, recall_floor=0.98))
    assert plain(answers(here)) == amended
    assert len(tables(here)) == 2


def test_a_classifier_goes_with_the_generation_and_the_users_own_stays(
    here: Settings, there: Settings, trigrams: HashingEncoder, tmp_path: Path
) -> None:
    def used(settings: Settings) -> float:
        return load_classifier(settings.indexes, trigrams.name, trigrams.fingerprint, Metric.EUCLIDEAN).slope

    made = fake_classifier(Metric.EUCLIDEAN, trigrams)
    for slope in (9.0, 8.0):  # the second one replaces the first, which came from the database
        save_classifier(replace(made, slope=slope), here.indexes)
        run(dump(tmp_path, KITCHEN), here)
        answers(there)
        assert used(there) == slope
    save_classifier(replace(made, slope=5.0), there.indexes)
    save_classifier(replace(made, slope=7.0), here.indexes)
    run(dump(tmp_path, KITCHEN), here)
    answers(there)
    assert used(there) == 5.0


def test_going_back_works_from_a_machine_without_the_generation(
    here: Settings, there: Settings, tmp_path: Path
) -> None:
    first = run(dump(tmp_path, MANY[:250]), here).summary.generation
    before = plain(answers(here))
    second = run(dump(tmp_path, MANY), here).summary.generation
    with Store.open(there.db) as store:
        assert [(each.name, each.present) for each in list_generations(store, there.indexes)] == [
            (second, True),
            (first, True),
        ]
    assert roll_back(there, None).generation == first
    assert plain(answers(there)) == plain(answers(here))
    assert plain(answers(here)) == before
    later = reindex(dump(tmp_path, [*MANY, ("x", "why hide?", 0)]), here)
    assert later.summary.questions == len(MANY) + 1
    assert len(tables(here)) == 2 + later.summary.compacted


def test_pruning_drops_the_tables_that_no_generation_searches(here: Settings, there: Settings, tmp_path: Path) -> None:
    for until in (100, 200, 300):
        run(dump(tmp_path, MANY[:until]), here)
    last = plain(answers(here))
    with psycopg.connect(address(here)) as connection:
        connection.execute("CREATE TABLE dedup_vectors_of_a_killed_job (number integer)")
    assert len(tables(here)) == 4
    assert len(prune(there, 1).generations) == 2
    assert len(tables(here)) == 1
    assert plain(answers(there)) == last
    with Store.open(here.db) as store:
        assert len(store.shared_generations()) == 1


def test_damage_is_named_and_mended(here: Settings, there: Settings, tmp_path: Path) -> None:
    run(dump(tmp_path, MANY), here)
    before = plain(answers(here))
    assert examine(here, Silent()).damages == ()
    assert examine(there, Silent()).damages == ()
    (table,) = tables(here)
    with psycopg.connect(address(here)) as connection:
        connection.execute(f"DELETE FROM {table} WHERE number = 7")
    (damage,) = examine(here, Silent()).damages
    assert damage.said == f"the table {table} has 299 of the generation's 300 vectors"
    (damage,) = examine(there, Silent()).damages
    assert damage.said == f"the table {table} has 299 of the generation's 300 vectors", "on a machine that has no files"
    assert not any(there.indexes.glob("generation-*"))
    with Store.open(here.db) as store:
        assert len(verify_generations(store, here.indexes, [store.shared_generations()[0]])) == 1
    mended = repair(Resolved(here, dict.fromkeys(SETTING_NAMES, "--flag")))
    assert mended.after.damages == ()
    assert plain(answers(here)) == before
    with psycopg.connect(address(here)) as connection:
        connection.execute(f"DROP TABLE {tables(here)[0]}")
    with pytest.raises(ArtifactDamaged, match="is not in the database; run `dedup run` to build the index again"):
        answers(here)


def test_a_restored_backup_has_its_index_built_again(here: Settings, there: Settings, tmp_path: Path) -> None:
    """A backup has no vectors of the database's; taken on a machine that has fetched nothing yet."""
    run(dump(tmp_path, MANY), here)
    before = plain(answers(here))
    save(there, tmp_path / "backup")
    with psycopg.connect(address(here)) as connection:
        connection.execute(f"DROP TABLE shared_files, shared_generations, {tables(here)[0]}")
    restore(there, tmp_path / "backup", force=True)
    (damage,) = examine(there, Silent()).damages
    assert damage.said.endswith("is in service, and its vectors are not in the database")
    assert repair(Resolved(there, dict.fromkeys(SETTING_NAMES, "--flag"))).after.damages == ()
    assert plain(answers(there)) == before


def test_a_backup_restored_into_sqlite_has_an_index_of_files_built(
    here: Settings, settings: Settings, tmp_path: Path
) -> None:
    run(dump(tmp_path, MANY), here)
    before = plain(answers(here))
    save(here, tmp_path / "backup")
    restore(settings, tmp_path / "backup", force=True)
    with pytest.raises(ArtifactDamaged, match=r"is in PostgreSQL, not in this database; run `dedup run`"):
        answers(settings)
    assert repair(Resolved(settings, dict.fromkeys(SETTING_NAMES, "--flag"))).after.damages == ()
    assert plain(answers(settings)) == before
    with Store.open(settings.db) as store:
        assert settings_to_go_on(store, Resolved(settings, dict.fromkeys(SETTING_NAMES, "default"))).index == "auto"


def test_sqlite_and_vectors_too_long_are_refused_in_one_line(
    here: Settings, settings: Settings, tmp_path: Path
) -> None:
    with pytest.raises(StoreError, match=r"^--index pgvector needs PostgreSQL, the database is sqlite.*give --db"):
        run(dump(tmp_path, KITCHEN), replace(settings, index=IndexKind.PGVECTOR))
    with Store.open(here.db) as store, pytest.raises(StoreError, match="2001 components, pgvector's graph takes 2000"):
        store.create_vectors(
            "generation-long", np.zeros((1, 2001), np.float32), Metric.EUCLIDEAN, graph=False, advance=abs
        )


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("0.7.4", r"has pgvector 0\.7\.4, needed is 0\.8 or later; .*ALTER EXTENSION vector UPDATE"),
        (None, r"has no pgvector, which --index pgvector needs; install it .*CREATE EXTENSION vector"),
    ],
)
def test_a_server_without_pgvector_is_refused_with_what_to_do(
    version: str | None, said: str, here: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with Store.open(here.db) as store:
        if version is None:  # a role that may not create it
            store.require_vectors()
            url = address(here)
            with psycopg.connect(url) as connection:
                connection.execute("DROP EXTENSION vector")
                connection.execute("DROP ROLE IF EXISTS nobody_of_note")
                connection.execute("CREATE ROLE nobody_of_note LOGIN SUPERUSER")
                connection.execute("ALTER ROLE nobody_of_note NOSUPERUSER")
                connection.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO nobody_of_note")
            here = replace(
                here, db=str(make_url(here.db).set(username="nobody_of_note", password=None).render_as_string(False))
            )
        else:
            monkeypatch.setattr(Store, "_version", lambda self: version)
    with Store.open(here.db) as store, pytest.raises(StoreError, match=said) as refusal:
        store.require_vectors()
    assert "\n" not in str(refusal.value)


@pytest.mark.slow
def test_two_processes_at_once_lose_nothing_and_one_job_waits_for_the_other(
    here: Settings, there: Settings, tmp_path: Path
) -> None:
    for settings in (here, there):
        settings.indexes.mkdir(parents=True, exist_ok=True)
    variables = {"DEDUP_INDEX": "pgvector", "DEDUP_RECALL_FLOOR": "0.9"}
    files = [dump(tmp_path, MANY[start::2], f"{start}.csv")[0] for start in (0, 1)]
    for metric in Metric:
        save_classifier(fake_classifier(metric, HashingEncoder()), there.indexes)
    with (
        started(here, "run", files[0], "--wait", "50", variables=variables) as one,
        started(there, "run", files[1], "--wait", "50", variables=variables) as other,
    ):
        ends = [(process.communicate(timeout=60), process.returncode) for process in (one, other)]
    assert [code for _, code in ends] == [0, 0], ends
    assert len(encoded(here)) + len(encoded(there)) == len(
        MANY
    )  # what one has encoded, the other does not encode again
    code, out, err = ended(here, "query", MANY[1][1], "--json", variables={})
    assert code == 0, err
    assert '"distance": 0.0' in out


def test_a_deadlock_with_another_session_is_overcome(here: Settings, tmp_path: Path) -> None:
    run(dump(tmp_path, KITCHEN), here)
    url = address(here)
    with psycopg.connect(url) as stranger, Store.open(here.db) as store:
        stranger.execute("SET deadlock_timeout = '20s'")  # so that it is ours that is given up
        stranger.execute("SELECT * FROM corpus FOR UPDATE")
        put = threading.Thread(
            target=store.put_questions, args=([Question("n", "what is new?")],), kwargs={"actor": "me"}
        )
        put.start()
        ours_waits = "SELECT 1 FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
        while not stranger.execute(ours_waits).fetchone():
            pass

        stranger.execute(f"SELECT pg_advisory_xact_lock({int.from_bytes(b'dedup')})")
        stranger.commit()
        put.join()
        assert store.counts().questions == len(KITCHEN) + 1


@pytest.mark.parametrize(("failures", "works"), [(ATTEMPTS - 1, True), (ATTEMPTS, False)])
def test_retries_are_bounded_and_for_what_was_given_up_alone(
    failures: int, works: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr("dedup.store.retries.time.sleep", waited.append)
    calls: list[Callable[[], Exception]] = []

    def work(cause: Exception) -> str:
        calls.append(lambda: cause)
        if len(calls) <= failures:
            raise StoreError("given up") from cause
        return "done"

    if works:
        assert retried(work)(psycopg.errors.DeadlockDetected()) == "done"
        assert len(waited) == failures
        assert waited[-1] > waited[0]
    else:
        with pytest.raises(StoreError):
            retried(work)(psycopg.errors.SerializationFailure())
        assert len(calls) == ATTEMPTS
    calls.clear()
    with pytest.raises(StoreError):
        retried(work)(psycopg.errors.UniqueViolation())
    assert len(calls) == 1


def test_a_graph_in_the_making_is_given_up_where_the_work_is_interrupted(
    here: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dedup.store.vectors._ASKED_EVERY", 0.05)
    vectors = np.random.default_rng(5).normal(size=(60_000, 64)).astype(np.float32)
    told: list[int] = []

    def stop(count: int) -> None:
        told.append(count)
        raise Interrupted(signal.SIGTERM)

    with Store.open(here.db) as store:
        with pytest.raises(Interrupted):
            store.create_vectors("generation-stopped", vectors, Metric.EUCLIDEAN, graph=True, advance=stop)
        assert told[0] < 60_000, "not at the end"
        assert len(told) == 1
    assert tables(here) == []
