"""Results as files."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup.errors import DedupError
from dedup.export import write_rows

COLUMNS = {"id": str, "probability": float, "cluster": int}
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
ROWS = st.lists(st.tuples(TEXT, st.floats(0, 1), st.integers(-(2**63), 2**63 - 1)))


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet", ".CSV"])
@given(rows=ROWS)
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, rows: list[tuple[object, ...]]
) -> None:
    file = tmp_path_factory.mktemp("export") / f"rows{suffix}"
    assert write_rows(file, COLUMNS, rows) == len(rows)  # type: ignore[arg-type]
    assert read_back(file) == rows


def read_back(file: Path) -> list[tuple[object, ...]]:
    match file.suffix.lower():
        case ".csv":
            with file.open(newline="", encoding="utf-8") as stream:
                header, *rows = csv.reader(stream)
            assert header == list(COLUMNS)
            return [(own, float(p), int(c)) for own, p, c in rows]
        case ".jsonl":
            lines = file.read_text("utf-8").split("\n")[:-1]
            return [tuple(json.loads(line)[name] for name in COLUMNS) for line in lines]
        case _:
            table = pq.read_table(file)
            assert table.column_names == list(COLUMNS)
            return [tuple(row.values()) for row in table.to_pylist()]


def test_another_suffix_is_refused_with_the_ones_there_are(tmp_path: Path) -> None:
    with pytest.raises(DedupError, match=r"rows\.xlsx ends in \.xlsx; expected one of \.csv, \.jsonl, \.parquet"):
        write_rows(tmp_path / "rows.xlsx", COLUMNS, [])


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("old")

    def rows() -> object:
        yield ("1", 0.5, 1)
        raise OSError(28, "No space left on device")

    with pytest.raises(DedupError, match="No space left on device"):
        write_rows(file, COLUMNS, rows())  # type: ignore[arg-type]
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DedupError, match=r"file/rows\.csv cannot be written"):
        write_rows(tmp_path / "file" / "rows.csv", COLUMNS, [])
