"""What the process has done so far, on meters that only go up: two readings say what a stage took and what it did.

Matrix products are counted by whoever makes them (`multiplied`); the rest the system counts.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

_lock = Lock()
_operations: Counter[str] = Counter()


@dataclass(frozen=True, slots=True)
class Reading:
    """Meters, or what they went up by between two readings."""

    seconds: float = 0.0  # on the wall
    core_seconds: float = 0.0  # of all cores together
    bytes_read: int = 0  # from storage: what the system's cache of files has is not read
    bytes_written: int = 0  # to storage
    operations: Mapping[str, float] = field(
        default_factory=dict
    )  # floating-point ones in matrix products, by precision

    def since(self, before: Reading) -> Reading:
        """Return what the meters went up by since another reading."""
        made = {name: count - before.operations.get(name, 0.0) for name, count in self.operations.items()}
        return Reading(
            self.seconds - before.seconds,
            self.core_seconds - before.core_seconds,
            self.bytes_read - before.bytes_read,
            self.bytes_written - before.bytes_written,
            {name: count for name, count in made.items() if count > 0},
        )

    def plus(self, other: Reading) -> Reading:
        """Return what two stretches of work took together."""
        return Reading(
            self.seconds + other.seconds,
            self.core_seconds + other.core_seconds,
            self.bytes_read + other.bytes_read,
            self.bytes_written + other.bytes_written,
            dict(Counter(self.operations) + Counter(other.operations)),
        )


def multiplied(operations: float, precision: str) -> None:
    """Count the floating-point operations of a matrix product (two for each multiplication) in "bf16" or "fp32"."""
    with _lock:
        _operations[precision] += operations  # type: ignore[assignment]  # a Counter adds floats as well


def read_meters() -> Reading:
    """Return the meters as they stand."""
    with _lock:
        operations = dict(_operations)
    stored = _storage()
    return Reading(
        time.perf_counter(),
        sum(os.times()[:2]),
        stored.get("read_bytes", 0),
        stored.get("write_bytes", 0),
        operations,
    )


def _storage() -> dict[str, int]:
    """Return what Linux says of the process' traffic with storage, by its own names; nothing where it does not."""
    try:
        lines = Path("/proc/self/io").read_text("ascii").splitlines()
    except OSError:
        return {}
    return {name: int(count) for name, _, count in (line.partition(": ") for line in lines)}
