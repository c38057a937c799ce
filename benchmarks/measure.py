"""One process, measured from outside: seconds from its start to its end, and the most memory that it had.

Peak memory is the system's own account (`ru_maxrss` of getrusage(2), through wait4): the largest resident set of the
process and of any process it waited for. On Linux a child inherits the account of the process that started it, so
whoever calls this must stay small: everything that reads questions or vectors is a process of its own.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Taken:
    """What a process took, and how it ended."""

    seconds: float  # wall clock
    peak_mib: float
    code: int  # of its exit; negative where a signal ended it
    over_limit: bool
    said: str  # on its standard output
    complained: str  # the end of its standard error


def measure(command: Sequence[str], folder: Path, limit: float, environment: Mapping[str, str] | None = None) -> Taken:
    """Run a command in ``folder`` and account for it; after ``limit`` seconds it is ended, with all that it started."""
    out, err = folder / "stdout.txt", folder / "stderr.txt"
    with out.open("wb") as said, err.open("wb") as complained:
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=None if environment is None else dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=complained,
            start_new_session=True,
        )
        over = threading.Event()

        def end() -> None:
            with suppress(ProcessLookupError):  # it may just have ended by itself
                os.killpg(process.pid, signal.SIGKILL)
                over.set()

        timer = threading.Timer(limit, end)
        timer.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
        finally:
            timer.cancel()
        seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    return Taken(
        seconds=round(seconds, 4),
        peak_mib=round(usage.ru_maxrss / 1024, 1),
        code=process.returncode,
        over_limit=over.is_set() and process.returncode < 0,
        said=out.read_text("utf-8", "replace"),
        complained=err.read_text("utf-8", "replace")[-2000:],
    )


def conditions(threads: int, root: Path) -> dict[str, str]:
    """Return the environment that every competitor runs in, and keep this process, and so its children, to the cores.

    The libraries' own thread pools are held to ``threads``; those that count the cores see as many.
    """
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DEDUP_")}
    pools = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")
    return kept | dict.fromkeys(pools, str(threads)) | {"PYTHONPATH": str(root), "HF_HUB_OFFLINE": "1"}
