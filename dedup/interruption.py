"""SIGINT and SIGTERM end the work between two batches, so that what is done is kept and the run's end recorded."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from dedup.errors import Interrupted
from dedup.progress import Advance, Progress

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruptible:
    """Shows progress through another, and raises `Interrupted` between two batches once `interrupt` was called.

    From the stage named ``until`` on it lets the work end: when results are being published, finishing is quicker than
    doing it all again.
    """

    def __init__(self, shown: Progress, until: str) -> None:
        self._shown = shown
        self._until = until
        self._settled = False
        self._received: signal.Signals | None = None

    @contextmanager
    def stage(self, name: str, unit: str, total: int | None = None) -> Iterator[Advance]:
        """See `Progress.stage`."""
        self._stop_if_asked()
        self._settled = self._settled or name == self._until
        with self._shown.stage(name, unit, total) as advance:

            def advance_or_stop(count: int) -> None:
                advance(count)
                self._stop_if_asked()

            yield advance_or_stop

    def interrupt(self, number: int, _frame: FrameType | None = None) -> None:
        """Ask the work to stop after the batch under way; asked again, stop it at once. A handler of signals."""
        received = signal.Signals(number)
        if self._received is not None:
            raise Interrupted(received)
        self._received = received

    def _stop_if_asked(self) -> None:
        if self._received is not None and not self._settled:
            raise Interrupted(self._received)


@contextmanager
def interruptible(shown: Progress, *, until: str) -> Iterator[Progress]:
    """Let SIGINT and SIGTERM interrupt the work that shows its progress here; for the main thread."""
    progress = Interruptible(shown, until)
    before = {number: signal.signal(number, progress.interrupt) for number in _SIGNALS}
    try:
        yield progress
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
