"""Ways in which a file is damaged: by a disk, a copy that broke off, or somebody."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


def flip_a_bit(file: Path) -> None:
    """Flip one bit in the middle, and leave size and times as they were: so disks do it."""
    status = file.stat()
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def cut_short(file: Path) -> None:
    os.truncate(file, file.stat().st_size * 2 // 3)


def delete(file: Path) -> None:
    file.unlink()


DAMAGES: dict[str, Callable[[Path], None]] = {"flip": flip_a_bit, "cut": cut_short, "delete": delete}
