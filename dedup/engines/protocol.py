"""What an engine is: it does work on tasks somewhere, a bounded number at once, and tries again what was lost.

An engine is an adapter of a `Pool`, which knows how to start an attempt and how to wait for some. The rest is here, and
the same everywhere: how many attempts are under way, which are made again, and what is said of a task that cannot be
done. A task is done in whole or not at all (`dedup.engines.work`), so that an attempt more changes nothing.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from dedup.errors import DedupError, ShardFailed, first_line

log = logging.getLogger(__name__)

_ATTEMPTS = 3  # a worker may be killed or its node removed while it does nothing wrong, but hardly three times
_WAITING = 2  # attempts started per slot: the next one is there when one ends


class Task(Protocol):
    """A shard of work: all that a worker has to know, small, and sent to it."""

    @property
    def name(self) -> str:
        """What it is called where it fails."""


SomeTask = TypeVar("SomeTask", bound=Task)
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Failed:
    """An attempt that came to nothing, and whether another one may fare better."""

    reason: str
    again: bool


class Pool(Protocol):
    """Workers: how an attempt is started there, and how some are waited for."""

    @property
    def slots(self) -> int:
        """How many attempts are worked on at once."""

    def start(self, work: Callable[[Any], Any], task: Task) -> Any:
        """Start an attempt, and return what stands for it, hashable."""

    def ended(self, started: Sequence[Any]) -> Sequence[tuple[Any, Any]]:
        """Wait until at least one attempt has ended; return those that have, each with its result or a `Failed`."""


class Engine:
    """Does work on tasks, in whatever order, on the workers of a pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @property
    def slots(self) -> int:
        """How many tasks are worked on at once."""
        return self._pool.slots

    def map(self, work: Callable[[SomeTask], Result], tasks: Sequence[SomeTask]) -> Iterator[Result]:
        """Do ``work``, a function of a module, on each task; yield the results as they come.

        Raises
        ------
        ShardFailed
            Naming the task that cannot be done, after three attempts, or one where its own error says that no other
            would fare better.
        """
        waiting = deque((task, 1) for task in tasks)
        under_way: dict[Any, tuple[SomeTask, int]] = {}
        while waiting or under_way:
            while waiting and len(under_way) < _WAITING * self._pool.slots:
                task, attempt = waiting.popleft()
                under_way[self._pool.start(work, task)] = task, attempt
            for started, result in self._pool.ended(list(under_way)):
                task, attempt = under_way.pop(started)
                if not isinstance(result, Failed):
                    yield result
                    continue
                if not result.again or attempt == _ATTEMPTS:
                    raise ShardFailed(task.name, attempt, result.reason)
                log.warning("%s was not finished (%s): attempt %d", task.name, result.reason, attempt + 1)
                waiting.append((task, attempt + 1))


def attempted(work: Callable[[SomeTask], Result], task: SomeTask) -> Result | Failed:
    """Do ``work`` on a task, in a worker; an error comes back as words, for not every error can be sent."""
    try:
        return work(task)
    except DedupError as error:
        return Failed(str(error), again=False)
    except Exception as error:  # whatever a library raises: the task has failed, the worker has not
        return Failed(f"{type(error).__name__}: {first_line(error)}", again=True)
