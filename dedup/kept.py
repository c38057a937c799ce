"""What a run keeps beside its generation, for the next one to go on from instead of finding it again.

Each part is an artifact of the room that knows it: ``indexes/PART/NAME/``. None is ever needed: one that is missing,
damaged or of another encoder is passed over, and what it would have saved is done anew.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from dedup.collapse import Texts
from dedup.encoders import Encoder
from dedup.errors import DedupError
from dedup.features import KnownTraits, load_traits, save_traits
from dedup.finding import Found
from dedup.join import Known, load_join, save_join
from dedup.kept_pairs import KnownPairs, load_pairs, save_pairs
from dedup.questions import Int64, Keys
from dedup.reference import KnownNear, Near, load_near, save_near
from dedup.reranking import PairScorer, RememberingScorer, save_scores
from dedup.store import Store

log = logging.getLogger(__name__)

Part = TypeVar("Part")


@dataclass(frozen=True, slots=True)
class Kept:
    """What an earlier run found out about the texts of its corpus."""

    join: Known | None = None  # by the rows of now
    near: KnownNear | None = None
    traits: KnownTraits | None = None


def load_kept(folder: Path, last: str | None, keys: Keys, encoder: Encoder) -> Kept:
    """Return what the run kept that made the generation ``last``, for a corpus of ascending keys; nothing of none."""
    if last is None:
        return Kept()
    return Kept(
        _unless_damaged(lambda: load_join(folder, last, keys, fingerprint=encoder.fingerprint, metric=encoder.metric)),
        _unless_damaged(lambda: load_near(folder, last, fingerprint=encoder.fingerprint)),
        _unless_damaged(lambda: load_traits(folder, last)),
    )


def load_known_pairs(folder: Path, store: Store) -> KnownPairs | None:
    """Return the pairs that the run recorded whose results are in service; None where that is not certain."""
    service = store.in_service()
    if service is None or service.results_of_run != service.run.id:
        return None  # after a rollback they are those of another generation
    return _unless_damaged(lambda: load_pairs(folder, service.generation.name))


def keep(
    folder: Path,
    generation: str,
    texts: Texts,
    ids: Int64,
    encoder: Encoder,
    *,
    found: Found,
    near: Near | None,
    scorer: PairScorer | None,
) -> None:
    """Keep what a run found out about its texts under its generation's name; ``ids`` are as `collapse` took them."""
    keys, described = texts.keys, found.matcher.described
    save_join(folder, generation, keys, found.joined, fingerprint=encoder.fingerprint, metric=encoder.metric)
    save_pairs(folder, generation, texts, ids, found.pairs, found.probability)
    if near is not None:
        save_near(folder, generation, keys, near, fingerprint=encoder.fingerprint)
    if described.traits is not None:
        save_traits(folder, generation, keys, described.traits)
    if isinstance(scorer, RememberingScorer):
        save_scores(folder, generation, scorer)


def _unless_damaged(load: Callable[[], Part | None]) -> Part | None:
    try:
        return load()
    except DedupError as error:
        log.warning("%s; what it would have saved is done anew", str(error).split(";")[0])
        return None
