"""What format a dump is in: its name gives a hint, its content decides, and what does not fit together is refused."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dedup.dumps.compression import Opened
from dedup.errors import DumpError

ANY_TEXT = "csv"
"""The format any text could be in: it is found where no other is, and overrules no hint of another text format."""


@dataclass(frozen=True, slots=True)
class Signs:
    """How a format is told."""

    suffixes: tuple[str, ...]
    """Of the file's name, below a compression's suffix."""
    recognises: Callable[[bytes], bool]
    """Says whether the first 64 KiB can be in this format."""
    is_text: bool
    """Lines of text, for which the first may be faulty and the rest good."""


def find_format(signs: Mapping[str, Signs], opened: Opened, asked: str | None) -> str:
    """Return the name of the format in ``signs`` that the dump is to be read in.

    ``asked`` is followed wherever the content allows it. Raises DumpError where it does not, or where the content has
    no known format.
    """
    _refuse(opened)
    found = next((name for name, sign in signs.items() if sign.recognises(opened.head)), None)
    hints = [asked] if asked else [name for name, sign in signs.items() if opened.name.endswith(sign.suffixes)]
    if found is not None and (not hints or found in hints):
        return found
    if found is not None and signs[found].is_text and signs[hints[0]].is_text:
        if asked or found == ANY_TEXT:
            return hints[0]
        if {found, hints[0]} == {"csv", "tsv"}:  # spreadsheets write tabs into files called .csv
            return found
    looks = f"looks like {found or _description(opened.head)}"
    if hints:
        looks += f", read as {hints[0]}"
    remedy = f"use --format {found}" if found else f"expected one of {', '.join(signs)}"
    raise DumpError(f"{opened.file}: {looks}; {remedy}")


def root_element(head: bytes) -> str | None:
    """Return the name of an XML document's root element; "!DOCTYPE" where one comes first, None if it is not XML."""
    found = _ROOT.match(head)
    return found[1].decode() if found else None


def separator(head: bytes) -> str:
    """Return what separates the header's columns: a tab if one is outside quotes, or the commoner of "," and ";"."""
    counts = dict.fromkeys(b"\t,;", 0)
    quoted = False
    for byte in _without_bom(head).lstrip(b"\r\n"):
        if byte == ord('"'):
            quoted = not quoted
        elif byte in b"\r\n" and not quoted:
            break
        elif byte in counts and not quoted:
            counts[byte] += 1
    if counts[ord("\t")]:
        return "\t"
    return ";" if counts[ord(";")] > counts[ord(",")] else ","


def is_text_table(head: bytes) -> bool:
    """Say whether the first line could be the header of a table in text: no control characters, and not JSON or XML."""
    start = _without_bom(head).lstrip()
    header = start.split(b"\n", 1)[0]
    return not start.startswith((b"{", b"[", b"<")) and not _is_binary(header)


def is_json_object(head: bytes) -> bool:
    """Say whether the content starts as a JSON object does."""
    return _without_bom(head).lstrip().startswith(b"{")


# Possessive, so that no prolog makes it try twice.
_ROOT = re.compile(rb"(?:\xef\xbb\xbf)?(?>\s+|<\?.*?\?>|<!--.*?-->)*+<(!DOCTYPE|[A-Za-z_][\w.-]*)", re.DOTALL)
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_KNOWN_BINARY = (
    (re.compile(rb"PAR1"), "parquet"),
    (re.compile(rb"PARE"), "encrypted Parquet"),
    (
        re.compile(rb"\x1f\x8b|BZh[1-9]1AY|\xfd7zXZ\0|\x28\xb5\x2f\xfd|7z\xbc\xaf"),
        "a second compression inside the first",
    ),
    (re.compile(rb"PK\x03\x04"), "a zip archive"),
    (re.compile(rb".{257}ustar", re.DOTALL), "a tar archive"),
    (re.compile(rb"SQLite format 3\0"), "an SQLite database"),
)


def _refuse(opened: Opened) -> None:
    """Raise DumpError at what no format can be read from."""
    head = opened.head
    if not _without_bom(head).strip():
        raise DumpError(f"{opened.file}: nothing but white space at its start; expected a dump of questions")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)):
        raise DumpError(f"{opened.file}: written in UTF-16 or UTF-32; expected UTF-8, convert it with `iconv -t UTF-8`")
    if root_element(head) == "!DOCTYPE":
        raise DumpError(f"{opened.file}: declares a DOCTYPE; entities are not resolved, a dump of questions needs none")


def _description(head: bytes) -> str:
    for magic, what in _KNOWN_BINARY:
        if magic.match(head):
            return what
    root = root_element(head)
    if root is not None:
        return f"XML with the root element <{root}>"
    start = _without_bom(head).lstrip()[:1]
    if start == b"<":
        return "XML whose root element is not within its first 64 KiB"
    if start == b"[":
        return "one JSON array (jsonl has one object a line)"
    return "binary content" if _is_binary(head.split(b"\n", 1)[0]) else "text"


def _is_binary(line: bytes) -> bool:
    return _CONTROL.search(line) is not None or any(magic.match(line) for magic, _ in _KNOWN_BINARY)


def _without_bom(head: bytes) -> bytes:
    return head.removeprefix(codecs.BOM_UTF8)
