"""Queries that come at the same time, answered together.

A worker on each core takes whatever waits and answers it with one encoding: alone a query waits for nobody, and under
load the batches grow by themselves. What may wait is bounded: beyond that a query is refused at once, with the time
after which to try again, so that those who are served are served in time.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from dedup.queries import Answer, Query

log = logging.getLogger(__name__)

MOST_TOGETHER = 16
"""Queries answered with one encoding; more would make the first of them wait for the last."""


class QueueFull(Exception):
    """As many queries wait as may."""


class QueueClosed(Exception):
    """No more queries are taken: the service stops."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    queries: Sequence[Query]
    until: float  # by the monotonic clock: later nobody waits for the answer
    answers: Future[list[Answer]]


class QueryQueue:
    """A bounded queue of queries and the threads that answer them.

    Parameters
    ----------
    answer
        Answers several queries at once, in their order.
    longest
        How many queries may wait.
    workers
        How many batches are answered at once.
    """

    def __init__(self, answer: Callable[[Sequence[Query]], list[Answer]], *, longest: int, workers: int = 1) -> None:
        self._answer = answer
        self._longest = longest
        self._waiting: deque[_Waiting] = deque()
        self._depth = 0
        self._changed = threading.Condition()
        self._closed = False
        self._workers = [
            threading.Thread(target=self._work, name=f"queries-{number}", daemon=True) for number in range(workers)
        ]
        for worker in self._workers:
            worker.start()

    @property
    def depth(self) -> int:
        """How many queries wait."""
        return self._depth

    @property
    def is_full(self) -> bool:
        """Whether a query that came now would be refused."""
        return self._depth >= self._longest

    def submit(self, queries: Sequence[Query], *, seconds: float) -> Future[list[Answer]]:
        """Put queries in the queue; their answers come together, in their order.

        They are not answered at all once nobody waits any more: after ``seconds``, or where the future is cancelled.

        Raises
        ------
        QueueFull
            Where not all of them may wait. Where none waits, any number may.
        QueueClosed
            After `close`.
        """
        answers: Future[list[Answer]] = Future()
        with self._changed:
            if self._closed:
                raise QueueClosed
            if self._depth and self._depth + len(queries) > self._longest:
                raise QueueFull
            self._waiting.append(_Waiting(queries, time.monotonic() + seconds, answers))
            self._depth += len(queries)
            self._changed.notify()
        return answers

    def close(self) -> None:
        """Take no more queries, answer those that wait, and end the threads."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for worker in self._workers:
            worker.join()

    def _work(self) -> None:
        while some := self._next():
            wanted = [each for each in some if each.answers.set_running_or_notify_cancel()]
            now = time.monotonic()
            for late in [each for each in wanted if each.until < now]:
                late.answers.set_exception(TimeoutError())
            if in_time := [each for each in wanted if each.until >= now]:
                self._answer_all(in_time)

    def _next(self) -> list[_Waiting]:
        """Wait for queries and take as many as are answered together; none once the queue is closed and empty."""
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            taken: list[_Waiting] = []
            together = 0
            while self._waiting and (not taken or together + len(self._waiting[0].queries) <= MOST_TOGETHER):
                taken.append(self._waiting.popleft())
                together += len(taken[-1].queries)
            self._depth -= together
            return taken

    def _answer_all(self, some: Sequence[_Waiting]) -> None:
        try:
            answers = self._answer([query for each in some for query in each.queries])
        except Exception as error:
            if len(some) > 1:  # one query at fault must not fail the others
                for each in some:
                    self._answer_all([each])
                return
            some[0].answers.set_exception(error)
            return
        start = 0
        for each in some:
            each.answers.set_result(answers[start : start + len(each.queries)])
            start += len(each.queries)
