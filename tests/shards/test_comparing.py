"""A corpus compared in shards has the pairs, distances and probabilities of one compared in one piece, to the bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from engines.pools import Here
from shards.cases import Case, same

from dedup.engines import Engine
from dedup.errors import EngineError
from dedup.questions import Metric
from dedup.settings import Settings
from dedup.shards.columns import as_batch
from dedup.shards.context import work_folder
from dedup.shards.joining import join_bins


@pytest.fixture(scope="module", params=[(m, c) for m in Metric for c in (True, False)], ids=str)
def case(request) -> Case:
    return Case(*request.param)


@pytest.mark.parametrize(
    ("shard_size", "memory_per_task"),
    [(10_000, 10**9), (400, 10**9), (700, 800_000)],
    ids=["one shard", "several", "cells that do not fit a task"],
)
def test_the_pairs_are_those_of_one_piece(case, tmp_path, shard_size, memory_per_task):
    compared = case.in_shards(tmp_path, Engine(Here(2)), shard_size=shard_size, memory_per_task=memory_per_task)
    assert len(case.judged) > 100
    assert same(compared.joined.pairs, case.joined.pairs)
    assert np.array_equal(compared.judged, case.judged)
    ours, theirs = compared.joined, case.joined
    assert (ours.recall, ours.recall_pairs, ours.visits) == (theirs.recall, theirs.recall_pairs, theirs.visits)
    rows = len(case.keys)
    assert np.array_equal(ours.covered.shortfalls(rows), theirs.covered.shortfalls(rows))
    assert (compared.cut.hot_cells > 0) == (memory_per_task == 800_000)
    cut = compared.cut
    assert (cut.shards, cut.cells > 1) == (-(-rows // shard_size), case.in_cells)
    assert cut.replication >= 1 <= cut.skew
    assert cut.spilled > rows * 64 * 4 * cut.replication  # the vectors of each bin at the least
    assert list((tmp_path / "work").iterdir()) == []


def test_more_cells_are_visited_as_in_one_piece(tmp_path, monkeypatch):
    monkeypatch.setattr("dedup.join.recall.VISITS", (2,))
    monkeypatch.setattr("dedup.join.recall.FURTHER", (2, 5))
    case = Case(Metric.EUCLIDEAN, in_cells=True, recall_floor=0.9)
    compared = case.in_shards(tmp_path, Engine(Here(2)), shard_size=400)
    assert case.joined.visits == compared.joined.visits == 5
    assert same(compared.joined.pairs, case.joined.pairs)


def test_what_a_stopped_run_left_goes_with_the_next_one_and_other_databases_keep_theirs(tmp_path):
    case = Case(Metric.EUCLIDEAN, in_cells=False)
    settings = Settings(indexes=tmp_path, work_dir=str(tmp_path / "shared"))
    elsewhere = work_folder(replace(settings, db="sqlite:///elsewhere.db")).of("compare-0")
    for folder in (work_folder(settings).of("compare-of-yesterday"), elsewhere):
        folder.write("a.arrow", [as_batch({"row": np.arange(3)})])
    case.in_shards(tmp_path, Engine(Here(2)), work_dir=settings.work_dir)
    assert [file.name for file in (tmp_path / "shared").rglob("*") if file.is_file()] == ["a.arrow"]
    assert elsewhere.has("a.arrow")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("sqlite:///a.db", "sqlite:////{here}/a.db", True),
        ("sqlite:///a.db", "sqlite:///b.db", False),
        ("postgresql://me:secret@host/a", "postgresql+psycopg://you@host/a", True),
        ("postgresql://host/a", "postgresql://host/b", False),
        ("postgresql://host/a", "postgresql://other/a", False),
        ("postgresql:///a?host=/run/x", "postgresql:///a?host=/run/y", False),
    ],
)
def test_a_database_has_a_folder_of_its_own_whoever_works_on_it(tmp_path, monkeypatch, one, other, same):
    monkeypatch.chdir(tmp_path)
    here = str(tmp_path).lstrip("/")
    folders = [work_folder(Settings(db=db.format(here=here), work_dir="work")) for db in (one, other)]
    assert (folders[0] == folders[1]) == same
    assert {folder.uri for folder in folders} == {str(tmp_path / "work")}, "workers may have another current folder"


def test_after_a_failure_only_what_was_not_finished_is_done_again(case, tmp_path, monkeypatch):
    done: list[str] = []

    def joining(task):
        if len(done) == 3:
            raise EngineError("the disk is full")
        done.append(task.file)
        return join_bins(task)

    monkeypatch.setattr("dedup.shards.comparing.join_bins", joining)
    with pytest.raises(EngineError, match=r"joining bin.* failed 3 times: the disk is full"):
        case.in_shards(tmp_path, Engine(Here(2)), shard_size=700, memory_per_task=800_000)
    kept = {file: file.stat().st_mtime_ns for file in (tmp_path / "work").rglob("*.arrow")}
    assert sum(file.name.startswith("pairs-") for file in kept) == 3

    def finishing(task):
        for file, written in kept.items():
            assert not file.name.startswith("sample") or file.exists()
            assert file.name.startswith("sample") or file.stat().st_mtime_ns == written
        return join_bins(task)

    monkeypatch.setattr("dedup.shards.comparing.join_bins", finishing)
    compared = case.in_shards(tmp_path, Engine(Here(2)), shard_size=700, memory_per_task=800_000)
    assert same(compared.joined.pairs, case.joined.pairs)
