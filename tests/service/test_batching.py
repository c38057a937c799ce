"""Queries that come at the same time."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future

import pytest

from dedup.queries import Answer, Query
from dedup.questions import Metric
from dedup.service.batching import MOST_TOGETHER, QueryQueue, QueueClosed, QueueFull


class Slow:
    """Answers each query with its own text, once it is let go; notes what it was given together."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Event()

    def __call__(self, queries: Sequence[Query]) -> list[Answer]:
        self.batches.append([query.text for query in queries])
        self.begun.release()
        assert self.go_on.wait(10)
        if any(query.text == "bad" for query in queries):
            raise ValueError("a bad query")
        return [Answer(query.text, "none", Metric.EUCLIDEAN, ()) for query in queries]


def asked(*texts: str) -> list[Query]:
    return [Query(text, 1, 0.5) for text in texts]


def told(future: Future[list[Answer]]) -> list[str]:
    return [answer.query for answer in future.result(10)]


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
def queue(slow: Slow):
    made = QueryQueue(slow, longest=8)
    yield made
    slow.go_on.set()
    made.close()


def hold(queue: QueryQueue, slow: Slow) -> Future[list[Answer]]:
    """Keep the worker busy with a first query."""
    first = queue.submit(asked("first"), seconds=10)
    assert slow.begun.acquire(timeout=10)
    return first


def test_what_waits_is_answered_together_and_each_gets_its_own(queue: QueryQueue, slow: Slow) -> None:
    first = hold(queue, slow)
    waiting = [queue.submit(asked(*texts), seconds=10) for texts in ("ab", "c", "de")]
    slow.go_on.set()
    assert told(first) == ["first"]
    assert [told(each) for each in waiting] == [["a", "b"], ["c"], ["d", "e"]]
    assert slow.batches == [["first"], ["a", "b", "c", "d", "e"]]


def test_no_more_than_so_many_are_answered_together(slow: Slow) -> None:
    queue = QueryQueue(slow, longest=10 * MOST_TOGETHER)
    hold(queue, slow)
    waiting = [queue.submit(asked("a", "b", "c"), seconds=10) for _ in range(MOST_TOGETHER)]
    slow.go_on.set()
    for each in waiting:
        told(each)
    queue.close()
    assert max(map(len, slow.batches)) <= MOST_TOGETHER
    assert sum(map(len, slow.batches)) == 1 + 3 * MOST_TOGETHER


def test_a_full_queue_refuses_and_takes_again(queue: QueryQueue, slow: Slow) -> None:
    hold(queue, slow)
    waiting = queue.submit(asked(*"abcdefg"), seconds=10)
    with pytest.raises(QueueFull):
        queue.submit(asked("h", "i"), seconds=10)
    assert queue.depth == 7
    last = queue.submit(asked("h"), seconds=10)
    slow.go_on.set()
    assert told(waiting) == list("abcdefg")
    assert told(last) == ["h"]
    assert told(queue.submit(asked("again"), seconds=10)) == ["again"]
    assert queue.depth == 0


def test_nobody_works_for_who_no_longer_waits(queue: QueryQueue, slow: Slow) -> None:
    hold(queue, slow)
    late = queue.submit(asked("late"), seconds=-1)
    gone = queue.submit(asked("gone"), seconds=10)
    kept = queue.submit(asked("kept"), seconds=10)
    assert gone.cancel()
    slow.go_on.set()
    assert told(kept) == ["kept"]
    with pytest.raises(TimeoutError):
        late.result(10)
    assert slow.batches == [["first"], ["kept"]]


def test_a_query_that_fails_fails_alone(queue: QueryQueue, slow: Slow) -> None:
    hold(queue, slow)
    good, bad, other = (queue.submit(asked(text), seconds=10) for text in ("good", "bad", "other"))
    slow.go_on.set()
    assert told(good) == ["good"]
    assert told(other) == ["other"]
    with pytest.raises(ValueError, match="a bad query"):
        bad.result(10)


def test_closing_answers_what_waits_and_takes_no_more(queue: QueryQueue, slow: Slow) -> None:
    first = hold(queue, slow)
    waiting = queue.submit(asked("waiting"), seconds=10)
    closing = threading.Thread(target=queue.close)
    closing.start()
    slow.go_on.set()
    closing.join(10)
    assert told(first) + told(waiting) == ["first", "waiting"]
    with pytest.raises(QueueClosed):
        queue.submit(asked("too late"), seconds=10)
