"""CSV and TSV, as Python's csv module writes them: double quotes, doubled inside."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import Any

from dedup.dumps.compression import Opened
from dedup.dumps.detection import Signs, is_text_table, separator
from dedup.dumps.lines import MAX_LINE_BYTES, BoundedLines, TooLong
from dedup.dumps.rows import rejected
from dedup.dumps.tables import Row, Table
from dedup.errors import DumpError
from dedup.questions import Rejected

CSV_SIGNS = Signs((".csv",), lambda head: is_text_table(head) and separator(head) != "\t", is_text=True)
TSV_SIGNS = Signs((".tsv", ".tab"), lambda head: is_text_table(head) and separator(head) == "\t", is_text=True)


def csv_table(opened: Opened) -> Table:
    """Open a CSV file, its columns separated by commas or semicolons. Raises DumpError where it has no header."""
    found = separator(opened.head)
    return _table(opened, "," if found == "\t" else found)


def tsv_table(opened: Opened) -> Table:
    """Open a TSV file. Raises DumpError where it has no header."""
    return _table(opened, "\t")


@dataclass(frozen=True, slots=True)
class _Malformed:
    """A line that no record could be read from."""

    reason: str
    line: str


def _table(opened: Opened, delimiter: str) -> Table:
    # The csv module's own limit on a field is 128 Ki characters and can only be set for the whole process.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_LINE_BYTES))
    records = _records(BoundedLines(opened.stream), delimiter)
    header = next(records)
    if isinstance(header, _Malformed):
        raise DumpError(f"{opened.file}: the first line must name the columns and cannot be read ({header.reason})")
    return Table(tuple(header), partial(_rows, opened.file, records, len(header)))


def _rows(
    file: str, records: Iterator[list[Any] | _Malformed], width: int, wanted: Sequence[int | None]
) -> Iterator[Row | Rejected]:
    """Yield the wanted values (two or more) of each row; what a short row does not have is None."""
    pick = itemgetter(*(width if place is None else place for place in wanted))  # at ``width`` stands a None
    for number, fields in enumerate(records, 1):
        if isinstance(fields, _Malformed):
            yield rejected(file, number, fields.reason, (fields.line,))
            continue
        if len(fields) > width and any(fields[width:]):
            reason = "more fields than the header: a separator inside a text must be quoted"
            yield rejected(file, number, reason, fields)
            continue
        fields[width:] = [None] * (width + 1 - len(fields)) if len(fields) < width else [None]
        yield number, pick(fields)


def _records(lines: BoundedLines, delimiter: str) -> Iterator[list[Any] | _Malformed]:
    """Yield the fields of each record; an empty line is none."""
    # Strict, because otherwise `"What" is that?` loses its quotes and an unclosed quote takes the rest of the file.
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        lines.start_record()
        try:
            fields = next(reader)
        except StopIteration:
            return
        except (csv.Error, TooLong) as fault:
            yield from _without_first_line(lines, delimiter, fault)
            continue
        if fields:
            yield fields


def _without_first_line(
    lines: BoundedLines, delimiter: str, fault: csv.Error | TooLong
) -> Iterator[list[Any] | _Malformed]:
    """Reject the first line of the record that ``lines`` has read, and read those that it swallowed as records.

    A line of these that leaves a quote open is at its end in the state in which the faulty record was there, and comes
    to the same fault, so nothing has to be read on from it. (Where the fault is the length, it might just stay below;
    that is not tried.) However many quotes are left open, no line is read more than three times.
    """
    several = len(lines.record) > 1
    if several and isinstance(fault, csv.Error):
        lines.step_back()  # the line with the fault begins the next record
    first, *swallowed = lines.record
    reason = _reason(fault, several)
    yield _Malformed(reason, first)
    for line in swallowed:
        try:
            fields = next(csv.reader((line,), delimiter=delimiter, strict=True))
        except csv.Error as own_fault:
            yield _Malformed(reason if _is_unclosed(own_fault) else _reason(own_fault, False), line)
        else:
            if fields:
                yield fields


def _reason(fault: csv.Error | TooLong, spans_lines: bool) -> str:
    if isinstance(fault, TooLong):
        limit = f"{MAX_LINE_BYTES >> 20} MiB"
        return f"a quote that is not closed within {limit}" if spans_lines else f"the line is longer than {limit}"
    if _is_unclosed(fault):
        return "a quote that is not closed before the end of the file"
    if "new-line character" in str(fault):
        return "a carriage return outside quotes"
    return "a quote that is not closed in its text" if spans_lines else f"malformed quoting: {fault}"


def _is_unclosed(fault: csv.Error) -> bool:
    return "unexpected end" in str(fault)
