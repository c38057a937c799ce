"""How long work tells where it is: the protocol the stages speak, and the stopwatch that times them.

What is shown (a bar on a terminal, log lines elsewhere) is the command line's business; see `dedup.cli.progress`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TypeAlias

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


class Stopwatch:
    """Wraps a `Progress` and keeps the wall-clock seconds of each stage, in the order in which they ran."""

    def __init__(self, shown: Progress) -> None:
        self._shown = shown
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str, unit: str, total: int | None = None) -> Iterator[Advance]:
        """Show the stage and add the seconds it took to ``seconds[name]``."""
        start = time.perf_counter()
        try:
            with self._shown.stage(name, unit, total) as advance:
                yield advance
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start
