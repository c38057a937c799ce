"""What Prometheus reads of a running service.

Source of the names: Prometheus, "Metric and label naming".
"""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Callable
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from dedup.errors import NoGeneration
from dedup.service.engine import Service
from dedup.service.snapshot import Snapshot
from dedup.store import Verdict

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0)


class Measures:
    """Counters and gauges of one service."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._registry = CollectorRegistry()
        self._requests = Histogram(
            "dedup_http_request_seconds",
            "How long requests took, by method, route and status.",
            ["method", "route", "status"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._answers = Counter(
            "dedup_answers", "Queries answered, by whether it was asked before.", ["decision"], registry=self._registry
        )
        self._reviewed = Gauge(
            "dedup_reviewed_pairs",
            "Pairs that people have judged, by what was decided: same, different, or disagreed.",
            ["decision"],
            registry=self._registry,
        )
        gauges: dict[str, tuple[str, Callable[[], float]]] = {
            "dedup_waiting_queries": ("Queries that wait for their answer.", lambda: service.waiting),
            "dedup_generation_age_seconds": (
                "How long ago the generation in service was published; NaN while there is none.",
                lambda: self._of(_age),
            ),
            "dedup_index_vectors": (
                "Vectors of the generation in service; NaN while there is none.",
                lambda: self._of(lambda snapshot: len(snapshot.searcher.generation.index)),
            ),
            "dedup_added_texts": (
                "Texts recorded since, which lie over the generation in memory.",
                lambda: self._of(lambda snapshot: len(snapshot.searcher.overlay.added)),
            ),
            "dedup_ready": ("Whether queries are answered.", lambda: self._of(lambda _: 1.0, 0.0)),
        }
        for name, (about, value) in gauges.items():
            Gauge(name, about, registry=self._registry).set_function(value)

    def count_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        self._requests.labels(method, route, str(status)).observe(seconds)

    def count_answer(self, *, duplicate: bool) -> None:
        """Count a query that was answered."""
        self._answers.labels("duplicate" if duplicate else "new").inc()

    def text(self) -> bytes:
        """Return everything in the text exposition format."""
        decided = Counts(each.agreed for each in self._service.store.reviewed())
        for decision in (Verdict.SAME, Verdict.DIFFERENT, None):
            self._reviewed.labels(decision or "disagreed").set(decided[decision])
        return generate_latest(self._registry)

    def _of(self, value: Callable[[Snapshot], float], otherwise: float = float("nan")) -> float:
        try:
            return value(self._service.snapshot)
        except NoGeneration:
            return otherwise


def _age(snapshot: Snapshot) -> float:
    published = snapshot.published.generation.published_at
    return float("nan") if published is None else (datetime.now(UTC) - published).total_seconds()
