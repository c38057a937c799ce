"""What a caller may say about a dump."""

from __future__ import annotations

from dataclasses import dataclass

from dedup.questions import DEFAULT_SOURCE


@dataclass(frozen=True, slots=True)
class DumpOptions:
    """What the dump itself does not say; each field may be left as it is.

    ``id_column`` and ``text_column`` are for tables (CSV, TSV, JSONL, Parquet) of questions; a table whose
    ``text_column`` is named is read as questions, also where it looks like a pair file. ``with_body`` is for Stack
    Exchange's Posts.xml: a question's text is then its title, an empty line, and its body as plain text.
    """

    source: str = DEFAULT_SOURCE
    format: str | None = None
    """One of `dedup.dumps.FORMAT_NAMES`; None: found out from the file's name and content."""
    id_column: str | None = None
    text_column: str | None = None
    with_body: bool = False
    max_bytes: int | None = None
    """Stop when more bytes than this come out of the decompressor; None: 256 MiB or 200 times the file's size,
    whichever is more."""
