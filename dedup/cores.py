"""The processor's cores: independent tasks are spread over them, and their results come back in order."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, TypeVar

from dedup.memory import ease

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

Task = TypeVar("Task")
Result = TypeVar("Result")

_WAITING = 2  # tasks under way or finished and not yet taken, per core: what is kept in memory


def core_count() -> int:
    """Return how many cores there are to use: those the process may run on, fewer where OMP_NUM_THREADS says so."""
    import faiss

    return int(faiss.omp_get_max_threads())


def spread(work: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[Result]:
    """Do ``work`` on each task, as many at once as there are cores, and yield the results in the tasks' order.

    Before each task the process gives back what memory it can spare, if it has to (`dedup.memory.ease`).
    For work that NumPy, FAISS or torch do outside Python's lock. They use one core each meanwhile: threads of theirs
    beside ours would wait for each other.
    """
    cores = core_count()
    if min(cores, len(tasks)) < 2:
        for task in tasks:
            ease()
            yield work(task)
        return

    def eased(task: Task) -> Result:
        ease()
        return work(task)

    with _one_core_each(), ThreadPoolExecutor(cores, initializer=on_one_core) as pool:
        under_way: deque[Future[Result]] = deque()
        try:
            for task in tasks:
                under_way.append(pool.submit(eased, task))
                if len(under_way) > _WAITING * cores:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        finally:
            for future in under_way:
                future.cancel()


def ahead(made: Iterator[Result]) -> Iterator[Result]:
    """Yield what is made, each while the next is made by a thread of its own; an error comes in its turn.

    For what spends its time in Python, beside what spends it outside Python's lock.
    """
    end = object()
    # Log lines of the thread are about the same run.
    make = partial(copy_context().run, next, made, end)
    with ThreadPoolExecutor(1) as pool:
        under_way: Future[Any] = pool.submit(make)
        while (item := under_way.result()) is not end:
            under_way = pool.submit(make)
            yield item


@contextmanager
def alone(*, where: bool = True) -> Iterator[None]:
    """Have FAISS use one core, ``where`` the work is little: to wake and wait for others takes many times as long."""
    if not where:
        yield
        return
    import faiss

    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)


def one_core_a_thread() -> None:
    """Hold NumPy's BLAS to one core for good, in a process whose threads each answer a question.

    Two threads of BLAS take .6 ms for the products of one vector with 4,096 others where nothing else runs, and 4.5
    where something does: they wait for each other. One takes .6 ms.
    """
    _libraries(len(sys.modules)).limit(limits=1, user_api="blas")


def on_one_core() -> None:
    """Hold the OpenMP libraries of this thread, and of none other, to one core."""
    import faiss

    faiss.omp_set_num_threads(1)
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(1)


@contextmanager
def _one_core_each() -> Iterator[None]:
    torch = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch is not None else 0
    try:
        with _libraries(len(sys.modules)).limit(limits=1, user_api="blas"):
            yield
    finally:
        if torch is not None:
            torch.set_num_threads(threads)  # new threads of torch take the number that was set last, on any thread


@lru_cache(maxsize=1)
def _libraries(_modules: int) -> ThreadpoolController:
    """Return what sets the threads of the libraries that are loaded; those come with modules.

    To look for them takes 3 milliseconds, and work is spread thousands of times.
    """
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
