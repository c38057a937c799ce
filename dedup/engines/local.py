"""Processes of this machine as workers."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

from dedup.engines.protocol import LOST_WORKER, Task, attempted

_ORPHANED_SECONDS = 1.0  # how often a worker looks whether the process that started it is still there


class Processes:
    """So many processes; all are started anew where one of them is killed. See `dedup.engines.protocol.Pool`."""

    gpus = 0  # what GPU there is, every process finds for itself

    def __init__(self, count: int) -> None:
        self.slots = count
        self._executor = self._started()

    def start(self, work: Callable[[Any], Any], task: Task, *, gpu: bool) -> Future[Any]:
        """See `Pool.start`."""
        try:
            return self._executor.submit(attempted, work, task)
        except BrokenProcessPool:
            self.close()
            self._executor = self._started()
            return self._executor.submit(attempted, work, task)

    def ended(
        self, started: Sequence[Future[Any]], *, seconds: float | None = None
    ) -> Sequence[tuple[Future[Any], Any]]:
        """See `Pool.ended`; with ``seconds``, wait no longer than that, though none has ended."""
        done = wait(started, timeout=seconds, return_when=FIRST_COMPLETED).done
        return [(future, _result(future)) for future in done]

    def close(self) -> None:
        """End the processes, also those that are at work."""
        for process in list((self._executor._processes or {}).values()):
            process.terminate()
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _started(self) -> ProcessPoolExecutor:
        # Not forked: libraries of ours have threads, whose locks a copy of the process would hold for ever.
        return ProcessPoolExecutor(
            self.slots, mp_context=get_context("spawn"), initializer=_prepare, initargs=(os.getpid(),)
        )


@contextmanager
def processes(count: int) -> Iterator[Processes]:
    """Give so many processes until the context ends."""
    pool = Processes(count)
    try:
        yield pool
    finally:
        pool.close()


def _result(future: Future[Any]) -> Any:
    try:
        return future.result()
    except BrokenProcessPool:
        return LOST_WORKER


def _prepare(parent: int) -> None:
    """Hold a worker to one core, and let it end with the process that started it, killed or not."""
    import faiss
    from threadpoolctl import threadpool_limits

    faiss.omp_set_num_threads(1)
    threadpool_limits(1)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_ORPHANED_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()
