"""Rates are measured by runs over samples of a dump, in a folder of their own, and plan what these runs took."""

from __future__ import annotations

import csv
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from corpora import many_questions

from dedup.errors import DumpError
from dedup.pipeline import RunResult
from dedup.planning import Machines, measuring, plan_run
from dedup.planning.measuring import measure_rates
from dedup.planning.workload import TERMS
from dedup.progress import Silent, Stopwatch
from dedup.settings import IndexKind, Settings


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    file = tmp_path / "questions.csv"
    with file.open("w", newline="", encoding="utf-8") as stream:
        rows = [(number, text) for number, (_, text, _) in enumerate(many_questions(700))]
        csv.writer(stream).writerows([("id", "question"), *rows])
    return file


def test_rates_are_those_of_runs_over_samples(tmp_path: Path, dump: Path) -> None:
    settings = Settings(indexes=tmp_path / "indexes", encoder="dedup-static", workers=2)  # which measuring does not use
    rates = measure_rates(str(dump), settings, Silent(), (200, 400, 600))
    assert (rates.encoder, rates.measured, rates.population) == ("dedup-static", (200, 400, 600), 700)
    assert 0 < rates.distinct <= 1
    assert rates.pairs_per_text > 0
    assert all(set(rates.stages[name].each) == set(terms) for name, terms in TERMS.items())
    plan = plan_run(600, rates.dimension, Machines(nodes=1, cores=2, memory=8e9, network=1e9, storage=1e9), rates)
    assert 0 < plan.hours * 3600 < 60
    assert not settings.indexes.exists()


def test_a_dump_that_is_too_small_is_refused(tmp_path: Path, dump: Path) -> None:
    settings = Settings(indexes=tmp_path / "indexes", encoder="dedup-static")
    with pytest.raises(DumpError, match=r"has 700 questions, rates are measured on 50,000 or more"):
        measure_rates(str(dump), settings, Silent())


def test_runs_that_compared_all_with_all_in_the_end_tell_no_rates(
    tmp_path: Path, dump: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(indexes=tmp_path / "indexes", encoder="dedup-static")
    run = measuring.run

    def missing_the_floor(dumps: list[str], own: Settings, *, progress: Stopwatch) -> RunResult:
        result = run(dumps, own, progress=progress)
        if own.index is IndexKind.PQ:
            progress.stages["join"] = replace(progress.stages["join"], unit="rows")
        return result

    monkeypatch.setattr(measuring, "run", missing_the_floor)
    monkeypatch.setattr(measuring, "ProcessPoolExecutor", lambda *_, **__: ThreadPoolExecutor(1))
    with pytest.raises(DumpError, match=r"all missed the recall floor 0\.99.*give another dump, or a lower"):
        measure_rates(str(dump), settings, Silent(), (200, 400))
