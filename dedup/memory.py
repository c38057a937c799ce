"""How much memory the process takes, and how it is held within a bound.

What is large and grows with the corpus (vectors, pairs on their way) is kept in files that are mapped into the process.
Such pages need not stay: taken away, they come back from the file when they are touched, most often from the system's
cache of files, at the price of a page fault. So they are taken away whenever the process comes near its bound, which
leaves memory to what cannot be in a file. Results do not depend on it.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import resource
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from math import inf
from pathlib import Path
from typing import Any, cast
from weakref import WeakSet

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dedup.errors import DedupError

_IN_MEMORY = 16 << 20  # bytes up to which an array is not worth a file
_SECONDS = 0.005  # between two looks: two cores touch some 30 MiB of mapped pages meanwhile
_SPARE = 0.15  # of the bound: where the pages are taken away, for what may come between two looks
_SECONDS_BETWEEN_TRIMS = 1.0  # going through all that was freed takes some milliseconds
_PAGE = mmap.PAGESIZE


class _Process:
    """The memory of this process: there is one, so there is one of these."""

    def __init__(self) -> None:
        self.mapped: WeakSet[mmap.mmap] = WeakSet()
        self.folder: Path | None = None
        self.bound: float = inf
        self.trimmed = 0.0  # when, on the monotonic clock


_process = _Process()


@contextmanager
def mapping_to(folder: Path) -> Iterator[None]:
    """Keep `spacious` arrays as files in ``folder`` until the context ends.

    They have no name there, and are gone when nobody uses them any more, or with the process. Meanwhile the process can
    be held within a bound (`hold_within`).
    """
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(_SECONDS):
            ease()

    before = _process.folder, _process.bound
    _process.folder = folder
    watching = threading.Thread(target=watch, name="memory", daemon=True)
    watching.start()
    try:
        yield
    finally:
        _process.folder, _process.bound = before
        ended.set()
        watching.join()


def hold_within(bound: int) -> None:
    """Hold the process within so many bytes, as far as mapped pages can be spared, until `mapping_to` ends."""
    _process.bound = bound


def set_aside(array: NDArray[Any]) -> None:
    """Take a mapped array out of memory, which is not needed soon; what was written to it is kept."""
    owner: Any = array
    while isinstance(owner, np.ndarray):
        owner = owner.base
    mapped = owner.obj if isinstance(owner, memoryview) else owner
    if isinstance(mapped, mmap.mmap):
        mapped.madvise(mmap.MADV_DONTNEED)


def set_all_aside() -> None:
    """Take all mapped arrays out of memory, where what comes next needs others."""
    for mapped in list(_process.mapped):
        mapped.madvise(mmap.MADV_DONTNEED)


def ease() -> None:
    """Give memory back if the process comes near its bound: mapped pages, and what was freed and is kept for later.

    Called between two steps of work by whoever does it: a step that touches many places at once brings in more pages
    than a look every few milliseconds would notice in time.
    """
    near = (1 - _SPARE) * _process.bound
    if resident_bytes() <= near:
        return
    set_all_aside()
    if resident_bytes() > near and time.monotonic() - _process.trimmed > _SECONDS_BETWEEN_TRIMS:
        _process.trimmed = time.monotonic()
        trim()


def trim() -> None:
    """Give back memory that was freed and is kept for later."""
    with suppress(OSError, AttributeError):  # only glibc has it
        ctypes.CDLL(None).malloc_trim(0)


def spacious(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Return an array of zeros for what grows with the corpus: mapped from a file, where `mapping_to` says where.

    Raises
    ------
    DedupError
        Where the disk has no room for it.
    """
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    if _process.folder is None or size <= _IN_MEMORY:
        return np.zeros(shape, dtype=dtype)
    try:
        with tempfile.TemporaryFile(dir=_process.folder) as file:
            # Reserved now: a disk that is full when a page is written back ends the process without a word.
            os.posix_fallocate(file.fileno(), 0, size)
            mapped = mmap.mmap(file.fileno(), size)
    except OSError as error:
        raise DedupError(
            f"{_process.folder} has no room for {size / 1e6:,.0f} MB of vectors and pairs on their way: "
            f"{error.strerror}; free some space, or choose another folder by --indexes"
        ) from error
    _process.mapped.add(mapped)
    return np.frombuffer(mapped, dtype=dtype).reshape(shape)


def opened(file: Path) -> NDArray[Any]:
    """Return the array of an .npy file, mapped, to be read only.

    Raises
    ------
    OSError, ValueError
        If it cannot be read, or is cut short.
    """
    array: NDArray[Any] = np.load(file, mmap_mode="r", allow_pickle=False)
    _process.mapped.add(cast(mmap.mmap, array.base))
    return array


def resident_bytes() -> int:
    """Return how much memory the process takes now, mapped pages included; 0 where the system does not say."""
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 -- asked for 200 times a second
            return int(file.read().split()[1]) * _PAGE
    except OSError:
        return 0


def peak_bytes() -> int:
    """Return the most memory that the process has taken so far, mapped pages included.

    Not from getrusage, as long as the system says it elsewhere: there a process has the peak of who started it.
    """
    try:
        status = Path("/proc/self/status").read_text("ascii", "replace")
    except OSError:
        status = ""
    peak = next((line for line in status.splitlines() if line.startswith("VmHWM:")), None)
    return int(peak.split()[1]) * 1024 if peak else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
