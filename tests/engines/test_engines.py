"""Every engine does all of the work, tries again what was lost, and names what cannot be done."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest
from engines.pools import Here, Square, square, square_or_say_why

from dedup.engines import Engine, Failed, opened_engine
from dedup.errors import EngineError, ShardFailed
from dedup.settings import EngineKind, Settings


def squares(folder, **how) -> list[Square]:
    return [Square(number, folder, **how) for number in range(12)]


EXPECTED = [number**2 for number in range(12)]


@pytest.fixture(scope="module", params=["this process", "two processes"])
def engine(request) -> Iterator[Engine]:
    if request.param == "this process":
        yield Engine(Here())
        return
    with opened_engine(Settings(workers=2)) as opened:
        yield opened


def test_all_is_done_once(engine, tmp_path):
    assert sorted(engine.map(square, squares(tmp_path))) == EXPECTED
    assert len(list(tmp_path.iterdir())) == 12


def test_a_shard_that_always_fails_is_named_after_three_attempts(engine, tmp_path):
    with pytest.raises(ShardFailed, match=r"square 5 failed 3 times: OSError: no room"):
        list(engine.map(square, squares(tmp_path, failing_on=5)))
    assert len(list(tmp_path.glob("5-*"))) == 3


def test_an_error_that_says_what_to_do_is_not_tried_again(engine, tmp_path):
    with pytest.raises(ShardFailed, match=r"square 5 failed once: the encoder gave 'x' no direction"):
        list(engine.map(square, squares(tmp_path, refused_on=5)))
    assert len(list(tmp_path.glob("5-*"))) == 1


def test_a_killed_process_costs_an_attempt_and_nothing_else(tmp_path):
    with opened_engine(Settings(workers=2)) as engine:
        assert sorted(engine.map(square, squares(tmp_path, killed_on=5))) == EXPECTED
    assert len(list(tmp_path.glob("5-*"))) >= 2


def test_a_shard_that_kills_its_worker_takes_no_other_with_it(tmp_path):
    # All that is under way is lost with a process of a pool; those that did nothing are not the ones that failed.
    with (
        opened_engine(Settings(workers=2)) as engine,
        pytest.raises(ShardFailed, match=r"square 5 failed 3 times: a worker was killed"),
    ):
        list(engine.map(square, squares(tmp_path, killed_on=5, always_killed=True)))


def test_a_shard_that_fails_for_what_is_in_it_is_divided(tmp_path):
    divided: list[tuple[int, str]] = []

    def divide(task: Square, failed: Failed) -> list[Square]:
        divided.append((task.number, failed.reason))
        return [replace(task, number=number, killed_on=-1) for number in (100, 101)] if task.number == 5 else []

    with opened_engine(Settings(workers=2)) as engine:
        found = list(engine.map(square, squares(tmp_path, killed_on=5, always_killed=True), divide=divide))
    assert sorted(found) == sorted([*(number for number in EXPECTED if number != 25), 100**2, 101**2])
    assert divided == [(5, "a worker was killed")]


@pytest.mark.parametrize(("lost_for", "fails"), [(2, False), (3, True)])
def test_a_part_is_tried_again_where_it_failed_for_what_is_not_in_it(engine, tmp_path, lost_for, fails):
    def divide(task: Square, failed: Failed) -> list[Square]:
        return [replace(task, number=number, killed_on=-1) for number in (100, 101)]

    tasks = squares(tmp_path, content_on=5, lost_on=100, lost_for=lost_for)
    found = engine.map(square_or_say_why, tasks, divide=divide)
    if fails:
        with pytest.raises(ShardFailed, match=r"square 100 failed 3 times: the connection is lost"):
            list(found)
    else:
        assert sorted(found) == sorted([*(number for number in EXPECTED if number != 25), 100**2, 101**2])
    assert len(list(tmp_path.glob("100-*"))) == 3


def test_a_full_disk_costs_attempts_and_is_named_where_it_stays_full(engine, tmp_path):
    assert sorted(engine.map(square, squares(tmp_path, full_on=5, full_for=2))) == EXPECTED
    assert len(list(tmp_path.glob("5-*"))) == 3
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(ShardFailed, match=r"^square 5 failed 3 times: the work folder .* cannot be used \(.*too large"):
        list(engine.map(square, squares(other, full_on=5, full_for=9)))
    assert not any((other / "work").iterdir())


def test_no_more_is_under_way_than_the_workers_need(tmp_path):
    pool = Here(slots=3)
    assert sorted(Engine(pool).map(square, squares(tmp_path))) == EXPECTED
    assert pool.most_under_way == 6


def test_without_ray_its_install_line_is_given(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with (
        pytest.raises(EngineError, match=r"run pip install 'question-dedup\[ray\]'"),
        opened_engine(Settings(engine=EngineKind.RAY)),
    ):
        pass


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "127.0.0.1:99999"])
def test_an_address_where_nobody_listens_is_refused_at_once(address):
    pytest.importorskip("ray", reason="Ray is not installed", exc_type=ImportError)
    with (
        pytest.raises(EngineError, match=rf"^there is no Ray cluster at {address} \(.*ray start --head"),
        opened_engine(Settings(engine=EngineKind.RAY, address=address)),
    ):
        pass
