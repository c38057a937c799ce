"""Clusterings read from files."""

from __future__ import annotations

from pathlib import Path

import pytest
from corpora import write_csv

from dedup.dumps import DumpOptions
from dedup.errors import DumpError
from dedup.evaluation.clusterings import number_clusters, read_clustering
from dedup.export import write_rows

COLUMNS = {"id": str, "question": str, "cluster": int, "canonical_id": str, "probability": float}
ROWS = [
    ("1", "Why?", 7, "1", 1.0),
    ("2", "Why, then?", 7, "1", 0.9),
    ("3", "Who,\nor when?", 9, "3", 1.0),
]


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_what_was_exported_is_read_back(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"clusters.{suffix}"
    write_rows(file, COLUMNS, ROWS)
    found, faults = read_clustering(str(file), DumpOptions())
    assert found.by_text == {"Why?": "7", "Why, then?": "7", "Who,\nor when?": "9"}
    assert found.by_id == {"1": "7", "2": "7", "3": "9"}
    assert (found.clusters, faults) == (1, 0)


def test_of_several_sources_the_one_asked_for_is_read(tmp_path: Path) -> None:
    rows = [("1", "a", "x", "here"), ("1", "b", "y", "there"), ("2", "c", "y", "there")]
    file = write_csv(tmp_path / "clusters.csv", rows, ("id", "question", "cluster", "source"))
    found, _ = read_clustering(file, DumpOptions(source="there"))
    assert (found.by_text, found.by_id, found.clusters) == ({"b": "y", "c": "y"}, {"1": "y", "2": "y"}, 1)


def test_ids_or_texts_are_enough_and_rows_at_fault_are_counted(tmp_path: Path) -> None:
    by_id, faults = read_clustering(
        write_csv(tmp_path / "a.csv", [("1", "x"), ("2", ""), ("3", "x"), ("4",)], ("id", "cluster")), DumpOptions()
    )
    assert (by_id.by_id, by_id.by_text, faults) == ({"1": "x", "3": "x"}, {}, 2)
    by_text, _ = read_clustering(
        write_csv(tmp_path / "b.csv", [("Why?", "x"), ("Why?", "y")], ("question", "cluster")), DumpOptions()
    )
    assert by_text.by_text == {"Why?": "y"}  # of several the last
    assert not by_text.by_id


@pytest.mark.parametrize("header", [("id", "question"), ("cluster", "text")])
def test_a_table_of_something_else_is_refused(tmp_path: Path, header: tuple[str, str]) -> None:
    file = write_csv(tmp_path / "other.csv", [("1", "2")], header)
    with pytest.raises(DumpError, match=rf"the columns are {', '.join(header)}; clusters have the column cluster, and"):
        read_clustering(file, DumpOptions())


def test_a_clustering_cut_short_is_refused(tmp_path: Path) -> None:
    import gzip

    whole = gzip.compress(b"question,cluster\n" + b"".join(b"question %d,%d\n" % (n, n % 7) for n in range(9999)))
    (tmp_path / "short.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DumpError, match=r"short\.csv\.gz: .* rows before that; get the file anew"):
        read_clustering(str(tmp_path / "short.csv.gz"), DumpOptions())


def test_questions_in_no_cluster_are_each_on_their_own() -> None:
    assert number_clusters(["a", None, "b", "a", None]).tolist() == [0, 1, 2, 0, 3]
