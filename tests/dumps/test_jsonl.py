"""JSON Lines."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dedup.dumps import MAX_LINE_BYTES, DumpOptions, read_dump
from dedup.dumps.rows import string_fault
from dedup.errors import DumpError
from dedup.questions import Question, Rejected

TEXTS = st.text(st.characters(exclude_categories=["Cs"])).filter(lambda text: string_fault(text, "text") is None)


def written(*objects: object) -> bytes:
    return b"".join(json.dumps(found).encode() + b"\n" for found in objects)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1), st.booleans())
def test_arbitrary_texts_round_trip(dump, pairs, ascii_only):
    lines = [json.dumps({"id": own_id, "text": text}, ensure_ascii=ascii_only) + "\n" for own_id, text in pairs]
    records = read_dump(dump("a.jsonl", "".join(lines).encode()), DumpOptions())
    assert [(record.id, record.text) for record in records] == pairs


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=50)
@given(st.lists(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists)))
def test_any_values_end_in_records(dump, values):
    content = written({"id": "1", "text": "Why?"}, *({"id": found, "text": found, "tags": found} for found in values))
    records = list(read_dump(dump("a.jsonl", content), DumpOptions()))
    assert len(records) == 1 + len(values)


def test_rows_at_fault(dump):
    lines = [
        b'{"id": "1", "text": "Why?"}',
        b"{oops}",
        b"",
        b'["a list"]',
        b'{"id": "2", "text": 7}',
        b'{"id": "3"}',
        b'{"id": "4", "text": null}',
        b'{"text": "How?"}',
        b'{"id": ["5"], "text": "How?"}',
        b'{"id": "6", "text": "W\xffy?"}',
        b'{"id": "7", "text": "\\ud800"}',
        b'{"id": "8", "text": "a\\u0000b"}',
        b'{"id": "9", "text": ' + b"[" * 100_000,
        b'{"id": ' + b"9" * 5_000 + b', "text": "How?"}',
        b'{"id": true, "text": "How?"}',
        b'{"id": 10, "text": "When?"}',
        b'{"id": 11.0, "text": "Where?"}',
        b'{"id": 12, "text": "cut off',
    ]
    path = dump("a.jsonl", b"\n".join(lines))
    records = list(read_dump(path, DumpOptions()))
    taken = [(record.row, record.id, record.text) for record in records if isinstance(record, Question)]
    assert taken == [(1, "1", "Why?"), (16, "10", "When?"), (17, "11", "Where?")]
    rejected = [record for record in records if isinstance(record, Rejected)]
    assert {record.file for record in rejected} == {path}
    assert [(record.row, record.reason) for record in rejected] == [
        (2, "not JSON: Expecting property name enclosed in double quotes"),
        (4, "not a JSON object; expected one object a line"),
        (5, "the text (column text) is of type int, expected a string"),
        (6, "no text (column text)"),
        (7, "no text (column text)"),
        (8, "no id"),
        (9, "the id is of type list, expected a string"),
        (10, "the text (column text) is not valid UTF-8"),
        (11, "the text (column text) is not valid UTF-8"),
        (12, "a NUL byte in the text (column text)"),
        (13, "not JSON: nested too deeply"),
        (14, "not JSON: a number of too many digits"),
        (15, "the id is of type bool, expected a string"),
        (18, "not JSON: Unterminated string starting at"),
    ]
    assert rejected[0].excerpt == r"{oops}\n"
    assert max(len(record.excerpt) for record in rejected) <= 200


def test_a_line_over_8_mib(read):
    content = written({"id": "1", "text": "Why?"}) + b'{"text": "' + b"a" * MAX_LINE_BYTES + b'"}\n'
    content += written({"id": "3", "text": "How?"})
    records = read("a.jsonl", content)
    assert [record.row for record in records] == [1, 2, 3]
    assert records[1].reason == "the line is longer than 8 MiB"
    assert records[1].excerpt == '{"text": "' + "a" * 190


def test_columns_may_come_later_than_the_first_line(read):
    content = written({"text": "Why?"}, {"id": "2", "text": "How?", "score": 3})
    records = read("a.jsonl", content)
    assert isinstance(records[0], Rejected)
    assert (records[0].row, records[0].reason) == (1, "no id")
    assert records[1] == Question("2", "How?", score=3)


def test_a_first_line_at_fault_does_not_take_the_dump(read):
    records = read("a.jsonl", b"garbage\n" + written({"id": "2", "text": "How?"}))
    assert records == [
        Rejected(records[0].file, 1, "not JSON: Expecting value", r"garbage\n"),
        Question("2", "How?"),
    ]


def test_no_object_at_all(read):
    with pytest.raises(DumpError, match=r"a\.jsonl: none of the first 100 lines is a JSON object; expected one a line"):
        read("a.jsonl", b"garbage\n" * 1_000)


def test_an_ambiguous_text(read):
    with pytest.raises(
        DumpError, match=r"a\.jsonl: ambiguous, the text could be any of the columns question, text; use"
    ):
        read("a.jsonl", written({"id": "1", "question": "Why?"}, {"id": "2", "text": "Why?"}))


def test_what_does_not_parse_beside_the_text_is_none(read):
    content = written({"id": 1, "text": "Why?", "score": "abc", "views": [1], "created": {}, "tags": "a,b"})
    assert read("a.jsonl", content) == [Question("1", "Why?", tags=("a", "b"))]
