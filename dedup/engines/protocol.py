"""What an engine is: it does work on tasks somewhere, a bounded number at once, and tries again what was lost.

An engine is an adapter of a `Pool`, which knows how to start an attempt and how to wait for some. The rest is here, and
the same everywhere: how many attempts are under way, which are made again, and what is said of a task that cannot be
done. A task is done in whole or not at all (`dedup.engines.work`), so that an attempt more changes nothing.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from dedup.errors import DedupError, EngineError, ShardFailed, first_line

log = logging.getLogger(__name__)

_ATTEMPTS = 3  # a worker may be killed or its node removed while it does nothing wrong, but hardly three times
WAITING = 2  # attempts started per slot: the next one is there when one ends


class Task(Protocol):
    """A shard of work: all that a worker has to know, small, and sent to it."""

    @property
    def name(self) -> str:
        """What it is called where it fails."""


SomeTask = TypeVar("SomeTask", bound=Task)
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Failed:
    """An attempt that came to nothing.

    ``again``: another one may fare better. ``by_content``: it may be what is in the shard that fails, so that a part of
    it may fare better, and not where it is worked on.
    """

    reason: str
    again: bool
    by_content: bool = False


LOST_WORKER = Failed("a worker was killed", again=True, by_content=True)


class Pool(Protocol):
    """Workers: how an attempt is started there, and how some are waited for."""

    @property
    def slots(self) -> int:
        """How many attempts are worked on at once, on processors."""

    @property
    def gpus(self) -> int:
        """How many more are, of work that a GPU does better, on GPUs."""

    def start(self, work: Callable[[Any], Any], task: Task, *, gpu: bool) -> Any:
        """Start an attempt, on a GPU where one is free and it helps, and return what stands for it, hashable."""

    def ended(self, started: Sequence[Any]) -> Sequence[tuple[Any, Any]]:
        """Wait until at least one attempt has ended; return those that have, each with its result or a `Failed`."""


@dataclass(frozen=True, slots=True)
class _Attempt(Generic[SomeTask]):
    task: SomeTask
    number: int = 1
    of_part: bool = False  # of a task that failed for what may be in it


Divide: TypeAlias = Callable[[SomeTask, Failed], Sequence[SomeTask]]
"""Gives the parts of a task that failed for what may be in it; none where it is set aside."""


class Engine:
    """Does work on tasks, in whatever order, on the workers of a pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @property
    def slots(self) -> int:
        """How many tasks are worked on at once."""
        return self._pool.slots

    def map(
        self,
        work: Callable[[SomeTask], Result | Failed],
        tasks: Sequence[SomeTask],
        *,
        gpu: bool = False,
        divide: Divide[SomeTask] | None = None,
    ) -> Iterator[Result]:
        """Do ``work``, a function of a module, on each task; yield the results as they come.

        Where workers are lost, the last attempt is made when nothing else is under way: a process that is killed can
        take others with it, and so only the one at fault fails for the last time.

        Parameters
        ----------
        gpu
            Whether a GPU does it better.
        divide
            What becomes of a task that fails for what may be in it. One of its parts that does so as well is divided
            at once. None: it cannot be done.

        Raises
        ------
        ShardFailed
            Naming the task that cannot be done, after three attempts, or one where its own error says that no other
            would fare better.
        """
        waiting, last = deque(_Attempt(task) for task in tasks), deque[_Attempt[SomeTask]]()
        under_way: dict[Any, _Attempt[SomeTask]] = {}

        def start(attempt: _Attempt[SomeTask]) -> None:
            under_way[self._pool.start(work, attempt.task, gpu=gpu)] = attempt

        most = WAITING * (self._pool.slots + (self._pool.gpus if gpu else 0))
        while waiting or last or under_way:
            while waiting and len(under_way) < most:
                start(waiting.popleft())
            if not under_way:
                start(last.popleft())
            for started, result in self._pool.ended(list(under_way)):
                attempt = under_way.pop(started)
                if not isinstance(result, Failed):
                    yield result
                elif _is_tried_again(attempt, result):
                    following = replace(attempt, number=attempt.number + 1)
                    log.warning(
                        "%s was not finished (%s): attempt %d", attempt.task.name, result.reason, following.number
                    )
                    if attempt.of_part or (following.number == _ATTEMPTS and result.by_content):
                        last.append(following)
                    else:  # at once: where no disk has room, not all tasks are tried before that is said
                        waiting.appendleft(following)
                elif divide is not None and result.by_content:
                    last.extend(_Attempt(part, of_part=True) for part in divide(attempt.task, result))
                else:
                    raise ShardFailed(attempt.task.name, attempt.number, result.reason)


def _is_tried_again(attempt: _Attempt[Any], failed: Failed) -> bool:
    return failed.again and attempt.number < _ATTEMPTS and not (attempt.of_part and failed.by_content)


def attempted(work: Callable[[SomeTask], Result], task: SomeTask) -> Result | Failed:
    """Do ``work`` on a task, in a worker; an error comes back as words, for not every error can be sent."""
    try:
        return work(task)
    except EngineError as error:  # the folder: a connection may come back, another node's disk have room
        return Failed(str(error), again=True)
    except DedupError as error:
        return Failed(str(error), again=False)
    except Exception as error:  # whatever a library raises: the task has failed, the worker has not
        return Failed(f"{type(error).__name__}: {first_line(error)}", again=True)
