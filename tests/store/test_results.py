from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path

import numpy as np
import pytest
from findings import findings
from sqlalchemy import Connection, Table, event, select

from dedup.errors import CorpusChanged, StoreError
from dedup.questions import Metric, Question, question_key
from dedup.store import (
    GenerationRecord,
    RecordedClusters,
    RecordedPairs,
    RunKind,
    RunOutcome,
    RunState,
    Store,
    bulk,
)
from dedup.store.bulk import remove
from dedup.store.models import Base, ClusterRow, MemberRow, PairRow

NUMBERS = sorted(question_key("default", str(n)) for n in range(30))


@dataclass
class Found:
    """What a run found, in plain dictionaries."""

    pairs: dict[tuple[int, int], tuple[float, float]] = field(default_factory=dict)
    members: dict[int, tuple[int, float]] = field(default_factory=dict)
    clusters: dict[int, tuple[int, int, float]] = field(default_factory=dict)


def start(store: Store) -> int:
    return store.start_run(RunKind.RUN, Metric.MANHATTAN, 0.5, {})


def generation(store: Store, name: str = "g1") -> GenerationRecord:
    encoder = store.register_encoder("f", "mini", 4, 1)
    return GenerationRecord(name, encoder, Metric.MANHATTAN, "flat", 30, 1.0)


def random_found(rng: np.random.Generator) -> Found:
    found = Found()
    for _ in range(int(rng.integers(0, 60))):
        left, right = sorted(rng.choice(NUMBERS, 2, replace=False).tolist())
        found.pairs[left, right] = float(rng.choice([0.0, 0.1, 1 / 3])), float(rng.choice([0.5, 0.9]))
    ids = rng.choice(np.arange(1, 40), int(rng.integers(1, 20)), replace=False).tolist()
    for number in NUMBERS:
        found.members[number] = int(rng.choice(ids)), float(rng.choice([0.5, 1.0]))
    for cluster in {cluster for cluster, _ in found.members.values()}:
        inside = [number for number, (own, _) in found.members.items() if own == cluster]
        found.clusters[cluster] = int(rng.choice(inside)), len(inside), float(rng.choice([0.5, 1.0]))
    return found


def arrays(found: Found, rng: np.random.Generator) -> tuple[RecordedPairs, RecordedClusters]:
    pairs = sorted(found.pairs)
    members = rng.permutation(np.array(list(found.members), dtype=np.int64)).tolist()
    clusters = rng.permutation(np.array(list(found.clusters), dtype=np.int64)).tolist()
    return RecordedPairs(
        np.array([left for left, _ in pairs], dtype=np.int64),
        np.array([right for _, right in pairs], dtype=np.int64),
        np.array([found.pairs[pair][0] for pair in pairs]),
        np.array([found.pairs[pair][1] for pair in pairs]),
    ), RecordedClusters(
        np.array(members, dtype=np.int64),
        np.array([found.members[number][0] for number in members]),
        np.array([found.members[number][1] for number in members]),
        np.array(clusters, dtype=np.int64),
        *(np.array([found.clusters[cluster][at] for cluster in clusters]) for at in range(3)),
    )


def write(
    store: Store, run: int, published: GenerationRecord, pairs: RecordedPairs, clusters: RecordedClusters
) -> None:
    found, outcome = findings(published, pairs, clusters), RunOutcome({"of run": run})
    store.write_results(run, store.recorded(), found, outcome, corpus_revision=store.corpus().revision)


def recorded(store: Store) -> tuple[dict, dict, dict]:
    with store._database.reading() as connection:
        pairs = connection.execute(
            select(PairRow.left_id, PairRow.right_id, PairRow.distance, PairRow.probability, PairRow.run_id)
        ).all()
        members = connection.execute(select(MemberRow.question_id, MemberRow.cluster_id, MemberRow.probability)).all()
        clusters = connection.execute(
            select(
                ClusterRow.id,
                ClusterRow.canonical_id,
                ClusterRow.size,
                ClusterRow.weakest_probability,
                ClusterRow.run_id,
            )
        ).all()
    return (
        {(row[0], row[1]): tuple(row[2:]) for row in pairs},
        {row[0]: tuple(row[1:]) for row in members},
        {row[0]: tuple(row[1:]) for row in clusters},
    )


def updated(before: dict, found: dict, run: int) -> dict:
    """Return what should be recorded: rows as they were keep their run, all others have this one."""
    return {
        key: before[key] if key in before and before[key][:-1] == value else (*value, run)
        for key, value in found.items()
    }


@pytest.fixture
def filled(store: Store) -> Store:
    store.record_questions(start(store), [Question(str(n), f"text {n}") for n in range(30)])
    return store


