"""Lines are bounded, and bytes that are not UTF-8 survive in them."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup.dumps import lines
from dedup.dumps.lines import BoundedLines, TooLong


def bounded(content: bytes) -> BoundedLines:
    return BoundedLines(io.BufferedReader(io.BytesIO(content)))


@given(st.binary())
def test_nothing_is_lost(content):
    read = "".join(bounded(content)).encode("utf-8", "surrogateescape")
    assert read == content.removeprefix(b"\xef\xbb\xbf")


@given(st.lists(st.binary(max_size=30).map(lambda line: line.replace(b"\n", b"") + b"\n")))
def test_long_lines_are_passed_over_and_no_others(contents):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(lines, "MAX_LINE_BYTES", 16)
        read = []
        source = bounded(b"\xef\xbb\xbf\n" + b"".join(contents))
        next(source)
        while True:
            source.start_record()
            try:
                read.append(next(source).encode("utf-8", "surrogateescape"))
            except TooLong:
                read.append(None)
            except StopIteration:
                break
    assert read == [line if len(line) <= 16 else None for line in contents]
    assert source.number == 1 + len(contents)
    assert source.position == 4 + sum(map(len, contents))


def test_a_record_of_many_lines_is_bounded(monkeypatch):
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 10)
    source = bounded(b"12345\n" * 4)
    assert next(source) == "12345\n"
    with pytest.raises(TooLong):
        next(source)
    assert source.record == ["12345\n"]
    assert (source.number, source.position) == (1, 6)
    source.start_record()
    assert next(source) == "12345\n"  # the one that was too much
    assert (source.number, source.position) == (2, 12)


def test_a_line_that_is_stepped_back_over_is_read_again():
    source = bounded(b"one\ntwo\nthree\n")
    assert [next(source), next(source)] == ["one\n", "two\n"]
    source.step_back()
    assert source.record == ["one\n"]
    source.start_record()
    assert list(source) == ["two\n", "three\n"]
    source.step_back()  # at the end there is nothing to step back over
    assert source.record == ["two\n", "three\n"]
    assert list(source) == []
    assert (source.number, source.position) == (3, 14)


def test_a_line_too_long_for_any_record_is_passed_over_though_it_first_ended_another(monkeypatch):
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 10)
    source = bounded(b"12345\n" + b"x" * 35 + b"\nlast\n")
    assert next(source) == "12345\n"
    with pytest.raises(TooLong):
        next(source)
    source.start_record()
    with pytest.raises(TooLong):
        next(source)
    assert source.record == ["x" * 11]
    source.start_record()
    assert list(source) == ["last\n"]
    assert (source.number, source.position) == (3, 6 + 36 + 5)
