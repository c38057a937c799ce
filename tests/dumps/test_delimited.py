"""CSV and TSV: what Python's csv module writes comes back, and every bad row is named."""

from __future__ import annotations

import csv
import io
from collections import Counter

import pytest
from dump_files import delimited
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dedup.dumps import MAX_LINE_BYTES, DumpOptions, read_dump
from dedup.dumps.delimited import _Malformed, _records
from dedup.dumps.lines import BoundedLines
from dedup.dumps.rows import string_fault
from dedup.errors import DumpError
from dedup.questions import Question, Rejected

TEXTS = st.text(st.characters(exclude_categories=["Cs"])).filter(lambda text: string_fault(text, "text") is None)


def good(read, name: str, content: bytes) -> list[tuple[str, str]]:
    return [(record.id, record.text) for record in read(name, content) if isinstance(record, Question)]


def bad(read, name: str, content: bytes) -> list[tuple[int, str, str]]:
    rejected = [record for record in read(name, content) if isinstance(record, Rejected)]
    assert all(record.file.endswith("/" + name) for record in rejected)
    return [(record.row, record.reason, record.excerpt) for record in rejected]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.tuples(TEXTS, TEXTS)), st.sampled_from([",", ";", "\t"]))
def test_arbitrary_texts_round_trip(dump, pairs, delimiter):
    path = dump("a.tsv" if delimiter == "\t" else "a.csv", delimited(delimiter, ("id", "text"), pairs))
    assert [(record.id, record.text) for record in read_dump(path, DumpOptions())] == pairs


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.binary())
def test_any_bytes_end_in_records_or_a_dump_error(dump, content):
    for name in ("a.csv", "a.tsv"):
        try:
            records = list(read_dump(dump(name, content), DumpOptions(text_column="a", format=name[2:])))
        except DumpError:
            continue
        assert all(isinstance(record, Question | Rejected) for record in records)


@pytest.mark.parametrize("terminator", ["\n", "\r\n"])
@pytest.mark.parametrize("last", ["", "end"])
def test_line_ends(read, terminator, last):
    content = terminator.join(["id,text", "1,Why?", "", "2,How?", last and "3,end"])
    assert good(read, "a.csv", content) == [("1", "Why?"), ("2", "How?")] + ([("3", "end")] if last else [])


def test_empty_lines_are_no_records(read):
    records = read("a.csv", b"\r\n\nid,text\n\n1,Why?\n\n\n2,How?\n")
    assert [(record.id, record.row) for record in records] == [("1", 1), ("2", 2)]


def test_a_header_alone_is_a_dump_of_nothing(read):
    assert read("a.csv", b"id,text") == []


def test_what_does_not_parse_beside_the_text_is_none(read):
    content = b"id,text,score,views,created,tags\n1,Why?,abc,1.5,bad date,\xff\n2,How?\n"
    assert read("a.csv", content) == [Question("1", "Why?"), Question("2", "How?")]


def test_invalid_utf_8_takes_its_row_alone(read):
    content = b"id,text\n1,Why?\n2,W\xffy?\n3,\xe2\x82\n4,na\xc3\xafve?\n\xff5,How?\n"
    assert good(read, "a.csv", content) == [("1", "Why?"), ("4", "naïve?")]
    assert bad(read, "a.csv", content) == [
        (2, "the text (column text) is not valid UTF-8", r"2 | W\udcffy?"),
        (3, "the text (column text) is not valid UTF-8", r"3 | \udce2\udc82"),
        (5, "the id is not valid UTF-8", r"\udcff5 | How?"),
    ]


def test_invalid_utf_8_elsewhere_takes_nothing(read):
    assert good(read, "a.csv", b"id,text,author\n1,Why?,Ren\xe9\n") == [("1", "Why?")]


def test_nul_bytes(read):
    content = b"id,text\n1,W\0y?\n2\0,Why?\n3,How?\n"
    assert good(read, "a.csv", content) == [("3", "How?")]
    assert bad(read, "a.csv", content) == [
        (1, "a NUL byte in the text (column text)", r"1 | W\x00y?"),
        (2, "a NUL byte in the id", r"2\x00 | Why?"),
    ]


