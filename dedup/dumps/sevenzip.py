"""One member of a 7z archive as a stream.

py7zr pushes a member's bytes into a writer; here a thread does, through a short queue that keeps it from running ahead
of the reader.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from queue import Queue
from threading import Event, Thread
from typing import TYPE_CHECKING

from py7zr import DecompressionBombError, PasswordRequired, Py7zIO, SevenZipFile, WriterFactory

from dedup.dumps.compression import BrokenStream, Limit
from dedup.errors import DumpError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_QUEUED_CHUNKS = 8
_FEED = 4 << 10
"""Compressed bytes given to py7zr at once. Left to itself it takes 1 MiB and returns up to 128 MB; LZMA expands up to
7,000 times, so that this bounds a chunk to 28 MiB, and one of text to some 20 KiB."""


class _ReaderGone(Exception):
    """The reader has closed, there is nobody to write for: ends the thread and is not seen outside it."""


class _Fed(io.FileIO):
    """The archive's file; once `whole_reads` is off, no read returns more than _FEED bytes."""

    whole_reads = True

    def read(self, size: int | None = -1, /) -> bytes:
        if not self.whole_reads:
            size = _FEED if size is None or size < 0 else min(size, _FEED)
        return super().read(size) or b""


class _Writer(Py7zIO):
    def __init__(self, chunks: Queue[bytes | None], reader_gone: Event) -> None:
        self._chunks = chunks
        self._reader_gone = reader_gone

    def write(self, s: bytes | bytearray) -> int:
        if self._reader_gone.is_set():
            raise _ReaderGone
        self._chunks.put(bytes(s))
        return len(s)

    def read(self, size: int | None = None) -> bytes:
        return b""

    def seek(self, offset: int, whence: int = 0) -> int:
        return 0

    def flush(self) -> None:
        pass

    def size(self) -> int:
        return 0


class _Member(WriterFactory, io.RawIOBase):
    """The reading end; also the factory that py7zr asks for the writing end."""

    def __init__(self, archive: SevenZipFile, name: str, limit: Limit) -> None:
        self._archive = archive
        self._name = name
        self._limit = limit
        self._chunks: Queue[bytes | None] = Queue(_QUEUED_CHUNKS)
        self._reader_gone = Event()
        self._fault: Exception | None = None
        self._ended = False
        self._plain = memoryview(b"")
        Thread(target=self._extract, name="dedup-7z", daemon=True).start()

    def create(self, filename: str) -> Py7zIO:
        return _Writer(self._chunks, self._reader_gone)

    def _extract(self) -> None:
        try:
            self._archive.extract(targets=[self._name], factory=self)
        except Exception as fault:  # whatever py7zr trips over in a damaged archive; the reader says so
            self._fault = fault
        finally:
            self._chunks.put(None)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        while not self._plain:
            if self._ended:
                return 0
            chunk = self._chunks.get()
            if chunk is None:
                self._ended = True
                self._raise_fault()
                return 0
            self._plain = memoryview(chunk)
        view = memoryview(buffer).cast("B")
        taken = min(len(view), len(self._plain))
        view[:taken] = self._plain[:taken]
        self._plain = self._plain[taken:]
        return taken

    def _raise_fault(self) -> None:
        if isinstance(self._fault, DecompressionBombError):
            self._limit.check(self._limit.allowed() + 1)  # members before this one count too
        if self._fault is not None:
            raise BrokenStream(f"the 7z archive is cut short or damaged ({_said(self._fault)})") from self._fault

    def close(self) -> None:
        self._reader_gone.set()
        while not self._ended:  # lets a writer that waits for room go on, and so end
            self._ended = self._chunks.get() is None
        super().close()


@contextmanager
def open_member(file: str, path: Path, wanted: Sequence[str], limit: Limit) -> Iterator[tuple[str, io.RawIOBase]]:
    """Open the member to read: the first of ``wanted`` that is there, or else the only one; give its name and bytes.

    Raises DumpError where the choice is not clear or a password is needed, BrokenStream where the archive is damaged.
    """
    # A file of our own, not its name: py7zr would read a name's folders in several threads, not in order.
    with _Fed(path) as raw:
        try:
            archive = SevenZipFile(raw, max_extract_size=limit.allowed())
            names = [member.filename for member in archive.list() if not member.is_directory]
            locked = archive.needs_password()
        except PasswordRequired as fault:
            raise DumpError(f"{file}: the 7z archive is encrypted; unpack it first") from fault
        except Exception as fault:  # a damaged header trips py7zr in many ways: struct, index, assertion, memory
            raise BrokenStream(f"the 7z archive is cut short or damaged ({_said(fault)})") from fault
        raw.whole_reads = False  # the header, which py7zr reads in one piece, is behind us
        with archive:
            if locked:
                raise DumpError(f"{file}: the 7z archive is encrypted; unpack it first")
            name = _choose(file, names, wanted)
            with _Member(archive, name, limit) as member:
                yield PurePosixPath(name).name.lower(), member


def _choose(file: str, names: Sequence[str], wanted: Sequence[str]) -> str:
    for title in wanted:
        found = [name for name in names if PurePosixPath(name).name.lower() == title.lower()]
        if len(found) == 1:
            return found[0]
        if found:
            break
    if len(names) == 1:
        return names[0]
    listed = ", ".join(names[:20]) + (", …" if len(names) > 20 else "") or "nothing"
    raise DumpError(
        f"{file}: cannot tell which member of the 7z archive to read; it holds {listed}; expected one file or one of "
        f"{', '.join(wanted) or 'none'}; unpack it and name the file"
    )


def _said(fault: Exception) -> str:
    return str(fault) or type(fault).__name__
