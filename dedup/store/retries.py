"""Transactions that the server gave up for another's sake are done again: they left no trace, and may go through now.

Writers of one database come one at a time (`dedup.store.database`), so that ours do not deadlock with each other. They
can with what others do there: a backup that locks tables, an administrator's session, a table that is dropped.
"""

from __future__ import annotations

import functools
import logging
import random
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from dedup.errors import StoreError

P = ParamSpec("P")
T = TypeVar("T")

ATTEMPTS = 5
_FIRST_WAIT = (
    0.05  # seconds; twice as long each time, and up to as much again by chance: two that met do not meet again
)
_GIVEN_UP = {"40001", "40P01"}  # serialization failure, deadlock detected (PostgreSQL's manual, appendix A)

log = logging.getLogger(__name__)


def retried(work: Callable[P, T]) -> Callable[P, T]:
    """Let a function of one transaction begin anew where the server gave it up, up to `ATTEMPTS` times in all."""

    @functools.wraps(work)
    def again(*args: P.args, **named: P.kwargs) -> T:
        for attempt in range(1, ATTEMPTS):
            try:
                return work(*args, **named)
            except StoreError as error:
                if sqlstate(error) not in _GIVEN_UP:
                    raise
                log.info("the server gave a transaction up, it is done again (%d of %d)", attempt + 1, ATTEMPTS)
                time.sleep(_FIRST_WAIT * 2 ** (attempt - 1) * random.uniform(1, 2))  # noqa: S311 -- no secret
        return work(*args, **named)

    return again


def sqlstate(error: StoreError) -> str | None:
    """Return the server's code for what went wrong; None where it was not the server that said so."""
    cause = getattr(error.__cause__, "orig", error.__cause__)  # SQLAlchemy's error has the driver's in it
    state: str | None = getattr(cause, "sqlstate", None)
    return state
