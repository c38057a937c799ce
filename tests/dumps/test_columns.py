"""Which column is taken for what."""

from __future__ import annotations

import pytest

from dedup.dumps import DumpOptions
from dedup.dumps.columns import PairColumns, QuestionColumns, pair_columns, question_columns
from dedup.errors import DumpError


def found(*columns: str, id_column: str | None = None, text_column: str | None = None) -> QuestionColumns:
    return question_columns("a.csv", columns, DumpOptions(id_column=id_column, text_column=text_column))


@pytest.mark.parametrize("id", ["id", "ID", "qid", "question_id", "Question Id", "post_id", "PostID"])
@pytest.mark.parametrize(
    "text", ["question", "Text", "TITLE", "question_text", "Question Text", "questionText", "query"]
)
def test_usual_names(id, text):
    assert found(id, "answer", text) == QuestionColumns(0, 2, None, None, None, None)


def test_what_else_is_known_of_a_question():
    assert found("Tags", "View_Count", "Score", "CreationDate", "title", "Id") == QuestionColumns(5, 4, 3, 2, 1, 0)
    assert found("title", "created_at", "views") == QuestionColumns(None, 0, 1, None, 2, None)


def test_two_columns_for_the_text_are_ambiguous():
    message = r"a\.csv: ambiguous, the text could be any of the columns Question, text; use --text-column"
    with pytest.raises(DumpError, match=message):
        found("id", "Question", "text")


def test_two_columns_for_the_id_are_ambiguous():
    with pytest.raises(
        DumpError, match=r"a\.csv: ambiguous, the id could be any of the columns id, qid; use --id-column"
    ):
        found("id", "qid", "text")


def test_no_column_for_the_text():
    message = (
        r"a\.csv: no column is known to hold the question's text; the columns are id, body; name one with --text-col"
    )
    with pytest.raises(DumpError, match=message):
        found("id", "body")


def test_named_columns_are_taken_whatever_else_there_is():
    assert found("id", "question", "text", text_column="text") == QuestionColumns(0, 2, None, None, None, None)
    assert found("id", "qid", "body", id_column="qid", text_column="body") == QuestionColumns(
        1, 2, None, None, None, None
    )


def test_a_column_named_as_the_text_is_nothing_else():
    assert found("id", "text", text_column="id") == QuestionColumns(None, 0, None, None, None, None)


@pytest.mark.parametrize("flag", ["id_column", "text_column"])
def test_a_named_column_that_is_not_there(flag):
    name = "--" + flag.replace("_", "-")
    with pytest.raises(DumpError, match=rf"a\.csv: no column 'Frage'; the columns are id, text; correct {name}"):
        found("id", "text", **{flag: "Frage"})


def test_a_named_column_that_is_there_twice():
    with pytest.raises(
        DumpError, match=r"a\.csv: more than one column 'x'; the columns are x, x; correct --text-column"
    ):
        found("x", "x", text_column="x")


@pytest.mark.parametrize("header", [("id1", "id2"), ("qid1", "qid2"), ("ID 1", "Id_2")])
def test_pair_columns(header):
    columns = (*header, "question1", "Question_2", "is_duplicate")
    assert pair_columns("a.tsv", columns) == PairColumns(0, 1, 2, 3, 4)


def test_pairs_need_neither_ids_nor_labels():
    assert pair_columns("a.tsv", ("question2", "question1")) == PairColumns(None, None, 1, 0, None)


def test_one_question_is_no_pair():
    assert pair_columns("a.tsv", ("id", "question1")) is None


def test_pairs_have_two_ids_or_none():
    with pytest.raises(
        DumpError, match=r"a\.tsv: only one question of a pair has an id; the columns are id1, question1, "
    ):
        pair_columns("a.tsv", ("id1", "question1", "question2"))


def test_a_long_header_is_cut_in_messages():
    with pytest.raises(DumpError) as caught:
        found(*(f"column {number}" for number in range(10_000)))
    assert len(str(caught.value)) < 400
