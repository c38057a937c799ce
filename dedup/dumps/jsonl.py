"""JSON Lines: one object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain

from dedup.dumps.compression import Opened
from dedup.dumps.detection import Signs, is_json_object
from dedup.dumps.lines import MAX_LINE_BYTES, BoundedLines, TooLong
from dedup.dumps.rows import rejected
from dedup.dumps.tables import Row, Table
from dedup.errors import DumpError
from dedup.questions import Rejected

SIGNS = Signs((".jsonl", ".ndjson", ".json"), is_json_object, is_text=True)

_SAMPLE_LINES = 100
_SAMPLE_BYTES = 1 << 20
"""The names of the columns are those of the objects in the first lines: at most so many, and so many bytes."""


def jsonl_table(opened: Opened) -> Table:
    """Open a JSONL file. Raises DumpError where none of its first lines is an object."""
    lines = BoundedLines(opened.stream)
    objects = _objects(opened.file, lines)
    sample: list[tuple[int, dict[str, object]] | Rejected] = []
    columns: dict[str, None] = {}
    for row in objects:
        sample.append(row)
        if not isinstance(row, Rejected):
            columns |= dict.fromkeys(row[1])
        if len(sample) >= _SAMPLE_LINES or lines.position >= _SAMPLE_BYTES:
            break
    if not columns:
        raise DumpError(f"{opened.file}: none of the first {lines.number} lines is a JSON object; expected one a line")
    names = tuple(columns)
    return Table(names, partial(_rows, chain(sample, objects), names))


def _rows(
    objects: Iterator[tuple[int, dict[str, object]] | Rejected], names: Sequence[str], wanted: Sequence[int | None]
) -> Iterator[Row | Rejected]:
    keys = [None if place is None else names[place] for place in wanted]
    for row in objects:
        if isinstance(row, Rejected):
            yield row
        else:
            number, found = row
            yield number, [None if key is None else found.get(key) for key in keys]


def _objects(file: str, lines: BoundedLines) -> Iterator[tuple[int, dict[str, object]] | Rejected]:
    """Yield each line's number and object; an empty line is passed over, and counted."""
    while True:
        lines.start_record()
        try:
            line = next(lines)
            found = json.loads(line)
        except StopIteration:
            return
        except TooLong:
            yield rejected(file, lines.number, f"the line is longer than {MAX_LINE_BYTES >> 20} MiB", lines.record)
        except (ValueError, RecursionError) as fault:
            if not line.isspace():
                yield rejected(file, lines.number, f"not JSON: {_reason(fault)}", (line,))
        else:
            if type(found) is dict:
                yield lines.number, found
            else:
                yield rejected(file, lines.number, "not a JSON object; expected one object a line", (line,))


def _reason(fault: ValueError | RecursionError) -> str:
    if isinstance(fault, json.JSONDecodeError):
        return fault.msg
    return "nested too deeply" if isinstance(fault, RecursionError) else "a number of too many digits"
