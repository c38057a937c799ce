"""What a report holds, as the pipeline hands it over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from dedup.classifier import Classifier
from dedup.profile import StageProfile
from dedup.questions import Float64, Int64, Metric
from dedup.reranking import Rescoring


@dataclass(frozen=True, slots=True)
class Member:
    """A question of a cluster.

    ``probability`` is that of being a duplicate of the cluster's canonical question; 1.0 for that question itself.
    """

    id: str
    source: str
    text: str
    probability: float


@dataclass(frozen=True, slots=True)
class ClusterCard:
    """A cluster as the report shows it.

    ``weakest`` is the match probability of its weakest link. ``members`` are the questions beside the canonical one,
    most probable first; where they are fewer than ``size - 1``, the report says how many are not shown.
    """

    number: int
    size: int
    weakest: float
    canonical: Member
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class RunReport:
    """One run, with everything its report shows.

    ``started`` is aware. ``database`` is shown as it is given: its address without a password. ``index_kind`` is the
    kind that was built, ``recall`` that of its search and ``pair_recall`` that of the candidate pairs, both in [0, 1].
    ``cutoff`` is the distance at which a pair has the match probability ``threshold``; negative where not even equal
    vectors have it.

    ``counts`` has: ``read`` and ``rejected`` (rows of this run's dumps), ``questions`` (all that are recorded),
    ``texts`` (distinct text keys), ``exact_duplicates`` (questions whose text key an earlier one has), ``encoded``
    (texts this run had to encode), ``candidate_pairs``, ``reranked`` (pairs that were judged again, where there is a
    ``rescoring``), ``duplicate_pairs``, ``clusters`` (of two questions or more) and ``clustered_questions`` (the
    questions in those), ``peak_memory_bytes`` (the most memory the process took; 0 where it is not known).

    ``stages`` and ``rejects`` are shown in the order in which they are given. ``least_certain`` are the clusters of
    the lowest weakest links.
    """

    run_id: int
    started: datetime
    version: str
    database: str
    generation: str
    encoder: str
    fingerprint: str
    metric: Metric
    index_kind: str
    recall: float
    pair_recall: float
    threshold: float
    candidate_floor: float
    cluster_floor: float
    cutoff: float
    classifier: Classifier
    rescoring: Rescoring | None  # None: every pair has the classifier's probability
    counts: Mapping[str, int]
    stages: tuple[StageProfile, ...]
    histogram_edges: Float64  # (bins + 1,) distances in ``metric``, ascending
    histogram_counts: Int64  # (bins,) candidate pairs
    largest: tuple[ClusterCard, ...]
    least_certain: tuple[ClusterCard, ...]
    rejects: Mapping[str, int]  # reason -> rows
    rejects_file: str | None
    drift: tuple[str, ...] = ()  # what is not like in the runs before, a line each
    cut: Mapping[str, float] = field(default_factory=dict)  # how it was cut into shards; empty where it was not
