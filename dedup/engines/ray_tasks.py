"""Tasks of a Ray cluster as workers: Ray places them, and starts those anew whose worker or node is lost."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from dedup.engines.protocol import WAITING, Failed, Task, attempted
from dedup.errors import EngineError, first_line

_INSTALL = "pip install 'question-dedup[ray]'"
_PATIENCE = 10.0  # seconds for a connection to a cluster
_INHERITED = ("PYTHONPATH", "XDG_CACHE_HOME")  # what a worker has to know of where the program and its models are


class RayTasks:
    """The processors of a cluster, and its GPUs. See `dedup.engines.protocol.Pool`.

    What a GPU does better is asked for with ``num_gpus=1`` while there are GPUs without enough to do, else with
    ``num_cpus=1``: Ray places neither on a node that has not got it, and gives a worker no other GPU than its own.
    """

    def __init__(self, ray: Any, slots: int, gpus: int) -> None:
        self._ray = ray
        self.slots = slots
        self.gpus = gpus
        self._on_gpus: set[Any] = set()
        # Lost workers are counted by `Engine.map` as any other failure is: one way to try again.
        self._attempt = ray.remote(num_cpus=1, max_retries=0)(attempted)
        # No processor is asked for: tasks that need one could hold all of them for as long as there are any. Workers of
        # their own, by another environment: torch sees the devices that were there when it was first asked. They are
        # kept (max_calls), with the model that they have loaded.
        tokenising = {"env_vars": {"TOKENIZERS_PARALLELISM": "true"}}
        on_gpu = ray.remote(num_cpus=0, num_gpus=1, max_retries=0, max_calls=0, runtime_env=tokenising)
        self._attempt_on_gpu = on_gpu(attempted)

    def start(self, work: Callable[[Any], Any], task: Task, *, gpu: bool) -> Any:
        """See `Pool.start`."""
        if gpu and len(self._on_gpus) < WAITING * self.gpus:
            started = self._attempt_on_gpu.remote(work, task)
            self._on_gpus.add(started)
            return started
        return self._attempt.remote(work, task)

    def ended(self, started: Sequence[Any]) -> Sequence[tuple[Any, Any]]:
        """See `Pool.ended`."""
        done, _ = self._ray.wait(started, num_returns=1)
        self._on_gpus.difference_update(done)
        return [(reference, self._result(reference)) for reference in done]

    def _result(self, reference: Any) -> Any:
        errors = self._ray.exceptions
        try:
            return self._ray.get(reference)
        except errors.RayError as error:
            lost = isinstance(error, errors.WorkerCrashedError | errors.OutOfMemoryError)
            return Failed(f"{type(error).__name__}: {first_line(error)}", again=True, by_content=lost)


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
    ray = require_ray(address)
    variables = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    # What has asked for no GPU sees none: else every task of a node would put its model on the one that it has.
    variables |= {"OMP_NUM_THREADS": "1", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1"}
    here: dict[str, Any] = {} if address else {"num_cpus": count or os.cpu_count(), "include_dashboard": False}
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        ray.init(
            address=address or "local",  # without one it would join whatever cluster it finds
            log_to_driver=False,
            logging_level=logging.ERROR,
            runtime_env={"env_vars": variables},
            **here,
        )
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise _no_cluster(address or "this machine", error) from error
    finally:  # Ray's own would end this process, with the signal's number, in the middle of whatever it is at
        if threading.current_thread() is threading.main_thread():
            for number, handler in handlers.items():
                signal.signal(number, handler or signal.SIG_DFL)
    try:
        resources: Any = ray.cluster_resources  # Ray's own code says nothing of its types
        there = resources()
        yield RayTasks(ray, count or max(1, int(there.get("CPU", 1))), int(there.get("GPU", 0)))
    finally:
        ray.shutdown()


def require_ray(address: str | None) -> Any:
    """Return Ray's module, where it is installed and a cluster may be at the address; EngineError as `ray_tasks`."""
    try:
        import ray
    except ImportError as error:
        raise EngineError(f"Ray is not installed; run {_INSTALL}, or leave --engine ray out") from error
    if address:
        _require_listener(address)
    return ray


def _require_listener(address: str) -> None:
    """Make sure that somebody listens at HOST:PORT: Ray itself would go on trying for a quarter of an hour."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdigit():
        return  # "auto": Ray knows by a file of this machine
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE).close()
    except (OSError, OverflowError) as error:
        raise _no_cluster(address, error) from error


def _no_cluster(where: str, error: Exception) -> EngineError:
    return EngineError(
        f"there is no Ray cluster at {where} ({first_line(error)[:120]}); start one with `ray start --head`, or leave "
        "--address out"
    )
