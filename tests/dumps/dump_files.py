"""Questions, and how each format and each compression writes them."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import quoteattr

import py7zr
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from dedup.questions import Question

COLUMNS = ("id", "text", "created", "score", "views", "tags")

QUESTIONS = [
    Question(
        "1", "How do I undo a commit?", "default", datetime(2010, 8, 16, 20, 20, 28, 943000, UTC), 19, 2065, ("git",)
    ),
    Question(
        "2", 'What does "yield" do, and why; when?', "default", datetime(2011, 1, 2, tzinfo=UTC), -3, 0, ("a", "b-c")
    ),
    Question(
        "3", "Two\nlines,\ta tab & a <tag>", "default", datetime(2012, 2, 29, 1, 2, 3, tzinfo=UTC), 0, 7, ("x", "y")
    ),
    Question("x-4", "Wie heißt „Straße“ auf 日本語? 😀", "default", datetime(2013, 3, 3, tzinfo=UTC), 1, 1, ("ü",)),
]


def _values(question: Question) -> tuple[Any, ...]:
    assert question.created is not None
    return (
        question.id,
        question.text,
        question.created.isoformat(),
        question.score,
        question.views,
        "|".join(question.tags),
    )


def delimited(delimiter: str, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    sheet = io.StringIO(newline="")
    writer = csv.writer(sheet, delimiter=delimiter)
    writer.writerow(header)
    writer.writerows(rows)
    return sheet.getvalue().encode()


def as_csv(questions: Sequence[Question]) -> bytes:
    return delimited(",", COLUMNS, [_values(question) for question in questions])


def as_tsv(questions: Sequence[Question]) -> bytes:
    return delimited("\t", COLUMNS, [_values(question) for question in questions])


def as_jsonl(questions: Sequence[Question]) -> bytes:
    return "".join(
        json.dumps(dict(zip(COLUMNS, _values(question), strict=True)) | {"tags": question.tags}) + "\n"
        for question in questions
    ).encode()


def as_parquet(questions: Sequence[Question]) -> bytes:
    columns = {
        "id": [question.id for question in questions],
        "text": [question.text for question in questions],
        "created": [question.created for question in questions],
        "score": [question.score for question in questions],
        "views": [question.views for question in questions],
        "tags": [list(question.tags) for question in questions],
    }
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def as_posts(questions: Sequence[Question]) -> bytes:
    rows = [
        f'  <row Id={quoteattr(question.id)} PostTypeId="1" CreationDate="{question.created:%Y-%m-%dT%H:%M:%S.%f}" '
        f'Score="{question.score}" ViewCount="{question.views}" Title={quoteattr(question.text)} '
        f"Tags={quoteattr(''.join(f'<{tag}>' for tag in question.tags))} />\n"
        f'  <row Id="a{question.id}" PostTypeId="2" ParentId={quoteattr(question.id)} />\n'
        for question in questions
    ]
    return f'\ufeff<?xml version="1.0" encoding="utf-8"?>\r\n<posts>\r\n{"".join(rows)}</posts>'.encode()


FORMATS: dict[str, tuple[str, Callable[[Sequence[Question]], bytes]]] = {
    "csv": (".csv", as_csv),
    "tsv": (".tsv", as_tsv),
    "jsonl": (".jsonl", as_jsonl),
    "parquet": (".parquet", as_parquet),
    "posts-xml": (".xml", as_posts),
}


def seven_zip(members: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with py7zr.SevenZipFile(packed, "w", filters=[{"id": py7zr.FILTER_LZMA2, "preset": 0}]) as archive:
        for name, content in members.items():
            archive.writestr(content, name)
    return packed.getvalue()


COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lambda content: lzma.compress(content, preset=0),
    ".zst": zstandard.ZstdCompressor(write_checksum=True).compress,
    ".7z": lambda content: seven_zip({"dump": content}),
}
