"""The stopwatch keeps every stage's seconds and passes on what is shown."""

from contextlib import contextmanager

import pytest

from dedup import meters
from dedup.progress import Silent, Stopwatch


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(meters, "time", clock)
    return clock


def test_seconds_are_kept_by_stage_in_the_order_they_ran_and_added_up(clock):
    watch = Stopwatch(Silent())
    for name, seconds in (("read", 2.0), ("encode", 5.0), ("read", 1.5)):
        with watch.stage(name, "questions"):
            clock.now += seconds
    assert list(watch.seconds.items()) == [("read", 3.5), ("encode", 5.0)]


def test_a_stage_that_fails_is_timed_and_its_error_goes_on(clock):
    watch = Stopwatch(Silent())

    def fail():
        clock.now += 4.0
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), watch.stage("read", "rows"):
        fail()
    assert watch.seconds == {"read": 4.0}


def test_what_is_shown_is_told_of_the_stage_and_of_every_advance():
    told = []

    class Told:
        @contextmanager
        def stage(self, name, unit, total=None):
            told.append((name, unit, total))
            yield told.append
            told.append("ended")

    with Stopwatch(Told()).stage("join", "rows", total=7) as advance:
        advance(3)
        advance(4)
    assert told == [("join", "rows", 7), 3, 4, "ended"]
