"""One job at a time: locks that end with whoever holds them, and say who that is.

A lock is held by the operating system or by the database server for as long as the process lives, so that a kill at any
instant, or a power cut, leaves none behind. Here are the locks on files; `dedup.store.locking` has the server's.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from dedup.errors import Locked
from dedup.progress import Progress

_LOOKS = 5
_LOOK_SECONDS = (
    0.05  # between them: who asks for the holder has the lock for an instant, or has not yet written its name
)
_ATTEMPT_SECONDS = 1.0  # between two attempts of a job that waits

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock: the command, its process, the host that this runs on, and since when; None: not known."""

    command: str | None = None
    pid: int | None = None
    host: str | None = None
    since: datetime | None = None

    def __str__(self) -> str:
        process = "another process" if self.pid is None else f"{self.command}, process {self.pid} on {self.host}"
        return process if self.since is None else f"{process}, since {self.since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


class Lock(Protocol):
    """What one job at a time can hold."""

    def taken(self, command: str) -> AbstractContextManager[None]:
        """Hold the lock until the context ends; `Locked`, with the holder, where another has it."""

    def holder(self) -> Holder | None:
        """Return who holds the lock now; None where nobody does. Whoever waits for it is not disturbed."""


@contextmanager
def holding(locks: Sequence[Lock], command: str, *, wait: float, progress: Progress) -> Iterator[None]:
    """Hold all of ``locks`` until the context ends, waiting for up to ``wait`` seconds, in all, while others have them.

    Always ask for the same locks in the same order: so two jobs never wait for each other.

    Raises
    ------
    Locked
        Where another still holds one then.
    """
    until = time.monotonic() + wait
    with ExitStack() as held:
        for lock in locks:
            _take(held, lock, command, until, progress)
        yield


def _take(held: ExitStack, lock: Lock, command: str, until: float, progress: Progress) -> None:
    try:
        held.enter_context(lock.taken(command))
        return
    except Locked as locked:
        if time.monotonic() >= until:
            raise
        left = until - time.monotonic()
        log.info("%s is in use by %s; waiting for it for up to %.0f s", locked.what, locked.holder, left)
    with progress.stage("wait", "seconds", total=round(left)) as advance:
        while True:
            time.sleep(min(_ATTEMPT_SECONDS, max(0.0, until - time.monotonic())))
            advance(1)
            try:
                held.enter_context(lock.taken(command))
                return
            except Locked:
                if time.monotonic() >= until:
                    raise


class FileLock:
    """A lock of the operating system on a file, which stays there, empty, when nobody holds it.

    The whole machine sees it, and other machines where the file system is shared and knows flock (NFS does).
    """

    def __init__(self, file: Path, what: str) -> None:
        self._file = file.resolve()
        self._what = what

    @contextmanager
    def taken(self, command: str) -> Iterator[None]:
        """See `Lock.taken`."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if not any(_locked(descriptor, fcntl.LOCK_EX) for _ in _looks()):
                raise Locked(self._what, self.holder() or Holder())
            now = datetime.now(UTC).isoformat()
            holder = {"command": command, "pid": os.getpid(), "host": socket.gethostname(), "since": now}
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(holder).encode(), 0)
            try:
                yield
            finally:
                os.ftruncate(descriptor, 0)
                fcntl.flock(descriptor, fcntl.LOCK_UN)  # closing would leave it to a child that was forked meanwhile
        finally:
            os.close(descriptor)

    def holder(self) -> Holder | None:
        """See `Lock.holder`."""
        try:
            descriptor = os.open(self._file, os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            for _ in _looks():
                if _locked(descriptor, fcntl.LOCK_SH):
                    return None
                if (holder := _read_holder(os.pread(descriptor, 4096, 0))) is not None:
                    return holder
            return Holder()
        finally:
            os.close(descriptor)


def _looks() -> Iterator[None]:
    for look in range(_LOOKS):
        if look:
            time.sleep(_LOOK_SECONDS)
        yield


def _locked(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read_holder(written: bytes) -> Holder | None:
    try:
        holder = json.loads(written)
        return Holder(holder["command"], holder["pid"], holder["host"], datetime.fromisoformat(holder["since"]))
    except (ValueError, TypeError, KeyError):
        return None
