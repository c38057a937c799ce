"""How far the work is: a bar with rate and ETA on a terminal, log lines elsewhere. Both go to stderr."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from dedup.progress import Advance, Progress, Silent

log = logging.getLogger("dedup")

_SECONDS_BETWEEN_LINES = 15.0


def shown_progress() -> Progress:
    """Return the progress that fits where stderr goes; none where only warnings are wanted."""
    if not log.isEnabledFor(logging.INFO):
        return Silent()
    return Bar() if sys.stderr.isatty() else Lines()


class Bar:
    """One bar a stage: what, how many of how many, how many a second, how long it still takes."""

    @contextmanager
    def stage(self, name: str, unit: str, total: int | None = None) -> Iterator[Advance]:
        """See `Progress.stage`."""
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description:<14}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}, {task.fields[rate]}/s"),
            TimeRemainingColumn(elapsed_when_finished=True),
        )
        start = time.perf_counter()
        with Progress(*columns, console=Console(stderr=True), transient=False) as bar:
            task = bar.add_task(name, total=total, unit=unit, rate="0")

            def advance(count: int) -> None:
                bar.advance(task, count)
                done = bar.tasks[0].completed
                bar.update(task, rate=f"{done / max(1e-3, time.perf_counter() - start):,.0f}")

            yield advance
            bar.update(task, total=bar.tasks[0].completed)


class Lines:
    """A log line when a stage ends, and every quarter of a minute while it runs."""

    @contextmanager
    def stage(self, name: str, unit: str, total: int | None = None) -> Iterator[Advance]:
        """See `Progress.stage`."""
        start = last = time.perf_counter()
        done = 0

        def advance(count: int) -> None:
            nonlocal done, last
            done += count
            now = time.perf_counter()
            if count and now - last >= _SECONDS_BETWEEN_LINES:
                last = now
                rate = done / (now - start)
                if total is None:
                    log.info("%s: %s %s, %.0f/s", name, f"{done:,}", unit, rate)
                else:
                    left = (total - done) / rate if rate else 0.0
                    log.info("%s: %s of %s %s, %.0f/s, %.0f s left", name, f"{done:,}", f"{total:,}", unit, rate, left)

        yield advance
        seconds = time.perf_counter() - start
        if done > 1:
            log.info("%s: %s %s in %.1f s, %.0f/s", name, f"{done:,}", unit, seconds, done / max(1e-3, seconds))
        else:
            log.info("%s: %.1f s", name, seconds)
