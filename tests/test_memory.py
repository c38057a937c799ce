"""Large arrays are in files, keep what is written to them, and leave memory when it is short."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from dedup import memory
from dedup.errors import DedupError
from dedup.memory import (
    ease,
    hold_within,
    mapping_to,
    opened,
    peak_bytes,
    resident_bytes,
    set_all_aside,
    set_aside,
    spacious,
)

_MB = 1 << 20
_FILLS = """
import sys
from pathlib import Path
import numpy as np
from dedup.memory import ease, hold_within, mapping_to, resident_bytes, spacious

with mapping_to(Path(sys.argv[1])):
    hold_within(resident_bytes() + (100 << 20))
    vectors = spacious((400, 1 << 18), np.float32)
    for row in range(400):
        ease()
        vectors[row] = row
    assert all((vectors[row] == row).all() for row in range(400))
"""
# A process of its own starts it: what Linux says of the peak of an ended child includes its parent's.
_PEAK = """
import resource, subprocess, sys
subprocess.run([sys.executable, "-c", *sys.argv[1:]], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
"""


@pytest.fixture
def mapped(tmp_path: Path) -> Iterator[Path]:
    with mapping_to(tmp_path):
        yield tmp_path


def test_a_large_array_is_zeros_in_a_file_without_a_name(mapped: Path) -> None:
    array = spacious((5 * _MB, 2), np.float32)
    assert (array.shape, array.dtype) == ((5 * _MB, 2), np.float32)
    assert not array.any()
    assert list(mapped.iterdir()) == []
    assert str(mapped) in Path("/proc/self/maps").read_text()


def test_what_was_written_is_there_after_its_pages_were_taken_away(mapped: Path) -> None:
    array = spacious((40 * _MB,), np.uint8)
    array[:] = np.arange(40 * _MB, dtype=np.uint64).astype(np.uint8)
    before = resident_bytes()
    hold_within(1)
    ease()
    assert resident_bytes() < before - 35 * _MB
    assert np.array_equal(array, np.arange(40 * _MB, dtype=np.uint64).astype(np.uint8))


def test_a_file_of_vectors_leaves_memory_too(mapped: Path) -> None:
    vectors = np.arange(10 * _MB, dtype=np.float32)
    np.save(mapped / "vectors.npy", vectors)
    read = opened(mapped / "vectors.npy")
    assert read.sum() == vectors.sum()
    before = resident_bytes()
    hold_within(1)
    ease()
    assert resident_bytes() < before - 30 * _MB
    assert np.array_equal(read, vectors)
    assert not read.flags.writeable


def test_small_arrays_and_those_of_no_job_are_in_memory(tmp_path: Path) -> None:
    apart = spacious((5 * _MB,), np.float32)
    with mapping_to(tmp_path):
        small = spacious((100,), np.int64)
        assert str(tmp_path) not in Path("/proc/self/maps").read_text()
    assert not apart.any()
    assert not small.any()


def test_a_disk_that_is_full_is_said_when_the_array_is_made(mapped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(memory.os, "posix_fallocate", full)
    with pytest.raises(DedupError, match=r"has no room for 42 MB of vectors .* No space left on device; free some"):
        spacious((40 * _MB,), np.uint8)


def test_the_peak_stays_when_memory_is_given_back() -> None:
    taken = np.ones(64 * _MB, dtype=np.uint8)
    peak = peak_bytes()
    assert peak >= resident_bytes() >= taken.nbytes
    del taken
    assert peak_bytes() >= peak


def test_a_process_that_fills_far_more_than_its_bound_stays_within_it(tmp_path: Path) -> None:
    idle = _peak_of("import numpy, dedup.memory", tmp_path)
    assert _peak_of(_FILLS, tmp_path) - idle < 200 * _MB  # of 400


def _peak_of(program: str, folder: Path) -> int:
    ran = subprocess.run(
        [sys.executable, "-c", _PEAK, program, str(folder)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        check=True,
    )
    return int(ran.stdout)


def test_an_array_set_aside_leaves_memory_and_keeps_what_it_holds(mapped: Path) -> None:
    array, other = spacious((4, 10 * _MB), np.uint8), spacious((40 * _MB,), np.uint8)
    array[:] = 7
    other[:] = 8
    before = resident_bytes()
    set_aside(array)
    assert before - 45 * _MB < resident_bytes() < before - 35 * _MB
    assert (array == 7).all()
    set_aside(np.zeros(3))  # nothing to be done
    before = resident_bytes()
    set_all_aside()
    assert resident_bytes() < before - 75 * _MB
    assert (other == 8).all()
