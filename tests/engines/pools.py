"""Work for workers, and a pool that needs none."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from dedup.engines.protocol import Task, attempted
from dedup.errors import DedupError


class Here:
    """Does each task in this process, when it is waited for; the last one started first."""

    def __init__(self, slots: int = 1) -> None:
        self.slots = slots
        self.most_under_way = 0
        self._work: dict[int, tuple[Callable[[Any], Any], Task]] = {}
        self._numbers = count()

    def start(self, work: Callable[[Any], Any], task: Task) -> int:
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
    seconds: float = 0.0

    @property
    def name(self) -> str:
        return f"square {self.number}"


def square(task: Square) -> int:
    tried = task.folder / f"{task.number}-{os.getpid()}-{len(list(task.folder.iterdir()))}"
    tried.touch()
    first = len(list(task.folder.glob(f"{task.number}-*"))) == 1
    if task.number == task.killed_on and first:
        os.kill(os.getpid(), signal.SIGKILL)
    if task.number == task.failing_on:
        raise OSError("no room")
    if task.number == task.refused_on:
        raise DedupError("the encoder gave 'x' no direction")
    time.sleep(task.seconds)
    return task.number**2
