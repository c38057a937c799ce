"""Apache Parquet."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dump_files import QUESTIONS, as_parquet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dedup.dumps import DumpOptions, read_dump
from dedup.dumps.rows import string_fault
from dedup.errors import DumpError
from dedup.questions import Question, Rejected

TEXTS = st.text(st.characters(exclude_categories=["Cs"])).filter(lambda text: string_fault(text, "text") is None)


def written(columns: dict[str, pa.Array | list[object]], row_group_size: int | None = None) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, row_group_size=row_group_size)
    return sink.getvalue()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1), st.integers(1, 5))
def test_arbitrary_texts_round_trip(dump, pairs, row_group_size):
    content = written({"text": [text for _, text in pairs], "id": [own_id for own_id, _ in pairs]}, row_group_size)
    records = read_dump(dump("a.parquet", content), DumpOptions())
    assert [(record.id, record.text, record.row) for record in records] == [
        (own_id, text, row) for row, (own_id, text) in enumerate(pairs, 1)
    ]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.binary(), pa.large_binary(), pa.string_view()])
def test_every_kind_of_string(read, kind):
    texts = pa.array(["Why?", "Wie heißt das?"]).cast(kind)
    assert [record.text for record in read("a.parquet", written({"text": texts}))] == ["Why?", "Wie heißt das?"]


def test_dictionaries_of_strings(read):
    texts = pa.array(["Why?", "How?", "Why?"]).dictionary_encode()
    assert [record.text for record in read("a.parquet", written({"text": texts}))] == ["Why?", "How?", "Why?"]


@pytest.mark.parametrize("kind", [pa.int8(), pa.int64(), pa.uint64(), pa.float64()])
def test_ids_that_are_numbers(read, kind):
    content = written({"id": pa.array([1, 22], kind), "text": ["Why?", "How?"]})
    assert [record.id for record in read("a.parquet", content)] == ["1", "22"]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin"])
def test_every_kind_of_time(read, unit, zone):
    created = pa.array([1281990028], pa.timestamp("s", zone)).cast(pa.timestamp(unit, zone))
    (question,) = read("a.parquet", written({"id": ["1"], "text": ["Why?"], "created": created}))
    assert question.created == datetime(2010, 8, 16, 20, 20, 28, tzinfo=UTC)


def test_a_time_out_of_reach_is_none(read):
    created = pa.array([1281990028 * 10**6, 10**18], pa.timestamp("us"))
    questions = read("a.parquet", written({"id": ["1", "2"], "text": ["Why?", "How?"], "created": created}))
    assert [question.created for question in questions] == [datetime(2010, 8, 16, 20, 20, 28, tzinfo=UTC), None]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.binary()])
def test_rows_at_fault(dump, kind):
    raw = [b"Why?", None, b"", b"W\xffy?", b"a\0b", b"How?", b"Who?"]
    # An array built from its buffers is not checked: what a careless writer makes.
    texts = pa.array(raw, pa.binary() if kind != pa.large_string() else pa.large_binary())
    texts = pa.Array.from_buffers(kind, len(raw), texts.buffers(), texts.null_count)
    path = dump("a.parquet", written({"id": ["1", "2", "3", "4", "5", None, "7"], "text": texts}))
    records = list(read_dump(path, DumpOptions()))
    assert [(record.row, record.id) for record in records if isinstance(record, Question)] == [(1, "1"), (7, "7")]
    assert [record for record in records if isinstance(record, Rejected)] == [
        Rejected(path, 2, "no text (column text)", "2"),
        Rejected(path, 3, "the text (column text) is empty", "3 | "),
        Rejected(path, 4, "the text (column text) is not valid UTF-8", r"4 | W\udcffy?"),
        Rejected(path, 5, "a NUL byte in the text (column text)", r"5 | a\x00b"),
        Rejected(path, 6, "no id", "How?"),
    ]


def test_a_text_column_of_numbers(read):
    (record,) = read("a.parquet", written({"id": [1], "text": [7]}))
    assert record.reason == "the text (column text) is of type int, expected a string"


@pytest.mark.parametrize("kept", [4, 10, 0.5, -1])
def test_a_cut_file(dump, kept):
    content = as_parquet(QUESTIONS)
    path = dump("a.parquet", content[: int(len(content) * kept) if isinstance(kept, float) else kept])
    message = (
        r"a\.parquet: the Parquet file is cut short or damaged \(.+\); read 0 records before that; get the file anew"
    )
    with pytest.raises(DumpError, match=message):
        list(read_dump(path, DumpOptions()))


def test_a_damaged_page(dump):
    questions = [Question(str(number), f"{number:050}?", created=QUESTIONS[0].created) for number in range(20_000)]
    content = bytearray(as_parquet(questions))
    content[len(content) // 3 : len(content) // 3 + 2_000] = bytes(2_000)
    with pytest.raises(
        DumpError, match=r"the Parquet file is cut short or damaged \(.+\); read [0-9,]+ records before"
    ):
        list(read_dump(dump("a.parquet", bytes(content)), DumpOptions()))


def test_a_column_whose_name_is_not_utf_8(read):
    with pytest.raises(DumpError, match=r"a\.parquet: the Parquet file is cut short or damaged \('utf-8' codec can't"):
        read("a.parquet", as_parquet(QUESTIONS).replace(b"created", b"cre\xd7ted"))


def test_two_columns_of_one_name(read):
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_arrays([pa.array(["1"])] * 3, names=["id", "text", "id"]), sink)
    with pytest.raises(DumpError, match=r"a\.parquet: two columns have one name; rename one of id, text, id"):
        read("a.parquet", sink.getvalue())


def test_a_long_text_repeated_through_a_dictionary_is_stopped_early(dump):
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 10_000, pa.int8()), pa.array(["a" * (1 << 20)]))
    content = written({"id": [str(row) for row in range(10_000)], "text": texts})
    records = read_dump(dump("a.parquet", content), DumpOptions(max_bytes=200 << 20))
    read = []
    with pytest.raises(
        DumpError, match=r"a\.parquet: [0-9,]+ bytes expanded to [0-9,]+, more than the limit of 209,715"
    ):
        read.extend(record.id for record in records)
    assert len(read) == 192


def test_other_columns_are_not_read(read):
    body = pa.array([[{"deep": 1}]])
    assert read("a.parquet", written({"body.html": body, "id": ["1"], "text": ["Why?"]})) == [Question("1", "Why?")]
