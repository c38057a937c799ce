"""Which column of a table is what, by the names people give them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dedup.dumps.options import DumpOptions
from dedup.dumps.rows import excerpt
from dedup.errors import DumpError

# Compared without case, spaces and punctuation: "Question_Text" is "questiontext".
_ID = ("id", "qid", "questionid", "postid")
_TEXT = ("question", "text", "title", "questiontext", "query")
_CREATED = ("created", "creationdate", "createdat", "createdutc", "date")
_SCORE = ("score",)
_VIEWS = ("views", "viewcount")
_TAGS = ("tags",)
_PAIR_TEXTS = (("question1",), ("question2",))
_PAIR_IDS = (("id1", "qid1"), ("id2", "qid2"))
_PAIR_LABEL = ("isduplicate",)


@dataclass(frozen=True, slots=True)
class QuestionColumns:
    """The positions of a question's columns; None where the table has no such column."""

    id: int | None
    text: int
    created: int | None
    score: int | None
    views: int | None
    tags: int | None


@dataclass(frozen=True, slots=True)
class PairColumns:
    """The positions of a pair file's columns; ``id1`` and ``id2`` are both there or both None."""

    id1: int | None
    id2: int | None
    question1: int
    question2: int
    is_duplicate: int | None


def question_columns(file: str, columns: Sequence[str], options: DumpOptions) -> QuestionColumns:
    """Find a table's question columns. Raises DumpError where the text cannot be told, or a named one is not there."""
    text = _named(file, columns, options.text_column, "--text-column")
    if text is None:
        text = _only(file, columns, _TEXT, "text", "--text-column")
    if text is None:
        raise DumpError(
            f"{file}: no column is known to hold the question's text; the columns are {_listed(columns)}; name "
            "one with --text-column"
        )
    own_id = _named(file, columns, options.id_column, "--id-column")
    if own_id is None:
        own_id = _only(file, columns, _ID, "id", "--id-column", taken=text)
    created, score, views, tags = (_first(columns, usual, text) for usual in (_CREATED, _SCORE, _VIEWS, _TAGS))
    return QuestionColumns(own_id, text, created, score, views, tags)


def pair_columns(file: str, columns: Sequence[str]) -> PairColumns | None:
    """Find a pair file's columns; None where there is no question1 or no question2.

    Raises DumpError where a column is there twice or only one of the two ids is.
    """
    question1, question2 = (_only(file, columns, usual, usual[0], "other names") for usual in _PAIR_TEXTS)
    if question1 is None or question2 is None:
        return None
    id1, id2 = (_only(file, columns, usual, usual[0], "other names") for usual in _PAIR_IDS)
    if (id1 is None) != (id2 is None):
        raise DumpError(
            f"{file}: only one question of a pair has an id; the columns are {_listed(columns)}; expected id1 "
            "and id2, or neither"
        )
    return PairColumns(id1, id2, question1, question2, _first(columns, _PAIR_LABEL, question1))


def no_pair_columns(file: str, columns: Sequence[str]) -> DumpError:
    """Return the error of a table that was to hold pairs and does not."""
    return DumpError(
        f"{file}: the columns are {_listed(columns)}; a pair file has question1, question2 and, if it likes, id1, id2 "
        "and is_duplicate"
    )


def _named(file: str, columns: Sequence[str], name: str | None, flag: str) -> int | None:
    if name is None:
        return None
    places = [place for place, column in enumerate(columns) if column == name]
    if len(places) != 1:
        how_often = "no" if not places else "more than one"
        raise DumpError(f"{file}: {how_often} column {name!r}; the columns are {_listed(columns)}; correct {flag}")
    return places[0]


def _only(
    file: str, columns: Sequence[str], usual: Sequence[str], what: str, remedy: str, taken: int | None = None
) -> int | None:
    places = [place for place, column in enumerate(columns) if _plain(column) in usual and place != taken]
    if len(places) > 1:
        named = _listed([columns[place] for place in places])
        raise DumpError(f"{file}: ambiguous, the {what} could be any of the columns {named}; use {remedy}")
    return places[0] if places else None


def _first(columns: Sequence[str], usual: Sequence[str], taken: int) -> int | None:
    plain = [_plain(column) for column in columns]
    places = [plain.index(name) for name in usual if name in plain]
    return next((place for place in places if place != taken), None)


def _plain(column: str) -> str:
    return "".join(character for character in column.lower() if character.isalnum())


def _listed(columns: Sequence[str]) -> str:
    return excerpt(", ".join(columns)) or "none"
