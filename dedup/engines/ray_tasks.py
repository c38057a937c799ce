"""Tasks of a Ray cluster as workers: Ray places them, and starts those anew whose worker or node is lost."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from dedup.engines.protocol import Failed, Task, attempted
from dedup.errors import EngineError, first_line

_INSTALL = "pip install 'question-dedup[ray]'"
_INHERITED = ("PYTHONPATH", "XDG_CACHE_HOME")  # what a worker has to know of where the program and its models are


class RayTasks:
    """The processors of a cluster. See `dedup.engines.protocol.Pool`."""

    def __init__(self, ray: Any, slots: int) -> None:
        self._ray = ray
        self._slots = slots
        # Lost workers are counted by `Engine.map` as any other failure is: one way to try again.
        self._attempt = ray.remote(attempted).options(num_cpus=1, max_retries=0)

    @property
    def slots(self) -> int:
        """See `Pool.slots`."""
        return self._slots

    def start(self, work: Callable[[Any], Any], task: Task) -> Any:
        """See `Pool.start`."""
        return self._attempt.remote(work, task)

    def ended(self, started: Sequence[Any]) -> Sequence[tuple[Any, Any]]:
        """See `Pool.ended`."""
        done, _ = self._ray.wait(started, num_returns=1)
        return [(reference, self._result(reference)) for reference in done]

    def _result(self, reference: Any) -> Any:
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            return Failed(f"{type(error).__name__}: {first_line(error)}", again=True)


@contextmanager
def ray_tasks(address: str | None, count: int) -> Iterator[RayTasks]:
    """Join the cluster at an address ("auto": the one of this machine), or start one here, until the context ends.

    Parameters
    ----------
    count
        How many tasks are worked on at once; 0: as many as there are processors.

    Raises
    ------
    EngineError
        Where Ray is not installed, or there is no cluster at the address.
    """
    try:
        import ray
    except ImportError as error:
        raise EngineError(f"Ray is not installed; run {_INSTALL}, or leave --engine ray out") from error
    variables = {name: os.environ[name] for name in _INHERITED if name in os.environ} | {"OMP_NUM_THREADS": "1"}
    here: dict[str, Any] = {} if address else {"num_cpus": count or os.cpu_count(), "include_dashboard": False}
    try:
        ray.init(
            address=address or "local",  # else Ray would join whatever cluster it finds a trace of
            log_to_driver=False,
            logging_level=logging.ERROR,
            runtime_env={"env_vars": variables},
            **here,
        )
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise EngineError(
            f"there is no Ray cluster at {address or 'this machine'} ({first_line(error)[:120]}); start one with "
            "`ray start --head`, or leave --address out"
        ) from error
    try:
        resources: Any = ray.cluster_resources  # Ray's own code says nothing of its types
        yield RayTasks(ray, count or max(1, int(resources().get("CPU", 1))))
    finally:
        ray.shutdown()
