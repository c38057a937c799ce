"""What a row's values must be, and what may be missing."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup.dumps.rows import (
    EXCERPT_CHARACTERS,
    excerpt,
    id_fault,
    id_of_text,
    parse_created,
    parse_tags,
    parse_whole,
    string_fault,
)
from dedup.questions import MAX_NAME_BYTES
from dedup.text import normalise, text_key


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2010-08-16T20:20:28.943", datetime(2010, 8, 16, 20, 20, 28, 943000, UTC)),
        ("2010-08-16 20:20:28Z", datetime(2010, 8, 16, 20, 20, 28, 0, UTC)),
        ("2010-08-16T22:20:28+02:00", datetime(2010, 8, 16, 20, 20, 28, 0, UTC)),
        ("2010-08-16", datetime(2010, 8, 16, tzinfo=UTC)),
        ("20100816", datetime(2010, 8, 16, tzinfo=UTC)),
        ("1281990028", datetime(2010, 8, 16, 20, 20, 28, 0, UTC)),
        (1281990028, datetime(2010, 8, 16, 20, 20, 28, 0, UTC)),
        ("1281990028943", datetime(2010, 8, 16, 20, 20, 28, 943000, UTC)),
        (1281990028943, datetime(2010, 8, 16, 20, 20, 28, 943000, UTC)),
        (1281990028943.0, datetime(2010, 8, 16, 20, 20, 28, 943000, UTC)),
        (9999999999999, datetime(2286, 11, 20, 17, 46, 39, 999000, UTC)),
        (10**12, datetime(2001, 9, 9, 1, 46, 40, 0, UTC)),
        (10**13, None),
        ("128199002894", None),
        (datetime(2010, 8, 16, 20, 20), datetime(2010, 8, 16, 20, 20, tzinfo=UTC)),
        (datetime(2010, 8, 16, 22, tzinfo=timezone(timedelta(hours=2))), datetime(2010, 8, 16, 20, tzinfo=UTC)),
        (date(2010, 8, 16), datetime(2010, 8, 16, tzinfo=UTC)),
        *((bad, None) for bad in ("", "yesterday", "2010", "2010-13-01", "0001-01-01T00:00+10:00", "nan", "٢٠١٠")),
        *((bad, None) for bad in (None, True, math.nan, math.inf, 10**30, [], {})),
    ],
)
def test_times_of_creation(value, expected):
    found = parse_created(value)
    assert found == expected
    assert found is None or found.tzinfo is UTC


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("12", 12),
        ("-3", -3),
        (" 7 ", 7),
        ("12.0", 12),
        (12, 12),
        (12.0, 12),
        (2**63 - 1, 2**63 - 1),
        (-(2**63) + 1, -(2**63) + 1),
        *(
            (bad, None)
            for bad in ("", "abc", "1.5", "1e400", "nan", "9" * 5000, 1.5, math.nan, math.inf, 2**63, -(2**63))
        ),
        *((bad, None) for bad in (None, True, [], {})),
    ],
)
def test_whole_numbers(value, expected):
    found = parse_whole(value)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("<a><b-c>", ("a", "b-c")),
        ("|a|b-c|", ("a", "b-c")),
        ("a, b c;d", ("a", "b c", "d")),
        ("a", ("a",)),
        (["a", " b ", "", 3, None], ("a", "b")),
        (["good", "bad\0", "bad\udcff"], ("good",)),
        *((nothing, ()) for nothing in ("", "<>", "||", None, 3, {}, [])),
    ],
)
def test_tags(value, expected):
    assert parse_tags(value) == expected


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("Why?", None),
        ("?", None),
        ("日本語", None),
        ("😀", None),
        (None, "no text"),
        ("", "the text is empty"),
        (" \t\r\n\u3000", "the text is empty"),
        ("\u200b\ufeff", "the text is empty"),
        ("&nbsp;", "the text is empty"),
        ("a\0b", "a NUL byte in the text"),
        ("\0", "a NUL byte in the text"),
        ("a\udcffb", "the text is not valid UTF-8"),
        ("\ud800", "the text is not valid UTF-8"),
        (3, "the text is of type int, expected a string"),
        (["Why?"], "the text is of type list, expected a string"),
    ],
)
def test_faults(value, fault):
    assert string_fault(value, "text") == fault


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_a_text_is_empty_exactly_if_nothing_is_left_of_it(text):
    assert (string_fault(text, "text") is None) == bool(normalise(text))


@given(st.text(st.characters()))
def test_an_excerpt_can_be_printed_and_stored(text):
    shown = excerpt(text * 3)
    assert len(shown) <= EXCERPT_CHARACTERS
    assert shown.encode().decode() == shown
    assert not any(ord(character) < 32 or ord(character) == 127 for character in shown)


def test_an_excerpt_shows_what_cannot_be_seen():
    assert excerpt("a\0b\r\n\tc\udcff") == r"a\x00b\r\n\tc\udcff"


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30), st.integers(0, 40))
def test_an_id_is_as_long_as_a_name_may_be(start, repeated):
    own_id = "a" + start * repeated
    expected = "the Id is longer than 600 bytes" if len(own_id.encode()) > 600 else None
    assert id_fault(own_id, "Id") == expected


@pytest.mark.parametrize("letter", ["a", "ü", "日", "😀"])
def test_the_longest_id_is_counted_in_bytes(letter):
    longest = letter * (MAX_NAME_BYTES // len(letter.encode()))
    assert id_fault(longest, "id") is None
    assert id_fault(longest + letter, "id") == "the id is longer than 600 bytes"


@pytest.mark.parametrize("value", [None, "", "a\0", "a\udcff", 3.5, []])
def test_what_is_wrong_with_a_text_is_wrong_with_an_id(value):
    assert id_fault(value, "id") == string_fault(value, "id") is not None


@given(st.text(), st.text())
def test_the_id_of_a_text_is_that_of_every_text_with_its_key(one, other):
    assert id_of_text(one) == id_of_text(normalise(one)) == "t" + text_key(normalise(one)).hex()[:16]
    assert (id_of_text(one) == id_of_text(other)) == (normalise(one) == normalise(other))
