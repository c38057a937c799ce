from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pytest
from sqlalchemy import select

from dedup.errors import StoreError
from dedup.questions import Metric, Question, question_key
from dedup.store import GenerationRecord, RecordedClusters, RecordedPairs, RunKind, Store
from dedup.store.models import ClusterRow, MemberRow, PairRow

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


@pytest.mark.parametrize("seed", range(3))
def test_each_run_replaces_what_the_last_one_found(filled: Store, seed: int) -> None:
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
        filled.write_results(run, generation(filled), *arrays(found, rng))
        pairs, clusters = updated(pairs, found.pairs, run), updated(clusters, found.clusters, run)
        assert recorded(filled) == (pairs, found.members, clusters)


def test_nothing_found_deletes_everything(filled: Store) -> None:
    rng = np.random.default_rng(0)
    filled.write_results(start(filled), generation(filled), *arrays(random_found(rng), rng))
    filled.write_results(start(filled), generation(filled), *arrays(Found(), rng))
    assert recorded(filled) == ({}, {}, {})


def test_float32_distances_are_recorded_exactly(filled: Store) -> None:
    rng = np.random.default_rng(0)
    found = random_found(rng)
    pairs, clusters = arrays(found, rng)
    narrow = pairs.distance.astype(np.float32)
    filled.write_results(
        start(filled), generation(filled), RecordedPairs(pairs.left, pairs.right, narrow, pairs.probability), clusters
    )
    rows = recorded(filled)[0]
    assert [rows[pair][0] for pair in sorted(rows)] == narrow.astype(np.float64).tolist()


def test_the_generation_published_last_is_the_one_in_service(filled: Store) -> None:
    rng = np.random.default_rng(0)
    assert filled.published_generation() is None
    first, second, third = start(filled), start(filled), start(filled)
    for run, name in ((first, "g1"), (second, "g2")):
        filled.write_results(run, generation(filled, name), *arrays(Found(), rng))
        published = filled.published_generation()
        assert (published.name, published.run_id, filled.run(run).generation) == (name, run, name)
    filled.write_results(third, generation(filled, "g1"), *arrays(Found(), rng))  # built by the first, used again
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
    filled.write_results(start(filled), generation(filled), *arrays(random_found(rng), rng))
    before = recorded(filled)
    found = random_found(rng)
    found.pairs[1, NUMBERS[0]] = 0.0, 1.0
    with pytest.raises(StoreError, match="a pair has a question that is in no cluster"):
        filled.write_results(start(filled), generation(filled, "g2"), *arrays(found, rng))
    with pytest.raises(StoreError, match="no run 999 is recorded"):
        filled.write_results(999, generation(filled, "g2"), *arrays(Found(), rng))
    assert recorded(filled) == before
    assert filled.published_generation().name == "g1"


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

    def write(at: int) -> None:
        with Store.open(database_url) as own:
            for _ in range(5):
                own.write_results(runs[at], generations[at], *written[at])

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, range(2)))
    with Store.open(database_url) as store:
        pairs, members, clusters = recorded(store)
        published = store.published_generation()
    winner = found[int(published.name[1])]
    assert {pair: measured[:2] for pair, measured in pairs.items()} == winner.pairs
    assert members == winner.members
    assert {cluster: row[:3] for cluster, row in clusters.items()} == winner.clusters
