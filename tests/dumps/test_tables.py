"""The ids of questions whose dump has none, and ids that no question may have."""

from __future__ import annotations

import json
import random

import pytest
from dump_files import delimited

from dedup.dumps import DumpOptions, read_dump
from dedup.questions import Question, Rejected
from dedup.text import normalise, text_key

TEXTS = ["Why?", "How?", "WHY ?", "Who?", "why", "how"]


def key_id(text: str) -> str:
    return "t" + text_key(normalise(text)).hex()[:16]


def ids(read, texts: list[str]) -> list[str]:
    return [question.id for question in read("a.csv", delimited(",", ("text",), [(text,) for text in texts]))]


def test_without_an_id_column_ids_are_made_from_the_texts(read):
    assert ids(read, TEXTS) == [
        key_id("Why?"),
        key_id("How?"),
        key_id("Why?") + "-2",
        key_id("Who?"),
        key_id("Why?") + "-3",
        key_id("How?") + "-2",
    ]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl"])
def test_every_format_makes_the_same_ids(read, name):
    content = {
        "a.csv": delimited(",", ("text", "score"), [(text, 1) for text in TEXTS]),
        "a.tsv": delimited("\t", ("text", "score"), [(text, 1) for text in TEXTS]),
        "a.jsonl": "".join(json.dumps({"text": text}) + "\n" for text in TEXTS).encode(),
    }[name]
    questions = read(name, content)
    assert [question.text for question in questions] == TEXTS
    assert [question.row for question in questions] == [1, 2, 3, 4, 5, 6]
    assert [question.id for question in questions] == ids(read, TEXTS)


def test_ids_made_from_texts_stay_when_rows_are_added_or_change_places(read):
    before = set(ids(read, TEXTS))
    shuffled = random.Random(7).sample(TEXTS, len(TEXTS))
    assert shuffled != TEXTS
    assert set(ids(read, shuffled)) == before
    assert set(ids(read, ["Whence?", *TEXTS, "Whither?"])) == before | {key_id("Whence?"), key_id("Whither?")}


def test_that_ids_are_made_from_texts_is_said_once(dump, caplog):
    path = dump("a.csv", delimited(",", ("text",), [("Why?",), ("How?",)]))
    assert len(list(read_dump(path, DumpOptions()))) == 2
    assert caplog.messages == [f"{path} has no id column: ids are made from the texts"]


def test_rows_at_fault_are_not_counted_as_repetitions(dump):
    path = dump("a.csv", b"text,score\nWhy?,1\n ,2\nWhy?\0,3\nWhy?,4\n")
    assert list(read_dump(path, DumpOptions())) == [
        Question(key_id("Why?"), "Why?", score=1),
        Rejected(path, 2, "the text (column text) is empty", " "),
        Rejected(path, 3, "a NUL byte in the text (column text)", r"Why?\x00"),
        Question(key_id("Why?") + "-2", "Why?", score=4),
    ]


def test_a_table_and_a_pair_file_call_a_text_the_same(read):
    pairs = read("pairs.csv", b"question1,question2\nWhy?,How?\n")
    assert [question.id for question in pairs] == ids(read, ["Why?", "How?"])


def test_an_id_longer_than_600_bytes_takes_its_row_alone(dump):
    longest = "ü" * 300
    path = dump("a.csv", delimited(",", ("id", "text"), [(longest, "Why?"), (longest + "b", "How?"), ("c", "Who?")]))
    assert list(read_dump(path, DumpOptions())) == [
        Question(longest, "Why?"),
        Rejected(path, 2, "the id is longer than 600 bytes", "ü" * 200),
        Question("c", "Who?"),
    ]
