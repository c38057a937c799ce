"""From an engine's name to the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeAlias

from dedup.engines.claimed import ClaimedTasks, TaskQueue
from dedup.engines.protocol import Engine
from dedup.settings import EngineKind, Settings

OpenQueue: TypeAlias = Callable[[], AbstractContextManager[TaskQueue]]
"""Opens the place where workers claim shards; `dedup.store.Store.task_queue` does."""


@contextmanager
def opened_engine(settings: Settings, task_queue: OpenQueue | None = None) -> Iterator[Engine]:
    """Give the engine of the settings until the context ends: its processes end with it.

    Raises
    ------
    EngineError
        Where it cannot be had.
    """
    if settings.engine is EngineKind.RAY:
        from dedup.engines.ray_tasks import ray_tasks

        with ray_tasks(settings.address, settings.workers) as tasks:
            yield Engine(tasks)
        return
    if settings.engine is EngineKind.DATABASE:
        assert task_queue is not None, "shards are handed out in the database of a store"
        with task_queue() as queue:
            yield Engine(ClaimedTasks(queue, settings.workers))
        return
    from dedup.engines.local import processes

    with processes(settings.workers) as pool:
        yield Engine(pool)


def require_engine(settings: Settings, task_queue: OpenQueue | None = None) -> None:
    """Make sure, before any work, that the engine of the settings may be had: all but starting it.

    Raises
    ------
    EngineError
        Where Ray is not installed, nobody listens at the address of its cluster, or no worker has come.
    """
    if settings.engine is EngineKind.RAY:
        from dedup.engines.ray_tasks import require_ray

        require_ray(settings.address)
    elif settings.engine is EngineKind.DATABASE:
        with opened_engine(settings, task_queue):
            pass
