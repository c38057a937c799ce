from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dedup.errors import StoreError
from dedup.questions import Metric
from dedup.store import KILLED, RunKind, RunState, Store


def test_a_run_from_its_start_to_its_end(store: Store) -> None:
    before = datetime.now(UTC)
    assert store.last_run() is None
    settings = {"threshold": 0.7, "dumps": ["a.csv", "ü.csv"], "none": None}
    run = store.start_run(RunKind.RUN, Metric.MANHATTAN, 0.1 + 0.2, settings)
    record = store.run(run)
    assert (record.kind, record.state, record.metric) == (RunKind.RUN, RunState.RUNNING, Metric.MANHATTAN)
    assert (record.threshold, record.settings) == (0.1 + 0.2, settings)
    assert (record.counts, record.seconds, record.classifier, record.finished_at) == ({}, {}, None, None)
    assert before <= record.started_at <= datetime.now(UTC)
    assert record.started_at.utcoffset() == timedelta(0)

    store.finish_run(run, {"questions": 3}, {"encode": 0.25}, classifier={"slope": 2.5}, corpus_digest="d", report="r")
    record = store.run(run)
    assert (record.state, record.counts, record.seconds) == (RunState.DONE, {"questions": 3}, {"encode": 0.25})
    assert (record.classifier, record.corpus_digest, record.report) == ({"slope": 2.5}, "d", "r")
    assert (record.error, record.generation) == (None, None)
    assert record.started_at <= record.finished_at <= datetime.now(UTC)
    assert store.last_run() == record


def test_the_last_run_of_a_state(store: Store) -> None:
    done, failed, running = (store.start_run(RunKind.REINDEX, Metric.EUCLIDEAN, 0.5, {}) for _ in range(3))
    store.finish_run(done, {}, {})
    store.fail_run(failed, "the disk is full")
    assert store.last_run().id == running
    assert store.last_run(RunState.DONE).id == done
    assert store.last_run(RunState.FAILED).id == failed
    assert store.run(failed).error == "the disk is full"


def test_runs_that_never_ended_are_recorded_as_killed_and_no_others(store: Store) -> None:
    done, failed, *killed = (store.start_run(RunKind.RUN, Metric.EUCLIDEAN, 0.5, {}) for _ in range(4))
    store.finish_run(done, {}, {})
    store.fail_run(failed, "the disk is full")
    before = store.run(done), store.run(failed)
    assert store.fail_killed_runs() == killed
    assert (store.run(done), store.run(failed)) == before
    assert {(store.run(run).state, store.run(run).error) for run in killed} == {(RunState.FAILED, KILLED)}
    assert store.fail_killed_runs() == []


def test_a_reason_of_failure_is_recorded_whatever_it_is_made_of(store: Store) -> None:
    run = store.start_run(RunKind.RUN, Metric.EUCLIDEAN, 0.5, {})
    store.fail_run(run, "caf\udce9.csv has a \0 in it")
    assert store.run(run).error == "caf\\udce9.csv has a \N{REPLACEMENT CHARACTER} in it"
    assert store.run(run).state is RunState.FAILED


def test_a_run_that_is_not_recorded(store: Store) -> None:
    for act in (
        store.run,
        lambda run: store.fail_run(run, ""),
        lambda run: store.finish_run(run, {}, {}),
        lambda run: store.record_report(run, "", {}),
    ):
        with pytest.raises(StoreError, match="no run 5 is recorded"):
            act(5)


def test_a_report_is_attached_to_a_run_that_is_done(store: Store) -> None:
    run = store.start_run(RunKind.RUN, Metric.EUCLIDEAN, 0.5, {})
    with pytest.raises(StoreError, match=f"run {run} is running; expected one that is done"):
        store.record_report(run, "report.html", {"encode": 1.0})
    store.finish_run(run, {"questions": 3}, {}, classifier={"slope": 2.5}, corpus_digest="d")
    before = store.run(run)
    store.record_report(run, "caf\udce9/report.html", {"encode": 1.0, "report": 0.5})
    after = store.run(run)
    assert (after.report, after.seconds) == ("caf\\udce9/report.html", {"encode": 1.0, "report": 0.5})
    assert after == replace(before, report=after.report, seconds=after.seconds)
    store.fail_run(run, "too late")
    assert store.run(run) == after  # a run that is done stays done
    failed = store.start_run(RunKind.RUN, Metric.EUCLIDEAN, 0.5, {})
    store.fail_run(failed, "no")
    with pytest.raises(StoreError, match=f"run {failed} is failed"):
        store.record_report(failed, "report.html", {})


def test_an_encoder_is_recorded_once(store: Store) -> None:
    first = store.register_encoder("f1", "mini", 384, 1)
    other = store.register_encoder("f2", "mini", 384, 1)
    assert store.register_encoder("f1", "mini", 384, 1) == first != other
    record = store.encoder(first)
    assert (record.fingerprint, record.name, record.dimension, record.normaliser_version) == ("f1", "mini", 384, 1)
    with pytest.raises(StoreError, match="no encoder 99 is recorded"):
        store.encoder(99)