def test_missing_values(read):
    content = b"id,text\n1\n2,\n3,  \n,Why?\n4,How?\n"
    assert good(read, "a.csv", content) == [("4", "How?")]
    assert bad(read, "a.csv", content) == [
        (1, "no text (column text)", "1"),
        (2, "the text (column text) is empty", "2 | "),
        (3, "the text (column text) is empty", "3 |   "),
        (4, "the id is empty", " | Why?"),
    ]


def test_a_row_longer_than_the_header(read):
    content = b"id,text\n1,Hello, world?\n2,How?,,\n"
    assert good(read, "a.csv", content) == [("2", "How?")]
    reason = "more fields than the header: a separator inside a text must be quoted"
    assert bad(read, "a.csv", content) == [(1, reason, "1 | Hello |  world?")]


def test_sloppy_quotes_take_their_row_alone(read):
    content = b'id,text\n1,"What" is that?\n2,What is "that"?\n3,"a ""b"" c"\n'
    assert good(read, "a.csv", content) == [("2", 'What is "that"?'), ("3", 'a "b" c')]
    assert bad(read, "a.csv", content) == [(1, "malformed quoting: ',' expected after '\"'", r'1,"What" is that?\n')]


def test_a_carriage_return_outside_quotes(read):
    content = b"id,text\n1,a\rb\n2,How?\n"
    assert good(read, "a.csv", content) == [("2", "How?")]
    assert bad(read, "a.csv", content) == [(1, "a carriage return outside quotes", r"1,a\rb\n")]


def test_a_quote_that_is_never_closed(read):
    content = b'id,text\n1,Why?\n2,"How\n3,Who?\n4,When?\n'
    assert good(read, "a.csv", content) == [("1", "Why?"), ("3", "Who?"), ("4", "When?")]
    reason = "a quote that is not closed before the end of the file"
    assert bad(read, "a.csv", content) == [(2, reason, r'2,"How\n')]


def test_a_quote_that_another_one_seems_to_close_takes_no_row_between(read):
    content = b'id\ttext\n1\t"Why is it\n2\tHow are you?\n3\tfine row\n4\t"What" now\n5\tok\n'
    records = read("a.tsv", content)
    assert [(record.row, getattr(record, "text", None)) for record in records] == [
        (1, None),
        (2, "How are you?"),
        (3, "fine row"),
        (4, None),
        (5, "ok"),
    ]
    assert bad(read, "a.tsv", content) == [
        (1, "a quote that is not closed in its text", r'1\t"Why is it\n'),
        (4, "malformed quoting: '\t' expected after '\"'", r'4\t"What" now\n'),
    ]


def test_records_of_several_lines_among_faulty_ones(read):
    content = b'id,text\n1,"two\nlines"\n2,"open\n\n3,"three\n\nlines"\n4,"",x\n5,"a" b\n6,"un\nclosed\n7,Why?\n'
    assert good(read, "a.csv", content) == [("1", "two\nlines"), ("3", "three\n\nlines"), ("7", "Why?")]
    assert [(row, said) for row, _, said in bad(read, "a.csv", content)] == [
        (2, r'2,"open\n'),
        (4, "4 |  | x"),
        (5, r'5,"a" b\n'),
        (6, r'6,"un\n'),
        (7, "closed"),
    ]


LINES = st.text(st.sampled_from('ab",\n'), max_size=60)


def read_again_from_the_second_line(content: str) -> list[list[str] | str]:
    """What is to come out, by the rule itself: at a fault, the first line goes and all that follows is parsed again."""
    lines = content.splitlines(keepends=True)
    found: list[list[str] | str] = []
    while lines:
        reader = csv.reader(lines, strict=True)
        try:
            fields = next(reader)
        except csv.Error:
            found.append(lines[0])
            del lines[0]
        else:
            found += [fields] if fields else []
            del lines[: reader.line_num]
    return found


