"""What a run counts, beside what others counted."""

from __future__ import annotations

from collections.abc import Callable

from corpora import KITCHEN, many_questions

from dedup.pipeline import RunResult
from dedup.settings import Settings
from dedup.store import Store

RunCsv = Callable[..., RunResult]


def test_a_run_that_is_not_like_those_before_says_so(settings: Settings, run_csv: RunCsv, caplog) -> None:
    rows = many_questions(300)
    for some in (rows[:290], rows[:295], rows):
        done = run_csv(some, threshold=0.9, candidate_floor=0.5)
        assert not done.reused
    assert "not like" not in caplog.text
    copies = [(f"copy-{id_}", text, views) for id_, text, views in rows]
    done = run_csv(rows + copies, threshold=0.9, candidate_floor=0.5)
    with Store.open(settings.db) as store:
        (said,) = store.run(done.summary.run_id).counts["drift"]
        assert store.run(1).counts["drift"] == []
    assert said.startswith("share of duplicates: 0.")
    assert f"this run is not like those before: {said}" in caplog.text
    assert said in done.report.read_text("utf-8")


def test_runs_with_other_settings_are_not_compared(settings: Settings, run_csv: RunCsv, caplog) -> None:
    run_csv(many_questions(300), threshold=0.9, candidate_floor=0.5)
    run_csv(KITCHEN * 3, threshold=0.4)
    assert "not like" not in caplog.text
