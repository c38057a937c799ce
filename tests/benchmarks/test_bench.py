"""The whole harness on 300 questions, with ours and what needs no peer."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from stand_ins import LOWER_CASE, StandIn
from toy import write_pairs

from benchmarks import bench
from benchmarks.competitors import COMPETITORS, Competitor

LABELS = [("Can cats eat rice", "can cats eat rice", 1), ("Can cats eat rice", "Can dogs eat rice", 0)]
Bench = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def _process_as_before() -> Iterator[None]:
    cores, handler = os.sched_getaffinity(0), signal.getsignal(signal.SIGTERM)
    yield
    os.sched_setaffinity(0, cores)
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def measure_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Run the benchmark in an empty folder and return its results.json."""

    def run(competitors: list[Competitor], *arguments: str) -> dict[str, Any]:
        monkeypatch.setattr("sys.argv", ["bench", "--folder", str(tmp_path / "bench"), *arguments])
        bench.main(competitors)
        said: dict[str, Any] = json.loads((tmp_path / "bench" / "results.json").read_text("utf-8"))
        return said

    return run


def by_name(results: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(each["competitor"], each["corpus"]): each for each in results["measurements"]}


@pytest.mark.slow
def test_ours_and_exact_search_are_measured_side_by_side(measure_all: Bench) -> None:
    names = ("dedup-run-static-euclidean", "dedup-join-static-euclidean", "flat-join-static-euclidean")
    found = by_name(measure_all([each for each in COMPETITORS if each.name in names], "--sizes", "300"))
    run, join, flat = (found[name, "300"] for name in names)
    assert (join["recall"], flat["recall"]) == (1.0, 1.0)
    assert join["found"] == flat["found"]
    assert join["found"]["pairs"] > 0
    assert run["found"]["clusters"] > 0
    assert run["stages"].keys() >= {"read", "encode", "join", "cluster", "write"}
    assert sum(run["stages"].values()) < run["seconds"]
    assert set(run["follow_ups"]) == {"query", "rerun"}


@pytest.mark.slow
def test_clusters_are_judged_on_labelled_pairs(measure_all: Bench, tmp_path: Path) -> None:
    labelled = write_pairs(tmp_path / "labelled.csv", LABELS)
    found = by_name(measure_all([StandIn(LOWER_CASE)], "--sizes", "50", "--labelled", labelled))
    assert found["stand-in", "labelled"]["scores"]["f1"] == 1.0
    assert found["stand-in", "50"]["scores"] == {}  # the labelled questions are not among these


def test_what_is_finished_is_not_measured_again_unless_asked(measure_all: Bench, tmp_path: Path) -> None:
    counts = StandIn(f"open({str(tmp_path / 'runs')!r}, 'a').write('x')")
    for _ in range(2):
        measure_all([counts], "--sizes", "50")
    assert (tmp_path / "runs").read_text() == "xx"  # one to warm up
    measure_all([counts], "--sizes", "50", "--fresh")
    assert (tmp_path / "runs").read_text() == "xxxx"


def test_what_failed_is_measured_again(measure_all: Bench, tmp_path: Path) -> None:
    needs = StandIn(f"open({str(tmp_path / 'needed')!r}).read()")
    (failed,) = measure_all([needs], "--sizes", "50")["measurements"]
    assert failed["seconds"] is None
    assert "FileNotFoundError" in failed["fault"]
    (tmp_path / "needed").touch()
    (done,) = measure_all([needs], "--sizes", "50")["measurements"]
    assert done["fault"] is None


@pytest.mark.slow
def test_what_is_over_the_limit_is_measured_on_fewer_questions(measure_all: Bench) -> None:
    slow = StandIn("import sys, time; time.sleep(60 if int(sys.argv[2]) > 2000 else 0)")
    results = measure_all([slow], "--sizes", "4000", "--limit", "5")
    found = by_name(results)
    assert found["stand-in", "4000"]["over_limit"]
    assert {corpus for _, corpus in found} == {"4000", "2000", "1000"}
    assert results["laws"]["stand-in"]["sizes"] == [1000, 2000]


def test_ended_by_a_signal_it_ends_what_it_measures(measure_all: Bench, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    says_and_waits = f"import os, signal; open({str(pid)!r}, 'w').write(str(os.getpid()))\n"
    ends_its_parent = "os.kill(os.getppid(), signal.SIGTERM); signal.pause()"
    with pytest.raises(SystemExit):
        measure_all([StandIn(says_and_waits + ends_its_parent)], "--sizes", "50")
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_a_peer_without_its_packages_is_left_out(measure_all: Bench) -> None:
    assert measure_all([StandIn("", peer=True)], "--sizes", "50")["measurements"] == []