@given(LINES)
def test_at_a_fault_all_but_the_first_line_is_read_again(content):
    records = _records(BoundedLines(io.BufferedReader(io.BytesIO(content.encode()))), ",")
    found = [record.line if isinstance(record, _Malformed) else record for record in records]
    assert found == read_again_from_the_second_line(content)


def test_quotes_that_are_left_open_on_every_line_take_no_time_without_end(read):
    line = b'x","y\n'  # leaves a quote open whether it begins within one or not
    content = b"id,text\n" + line * 300_000 + b"1,Why?\n"
    records = read("a.csv", content)
    assert [record.row for record in records] == list(range(1, 300_002))
    assert records[-1] == Question("1", "Why?")


def test_a_quote_that_is_closed_too_late(read):
    filler = b"9,some question that stands in the way of the closing quote\n"
    swallowed = filler * (MAX_LINE_BYTES // len(filler))
    content = b'id,text\n1,"How\n' + swallowed + filler * 3 + b"2,Why?\n"
    records = read("a.csv", content)
    assert [record.row for record in records] == list(range(1, 1 + content.count(b"\n") - 1))
    assert Counter(getattr(record, "id", None) for record in records) == {
        None: 1,
        "9": MAX_LINE_BYTES // len(filler) + 3,
        "2": 1,
    }
    assert bad(read, "a.csv", content) == [(1, "a quote that is not closed within 8 MiB", r'1,"How\n')]


def test_a_record_of_endless_quoted_fields_is_bounded(read):
    line = b'","' + b"x" * 1_000 + b"\n"
    content = b'id,text\n1,"\n' + line * 9_000 + b"2,Why?\n"
    assert good(read, "a.csv", content)[-1:] == [("2", "Why?")]
    assert bad(read, "a.csv", content)[0][:2] == (1, "a quote that is not closed within 8 MiB")


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_a_line_over_8_mib(read, name):
    separator = b"," if name == "a.csv" else b"\t"
    longest = MAX_LINE_BYTES - len(b"1,\n")
    rows = [b"id,text", b"1," + b"a" * longest, b"2," + b"b" * (longest + 1), b"3,Why?"]
    content = b"\n".join(row.replace(b",", separator) for row in rows) + b"\n"
    assert good(read, name, content) == [("1", "a" * longest), ("3", "Why?")]
    ((row, reason, excerpt),) = bad(read, name, content)
    assert (row, reason) == (2, "the line is longer than 8 MiB")
    assert len(excerpt) <= 200
    assert excerpt.lstrip("2,\\t") == "b" * len(excerpt.lstrip("2,\\t"))


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (b'id,"text\n1,Why?\n', "a quote that is not closed before the end of the file"),
        (b"id,text\r1,Why?\r", "a carriage return outside quotes"),
        (b"id," + b"a" * MAX_LINE_BYTES, "the line is longer than 8 MiB"),
    ],
)
def test_a_header_that_cannot_be_read(read, header, reason):
    message = rf"a\.csv: the first line must name the columns and cannot be read \({reason}\)"
    with pytest.raises(DumpError, match=message):
        read("a.csv", header)


def test_the_csv_modules_own_limit_on_a_field_does_not_apply(read):
    text = "a" * 500_000
    assert good(read, "a.csv", f"id,text\n1,{text}\n".encode()) == [("1", text)]


def test_the_csv_modules_limit_is_never_lowered(read):
    before = csv.field_size_limit(1 << 30)
    try:
        read("a.csv", b"id,text\n")
        assert csv.field_size_limit() == 1 << 30
    finally:
        csv.field_size_limit(before)


def test_a_dump_is_read_as_the_csv_module_reads_it(read):
    content = b'id,text\n1," a "\n2, b \n3,"c""d"\n4,e\xc2\xa0f\n'
    expected = [(row["id"], row["text"]) for row in csv.DictReader(io.StringIO(content.decode(), newline=""))]
    assert good(read, "a.csv", content) == expected
