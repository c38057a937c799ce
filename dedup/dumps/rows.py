"""One row's values: what must be right, or the row is rejected, and what may be missing."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime

from dedup.questions import Rejected
from dedup.text import normalise

EXCERPT_CHARACTERS = 200

_ESCAPES = {code: f"\\x{code:02x}" for code in (*range(32), 127)} | {9: "\\t", 10: "\\n", 13: "\\r"}
_INT64 = range(-(2**63), 2**63)
_UNIX_DIGITS = range(9, 12)
"""The digits of seconds since 1970, from 1973 on. Fewer are a year or an ISO 8601 date without hyphens."""


def excerpt(said: str) -> str:
    """Return the start of ``said``, at most 200 characters, as something that can be printed and stored anywhere."""
    visible = said[:EXCERPT_CHARACTERS].encode("utf-8", "backslashreplace").decode().translate(_ESCAPES)
    return visible[:EXCERPT_CHARACTERS]


def rejected(file: str, row: int, reason: str, values: Iterable[object]) -> Rejected:
    """Return the rejection of a row, with the start of what it said."""
    said = " | ".join(str(value)[:EXCERPT_CHARACTERS] for value in values if value is not None)
    return Rejected(file, row, reason, excerpt(said))


def string_fault(value: object, what: str) -> str | None:
    """Return why ``value`` cannot be a question's text or id, or None where it can.

    A text that normalises to nothing (white space, zero-width characters, "&nbsp;") is as good as none.
    """
    if type(value) is not str:
        if value is None:
            return f"no {what}"
        return f"the {what} is of type {type(value).__name__}, expected a string"
    if "\0" in value:
        return f"a NUL byte in the {what}"
    if not _is_unicode(value):
        return f"the {what} is not valid UTF-8"
    # A letter or digit in front always leaves something; most texts need no closer look.
    if not value or (not value[0].isalnum() and not normalise(value)):
        return f"the {what} is empty"
    return None


def id_text(value: object) -> object:
    """Return an id that a dump holds as a whole number as the string of it; anything else as it is."""
    if type(value) is float and value.is_integer():
        value = int(value)
    return str(value) if type(value) is int else value


def parse_created(value: object) -> datetime | None:
    """Return a time of creation, aware and in UTC, or None where ``value`` is not one.

    Read are ISO 8601 (without an offset it is UTC, as in Stack Exchange's dumps) and seconds since 1970.
    """
    try:
        if isinstance(value, str):
            is_unix = value.isdecimal() and len(value) in _UNIX_DIGITS
            value = int(value) if is_unix else datetime.fromisoformat(value.strip())
        if isinstance(value, datetime):
            return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        if isinstance(value, date):
            return datetime(value.year, value.month, value.day, tzinfo=UTC)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None


def parse_whole(value: object) -> int | None:
    """Return a whole number of 64 bits (a score, a number of views), or None where ``value`` is not one."""
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        return None
    try:
        whole = int(value)
        exact = isinstance(value, str) or whole == value
    except (ValueError, OverflowError):
        return _whole_of_decimal(value) if isinstance(value, str) else None
    return whole if exact and whole in _INT64 else None


def _whole_of_decimal(value: str) -> int | None:
    """Return "12.0" as 12: spreadsheets and pandas write whole numbers like this where some rows have none."""
    try:
        return parse_whole(float(value))
    except ValueError:
        return None


def parse_tags(value: object) -> tuple[str, ...]:
    """Return tags from a list, from "<a><b>" or "|a|b|" (Stack Exchange published both), or from "a, b" or "a; b"."""
    if isinstance(value, str):
        parts: list[object] = [*value.strip("<>|").replace("><", "|").replace(",", "|").replace(";", "|").split("|")]
    elif isinstance(value, list):
        parts = value
    else:
        return ()
    tags = [part.strip() for part in parts if isinstance(part, str) and "\0" not in part and _is_unicode(part)]
    return tuple(filter(None, tags))


def _is_unicode(text: str) -> bool:
    """Say whether ``text`` is free of the lone surrogates that stand for bytes that are not UTF-8."""
    if text.isascii():  # known without looking; most texts are
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
