"""What each reviewer looks at next, some pairs ahead, so that the share of those drawn at random is kept."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque

import numpy as np

from dedup.reviewing import Asked, next_pairs
from dedup.store import Store

_AHEAD = 16
_MOST_REVIEWERS = 1024


class ReviewQueues:
    """A queue for each reviewer; it is drawn anew when it is empty, and when another run's results are in service."""

    def __init__(self) -> None:
        self._queues: OrderedDict[tuple[str, int], deque[Asked]] = OrderedDict()
        self._lock = threading.Lock()

    def first(self, store: Store, reviewer: str, run_id: int, *, threshold: float) -> Asked | None:
        """Return the pair that a reviewer looks at, until it is dropped; None where nothing is left to ask."""
        with self._lock:
            queue = self._of(reviewer, run_id)
            if queue:
                return queue[0]
        drawn = next_pairs(store, reviewer, _AHEAD, threshold=threshold, random=np.random.default_rng())
        with self._lock:
            queue = self._of(reviewer, run_id)
            if not queue:
                queue.extend(drawn)
            return queue[0] if queue else None

    def drop(self, reviewer: str, run_id: int, left: int, right: int) -> None:
        """Look at a pair no more."""
        with self._lock:
            queue = self._of(reviewer, run_id)
            others = [asked for asked in queue if {asked.left.number, asked.right.number} != {left, right}]
            queue.clear()
            queue.extend(others)

    def put_back(self, reviewer: str, run_id: int, asked: Asked) -> None:
        """Look at a pair again, first of all."""
        self.drop(reviewer, run_id, asked.left.number, asked.right.number)
        with self._lock:
            self._of(reviewer, run_id).appendleft(asked)

    def _of(self, reviewer: str, run_id: int) -> deque[Asked]:
        queue = self._queues.setdefault((reviewer, run_id), deque())
        self._queues.move_to_end((reviewer, run_id))
        while len(self._queues) > _MOST_REVIEWERS:
            self._queues.popitem(last=False)
        return queue
