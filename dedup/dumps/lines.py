"""The lines of a dump, none of them longer than memory allows."""

from __future__ import annotations

import io

from dedup.dumps.rows import EXCERPT_CHARACTERS

MAX_LINE_BYTES = 8 << 20
"""The longest line, and the longest record of several lines; Stack Exchange allows a question 30,000 characters."""

_BOM = "\ufeff"


class TooLong(Exception):
    """A line, or the record it is part of, is longer than MAX_LINE_BYTES; its row is rejected, the next are read."""


class BoundedLines:
    """Lines as strings; bytes that are not UTF-8 become lone surrogates, which `rows.string_fault` finds.

    Call `start_record` before each record. Iterating raises TooLong where a record grows over MAX_LINE_BYTES, of which
    no more than that is ever in memory, and goes on with the next line after it.
    """

    def __init__(self, stream: io.BufferedReader) -> None:
        self._stream = stream
        self.number = 0
        """Of the line last read, from 1."""
        self.position = 0
        """Bytes read so far."""
        self.start_record()

    def start_record(self) -> None:
        """Count the record's bytes from here."""
        self._record_ends = self.position + MAX_LINE_BYTES
        self.record = ""
        """The first line of the record, or the start of it where it is too long."""

    def __iter__(self) -> BoundedLines:
        return self

    def __next__(self) -> str:
        raw = self._stream.readline(MAX_LINE_BYTES + 1)
        if not raw:
            raise StopIteration
        self.number += 1
        self.position += len(raw)
        if self.position > self._record_ends:
            self.record = self.record or raw[:EXCERPT_CHARACTERS].decode("utf-8", "surrogateescape")
            self._skip_rest(raw)
            raise TooLong
        line = raw.decode("utf-8", "surrogateescape")
        if self.number == 1:
            line = line.removeprefix(_BOM)
        self.record = self.record or line
        return line

    def _skip_rest(self, raw: bytes) -> None:
        while raw and not raw.endswith(b"\n"):
            raw = self._stream.readline(MAX_LINE_BYTES)
            self.position += len(raw)
