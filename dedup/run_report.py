"""What a run's report shows, gathered from what the run found and recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from dedup import __version__
from dedup.classifier import Classifier
from dedup.encoders import Encoder
from dedup.index import FaissIndex
from dedup.ingest import Ingested
from dedup.join import Joined
from dedup.questions import Int64
from dedup.report import ClusterCard, Member, RunReport
from dedup.settings import Settings
from dedup.store import QuestionRecord, RecordedClusters, Store

_BINS = 48
_CARDS = 8  # clusters of each kind
_SHOWN_MEMBERS = 12


@dataclass(frozen=True, slots=True)
class RunFacts:
    """A run's name, counts and times."""

    run_id: int
    started: datetime
    generation: str
    counts: Mapping[str, int]
    seconds: Mapping[str, float]
    ingested: Ingested


def describe_run(
    store: Store,
    facts: RunFacts,
    settings: Settings,
    encoder: Encoder,
    classifier: Classifier,
    index: FaissIndex,
    joined: Joined,
    clusters: RecordedClusters,
) -> RunReport:
    """Return everything that the report of a run shows; its clusters are read back from the store."""
    farthest = max(classifier.max_distance(settings.candidate_floor), 1e-6)
    histogram, edges = np.histogram(joined.pairs.distance, bins=_BINS, range=(0.0, farthest))
    several = np.flatnonzero(clusters.size >= 2)
    least_certain = several[np.lexsort((clusters.id[several], clusters.weakest[several]))][:_CARDS]
    return RunReport(
        run_id=facts.run_id,
        started=facts.started,
        version=__version__,
        database=store.display_url,
        generation=facts.generation,
        encoder=encoder.name,
        fingerprint=encoder.fingerprint,
        metric=encoder.metric,
        index_kind=str(index.kind),
        recall=index.recall,
        pair_recall=joined.recall,
        threshold=settings.threshold,
        candidate_floor=settings.candidate_floor,
        cluster_floor=settings.cluster_floor,
        cutoff=classifier.max_distance(settings.threshold),
        slope=classifier.slope,
        intercept=classifier.intercept,
        classifier_fit=classifier.fit,
        counts=facts.counts,
        seconds=facts.seconds,
        histogram_edges=edges,
        histogram_counts=histogram,
        largest=_cards(store, several[:_CARDS], clusters),  # clusters are numbered from the largest down
        least_certain=_cards(store, least_certain, clusters),
        rejects=facts.ingested.rejected,
        rejects_file=str(facts.ingested.rejects_file) if facts.ingested.rejects_file else None,
    )


def _cards(store: Store, positions: Int64, clusters: RecordedClusters) -> tuple[ClusterCard, ...]:
    return tuple(_card(store, int(cluster)) for cluster in clusters.id[positions])


def _card(store: Store, number: int) -> ClusterCard:
    record = store.cluster(number)
    others = sorted(record.members[1:], key=lambda member: -member.probability)
    return ClusterCard(
        number=number,
        size=record.summary.size,
        weakest=record.summary.weakest_probability,
        canonical=_member(record.summary.canonical, 1.0),
        members=tuple(_member(other.question, other.probability) for other in others[:_SHOWN_MEMBERS]),
    )


def _member(question: QuestionRecord, probability: float) -> Member:
    return Member(question.id, question.source, question.text, probability)
