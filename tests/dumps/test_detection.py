"""What format a dump is taken for."""

from __future__ import annotations

import codecs
import io
import tarfile
import zipfile

import pytest
from dump_files import FORMATS, QUESTIONS, as_csv, as_jsonl, as_parquet, as_posts, as_tsv

from dedup.dumps import DumpOptions
from dedup.dumps.detection import root_element, separator
from dedup.errors import DumpError


def zipped() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.csv", as_csv(QUESTIONS))
    return packed.getvalue()


def tarred() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.csv"))
    return packed.getvalue()


@pytest.mark.parametrize(
    ("content", "looks"),
    [
        (as_parquet(QUESTIONS), "parquet, read as csv; use --format parquet"),
        (as_posts(QUESTIONS), "posts-xml, read as csv; use --format posts-xml"),
        (b"<postlinks></postlinks>", "postlinks-xml, read as csv; use --format postlinks-xml"),
        (as_jsonl(QUESTIONS), "jsonl, read as csv; use --format jsonl"),
        (zipped(), "a zip archive, read as csv; expected one of csv, tsv, jsonl, parquet, posts-xml, postlinks-xml"),
        (tarred(), "a tar archive, read as csv; expected one of"),
        (b"SQLite format 3\0" + bytes(100), "an SQLite database, read as csv; expected one of"),
        (b"\x7fELF\x02\x01\x01\0", "binary content, read as csv; expected one of"),
        (
            b'[{"id": 1, "text": "Why?"}]',
            r"one JSON array \(jsonl has one object a line\), read as csv; expected one of",
        ),
        (b"<html><body/></html>", "XML with the root element <html>, read as csv; expected one of"),
        (b"i\0d\0,\0t\0e\0x\0t\0\n\0", "binary content, read as csv; expected one of"),
    ],
)
def test_a_csv_that_is_something_else_is_refused(read, content, looks):
    with pytest.raises(DumpError, match=rf"a\.csv: looks like {looks}"):
        read("a.csv", content)


@pytest.mark.parametrize("hint", FORMATS)
@pytest.mark.parametrize("name", FORMATS)
def test_a_name_that_contradicts_the_content(read, hint, name):
    content = FORMATS[name][1](QUESTIONS)
    readable = {(hint, name), (name, hint)} & {("csv", "tsv")} and name == "tsv"
    if hint == name or readable:  # spreadsheets write tabs into files called .csv
        assert read("a" + FORMATS[hint][0], content) == QUESTIONS
    elif (hint, name) in {("tsv", "csv"), ("jsonl", "csv")}:  # any text could be these: their readers say what is wrong
        with pytest.raises(DumpError, match=r"use --text-column|name one with --text-column|is a JSON object"):
            read("a" + FORMATS[hint][0], content)
    else:
        with pytest.raises(DumpError, match=rf"looks like {name}, read as {hint}; use --format {name}"):
            read("a" + FORMATS[hint][0], content)


@pytest.mark.parametrize("asked", ["csv", "parquet", "posts-xml", "postlinks-xml"])
def test_a_format_asked_for_cannot_be_read_from_anything(read, asked):
    other = as_parquet(QUESTIONS) if asked != "parquet" else as_posts(QUESTIONS)
    with pytest.raises(DumpError, match=rf"looks like (parquet|posts-xml), read as {asked}; use --format"):
        read("a", other, DumpOptions(format=asked))


def test_a_text_format_asked_for_is_followed(read):
    tabs = b"id,text\tmore\n1,Why?\n"
    with pytest.raises(DumpError, match="the columns are id,text, more"):
        read("a.csv", tabs)
    assert [question.text for question in read("a.csv", b"id,text,a\tb\n1,Why?\n", DumpOptions(format="csv"))] == [
        "Why?"
    ]


def test_wrong_root_element(read):
    with pytest.raises(
        DumpError, match=r"Tags\.xml: looks like XML with the root element <tags>, read as posts-xml; exp"
    ):
        read("Tags.xml", b'<?xml version="1.0"?><!-- no posts --><tags><row/></tags>')


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
def test_utf_16_is_refused(read, encoding):
    bom = codecs.BOM_UTF16_BE if encoding == "utf-16-be" else b""
    with pytest.raises(DumpError, match=r"a\.csv: written in UTF-16 or UTF-32; expected UTF-8, convert it with `iconv"):
        read("a.csv", bom + "id,text\n1,Why?\n".encode(encoding))


@pytest.mark.parametrize("name", ["csv", "tsv", "jsonl", "posts-xml"])
def test_a_utf_8_bom_is_passed_over(read, name):
    suffix, write = FORMATS[name]
    content = codecs.BOM_UTF8 + write(QUESTIONS).removeprefix(codecs.BOM_UTF8)
    assert read("a" + suffix, content) == QUESTIONS
    assert read("a", content) == QUESTIONS


@pytest.mark.parametrize("content", [b" \n\t\n", codecs.BOM_UTF8, b"\r\n" * 10])
def test_nothing_but_white_space_is_refused(read, content):
    with pytest.raises(DumpError, match=r"a\.csv: nothing but white space at its start; expected a dump of questions"):
        read("a.csv", content)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b"id,text\n;;;;", ","),
        (b"id;text\n,,,,", ";"),
        (b"id\ttext, or so\n", "\t"),
        (b'"a;b;c",text\n', ","),
        (b'"a,\n,b";text\n', ";"),
        (b"\xef\xbb\xbfid;text", ";"),
        (b"\r\nid;text", ";"),
        (b'"a\tb",c', ","),
        (b"text", ","),
    ],
)
def test_the_separator_is_the_headers(header, expected):
    assert separator(header) == expected


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"<posts>", "posts"),
        (b'\xef\xbb\xbf<?xml version="1.0"?>\r\n<!-- a --> <?b c?><posts a="b">', "posts"),
        (b"<!DOCTYPE posts><posts>", "!DOCTYPE"),
        (b"<!-- <posts> --><html>", "html"),
        (b"<?xml ?><!-- unfinished", None),
        (b"id,text", None),
    ],
)
def test_the_root_element_is_found(head, expected):
    assert root_element(head) == expected


def test_a_prolog_of_many_parts_is_read_in_one_pass():
    assert root_element(b"<??>" * 16_000 + b"!") is None


def test_tabs_in_a_csv_are_a_tsv(read):
    assert read("export.csv", as_tsv(QUESTIONS)) == QUESTIONS
