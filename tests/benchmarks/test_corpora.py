"""A corpus has so many questions of the dump, and a smaller one is the start of a larger one."""

from pathlib import Path

import pytest
from corpora import write_csv

from benchmarks.corpora import labelled_texts, questions_of, read_corpus, write_corpus


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    return Path(write_csv(tmp_path / "dump.csv", [(n, f"What is {n} times {n}?", n) for n in range(100)]))


def test_a_smaller_corpus_is_the_start_of_a_larger_one(dump: Path) -> None:
    assert questions_of(dump, 130)[:40] == questions_of(dump, 40)


def test_all_questions_of_the_dump_come_before_any_copy(dump: Path) -> None:
    grown = questions_of(dump, 130)
    asked = {f"What is {n} times {n}?" for n in range(100)}
    assert set(grown[:100]) == asked
    assert not set(grown[100:]) & asked
    assert len(grown) == 130


def test_the_questions_are_not_in_the_order_of_the_dump(dump: Path) -> None:
    assert questions_of(dump, 100) != [f"What is {n} times {n}?" for n in range(100)]


def test_labelled_questions_come_once(tmp_path: Path) -> None:
    rows = [("a", "b", 1), ("b", "c", 0), ("a", "c", 0)]
    pairs = write_csv(tmp_path / "pairs.csv", rows, ("question1", "question2", "is_duplicate"))
    assert labelled_texts(Path(pairs)) == ["a", "b", "c"]


def test_a_corpus_is_read_as_it_was_written(tmp_path: Path) -> None:
    texts = ["why?", 'say "why"\n', "", "why?"]
    write_corpus(texts, tmp_path / "questions.parquet")
    assert read_corpus(tmp_path / "questions.parquet") == (["0", "1", "2", "3"], texts)
