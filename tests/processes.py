"""The command as a process of its own, to be signalled and killed; its encoder needs no weights and can be slow."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dedup.settings import Settings

_SECONDS = 300.0  # however busy the machine is, or long it was asleep
_PROGRAM = """
import os, resource, signal, sys, time
from fakes import HashingEncoder
from dedup import installed
from dedup.cli import main

slow, log, limit, dies, *arguments = sys.argv[1:]
if int(limit):  # what is written beyond it fails, as on a full disk
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
encoder = HashingEncoder()
encode = HashingEncoder.encode

def logged(self, texts):
    vectors = encode(self, texts)
    with open(log, "a", encoding="utf-8") as stream:
        stream.writelines(text + chr(10) for text in texts)
    time.sleep(float(slow))
    return vectors

def load(name, metric, *, batch_size, quick=False):
    encoder.metric = metric
    return encoder

HashingEncoder.encode = logged
installed.load_encoder = load
if dies:  # at once, when it is about to put in service what it has written
    from dedup.store import Store

    Store.write_results = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
sys.argv = ["dedup", *arguments]
main()
"""


@contextmanager
def started(
    settings: Settings,
    *arguments: str,
    slow: float = 0.0,
    file_bytes: int = 0,
    dies: bool = False,
    variables: dict[str, str] | None = None,
) -> Iterator[subprocess.Popen[str]]:
    """Start a command with the folders and the database of ``settings``; it is killed when the context ends.

    Each call of its encoder takes ``slow`` seconds; the texts are logged to the file that `encoded` reads. With
    ``file_bytes`` no file of it can grow beyond that size. One that ``dies`` is killed, by SIGKILL, between writing a
    generation and putting it in service.
    """
    environment = environment_of(settings) | (variables or {})
    command = [sys.executable, "-c", _PROGRAM, str(slow), str(_log(settings)), str(file_bytes), "x" * dies, *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, env=environment, cwd=settings.indexes.parent, stdin=pipe, stdout=pipe, stderr=pipe, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def environment_of(settings: Settings) -> dict[str, str]:
    """Return the variables of a command that has the folders and the database of ``settings``, and no other setting."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("DEDUP_")}
    return inherited | {
        "DEDUP_DB": settings.db,
        "DEDUP_INDEXES": str(settings.indexes),
        "DEDUP_REPORTS": str(settings.reports),
        "PYTHONPATH": os.pathsep.join((str(Path(__file__).parent), *sys.path)),
    }


def ended(
    settings: Settings,
    *arguments: str,
    file_bytes: int = 0,
    dies: bool = False,
    variables: dict[str, str] | None = None,
) -> tuple[int, str, str]:
    """Run a command to its end, and return its exit code and what it said."""
    with started(settings, *arguments, file_bytes=file_bytes, dies=dies, variables=variables) as process:
        out, err = process.communicate(timeout=_SECONDS)
        return process.returncode, out, err


def encoded(settings: Settings) -> Sequence[str]:
    """Return every text that a command has encoded, in order, repetitions included."""
    log = _log(settings)
    return log.read_text("utf-8").splitlines() if log.exists() else []


def until(true: Callable[[], bool]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + _SECONDS
    while not true():
        assert time.monotonic() < end, "it never came to hold"
        time.sleep(0.02)


def _log(settings: Settings) -> Path:
    return settings.indexes.parent / "encoded.txt"
