"""Dumps written on the spot and read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from dump_files import COMPRESSIONS

from dedup.dumps import DumpOptions, read_dump
from dedup.questions import Record


@pytest.fixture(params=COMPRESSIONS)
def compression(request: pytest.FixtureRequest) -> str:
    """The suffix of each compression in turn."""
    return str(request.param)


@pytest.fixture
def dump(tmp_path: Path) -> Callable[[str, bytes], str]:
    """Writes a file and returns its path."""

    def write(name: str, content: bytes) -> str:
        path = tmp_path / name
        path.write_bytes(content)
        return str(path)

    return write


@pytest.fixture
def read(dump: Callable[[str, bytes], str]) -> Callable[..., list[Record]]:
    """Writes a file and returns what is read from it."""

    def written_and_read(name: str, content: bytes | str, options: DumpOptions | None = None) -> list[Record]:
        content = content.encode() if isinstance(content, str) else content
        return list(read_dump(dump(name, content), options or DumpOptions()))

    return written_and_read
