"""A dump as a stream of plain bytes, whatever it is compressed with.

The compression is told by the content's magic bytes, never by the name alone. What comes out of a decompressor is
counted, so that a small file cannot fill the memory or the disk.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import stat
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast

from dedup.errors import DumpError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

STDIN_NAME = "standard input"
SNIFF_BYTES = 1 << 16
"""How much of the plain content a format is told by."""
LEAST_LIMIT = 256 << 20
LARGEST_RATIO = 200
"""Text compresses to a fifth or a tenth; even a very repetitive dump stays well under a two-hundredth."""

_ZSTD_FEED = 1 << 10
"""Compressed bytes given to zstd at once. A block of 4 bytes can expand to 128 KiB, so that this bounds what one call
returns to 32 MiB; feeding more was not faster on text."""


class BrokenStream(Exception):
    """The dump cannot be read further: cut short, damaged or malformed. `read_dump` makes a DumpError of it."""

    def __init__(self, reason: str) -> None:
        super().__init__(" ".join(reason.split()))  # some libraries' messages have several lines


ReadInto: TypeAlias = "Callable[[WriteableBuffer], int | None]"
"""Fills a buffer from its start and returns the number of bytes, 0 at the end."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How many bytes may come out of one dump; ``size`` says how many have gone in, or will."""

    file: str
    max_bytes: int | None
    size: Callable[[], int]

    def allowed(self) -> int:
        """Return the limit as it stands now; what is read from a pipe raises it."""
        return max(LEAST_LIMIT, LARGEST_RATIO * self.size()) if self.max_bytes is None else self.max_bytes

    def check(self, reached: int) -> None:
        """Raise DumpError where ``reached`` bytes are more than the limit."""
        if reached > self.allowed():
            raise DumpError(
                f"{self.file}: {self.size():,} bytes expanded to {reached:,}, more than the limit of "
                f"{self.allowed():,}; if the dump is sound, raise the limit with --max-bytes"
            )


@dataclass(frozen=True, slots=True)
class Opened:
    """A dump that is open for reading."""

    file: str
    """What messages and `Rejected` call it."""
    name: str
    """The file's (or archive member's) name in lower case, without a compression's suffix; "" for standard input."""
    stream: io.BufferedReader
    """The plain bytes, from the start."""
    head: bytes
    """The first SNIFF_BYTES of them, or all there are."""
    path: Path | None
    """Where the plain bytes lie on disk; None where they come out of a decompressor or a pipe."""
    limit: Limit
    closing: ExitStack
    """What a reader opens beside the stream, to be closed with it."""


class _Filled(io.RawIOBase):
    """Reads until the buffer is full or the end is reached, counts, and turns every fault into BrokenStream.

    Full buffers let ``BufferedReader.peek`` show the first SNIFF_BYTES. What was read before a fault is handed out
    first.
    """

    def __init__(self, readinto: ReadInto, kind: str, limit: Limit | None) -> None:
        self._readinto = readinto
        self.kind = kind
        self._limit = limit
        self._fault: BrokenStream | None = None
        self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        if self._fault is not None:
            raise self._fault
        view = memoryview(buffer).cast("B")
        filled = 0
        try:
            while filled < len(view) and (taken := self._readinto(view[filled:])):
                filled += taken
        except EOFError:
            self._fault = BrokenStream(f"the {self.kind} ends before its end mark: it is cut short")
        except BrokenStream as fault:
            self._fault = fault
        except (OSError, zlib.error, lzma.LZMAError) as fault:
            self._fault = BrokenStream(f"the {self.kind} is damaged or unreadable ({fault})")
        if self._fault is not None and not filled:
            raise self._fault
        self.count += filled
        if self._limit is not None:
            self._limit.check(self.count)
        return filled


class _Zstd(io.RawIOBase):
    """Zstandard frames, one after the other.

    The package's own reader returns a cut stream as if it were whole, so the frames are followed here.
    """

    def __init__(self, stream: io.BufferedReader) -> None:
        import zstandard

        self._stream = stream
        self._error = zstandard.ZstdError
        self._frame = zstandard.ZstdDecompressor().decompressobj
        self._decompressor = self._frame()
        self._begun = False
        self._plain = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        while not self._plain:
            left_over = self._decompressor.unused_data
            if self._decompressor.eof:
                self._decompressor, self._begun = self._frame(), False
            fed = left_over or self._stream.read(_ZSTD_FEED)
            if not fed:
                if self._begun:
                    raise EOFError
                return 0
            self._begun = True
            try:
                self._plain = memoryview(self._decompressor.decompress(fed))
            except self._error as fault:
                raise BrokenStream(f"the zstd stream is damaged or unreadable ({fault})") from fault
        view = memoryview(buffer).cast("B")
        taken = min(len(view), len(self._plain))
        view[:taken] = self._plain[:taken]
        self._plain = self._plain[taken:]
        return taken


