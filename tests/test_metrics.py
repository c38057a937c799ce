"""The textfile of the last run, read by Prometheus' own parser."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from corpora import KITCHEN
from prometheus_client.parser import text_string_to_metric_families

from dedup import __version__
from dedup.errors import DedupError, DumpError, Locked, StoreError
from dedup.locks import FileLock
from dedup.pipeline import RunResult, run
from dedup.settings import Settings
from dedup.store import Store

RunCsv = Callable[..., RunResult]


def read(file: Path) -> dict[str, float]:
    """Return the values by name; those with labels, by name and the labels' values."""
    families = list(text_string_to_metric_families(file.read_text("utf-8")))
    assert all(family.documentation and family.type == "gauge" for family in families)
    assert all(re.fullmatch(r"dedup_[a-z_]+", family.name) for family in families)
    return {" ".join((s.name, *s.labels.values())): s.value for family in families for s in family.samples}


def test_after_a_run_it_says_what_the_summary_says(run_csv: RunCsv, settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "textfile" / "dedup.prom"
    before = time.time()
    result = run_csv(KITCHEN, metrics_file=file)
    metrics = read(file)
    done = result.summary
    assert metrics["dedup_last_run_exit_code"] == 0
    assert before <= metrics["dedup_last_run_success_timestamp_seconds"] <= time.time()
    assert before <= metrics["dedup_generation_published_timestamp_seconds"] <= time.time()
    assert before <= metrics["dedup_last_run_end_timestamp_seconds"] <= time.time()
    assert (metrics["dedup_questions"], metrics["dedup_texts"]) == (7, 5)
    assert metrics["dedup_last_success_read_rows"] == done.read
    assert metrics["dedup_last_success_encoded_questions"] == done.encoded == 5
    assert metrics["dedup_candidate_pairs"] == done.candidate_pairs
    assert metrics["dedup_duplicate_pairs"] == done.duplicate_pairs
    assert metrics["dedup_clusters"] == done.clusters
    assert metrics["dedup_pending_questions"] == 0
    assert metrics["dedup_pair_recall_ratio"] == result.recall
    assert metrics[f"dedup_generation_info {done.generation} flat euclidean {__version__}"] == 1
    with Store.open(settings.db) as store:
        stages = store.last_run().seconds
    assert set(stages) <= {name.split()[-1] for name in metrics if name.startswith("dedup_last_run_stage_seconds")}
    assert sum(stages.values()) <= metrics["dedup_last_run_duration_seconds"]
    assert [left.name for left in file.parent.iterdir()] == ["dedup.prom"]


def test_a_run_that_fails_says_so_and_what_is_in_service_stays(
    run_csv: RunCsv, settings: Settings, trigrams, tmp_path: Path
) -> None:
    file = tmp_path / "dedup.prom"
    run_csv(KITCHEN, metrics_file=file)
    before = read(file)
    trigrams.fails_after = 0
    with pytest.raises(InterruptedError):
        run_csv([("77", "Who was first on the moon?", 1)], metrics_file=file)
    after = read(file)
    assert after["dedup_last_run_exit_code"] == 1
    assert after["dedup_pending_questions"] == 1
    for name in ("last_run_success_timestamp_seconds", "generation_published_timestamp_seconds", "questions"):
        assert after[f"dedup_{name}"] == before[f"dedup_{name}"]


def test_a_first_run_that_fails_has_no_success(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "dedup.prom"
    with pytest.raises(DumpError):
        run([str(tmp_path / "none.csv")], replace(settings, metrics_file=file))
    assert read(file)["dedup_last_run_exit_code"] == 1
    assert not any("success" in name for name in read(file))


def test_a_run_that_cannot_begin_says_why(run_csv: RunCsv, settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "dedup.prom"
    lock = FileLock(settings.indexes / ".lock", "the folder")
    with lock.taken("dedup run"), pytest.raises(Locked):
        run_csv(KITCHEN, metrics_file=file)
    assert read(file)["dedup_last_run_exit_code"] == 4
    with pytest.raises(StoreError):
        run_csv(KITCHEN, metrics_file=file, db="postgresql://nobody@127.0.0.1:1/none?connect_timeout=1")
    assert read(file)["dedup_last_run_exit_code"] == 1
    assert read(file)["dedup_last_run_duration_seconds"] > 0


def test_a_file_that_cannot_be_written_is_known_before_any_work(run_csv: RunCsv, trigrams, tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(DedupError, match="taken cannot be written"):
        run_csv(KITCHEN, metrics_file=tmp_path / "taken" / "dedup.prom")
    assert trigrams.encoded == []
