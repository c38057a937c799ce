"""On a Ray cluster of three nodes: all is done, killed workers and removed nodes cost attempts and nothing else."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from engines.pools import Square, devices, square
from shards.cases import Case, same

from dedup.engines import Engine, opened_engine
from dedup.engines.ray_tasks import RayTasks
from dedup.errors import ShardFailed
from dedup.questions import Metric
from dedup.settings import EngineKind, Settings

# Ray leaves sockets of its own open when it ends, and warns of what it will change one day.
pytestmark = [
    pytest.mark.filterwarnings(
        "ignore::ResourceWarning", "ignore::FutureWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
    ),
    pytest.mark.slow,
]
ray_cluster = pytest.importorskip("ray.cluster_utils", reason="Ray is not installed", exc_type=ImportError)

EXPECTED = [number**2 for number in range(12)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[object]:
    head = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 80 << 20}
    started = ray_cluster.Cluster(initialize_head=True, head_node_args=head)
    yield started
    started.shutdown()


@pytest.fixture(scope="module")
def nodes(cluster) -> list[object]:
    return [cluster.add_node(num_cpus=1, object_store_memory=80 << 20) for _ in range(2)]


@pytest.fixture(scope="module")
def engine(cluster, nodes) -> Iterator[Engine]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join((str(Path(__file__).parents[1]), *sys.path)))
        with opened_engine(Settings(engine=EngineKind.RAY, address=cluster.address)) as opened:
            yield opened


def squares(folder, **how) -> list[Square]:
    return [Square(number, folder, **how) for number in range(12)]


def test_all_is_done_by_all_nodes(engine, tmp_path):
    assert engine.slots == 3
    assert sorted(engine.map(square, squares(tmp_path))) == EXPECTED


def test_a_killed_worker_costs_an_attempt(engine, tmp_path):
    assert sorted(engine.map(square, squares(tmp_path, killed_on=5))) == EXPECTED
    assert len(list(tmp_path.glob("5-*"))) == 2


def test_a_poisoned_shard_is_named(engine, tmp_path):
    with pytest.raises(ShardFailed, match=r"square 5 failed 3 times: OSError: no room"):
        list(engine.map(square, squares(tmp_path, failing_on=5)))


def test_a_removed_node_loses_nothing(engine, cluster, nodes, tmp_path):
    results = engine.map(square, squares(tmp_path, seconds=0.3))
    found = [next(results)]
    cluster.remove_node(nodes.pop(), allow_graceful=False)
    assert sorted([*found, *results]) == EXPECTED


def test_a_full_disk_costs_attempts(engine, tmp_path):
    assert sorted(engine.map(square, squares(tmp_path, full_on=5, full_for=2))) == EXPECTED


def test_a_shard_that_always_kills_its_worker_is_named_or_divided(engine, tmp_path):
    with pytest.raises(ShardFailed, match=r"square 5 failed 3 times: WorkerCrashedError"):
        list(engine.map(square, squares(tmp_path, killed_on=5, always_killed=True)))
    found = engine.map(square, squares(tmp_path, killed_on=5, always_killed=True), divide=lambda task, failed: [])
    assert sorted(found) == [number for number in EXPECTED if number != 25]


def test_a_gpu_is_asked_for_where_it_helps_and_others_see_none(engine, cluster, tmp_path):
    node = cluster.add_node(num_cpus=1, num_gpus=1, object_store_memory=80 << 20)
    with_gpu = Engine(RayTasks(sys.modules["ray"], 4, 1))
    helped = list(with_gpu.map(devices, squares(tmp_path, seconds=0.2), gpu=True))
    assert set(helped) == {"0", ""}
    assert set(with_gpu.map(devices, squares(tmp_path))) == {""}
    assert "0" not in engine.map(devices, squares(tmp_path), gpu=True), "there were no GPUs when this one was opened"
    cluster.remove_node(node)


@pytest.mark.parametrize("metric", list(Metric))
def test_a_corpus_has_the_pairs_of_one_piece(engine, tmp_path, metric):
    case = Case(metric, in_cells=True)
    compared = case.in_shards(tmp_path, engine, shard_size=400)
    assert same(compared.joined.pairs, case.joined.pairs)
    assert np.array_equal(compared.judged, case.judged)
