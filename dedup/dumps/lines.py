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
    no more than that is kept. It goes on with the line that was too much, or after it where that one was the first.
    """

    def __init__(self, stream: io.BufferedReader) -> None:
        self._stream = stream
        self.number = 0
        """Of the line last read, from 1."""
        self.position = 0
        """Bytes read so far."""
        self.record: list[str] = []
        """The lines of the record so far; the start of its first where that one is too long."""
        self._last = b""
        self._put_back = b""
        self.start_record()

    def start_record(self) -> None:
        """Count the record's bytes from here."""
        self._record_ends = self.position + MAX_LINE_BYTES
        self.record.clear()

    def step_back(self) -> None:
        """Take the line last read out of the record, to be read as the next one; at the dump's end there is none."""
        if self._last:
            self._return_last()
            self.record.pop()

    def __iter__(self) -> BoundedLines:
        return self

    def __next__(self) -> str:
        if self._put_back:
            raw, self._put_back = self._put_back, b""
        else:
            raw = self._stream.readline(MAX_LINE_BYTES + 1)
        self._last = raw
        if not raw:
            raise StopIteration
        self.number += 1
        self.position += len(raw)
        if self.position > self._record_ends:
            if self.record:
                self._return_last()
            else:
                self.record.append(raw[:EXCERPT_CHARACTERS].decode("utf-8", "surrogateescape"))
                self._skip_rest(raw)
            raise TooLong
        line = raw.decode("utf-8", "surrogateescape")
        if self.number == 1:
            line = line.removeprefix(_BOM)
        self.record.append(line)
        return line

    def _return_last(self) -> None:
        self._put_back = self._last
        self.number -= 1
        self.position -= len(self._last)

    def _skip_rest(self, raw: bytes) -> None:
        while raw and not raw.endswith(b"\n"):
            raw = self._stream.readline(MAX_LINE_BYTES)
            self.position += len(raw)
