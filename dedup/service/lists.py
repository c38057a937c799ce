"""Lists: in pages with an opaque cursor, or whole as CSV or JSON lines."""

from __future__ import annotations

import base64
import binascii
import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any

from fastapi import Header, Query
from fastapi.responses import Response, StreamingResponse

from dedup.service.problems import Problem
from dedup.service.schemas import MOST_ROWS, Page, Row

CSV, JSON_LINES, JSON = "text/csv", "application/jsonl", "application/json"
_OFFERED = (JSON, CSV, JSON_LINES)

Limit = Annotated[int, Query(ge=1, le=MOST_ROWS, description="How many on a page.")]
Cursor = Annotated[str | None, Query(max_length=200, description="Where a page begins: the `next` of the one before.")]
Accept = Annotated[
    str, Header(description=f"{JSON}: one page. {CSV} or {JSON_LINES}: all from the cursor on, in rows.")
]

Key = Sequence[float]
PageOf = Callable[[Key | None], tuple[list[Row], Key | None]]
"""Gives the page after a key, and the key of its last row; None where no page follows."""


def answer_list(page_of: PageOf[Row], cursor: str | None, accept: str, *, length: int) -> Page[Row] | Response:
    """Return a page, or everything from the cursor on, as the client accepts it.

    ``length`` is that of the key which a cursor stands for.
    """
    start = key_of(cursor, length)
    wanted = preferred(accept)
    if wanted == JSON:
        items, after = page_of(start)
        return Page(items=items, next=None if after is None else cursor_of(after))
    lines = _csv_lines if wanted == CSV else _json_lines
    return StreamingResponse(lines(_rows(page_of, start)), media_type=f"{wanted}; charset=utf-8")


def also_as_rows() -> dict[int | str, dict[str, Any]]:
    """Return what OpenAPI says of a list beside its pages."""
    text = {"schema": {"type": "string"}}
    return {200: {"content": {CSV: text, JSON_LINES: text}}}


def preferred(accept: str, offered: Sequence[str] = _OFFERED) -> str:
    """Return the media type ``offered`` that a client prefers; the first where it names none of them.

    Source: RFC 9110, section 12.5.1, without specificity: of what is named, the highest weight, then the first.
    """
    weights: dict[str, float] = {}
    for part in accept.split(","):
        kind, *parameters = (each.strip() for each in part.split(";"))
        weight = next((each[2:] for each in parameters if each.startswith("q=")), "1")
        try:
            weights.setdefault(kind.lower(), float(weight))
        except ValueError:
            weights.setdefault(kind.lower(), 0.0)
    named = {kind: weight for kind, weight in weights.items() if kind in offered and weight > 0}
    return max(named, key=lambda kind: named[kind]) if named else offered[0]


def _rows(page_of: PageOf[Row], start: Key | None) -> Iterator[dict[str, Any]]:
    while True:
        items, start = page_of(start)
        yield from (item.model_dump(mode="json") for item in items)
        if start is None:
            return


def _json_lines(rows: Iterator[dict[str, Any]]) -> Iterator[str]:
    for row in rows:
        yield json.dumps(row, ensure_ascii=False) + "\n"


def _csv_lines(rows: Iterator[dict[str, Any]]) -> Iterator[str]:
    line = io.StringIO(newline="")
    writer = csv.writer(line)
    for number, row in enumerate(rows):
        if number == 0:
            writer.writerow(row)
        writer.writerow([json.dumps(cell) if isinstance(cell, dict | list) else cell for cell in row.values()])
        yield line.getvalue()
        line.seek(0)
        line.truncate()


def cursor_of(key: Key) -> str:
    """Return a key as the cursor of the page after it."""
    return base64.urlsafe_b64encode(json.dumps(list(key)).encode()).decode().rstrip("=")


def key_of(cursor: str | None, length: int) -> Key | None:
    """Return the key that a cursor stands for, of ``length`` numbers; Problem where it stands for none."""
    if cursor is None:
        return None
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError):
        key = None
    if not isinstance(key, list) or len(key) != length or not all(_is_number(part) for part in key):
        raise Problem(422, "cursor", "the cursor is no `next` of a page; leave it out to begin at the start")
    return key


def _is_number(part: Any) -> bool:
    return isinstance(part, int | float) and not isinstance(part, bool) and abs(part) < 2**63
