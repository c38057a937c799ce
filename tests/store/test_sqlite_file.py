"""A file that is written as SQLite writes it: SQLite itself is the judge."""

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dedup.store import sqlite_file
from dedup.store.sqlite_file import write_table

TABLE = (
    "CREATE TABLE pairs (left_id BIGINT NOT NULL, right_id BIGINT NOT NULL, distance DOUBLE NOT NULL, run_id INTEGER, "
    "PRIMARY KEY (left_id, right_id), CHECK (left_id < right_id)) WITHOUT ROWID"
)
INDEXES = (
    "CREATE INDEX by_right ON pairs (right_id)",
    "CREATE INDEX by_run ON pairs (run_id, distance)",
)
ROWS = (0, 1, 2, 9, 10, 11, 100, 5_000)
BIG = 2**63 - 1


def pairs(rows: int, run: int) -> dict[str, NDArray[np.generic]]:
    random = np.random.default_rng(rows)
    left = np.sort(random.integers(-(2**62), 2**62, rows))
    right = random.integers(2**62, BIG, rows, endpoint=True)
    right[: rows // 2] = random.choice(right[:5], rows // 2) if rows > 1 else right[: rows // 2]
    distance = random.choice(np.array([0.0, 1.0, 0.1, 1e-300], dtype=np.float32), rows)
    return {"left_id": left, "right_id": right, "distance": distance, "run_id": np.broadcast_to(np.int64(run), rows)}


@pytest.fixture(params=[1 << 16, 512], ids=["pages as they are", "small pages"])
def small_or_not(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small pages make trees of several levels out of few rows."""
    monkeypatch.setattr(sqlite_file, "_PAGE", request.param)


@pytest.mark.usefixtures("small_or_not")
@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("run", [1, 128, 2**31, -(2**40)])
def test_sqlite_finds_it_sound_and_reads_the_rows_in_either_order(tmp_path: Path, rows: int, run: int) -> None:
    columns = pairs(rows, run)
    write_table(tmp_path / "file", [TABLE, *INDEXES], "pairs", ["left_id", "right_id"], columns)
    expected = list(zip(*(values.tolist() for values in columns.values()), strict=True))
    with closing(sqlite3.connect(tmp_path / "file")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT * FROM pairs ORDER BY left_id, right_id").fetchall() == expected
        by_right = "SELECT right_id, left_id FROM pairs INDEXED BY by_right ORDER BY right_id, left_id"
        assert connection.execute(by_right).fetchall() == sorted((right, left) for left, right, _, _ in expected)
        by_run = "SELECT distance, left_id, right_id FROM pairs INDEXED BY by_run WHERE run_id = ? ORDER BY distance"
        found = connection.execute(by_run + ", left_id, right_id", (run,)).fetchall()
        assert found == sorted((distance, left, right) for left, right, distance, _ in expected)
        for left, right, distance, _ in expected[::97]:
            one = "SELECT distance FROM pairs WHERE left_id = ? AND right_id = ?"
            assert connection.execute(one, (left, right)).fetchall() == [(distance,)]


def test_it_is_copied_into_a_table_like_it_and_can_be_changed_there(tmp_path: Path) -> None:
    columns = pairs(5_000, 3)
    write_table(tmp_path / "file", [TABLE, *INDEXES], "pairs", ["left_id", "right_id"], columns)
    with closing(sqlite3.connect(tmp_path / "database", isolation_level=None)) as connection:
        for statement in (TABLE, *INDEXES):
            connection.execute(statement)
        connection.execute("ATTACH ? AS other", (str(tmp_path / "file"),))
        copying = "INSERT INTO main.pairs SELECT * FROM other.pairs"
        opcodes = {row[1] for row in connection.execute(f"EXPLAIN {copying}")}
        assert "RowData" in opcodes  # records go over as they stand
        connection.execute(copying)
        connection.execute("DELETE FROM pairs WHERE left_id % 3 = 0")
        connection.execute("UPDATE pairs SET run_id = 4, right_id = right_id - 1 WHERE left_id % 3 = 1")
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT count(*) FROM pairs").fetchone() == (
            int((columns["left_id"] % 3 != 0).sum()),
        )


def test_the_page_that_sqlite_locks_by_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_file, "_PAGE", 512)
    monkeypatch.setattr(sqlite_file, "_NEVER", 40)
    columns = pairs(5_000, 1)
    write_table(tmp_path / "file", [TABLE], "pairs", ["left_id", "right_id"], columns)
    assert not any((tmp_path / "file").read_bytes()[39 * 512 : 40 * 512])
    with closing(sqlite3.connect(tmp_path / "file")) as connection:
        assert connection.execute("SELECT left_id FROM pairs ORDER BY left_id").fetchall() == [
            (i,) for i in columns["left_id"].tolist()
        ]


def test_records_longer_than_it_knows_are_refused(tmp_path: Path) -> None:
    columns = {f"c{i}": np.arange(3) << 40 for i in range(20)}
    statement = f"CREATE TABLE t ({', '.join(columns)}, PRIMARY KEY (c0)) WITHOUT ROWID"
    with pytest.raises(ValueError, match="expected 127 at most"):
        write_table(tmp_path / "file", [statement], "t", ["c0"], columns)
