"""Pair files: two questions a row and, in most, whether they ask the same thing (Quora's published form)."""

from __future__ import annotations

from collections.abc import Iterator

from dedup.dumps.columns import PairColumns
from dedup.dumps.rows import id_fault, id_of_text, id_text, rejected, string_fault
from dedup.dumps.tables import Table
from dedup.questions import Label, Question, Record, Rejected, question_key

_DUPLICATE = {"1": True, "1.0": True, "true": True, "yes": True, "0": False, "0.0": False, "false": False, "no": False}


def pairs(table: Table, columns: PairColumns, file: str, source: str) -> Iterator[Record]:
    """Read a pair file: each distinct question once, and a Label where the row has one.

    A question is distinct by its id and text together: an id that comes with another text is yielded again, for the
    store to refuse by name. Only a 63-bit number of each is remembered. Without id columns, a question's id is its
    text's (`rows.id_of_text`), and texts with one key are one question.
    """
    seen: set[int] = set()
    for record in _records(table, columns, file, source):
        if isinstance(record, Question):
            key = question_key("" if columns.id1 is None else record.text, record.id)
            if key in seen:
                continue
            seen.add(key)
        yield record


def pair_labels(table: Table, columns: PairColumns, file: str, source: str) -> Iterator[Label | Rejected]:
    """Read what a pair file says about its pairs."""
    for record in _records(table, columns, file, source):
        if not isinstance(record, Question):
            yield record


def _records(table: Table, columns: PairColumns, file: str, source: str) -> Iterator[Record]:
    """Yield both questions of each row, as often as they come; a faulty one does not take the other with it."""
    wanted = (columns.id1, columns.id2, columns.question1, columns.question2, columns.is_duplicate)
    for row in table.rows(wanted):
        if isinstance(row, Rejected):
            yield row
            continue
        number, (id1, id2, text1, text2, said) = row
        left = _question(id1, text1, "1", columns, source, number)
        right = _question(id2, text2, "2", columns, source, number)
        yield from (side for side in (left, right) if isinstance(side, Question))
        if isinstance(left, str) or isinstance(right, str):
            reason = "; ".join(side for side in (left, right) if isinstance(side, str))
            yield rejected(file, number, reason, (id1, id2, text1, text2))
        elif said is not None and said != "":
            duplicate = _DUPLICATE.get(str(said).strip().lower())
            if duplicate is None:
                reason = "is_duplicate is neither 0 nor 1; both questions were taken"
                yield rejected(file, number, reason, (said, id1, id2, text1, text2))
            else:
                yield Label(left.id, right.id, duplicate, source, left.text, right.text)


def _question(id: object, text: object, side: str, columns: PairColumns, source: str, row: int) -> Question | str:
    """Return one side of a pair, or what is wrong with it."""
    fault = string_fault(text, "question" + side)
    if fault is not None:
        return fault
    assert type(text) is str
    if columns.id1 is None:
        own_id: object = id_of_text(text)
    else:
        own_id = id_text(id)
        fault = id_fault(own_id, "id" + side)
        if fault is not None:
            return fault
    assert type(own_id) is str
    return Question(own_id, text, source, row=row)
