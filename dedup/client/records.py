"""What the service answers, as records, and how they are made of its JSON. The fields are the service's own."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FoundMatch:
    """A recorded question near a text; ``distance`` is in the encoder's metric, smaller is closer."""

    id: str
    source: str
    text: str
    distance: float
    probability: float
    duplicate: bool
    cluster: int | None
    canonical: str | None
    canonical_source: str | None


@dataclass(frozen=True, slots=True)
class FoundAnswer:
    """What is nearest to a text, nearest first."""

    query: str
    encoder: str
    metric: str
    threshold: float
    duplicate: bool
    matches: tuple[FoundMatch, ...]


@dataclass(frozen=True, slots=True)
class FoundQuestion:
    """A recorded question; ``cluster`` is None until a run has put it into one."""

    id: str
    source: str
    text: str
    cluster: int | None
    created: datetime | None
    score: int | None
    views: int | None
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FoundDuplicate:
    """A question that asks the same as another."""

    id: str
    source: str
    text: str
    distance: float
    probability: float
    cluster: int | None


@dataclass(frozen=True, slots=True)
class FoundCluster:
    """A cluster, by its canonical question."""

    cluster: int
    size: int
    weakest_probability: float
    canonical: str
    canonical_source: str
    canonical_text: str
    run: int


@dataclass(frozen=True, slots=True)
class FoundMember:
    """A question of a cluster, and how probably it asks what the canonical question asks."""

    question: FoundQuestion
    probability: float


@dataclass(frozen=True, slots=True)
class FoundLink:
    """A recorded pair of a cluster."""

    left: str
    left_source: str
    right: str
    right_source: str
    distance: float
    probability: float


@dataclass(frozen=True, slots=True)
class FoundClusterEvent:
    """What became of a cluster in a run: merged, split or gone; ``into`` is None where nothing is left of it."""

    run: int
    at: datetime | None
    kind: str
    cluster: int
    into: int | None


@dataclass(frozen=True, slots=True)
class FoundWholeCluster(FoundCluster):
    """A cluster with its members, the canonical question first, its recorded pairs, the weakest first, and its past."""

    members: tuple[FoundMember, ...]
    links: tuple[FoundLink, ...]
    history: tuple[FoundClusterEvent, ...]


@dataclass(frozen=True, slots=True)
class FoundRun:
    """A run, as it is on record."""

    run: int
    kind: str
    state: str
    started_at: datetime
    finished_at: datetime | None
    generation: str | None
    metric: str
    threshold: float
    error: str | None
    counts: Mapping[str, Any]
    seconds: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AskedPair:
    """A pair that a person is asked about; the stratum goes back with the verdict."""

    left: FoundQuestion
    right: FoundQuestion
    distance: float
    probability: float
    stratum: str


@dataclass(frozen=True, slots=True)
class FoundReview:
    """A verdict that was given; ``undone_at`` where it was taken back. A question that was deleted since has no id."""

    review: int
    left: str | None
    left_source: str | None
    right: str | None
    right_source: str | None
    verdict: str
    reviewer: str
    stratum: str
    distance: float | None
    probability: float | None
    at: datetime
    undone_at: datetime | None


@dataclass(frozen=True, slots=True)
class FoundShare:
    """A share of n pairs with its 95% interval; None where n is 0."""

    value: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True, slots=True)
class FoundEstimates:
    """What the randomly drawn pairs say of all recorded ones."""

    threshold: float
    precision: FoundShare
    recall: FoundShare
    disagreements: int
    agreement: FoundShare
    judged: int


@dataclass(frozen=True, slots=True)
class SaidOfPair:
    """What one reviewer says of a pair."""

    review: int
    reviewer: str
    verdict: str
    at: datetime


@dataclass(frozen=True, slots=True)
class FoundContradiction:
    """Two questions on which people contradict each other; ``chain`` holds a rejected pair together."""

    left: FoundQuestion
    right: FoundQuestion
    reviews: tuple[SaidOfPair, ...]
    chain: tuple[FoundQuestion, ...]


@dataclass(frozen=True, slots=True)
class FoundScores:
    """How good probabilities are on the reviewed pairs."""

    log_loss: float
    ece: float
    average_precision: float


@dataclass(frozen=True, slots=True)
class FoundRecalibration:
    """A classifier as the reviews move it, judged on held-out pairs beside the one that is installed."""

    classifier: str
    labels: int
    duplicates: int
    before: FoundScores
    after: FoundScores
    accepted: bool


@dataclass(frozen=True, slots=True)
class Put:
    """What became of some questions; each is counted once."""

    added: int
    changed: int
    unchanged: int
    revision: int
    repeated: bool


def record(kind: type[T], found: Mapping[str, Any]) -> T:
    """Return a record of JSON; fields that a newer service adds are left out."""
    made = {name: _value(hint, found[name]) for name, hint in _hints(kind).items()}  # type: ignore[arg-type]
    return kind(**made)


@cache
def _hints(kind: type[Any]) -> Mapping[str, Any]:
    hints = get_type_hints(kind)
    return {each.name: hints[each.name] for each in fields(kind)}


def _value(hint: Any, found: Any) -> Any:
    if get_origin(hint) in (Union, types.UnionType):  # all of them are of something or None
        return None if found is None else _value(get_args(hint)[0], found)
    if get_origin(hint) is tuple:
        return tuple(_value(get_args(hint)[0], each) for each in found)
    if hint is datetime:
        return datetime.fromisoformat(found)
    return record(hint, found) if is_dataclass(hint) and isinstance(hint, type) else found
