"""CSV and TSV, as Python's csv module writes them: double quotes, doubled inside."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
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


def _table(opened: Opened, delimiter: str) -> Table:
    # The csv module's own limit on a field is 128 Ki characters and can only be set for the whole process.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_LINE_BYTES))
    lines = BoundedLines(opened.stream)
    # Strict, because otherwise `"What" is that?` loses its quotes and an unclosed quote takes the rest of the file.
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        header = next(fields for fields in reader if fields)
    except (csv.Error, TooLong) as fault:
        reason = _reason(fault, lines.number > 1)
        raise DumpError(f"{opened.file}: the first line must name the columns and cannot be read ({reason})") from fault
    return Table(tuple(header), partial(_rows, opened.file, lines, reader, len(header)))


def _rows(
    file: str, lines: BoundedLines, reader: Iterator[list[Any]], width: int, wanted: Sequence[int | None]
) -> Iterator[Row | Rejected]:
    """Yield the wanted values (two or more) of each row; what a short row does not have is None."""
    pick = itemgetter(*(width if place is None else place for place in wanted))  # at ``width`` stands a None
    number = 0
    while True:
        lines.start_record()
        first_line = lines.number + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except (csv.Error, TooLong) as fault:
            number += 1
            spanned = f"lines {first_line} to {lines.number}" if lines.number > first_line else None
            yield rejected(file, number, _reason(fault, spanned is not None), (spanned, lines.record))
            continue
        if not fields:  # an empty line is no record
            continue
        number += 1
        if len(fields) > width and any(fields[width:]):
            reason = "more fields than the header: a separator inside a text must be quoted"
            yield rejected(file, number, reason, fields)
            continue
        fields[width:] = [None] * (width + 1 - len(fields)) if len(fields) < width else [None]
        yield number, pick(fields)


def _reason(fault: csv.Error | TooLong, spans_lines: bool) -> str:
    if isinstance(fault, TooLong):
        limit = f"{MAX_LINE_BYTES >> 20} MiB"
        return f"a quote that is not closed within {limit}" if spans_lines else f"the line is longer than {limit}"
    if "unexpected end" in str(fault):
        return "a quote that is not closed before the end of the file"
    if "new-line character" in str(fault):
        return "a carriage return outside quotes"
    return f"malformed quoting: {fault}"