@pytest.mark.parametrize("worth_a_file", [1, bulk._WORTH_A_FILE])
@pytest.mark.parametrize("seed", range(3))
def test_each_run_replaces_what_the_last_one_found(
    filled: Store, seed: int, worth_a_file: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "_WORTH_A_FILE", worth_a_file)
    rng = np.random.default_rng(seed)
    found = random_found(rng)
    pairs: dict = {}
    clusters: dict = {}
    for step in range(8):
        if step % 3:  # sometimes most stays as it is
            changed = random_found(rng)
            kept = rng.random() < 0.5
            found = Found(
                {**found.pairs, **dict(list(changed.pairs.items())[:5])} if kept else changed.pairs,
                found.members if kept else changed.members,
                found.clusters if kept else changed.clusters,
            )
        run = start(filled)
        write(filled, run, generation(filled), *arrays(found, rng))
        pairs, clusters = updated(pairs, found.pairs, run), updated(clusters, found.clusters, run)
        assert recorded(filled) == (pairs, found.members, clusters)


def test_sqlite_looks_up_the_pairs_that_go(tmp_path: Path) -> None:
    """Else one that goes would take as long as all that stay."""
    ran: list[str] = []
    key = ("left_id", "right_id")
    with Store.open(f"sqlite:///{tmp_path / 'dedup.db'}") as store:
        event.listen(store._database.engine, "before_cursor_execute", lambda *given: ran.append(given[2]))
        with (
            store._database.writing() as connection,
            bulk.staged(connection, PairRow, {name: np.array([at]) for at, name in enumerate(key)}, key=key) as rows,
        ):
            remove(connection, PairRow, rows, key=key)
            deletion = next(statement for statement in ran if statement.startswith("DELETE"))
            plan = [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {deletion}")]
    assert any(step.startswith("SEARCH pairs") for step in plan)
    assert not any(step.startswith("SCAN pairs") for step in plan)


def test_nothing_found_deletes_everything(filled: Store) -> None:
    rng = np.random.default_rng(0)
    write(filled, start(filled), generation(filled), *arrays(random_found(rng), rng))
    write(filled, start(filled), generation(filled), *arrays(Found(), rng))
    assert recorded(filled) == ({}, {}, {})


def test_float32_distances_are_recorded_exactly(filled: Store) -> None:
    rng = np.random.default_rng(0)
    found = random_found(rng)
    pairs, clusters = arrays(found, rng)
    narrow = pairs.distance.astype(np.float32)
    narrowed = RecordedPairs(pairs.left, pairs.right, narrow, pairs.probability)
    write(filled, start(filled), generation(filled), narrowed, clusters)
    rows = recorded(filled)[0]
    assert [rows[pair][0] for pair in sorted(rows)] == narrow.astype(np.float64).tolist()


def test_the_generation_published_last_is_the_one_in_service(filled: Store) -> None:
    rng = np.random.default_rng(0)
    assert filled.published_generation() is None
    first, second, third = start(filled), start(filled), start(filled)
    for run, name in ((first, "g1"), (second, "g2")):
        write(filled, run, generation(filled, name), *arrays(Found(), rng))
        published = filled.published_generation()
        assert (published.name, published.run_id, filled.run(run).generation) == (name, run, name)
    write(filled, third, generation(filled, "g1"), *arrays(Found(), rng))  # built by the first, used again
    published = filled.published_generation()
    assert (published.name, published.run_id, filled.run(third).generation) == ("g1", first, "g1")
    assert (published.metric, published.kind, published.vectors, published.recall) == (
        Metric.MANHATTAN,
        "flat",
        30,
        1.0,
    )
    assert published.published_at >= filled.run(first).started_at


def test_a_question_that_is_not_recorded_is_refused_and_the_last_results_stand(filled: Store) -> None:
    rng = np.random.default_rng(0)
    write(filled, start(filled), generation(filled), *arrays(random_found(rng), rng))
    before = recorded(filled)
    found = random_found(rng)
    found.pairs[1, NUMBERS[0]] = 0.0, 1.0
    with pytest.raises(StoreError, match="a pair has a question that is in no cluster"):
        write(filled, start(filled), generation(filled, "g2"), *arrays(found, rng))
    with pytest.raises(StoreError, match="no run 999 is recorded"):
        write(filled, 999, generation(filled, "g2"), *arrays(Found(), rng))
    assert recorded(filled) == before
    assert filled.published_generation().name == "g1"


def test_what_is_in_service_is_the_run_its_generation_and_whether_the_corpus_is_still_the_same(filled: Store) -> None:
    rng = np.random.default_rng(0)
    assert filled.in_service() is None
    run = start(filled)
    outcome = RunOutcome({"questions": 30}, {"slope": 2.5}, "digest")
    found = arrays(random_found(rng), rng)
    published, revision = findings(generation(filled), *found), filled.corpus().revision
    filled.write_results(run, filled.recorded(), published, outcome, corpus_revision=revision)
    service = filled.in_service()
    assert (service.generation, service.run) == (filled.published_generation(), filled.run(run))
    assert (service.run.state, service.run.counts, service.run.classifier) == (
        RunState.DONE,
        {"questions": 30},
        {"slope": 2.5},
    )
    assert (service.run.corpus_digest, service.run.generation, service.run.report) == ("digest", "g1", None)
    assert service.run.started_at <= service.run.finished_at
    assert service.current

    filled.record_questions(start(filled), [Question(str(n), f"text {n}") for n in range(30)])
    assert filled.in_service() == service
    filled.record_questions(start(filled), [Question("3", "text 3", views=1)])
    assert filled.in_service() == replace(service, current=False)


def test_what_was_written_last_is_in_service_though_the_clock_was_set_back(
    filled: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    first, second = start(filled), start(filled)
    write(filled, first, generation(filled, "g1"), *arrays(Found(), rng))

    class EarlierClock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime(2001, 1, 1, tzinfo=tz)

    for module in ("publication", "runs"):
        monkeypatch.setattr(f"dedup.store.{module}.datetime", EarlierClock)
    write(filled, second, generation(filled, "g2"), *arrays(Found(), rng))
    service = filled.in_service()
    assert (service.generation.name, service.run.id) == ("g2", second)
    assert service.generation.published_at == service.run.finished_at == datetime(2001, 1, 1, tzinfo=UTC)
    assert filled.published_generation() == service.generation


def test_a_run_whose_corpus_was_changed_by_another_is_refused_and_the_others_results_stand(database_url: str) -> None:
    rng = np.random.default_rng(1)
    with Store.open(database_url) as slow, Store.open(database_url) as quick:
        slow_run = start(slow)
        slow.record_questions(slow_run, [Question(str(n), f"text {n}") for n in range(30)])
        stale = slow.corpus()
        quick_run = start(quick)
        quick.record_questions(quick_run, [Question("30", "one more")])
        write(quick, quick_run, generation(quick, "g1"), *arrays(random_found(rng), rng))
        before, service = recorded(quick), quick.in_service()

        found = findings(generation(slow, "g2"), *arrays(random_found(rng), rng))
        outcome = RunOutcome({})
        with pytest.raises(CorpusChanged, match=r"^questions were recorded while this run worked; run it again$"):
            slow.write_results(slow_run, slow.recorded(), found, outcome, corpus_revision=stale.revision)
        assert recorded(quick) == before
        assert quick.in_service() == service
        assert service.current
        assert (slow.run(slow_run).state, slow.run(slow_run).generation) == (RunState.RUNNING, None)

        now = slow.corpus().revision  # run again, it would have read what is there now
        slow.write_results(slow_run, slow.recorded(), found, outcome, corpus_revision=now)
        assert (quick.in_service().generation.name, quick.in_service().current) == ("g2", True)


@pytest.mark.parametrize("since", ["nothing", "one more", "another text", "one less"])
def test_a_corpus_may_have_grown_where_that_is_allowed_and_nothing_else(database_url: str, since: str) -> None:
    rng = np.random.default_rng(1)
    with Store.open(database_url) as store:
        run = start(store)
        store.record_questions(run, [Question(str(n), f"text {n}") for n in range(30)])
        corpus = store.corpus()
        if since == "one more":
            store.record_questions(start(store), [Question("30", "one more")])
        elif since == "another text":
            store.record_questions(start(store), [Question("7", "text of another kind")])
        elif since == "one less":
            store.delete_questions([int(corpus.ids[0])], actor="test")
        found = findings(generation(store, "g"), *arrays(random_found(rng), rng))
        told = {"corpus_revision": corpus.revision, "despite_news": corpus}
        if since in ("another text", "one less"):
            with pytest.raises(CorpusChanged):
                store.write_results(run, store.recorded(), found, RunOutcome({}), **told)
            assert store.in_service() is None
            return
        store.write_results(run, store.recorded(), found, RunOutcome({}), **told)
        assert store.in_service().generation.name == "g"
        assert store.in_service().current == (since == "nothing")
        assert store.pending_questions() == (since == "one more")


def test_a_question_that_was_away_for_a_while_has_lost_its_pairs(filled: Store) -> None:
    rng = np.random.default_rng(1)
    write(filled, start(filled), generation(filled, "g1"), *arrays(random_found(rng), rng))
    corpus, before, run = filled.corpus(), filled.recorded(), start(filled)
    (away,) = filled.questions([int(corpus.ids[0])]).values()
    filled.delete_questions([int(corpus.ids[0])], actor="test")
    filled.record_questions(start(filled), [away])
    found = findings(generation(filled, "g2"), *arrays(random_found(rng), rng))
    told = {"corpus_revision": corpus.revision, "despite_news": corpus}
    with pytest.raises(CorpusChanged):
        filled.write_results(run, before, found, RunOutcome({}), **told)
    assert filled.in_service().generation.name == "g1"


@pytest.mark.parametrize("broken", [ClusterRow, MemberRow])
def test_a_failure_after_the_pairs_are_written_leaves_the_run_running_and_the_old_service(
    filled: Store, broken: type[Base], monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(2)
    write(filled, start(filled), generation(filled, "g1"), *arrays(random_found(rng), rng))
    before, service = recorded(filled), filled.in_service()
    reached = []

    def remove_until_broken(connection: Connection, model: type[Base], rows: Table, *, key: Sequence[str]) -> None:
        if model is broken:
            reached.append(set(connection.execute(select(PairRow.left_id, PairRow.right_id)).all()))
            raise OSError("the power fails")
        remove(connection, model, rows, key=key)

    monkeypatch.setattr("dedup.store.results.remove", remove_until_broken)
    run = start(filled)
    found = random_found(rng)
    with pytest.raises(OSError, match="the power fails"):
        write(filled, run, generation(filled, "g2"), *arrays(found, rng))
    assert reached == [set(found.pairs)]  # the pairs had been written
    assert reached != [set(before[0])]
    assert recorded(filled) == before
    assert filled.in_service() == service
    record = filled.run(run)
    assert (record.state, record.counts, record.finished_at, record.generation) == (RunState.RUNNING, {}, None, None)


@pytest.mark.parametrize(
    ("left", "right"), [([2], [1]), ([1], [1]), ([1, 1], [2, 2]), ([2, 1], [3, 3]), ([1, 1], [3, 2]), ([1], [2, 3])]
)
def test_pairs_out_of_order_are_refused(left: list[int], right: list[int]) -> None:
    values = np.ones(len(left))
    with pytest.raises(ValueError, match=r"pairs must have left < right|expected one length"):
        RecordedPairs(np.array(left), np.array(right), values, values)


@pytest.mark.parametrize(
    ("question", "cluster", "ids", "size", "reason"),
    [
        ([1, 1], [1, 2], [1, 2], [1, 1], "in two clusters"),
        ([1, 2], [1, 1], [1], [1], "not those of their members"),
        ([1, 2], [1, 2], [1], [2], "not those of their members"),
        ([1, 2], [1, 1], [1, 2], [2, 0], "not those of their members"),
        ([1, 2], [1], [1], [1], "expected one length"),
    ],
)
def test_clusters_that_are_no_partition_are_refused(
    question: list[int], cluster: list[int], ids: list[int], size: list[int], reason: str
) -> None:
    ones = np.ones(len(ids))
    with pytest.raises(ValueError, match=reason):
        RecordedClusters(
            np.array(question),
            np.array(cluster),
            np.ones(len(question)),
            np.array(ids),
            np.ones(len(ids), dtype=np.int64),
            np.array(size),
            ones,
        )


def test_two_runs_that_finish_at_once_leave_the_results_of_one(database_url: str) -> None:
    rng = np.random.default_rng(5)
    found = [random_found(rng), random_found(rng)]
    with Store.open(database_url) as store:
        store.record_questions(start(store), [Question(str(n), f"text {n}") for n in range(30)])
        runs = [start(store), start(store)]
        written = [arrays(each, rng) for each in found]
        generations = [generation(store, name) for name in ("g0", "g1")]

    def finish(at: int) -> int:
        written_now = 0
        with Store.open(database_url) as own:
            for _ in range(5):
                with suppress(StoreError):  # the other was put in service while this one compared
                    write(own, runs[at], generations[at], *written[at])
                    written_now += 1
        return written_now

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(finish, range(2))) > 0
    with Store.open(database_url) as store:
        pairs, members, clusters = recorded(store)
        service = store.in_service()
    winner = found[int(service.generation.name[1])]
    assert service.run.id == runs[int(service.generation.name[1])]
    assert {pair: measured[:2] for pair, measured in pairs.items()} == winner.pairs
    assert members == winner.members
    assert {cluster: row[:3] for cluster, row in clusters.items()} == winner.clusters
