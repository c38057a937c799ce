"""Workers on any machine that claim shards in the database (`dedup work`), and how shards get there and back."""

from __future__ import annotations

import io
import logging
import pickle
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from dedup.engines.protocol import LOST_WORKER, Task, attempted
from dedup.errors import EngineError

log = logging.getLogger(__name__)

_SECONDS_BETWEEN_LOOKS = 0.05
_SECONDS_WITHOUT_WORKERS = 10.0  # from then on it is said that there are none
_OF_LIBRARIES = {
    "builtins": {"frozenset", "set", "slice", "range", "complex", "bytearray"},
    "numpy": {"dtype", "ndarray"},
    "numpy._core.multiarray": {"_reconstruct", "scalar"},
    "numpy._core.numeric": {"_frombuffer"},
    "numpy.core.multiarray": {"_reconstruct", "scalar"},  # before NumPy 2
    "numpy.core.numeric": {"_frombuffer"},
    "pathlib": {"PosixPath"},
    "pathlib._local": {"PosixPath"},
}
_WORK = "dedup.shards"


class TaskQueue(Protocol):
    """Where shards of work are handed out, see `dedup.store.tasks`."""

    def put(self, name: str, content: bytes) -> int:
        """Hand out a shard of work; return its number."""

    def taken_back(self) -> list[tuple[int, bytes | None]]:
        """Return what has ended since it was last asked, by number; None where the worker was lost."""

    def workers(self) -> int:
        """Return how many shards the workers that are there work on at once."""


class ClaimedTasks:
    """Workers that come for their work. See `dedup.engines.protocol.Pool`."""

    gpus = 0  # what GPU there is, every worker finds for itself

    def __init__(self, queue: TaskQueue, count: int) -> None:
        """Count on so many workers; 0: on those that are there, EngineError where there is none."""
        self._queue = queue
        self.slots = count or queue.workers()
        if not self.slots:
            raise EngineError(
                "no worker claims shards in this database; start `dedup work` on one machine or more and run it again, "
                "or say with --workers how many will come"
            )
        self._seen = time.monotonic()

    def start(self, work: Callable[[Any], Any], task: Task, *, gpu: bool) -> int:
        """See `Pool.start`."""
        return self._queue.put(task.name, pickle.dumps((work, task)))

    def ended(self, started: Sequence[int]) -> Sequence[tuple[int, Any]]:
        """See `Pool.ended`."""
        while True:
            found = [(number, result) for number, result in self._queue.taken_back() if number in started]
            if found:
                self._seen = time.monotonic()
                return [(number, LOST_WORKER if result is None else received(result)) for number, result in found]
            if time.monotonic() - self._seen > _SECONDS_WITHOUT_WORKERS:
                self._seen = time.monotonic()
                if not self._queue.workers():
                    log.warning("%d shards wait, and no worker is there: start `dedup work`", len(started))
            time.sleep(_SECONDS_BETWEEN_LOOKS)


def attempted_as_sent(content: bytes) -> bytes:
    """Do what was sent by `ClaimedTasks.start`, in a worker; return what came of it, to be sent back."""
    work, task = received(content)
    return sent_back(attempted(work, task))


def sent_back(result: Any) -> bytes:
    """Return what came of an attempt as it is sent; of one that no worker was left to send, that it failed."""
    return result if isinstance(result, bytes) else pickle.dumps(result)


def received(content: bytes) -> Any:
    """Return what was sent; whoever may write to the database must not be able to run whatever code they like.

    Raises
    ------
    EngineError
        Where something else than numbers, arrays, the classes of this package and the work on its shards is in it.
    """
    return _Unpickler(io.BytesIO(content)).load()


class _Unpickler(pickle.Unpickler):
    """Source: Python's manual, "Restricting Globals" under pickle."""

    def find_class(self, module: str, name: str) -> Any:
        if name in _OF_LIBRARIES.get(module, ()):
            return super().find_class(module, name)
        if module.startswith("dedup.") and "." not in name:
            found = super().find_class(module, name)
            if isinstance(found, type) and found.__module__ == module:
                return found
            if module.startswith(_WORK) and getattr(found, "__module__", "") == module:
                return found
        raise EngineError(
            f"what came from the database names {module}.{name}, which is no shard of work; it was not run"
        )
