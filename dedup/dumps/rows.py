"""One row's values: what must be right, or the row is rejected, and what may be missing."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from dedup.questions import MAX_NAME_BYTES, Rejected
from dedup.text import normalise, text_key

EXCERPT_CHARACTERS = 200

_ESCAPES = {code: f"\\x{code:02x}" for code in (*range(32), 127)} | {9: "\\t", 10: "\\n", 13: "\\r"}
_WHOLE = range(-(2**63) + 1, 2**63)
"""What a signed column of 64 bits holds, but for the least: that one stands for "none" where questions are ranked."""
_SURELY_SHORT = MAX_NAME_BYTES // 4  # characters; UTF-8 has four bytes each at most
_UNIX_DIGITS = (9, 10, 11, 13)
"""The digits of seconds (from 1973 on) and of milliseconds since 1970. Fewer are a year or an ISO 8601 date without
hyphens."""
_LEAST_MILLISECONDS, _MOST_MILLISECONDS = 10**12, 10**13 - 1
"""Numbers of 13 digits: from 2001 to 2286 as milliseconds, past the year 33,000 as seconds."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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
    if type(value) is str and value.isascii() and value[:1].isalnum() and "\0" not in value:
        return None  # most texts need no closer look
    if type(value) is not str:
        if value is None:
            return f"no {what}"
        return f"the {what} is of type {type(value).__name__}, expected a string"
    if "\0" in value:
        return f"a NUL byte in the {what}"
    if not _is_unicode(value):
        return f"the {what} is not valid UTF-8"
    # A letter or digit in front always leaves something.
    if not value or (not value[0].isalnum() and not normalise(value)):
        return f"the {what} is empty"
    return None


def id_fault(value: object, what: str) -> str | None:
    """Return why ``value`` cannot be a question's own id, or None where it can; ``what`` is what the dump calls it."""
    fault = string_fault(value, what)
    if fault is None and type(value) is str and len(value) > _SURELY_SHORT and len(value.encode()) > MAX_NAME_BYTES:
        return f"the {what} is longer than {MAX_NAME_BYTES} bytes"
    return fault


def id_text(value: object) -> object:
    """Return an id that a dump holds as a whole number as the string of it; anything else as it is."""
    if type(value) is float and value.is_integer():
        value = int(value)
    return str(value) if type(value) is int else value


def id_of_text(text: str) -> str:
    """Return the id of a question whose dump has none: "t" and the first 16 hexadecimal digits of its text key."""
    return "t" + text_key(normalise(text)).hex()[:16]


def parse_created(value: object) -> datetime | None:
    """Return a time of creation, aware and in UTC, or None where ``value`` is not one.

    Read are ISO 8601 (without an offset it is UTC, as in Stack Exchange's dumps), seconds since 1970, and milliseconds
    since 1970 where there are 13 digits of them.
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
            if _LEAST_MILLISECONDS <= value <= _MOST_MILLISECONDS:
                return _EPOCH + timedelta(milliseconds=value)
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
    return whole if exact and whole in _WHOLE else None


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
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
