"""How long work tells where it is: the protocol the stages speak, and the stopwatch that times them.

What is shown (a bar on a terminal, log lines elsewhere) is the command line's business; see `dedup.cli.progress`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from dedup.meters import Reading, read_meters

Advance: TypeAlias = Callable[[int], None]
"""Call it with how many more are done."""


class Progress(Protocol):
    """Shows one stage at a time."""

    def stage(self, name: str, unit: str, total: int | None = None) -> AbstractContextManager[Advance]:
        """Show a stage of ``total`` units (None: not known before) until the context ends."""


class Silent:
    """Shows nothing: the default for library callers."""

    @contextmanager
    def stage(self, name: str, unit: str, total: int | None = None) -> Iterator[Advance]:
        """Show nothing."""
        yield lambda _count: None


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage that has ended, as often as it ran."""

    unit: str
    items: int
    took: Reading

    @property
    def rate(self) -> float:
        """Items a second."""
        return self.items / self.took.seconds if self.took.seconds else 0.0


class Stopwatch:
    """Wraps a `Progress` and keeps what each stage did and took, in the order in which they ran."""

    def __init__(self, shown: Progress) -> None:
        self._shown = shown
        self.stages: dict[str, Stage] = {}

    @property
    def seconds(self) -> dict[str, float]:
        """The wall-clock seconds of each stage."""
        return {name: stage.took.seconds for name, stage in self.stages.items()}

    @contextmanager
    def stage(self, name: str, unit: str, total: int | None = None) -> Iterator[Advance]:
        """Show the stage, and add what it did and took to ``stages[name]``."""
        before, items = read_meters(), 0

        def advance(count: int) -> None:
            nonlocal items
            items += count
            shown(count)

        try:
            with self._shown.stage(name, unit, total) as shown:
                yield advance
        finally:
            took, known = read_meters().since(before), self.stages.get(name)
            if known is not None:
                items, took = known.items + items, known.took.plus(took)
            self.stages[name] = Stage(unit, items, took)
