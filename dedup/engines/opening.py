"""From an engine's name to the engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dedup.engines.protocol import Engine
from dedup.settings import EngineKind, Settings


@contextmanager
def opened_engine(settings: Settings) -> Iterator[Engine]:
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
    from dedup.engines.local import processes

    with processes(settings.workers) as pool:
        yield Engine(pool)
