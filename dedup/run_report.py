"""What a run's report shows, gathered from what the run found and recorded."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime

import numpy as np

from dedup import __version__
from dedup.classifier import Classifier
from dedup.drift import RUNS, Figures, jumps
from dedup.encoders import Encoder
from dedup.errors import ClassifierError
from dedup.ingest import Ingested
from dedup.priors import estimate_share
from dedup.profile import StageProfile
from dedup.questions import Float64, Pairs
from dedup.report import ClusterCard, Member, RunReport
from dedup.reranking import Rescoring
from dedup.settings import Settings
from dedup.store import ClusterSummary, QuestionRecord, Store

log = logging.getLogger(__name__)

_BINS = 48
_CARDS = 8  # clusters of each kind
_SHOWN_MEMBERS = 12


@dataclass(frozen=True, slots=True)
class RunCounts:
    """What a run read and found, as it is recorded; a run that finds nothing new takes over what was found."""

    read: int  # questions of its dumps, rejected rows included
    rejected: int
    labels: int  # new ones
    questions: int  # recorded in all
    texts: int  # distinct ones
    exact_duplicates: int
    encoded: int
    candidate_pairs: int
    duplicate_pairs: int
    clusters: int  # of two questions or more
    clustered_questions: int
    index_kind: str
    recall: float  # of the index's search
    pair_recall: float  # of the candidate pairs under the cut-off
    pair_recall_pairs: int  # true pairs that it was measured on; 0 where all was compared with all
    histogram: list[int]  # candidate pairs of different texts by distance, in equal bins from 0 to where candidates end
    reranked: int = 0  # pairs judged again by a cross-encoder
    added: int = 0  # questions
    changed: int = 0
    deleted: int = 0
    compared: int = 0  # texts that were compared with all others; the pairs of the rest were known
    new_duplicates: int = 0  # pairs, against what was in service before
    lost_duplicates: int = 0
    merged_clusters: int = 0
    split_clusters: int = 0
    appended: int = 0  # rows of the index, since it was built
    dead: int = 0
    compacted: bool = False  # the index was built anew, though there was one to go on from
    reach: float = 0.0  # where candidates, and the histogram, end; 0: recorded before it was kept
    estimated_share: float | None = None  # of duplicates among the pairs that are rather duplicates, by distances alone
    drift: list[str] = field(default_factory=list)  # what is not like in the runs before, with both figures
    peak_memory_bytes: int = 0  # the most that the process took; 0: recorded before it was kept
    cut: dict[str, float] = field(default_factory=dict)  # `dedup.shards.Cut`, where it was compared in shards


_COMPARABLE = ("encoder", "metric", "prior", "threshold", "candidate_floor", "cluster_floor", "rerank", "reranker")


def with_drift(counts: RunCounts, store: Store, run_id: int) -> RunCounts:
    """Return the counts of a run with what in them is not like in the runs before it, which is warned of too.

    Runs with other settings are not compared: their figures are bound to differ.
    """
    asked = store.run(run_id).settings
    before = [
        _figures(RunCounts(**run.counts))
        for run in store.last_results(RUNS)
        if all(run.settings.get(name) == asked.get(name) for name in _COMPARABLE)
    ]
    found = [str(jump) for jump in jumps(_figures(counts), before)]
    for said in found:
        log.warning("this run is not like those before: %s", said)
    return replace(counts, drift=found)


def _figures(counts: RunCounts) -> Figures:
    beside = counts.clustered_questions - counts.clusters
    return Figures(beside / max(1, counts.questions), tuple(counts.histogram), counts.reach, counts.estimated_share)


def estimated_share(pairs: Pairs, classifier: Classifier) -> float | None:
    """Return the share of duplicates among the pairs that are rather duplicates than not; None where it is not known.

    By their distances alone, whatever prior the probabilities are stated for.
    """
    duplicates = classifier.fit.get("distances", {}).get("duplicates", ())
    try:
        return estimate_share(pairs.distance, duplicates, classifier.max_distance(0.5))
    except ClassifierError:
        return None


def distance_histogram(pairs: Pairs, classifier: Classifier, settings: Settings) -> list[int]:
    """Return how many candidate pairs there are in each bin of `_edges`."""
    counts, _ = np.histogram(pairs.distance, bins=_edges(classifier, settings))
    return [int(count) for count in counts]


def _edges(classifier: Classifier, settings: Settings) -> Float64:
    return np.linspace(0.0, histogram_reach(classifier, settings), _BINS + 1)


def histogram_reach(classifier: Classifier, settings: Settings) -> float:
    """Return the distance at which candidates, and the histogram of them, end."""
    return max(classifier.reach(settings.candidate_floor), 1e-6)


def describe_run(
    store: Store,
    run_id: int,
    started: datetime,
    settings: Settings,
    encoder: Encoder,
    classifier: Classifier,
    rescoring: Rescoring | None,
    counts: RunCounts,
    generation: str,
    *,
    stages: tuple[StageProfile, ...],
    ingested: Ingested,
) -> RunReport:
    """Return everything that the report of a run shows; clusters are read from the store, where they are in service."""
    shown = {name: count for name, count in asdict(counts).items() if isinstance(count, int)}
    return RunReport(
        run_id=run_id,
        started=started,
        version=__version__,
        database=store.display_url,
        generation=generation,
        encoder=encoder.name,
        fingerprint=encoder.fingerprint,
        metric=encoder.metric,
        index_kind=counts.index_kind,
        recall=counts.recall,
        pair_recall=counts.pair_recall,
        threshold=settings.threshold,
        candidate_floor=settings.candidate_floor,
        cluster_floor=settings.cluster_floor,
        cutoff=classifier.max_distance(settings.threshold),
        classifier=classifier,
        rescoring=rescoring,
        counts=shown,
        stages=stages,
        histogram_edges=_edges(classifier, settings),
        histogram_counts=np.array(counts.histogram, dtype=np.int64),
        largest=_cards(store, store.largest_clusters(_CARDS)),
        least_certain=_cards(store, store.least_certain_clusters(_CARDS)),
        drift=tuple(counts.drift),
        cut=counts.cut,
        rejects=ingested.rejected,
        rejects_file=str(ingested.rejects_file) if ingested.rejects_file else None,
    )


def _cards(store: Store, clusters: Sequence[ClusterSummary]) -> tuple[ClusterCard, ...]:
    return tuple(_card(store, cluster.id) for cluster in clusters)


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