@dataclass(frozen=True, slots=True)
class _Compression:
    kind: str
    suffix: str
    magic: re.Pattern[bytes]
    open: Callable[[io.BufferedReader], ReadInto]


_COMPRESSIONS = (
    _Compression(
        "gzip stream", ".gz", re.compile(rb"\x1f\x8b"), lambda stream: gzip.GzipFile(fileobj=stream).readinto1
    ),
    _Compression(
        "bzip2 stream",
        ".bz2",
        re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"),
        lambda stream: bz2.BZ2File(stream).readinto1,
    ),
    _Compression(
        "xz stream",
        ".xz",
        re.compile(rb"\xfd7zXZ\0"),
        lambda stream: lzma.LZMAFile(stream).readinto1,  # noqa: SIM115  (what it holds is the stream, closed by its owner)
    ),
    _Compression("zstd stream", ".zst", re.compile(rb"\x28\xb5\x2f\xfd"), lambda stream: _Zstd(stream).readinto),
)
_SEVEN_ZIP = b"7z\xbc\xaf\x27\x1c"


@contextmanager
def open_dump(path: str, max_bytes: int | None, members: Sequence[str]) -> Iterator[Opened]:
    """Open ``path`` ("-" is standard input) as plain bytes.

    ``members`` are the names looked for in a 7z archive of several files, the most wanted first. Raises DumpError
    where there is nothing to read or not enough room for it, BrokenStream where it ends too early.
    """
    with ExitStack() as stack:
        file, readinto, on_disk = _source(path, stack)
        source = _Filled(readinto, "file", None)
        compressed: io.BufferedReader = stack.enter_context(io.BufferedReader(source, SNIFF_BYTES))
        size = on_disk.stat().st_size if on_disk else None
        limit = Limit(file, max_bytes, lambda: source.count if size is None else size)
        magic = compressed.peek(SNIFF_BYTES)
        if not magic:
            raise DumpError(f"{file}: the file is empty; expected a dump of questions")
        name = on_disk.name.lower() if on_disk else ""

        if magic.startswith(_SEVEN_ZIP):
            if on_disk is None:
                raise DumpError(f"{file}: a 7z archive can only be read from a file; save it to one and name that")
            from dedup.dumps.sevenzip import open_member

            name, member = stack.enter_context(open_member(file, on_disk, members, limit))
            plain = _Filled(member.readinto, "7z archive", limit)
        elif found := next((known for known in _COMPRESSIONS if known.magic.match(magic)), None):
            name = name.removesuffix(found.suffix)
            plain = _Filled(found.open(compressed), found.kind, limit)
        else:
            yield Opened(file, name, compressed, magic, on_disk, limit, stack)
            return
        stream: io.BufferedReader = stack.enter_context(io.BufferedReader(plain, SNIFF_BYTES))
        head = stream.peek(SNIFF_BYTES)
        if not head:
            raise DumpError(f"{file}: nothing comes out of the {plain.kind}; expected a dump of questions")
        yield Opened(file, name, stream, head, None, limit, stack)


def _source(path: str, stack: ExitStack) -> tuple[str, ReadInto, Path | None]:
    """Return what to call ``path``, its bytes, and where they lie if they are a regular file."""
    if path == "-":
        return STDIN_NAME, cast("io.BufferedReader", sys.stdin.buffer).readinto1, None
    place = Path(path)
    try:
        mode = place.stat().st_mode
        if stat.S_ISDIR(mode):
            raise DumpError(f"{path} is a folder; expected a file (of Stack Exchange's, name its Posts.xml)")
        raw = stack.enter_context(place.open("rb", buffering=0))
    except FileNotFoundError as fault:
        raise DumpError(f"{path}: no such file; check the path") from fault
    except (OSError, ValueError) as fault:
        reason = fault.strerror if isinstance(fault, OSError) else fault
        raise DumpError(f"{path}: cannot be opened ({reason}); check the path and its permissions") from fault
    return path, raw.readinto, place if stat.S_ISREG(mode) else None
