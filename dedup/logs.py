"""Which run the log lines of a job are about; how they are shown is the command line's business (`dedup.cli.logs`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

current_run: ContextVar[int | None] = ContextVar("current_run", default=None)
"""The id of the run under way; None outside of one."""


@contextmanager
def logged_as(run_id: int) -> Iterator[None]:
    """Let what is logged until the context ends be about this run; after an error also what is said of that."""
    before = current_run.set(run_id)
    yield
    current_run.reset(before)
