"""What this machine can do at the most: how fast it multiplies matrices, and how fast its storage reads and writes.

Measured by short probes, under a second together. The fastest multiplying ever seen of a processor is kept in the
user's cache folder by its name: a busy machine, or a process that has not loaded torch, would say too little.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dedup.artifacts import replacing
from dedup.cores import core_count
from dedup.encoders.openvino_runtime import has_bf16
from dedup.encoders.prepared import cache_folder
from dedup.errors import DedupError

_BF16_SIDE, _FP32_SIDE = 4096, 2048  # of square matrices: large enough that nothing but multiplying counts
_REPEATS = 3  # of which the best counts
_STORED = 32 << 20  # bytes written and read
_SEED = 0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that was measured of each resource; what could not be measured is not there."""

    multiplying: Mapping[str, float]  # floating-point operations a second on all cores, by precision
    reading: float | None = None  # bytes a second, from storage
    writing: float | None = None


NO_LIMITS = Limits({})
"""Where nothing was measured."""


def measure_limits(folder: Path) -> Limits:
    """Measure what multiplying is limited to, and reading and writing in ``folder``."""
    reading, writing = _storage(folder)
    return Limits(_multiplying(), reading, writing)


def processor() -> str:
    """Return the processor's name, and how many of its cores are used."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return f"{next(names, 'unknown')}, {core_count()} cores"


def _multiplying() -> dict[str, float]:
    file, name = cache_folder() / "limits.json", processor()
    known = _read(file)
    best = dict(known.get(name, {}))
    for precision, operations in (("fp32", _fp32), ("bf16", _bf16)):
        if (found := operations()) is not None:
            best[precision] = max(found, best.get(precision, 0.0))
    try:
        with replacing(file) as beside:
            beside.write_text(json.dumps({**known, name: best}), "utf-8")
    except DedupError as error:
        log.debug("the limits are measured anew in each run: %s", error)
    return best


def _fp32() -> float:
    left, right = np.random.default_rng(_SEED).standard_normal((2, _FP32_SIDE, _FP32_SIDE), dtype=np.float32)
    return 2 * _FP32_SIDE**3 / _best_seconds(lambda: left @ right)


def _bf16() -> float | None:
    """Return None where torch is not loaded: what is too small to need it is not worth waiting for it.

    Nor where the processor has no bf16: imitated, the product takes minutes, and nothing here multiplies so.
    """
    torch = sys.modules.get("torch")
    if torch is None or not has_bf16():
        return None
    left, right = (torch.ones(_BF16_SIDE, _BF16_SIDE, dtype=torch.bfloat16) for _ in range(2))
    return 2 * _BF16_SIDE**3 / _best_seconds(lambda: torch.mm(left, right))


def _best_seconds(work: Callable[[], object]) -> float:
    work()  # the first one prepares
    best = float("inf")
    for _ in range(_REPEATS):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def _storage(folder: Path) -> tuple[float | None, float | None]:
    """Return how many bytes a second are read and written when they have to get to storage, and to come from there."""
    block = np.random.default_rng(_SEED).bytes(_STORED)
    try:
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            start = time.perf_counter()
            file.write(block)
            os.fsync(file.fileno())
            written = time.perf_counter()
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # out of the system's cache of files
            file.seek(0)
            begun = time.perf_counter()
            file.read(_STORED)
            read = time.perf_counter()
    except OSError as error:
        log.debug("how fast storage is in %s cannot be measured: %s", folder, error)
        return None, None
    return _STORED / (read - begun), _STORED / (written - start)


def _read(file: Path) -> dict[str, dict[str, float]]:
    try:
        known = json.loads(file.read_text("utf-8"))
        return {
            str(name): {str(precision): float(most) for precision, most in of_it.items()}
            for name, of_it in known.items()
        }
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
