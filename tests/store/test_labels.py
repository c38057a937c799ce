"""Recorded labels, read back."""

from __future__ import annotations

from dedup.questions import Label, Metric
from dedup.store import RunKind, Store


def test_labels_come_back_as_they_were_recorded_from_every_origin_in_one_order(store: Store) -> None:
    run = store.start_run(RunKind.RUN, Metric.EUCLIDEAN, 0.5, {})
    links = [Label("9", "2", True, "site"), Label("1", "3", False, "forum")]
    pairs = [Label("2", "9", False, "site", "Why?", "Who?")]
    store.record_labels(run, "PostLinks.xml", links)
    store.record_labels(run, "pairs.csv", pairs)
    assert list(store.iter_labels()) == [Label("1", "3", False, "forum"), Label("2", "9", True, "site"), *pairs]


def test_a_database_without_labels_has_none(store: Store) -> None:
    assert list(store.iter_labels()) == []
