"""How the last run ended and what is in service, as a textfile for Prometheus' node exporter.

Source of the format and of the names: Prometheus, "Text exposition format 0.0.4" and "Metric and label naming".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from dedup import __version__
from dedup.artifacts import replacing
from dedup.errors import ExitCode
from dedup.store import InService, RunState, Store

_COUNTS = {
    "questions": "Questions that the result in service is of.",
    "texts": "Distinct texts among the questions in service.",
    "candidate_pairs": "Candidate pairs in service.",
    "duplicate_pairs": "Pairs in service at or above the threshold.",
    "clusters": "Clusters in service of two questions or more.",
    "clustered_questions": "Questions in clusters of two or more.",
}
_RECALL = {
    "recall": ("dedup_index_recall_ratio", "Recall of the index in service, measured at its build."),
    "pair_recall": (
        "dedup_pair_recall_ratio",
        "Recall of the candidate pairs in service, measured when they were found.",
    ),
}


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended: its exit code, when, after how many seconds in all and by stage."""

    code: ExitCode
    at: datetime
    seconds: float
    stages: Mapping[str, float]


def write_metrics(file: Path, ended: Ended, store: Store | None) -> None:
    """Write a textfile in one step: a scrape sees the one before or this one, whole.

    Without a ``store``, because it cannot be opened, only how the run ended is written.

    Raises
    ------
    DedupError
        Where it cannot be written.
    """
    registry = CollectorRegistry()
    for name, about, value in _of_the_end(ended):
        Gauge(name, about, registry=registry).set(value)
    stages = Gauge(
        "dedup_last_run_stage_seconds", "How long each stage of the last run took.", ["stage"], registry=registry
    )
    for stage, seconds in ended.stages.items():
        stages.labels(stage).set(seconds)
    if store is not None:
        for name, about, value in _on_record(store):
            Gauge(name, about, registry=registry).set(value)
        if (service := store.in_service()) is not None:
            for name, about, value in _in_service(service):
                Gauge(name, about, registry=registry).set(value)
            labels = {
                "version": __version__,
                "generation": service.generation.name,
                "metric": str(service.generation.metric),
                "kind": service.generation.kind,
            }
            named = Gauge("dedup_generation_info", "The generation in service.", list(labels), registry=registry)
            named.labels(**labels).set(1)
    with replacing(file) as beside:
        beside.write_bytes(generate_latest(registry))


def _of_the_end(ended: Ended) -> Iterable[tuple[str, str, float]]:
    yield "dedup_last_run_exit_code", "How the last run ended: 0 done; docs/operations.md has the others.", ended.code
    yield "dedup_last_run_end_timestamp_seconds", "When the last run ended.", ended.at.timestamp()
    yield "dedup_last_run_duration_seconds", "How long the last run took.", ended.seconds


def _on_record(store: Store) -> Iterable[tuple[str, str, float]]:
    yield "dedup_pending_questions", "Questions recorded and not yet in service.", store.pending_questions()
    done = store.last_run(RunState.DONE)
    if done is None:
        return
    assert done.finished_at is not None  # a run that is done has ended
    yield "dedup_last_run_success_timestamp_seconds", "When a run was last done.", done.finished_at.timestamp()
    for name, unit in (("read", "rows"), ("rejected", "rows"), ("encoded", "questions")):
        about = f"{unit.capitalize()} {name} by the last run that was done."
        yield f"dedup_last_success_{name}_{unit}", about, done.counts[name]


def _in_service(service: InService) -> Iterable[tuple[str, str, float]]:
    generation, counts = service.generation, service.run.counts
    assert generation.published_at is not None  # it is in service
    about = "When the generation in service was published."
    yield "dedup_generation_published_timestamp_seconds", about, generation.published_at.timestamp()
    yield "dedup_generation_vectors", "Vectors in the generation in service.", generation.vectors
    about = "Figures of the run in service that are not like in the runs before it."
    yield "dedup_drifted_figures", about, len(counts.get("drift", ()))
    for name, about in _COUNTS.items():
        yield f"dedup_{name}", about, counts[name]
    for name, (metric, about) in _RECALL.items():
        yield metric, about, counts[name]
