"""Pair files, as Quora publishes them."""

from __future__ import annotations

import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dump_files import delimited

from dedup.dumps import DumpOptions, read_dump
from dedup.errors import DumpError
from dedup.questions import Label, Question, Rejected
from dedup.text import normalise, text_key

HEADER = ("id", "qid1", "qid2", "question1", "question2", "is_duplicate")
ROWS = [
    ("0", "a", "b", "Why?", "What for?", "1"),
    ("1", "b", "c", "What for?", "How?", "0"),
    ("2", "a", "c", "Why?", "How?", "0"),
]
RECORDS = [
    Question("a", "Why?"),
    Question("b", "What for?"),
    Label("a", "b", True, "default", "Why?", "What for?"),
    Question("c", "How?"),
    Label("b", "c", False, "default", "What for?", "How?"),
    Label("a", "c", False, "default", "Why?", "How?"),
]


def as_parquet(rows: list[tuple[object, ...]]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(dict(zip(HEADER, map(list, zip(*rows, strict=True)), strict=True))), sink)
    return sink.getvalue()


CARRIERS = {
    "a.csv": lambda rows: delimited(",", HEADER, rows),
    "a.tsv": lambda rows: delimited("\t", HEADER, rows),
    "a.jsonl": lambda rows: "".join(json.dumps(dict(zip(HEADER, row, strict=True))) + "\n" for row in rows).encode(),
    "a.parquet": as_parquet,
}


@pytest.mark.parametrize("name", CARRIERS)
@pytest.mark.parametrize("asked", [None, "pairs"])
def test_each_question_once_and_each_label(read, name, asked):
    assert read(name, CARRIERS[name](ROWS), DumpOptions(format=asked)) == RECORDS
    assert read("download", CARRIERS[name](ROWS), DumpOptions(format=asked)) == RECORDS


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_values_that_are_numbers(read, name):
    numbers = {"a": 1, "b": 2, "c": 3}
    rows = [(*row[:1], numbers[row[1]], numbers[row[2]], *row[3:5], int(row[5])) for row in ROWS]
    labels = [record for record in read(name, CARRIERS[name](rows)) if isinstance(record, Label)]
    assert [(label.left, label.right, label.duplicate) for label in labels] == [
        ("1", "2", True),
        ("2", "3", False),
        ("1", "3", False),
    ]


def test_the_source_is_that_of_questions_and_labels(read):
    records = read("a.csv", CARRIERS["a.csv"](ROWS), DumpOptions(source="quora"))
    assert {record.source for record in records} == {"quora"}


def test_one_id_with_two_texts_is_not_hidden(read):
    rows = [
        ("0", "a", "b", "Why?", "How?", "1"),
        ("1", "a", "b", "Why not?", "How?", "1"),
        ("2", "b", "a", "How?", "Why?", ""),
    ]
    questions = [record for record in read("a.csv", CARRIERS["a.csv"](rows)) if isinstance(record, Question)]
    assert [(record.id, record.text, record.row) for record in questions] == [
        ("a", "Why?", 1),
        ("b", "How?", 1),
        ("a", "Why not?", 2),
    ]


def test_without_ids_a_question_is_called_by_its_text_key(read):
    content = b"question1,question2,is_duplicate\nWhy?,How?,1\nHOW ?,Why,0\n"
    why, how = ("t" + text_key(normalise(text)).hex()[:16] for text in ("Why?", "How?"))
    assert read("a.csv", content) == [
        Question(why, "Why?"),
        Question(how, "How?"),
        Label(why, how, True, "default", "Why?", "How?"),
        Label(how, why, False, "default", "HOW ?", "Why"),
    ]


@pytest.mark.parametrize(
    ("said", "duplicate"),
    [("1", True), ("0", False), ("1.0", True), ("True", True), ("FALSE", False), (" yes ", True), ("no", False)],
)
def test_spellings_of_a_label(read, said, duplicate):
    content = delimited(",", HEADER, [("0", "a", "b", "Why?", "How?", said)])
    assert read("a.csv", content)[-1] == Label("a", "b", duplicate, "default", "Why?", "How?")


def test_a_row_without_a_label_is_two_questions(read):
    content = delimited("\t", HEADER, [("0", "a", "b", "Why?", "How?", "")])
    assert read("a.tsv", content) == [Question("a", "Why?"), Question("b", "How?")]


def test_rows_at_fault_give_what_is_good_in_them(dump):
    rows = [
        ("0", "a", "b", "Why?", "", "1"),
        ("1", "", "c", "Why not?", "How?", "1"),
        ("2", "d", "e", " ", "\0", "1"),
        ("3", "f", "g", "Who?", "When?", "maybe"),
    ]
    path = dump("a.csv", CARRIERS["a.csv"](rows))
    assert list(read_dump(path, DumpOptions())) == [
        Question("a", "Why?"),
        Rejected(path, 1, "the question2 is empty", "a | b | Why? | "),
        Question("c", "How?"),
        Rejected(path, 2, "the id1 is empty", " | c | Why not? | How?"),
        Rejected(path, 3, "the question1 is empty; a NUL byte in the question2", r"d | e |   | \x00"),
        Question("f", "Who?"),
        Question("g", "When?"),
        Rejected(path, 4, "is_duplicate is neither 0 nor 1; both questions were taken", "maybe | f | g | Who? | When?"),
    ]


def test_an_id_longer_than_600_bytes_takes_its_question_alone(dump):
    path = dump("a.csv", CARRIERS["a.csv"]([("0", "a" * 601, "b", "Why?", "How?", "1")]))
    assert list(read_dump(path, DumpOptions())) == [
        Question("b", "How?"),
        Rejected(path, 1, "the id1 is longer than 600 bytes", "a" * 200),
    ]


def test_asked_for_pairs_where_there_are_none(read):
    with pytest.raises(DumpError, match=r"a\.csv: the columns are id, text; a pair file has question1, question2 and"):
        read("a.csv", b"id,text\n1,Why?\n", DumpOptions(format="pairs"))


def test_asked_for_pairs_of_xml(read):
    with pytest.raises(
        DumpError, match=r"a\.xml: looks like XML with the root element <posts>; expected one of csv, tsv,"
    ):
        read("a.xml", b"<posts></posts>", DumpOptions(format="pairs"))


def test_a_named_text_column_makes_it_a_table_of_questions(read):
    records = read("a.csv", CARRIERS["a.csv"](ROWS), DumpOptions(text_column="question1", id_column="id"))
    assert records == [Question("0", "Why?"), Question("1", "What for?"), Question("2", "Why?")]
