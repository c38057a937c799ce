"""Work for workers, and a pool that needs none."""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa

from dedup.engines import Failed, WorkFolder
from dedup.engines.protocol import Task, attempted
from dedup.errors import DedupError, EngineError


class Here:
    """Does each task in this process, when it is waited for; the last one started first."""

    gpus = 0

    def __init__(self, slots: int = 1) -> None:
        self.slots = slots
        self.most_under_way = 0
        self._work: dict[int, tuple[Callable[[Any], Any], Task]] = {}
        self._numbers = count()

    def start(self, work: Callable[[Any], Any], task: Task, *, gpu: bool) -> int:
        number = next(self._numbers)
        self._work[number] = work, task
        self.most_under_way = max(self.most_under_way, len(self._work))
        return number

    def ended(self, started: Sequence[int]) -> Sequence[tuple[int, Any]]:
        return [(started[-1], attempted(*self._work.pop(started[-1])))]


@dataclass(frozen=True)
class Square:
    """A number to be squared; in some folder, what was tried before is counted by files."""

    number: int
    folder: Path
    killed_on: int = -1
    failing_on: int = -1
    refused_on: int = -1
    content_on: int = -1
    lost_on: int = -1
    lost_for: int = 0  # attempts
    full_on: int = -1
    full_for: int = 0  # attempts
    always_killed: bool = False
    seconds: float = 0.0

    @property
    def name(self) -> str:
        return f"square {self.number}"


def square(task: Square) -> int:
    tried = task.folder / f"{task.number}-{os.getpid()}-{len(list(task.folder.iterdir()))}"
    tried.touch()
    first = len(list(task.folder.glob(f"{task.number}-*"))) == 1
    if task.number == task.killed_on and (first or task.always_killed):
        os.kill(os.getpid(), signal.SIGKILL)
    if task.number == task.failing_on:
        raise OSError("no room")
    if task.number == task.refused_on:
        raise DedupError("the encoder gave 'x' no direction")
    if task.number == task.lost_on and len(list(task.folder.glob(f"{task.number}-*"))) <= task.lost_for:
        raise EngineError("the connection is lost")
    if task.number == task.full_on:
        tries = len(list(task.folder.glob(f"{task.number}-*")))
        write_with_room_for(300 if tries <= task.full_for else 1 << 20, task)
    time.sleep(task.seconds)
    return task.number**2


def square_or_say_why(task: Square) -> int | Failed:
    """Square a number, but for one that fails for what is in it."""
    if task.number == task.content_on:
        return Failed("it cannot be squared", again=False, by_content=True)
    return square(task)


def write_with_room_for(limit: int, task: Square) -> None:
    """Write into a work folder; what is written beyond the limit fails, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        batch = pa.RecordBatch.from_pydict({"number": pa.array([task.number] * 1000, pa.int64())})
        WorkFolder(str(task.folder)).of("work").write("file.arrow", [batch])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def devices(task: Square) -> str | None:
    """Return which GPUs the worker has been given."""
    time.sleep(task.seconds)
    return os.environ.get("CUDA_VISIBLE_DEVICES")
