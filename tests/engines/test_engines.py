"""Every engine does all of the work, tries again what was lost, and names what cannot be done."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from engines.pools import Here, Square, square

from dedup.engines import Engine, opened_engine
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
