"""What is in service at one moment: whoever has begun with one ends with it, whatever is published meanwhile."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import numpy as np

from dedup.encoders import Encoder
from dedup.explanation import Explainer
from dedup.in_service import settings_in_service
from dedup.queries import Searcher
from dedup.questions import Keys
from dedup.settings import Resolved, Settings
from dedup.store import InService, ServiceState, Store
from dedup.text import key_array

log = logging.getLogger(__name__)

MOST_ADDED = 10_000
"""Texts that lie over a generation at most: with more, every query would be slower, and a run is due."""

_ENCODED = 256  # texts encoded at once, so that queries can be answered in between


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A generation with what lies over it, and the settings with which its results were found."""

    searcher: Searcher
    settings: Settings
    published: InService
    state: ServiceState  # as it was when this was made; with its corpus revision, everything recorded is here

    @property
    def explainer(self) -> Explainer:
        """What explains a pair."""
        return Explainer.of(self.searcher)

    def room(self, keys: Keys) -> int:
        """Return how many texts could still be laid over the generation once those of ``keys`` are; may be negative."""
        overlay = self.searcher.overlay
        return MOST_ADDED - len(overlay.added) - len(overlay.missing(keys))

    def adding(self, keys: Keys, store: Store, revision: int) -> Snapshot:
        """Return a snapshot that has the recorded texts of ``keys`` too, as far as there is room.

        ``revision`` is the corpus revision that it is then of.
        """
        overlay = self.searcher.overlay
        missing = overlay.missing(keys)
        if (room := self.room(keys)) < 0:
            log.warning("%d texts wait for the next run: %d lie over the generation already", -room, MOST_ADDED)
            missing = missing[: len(missing) + room]
        for start in range(0, len(missing), _ENCODED):
            found = store.known_texts(missing[start : start + _ENCODED])
            if found:
                vectors = self.searcher.encoder.encode(list(found.values()))
                overlay = overlay.adding(key_array(found), vectors)
        return replace(self, searcher=self.searcher.over(overlay), state=replace(self.state, corpus_revision=revision))


def take_snapshot(store: Store, resolved: Resolved, before: Snapshot | None) -> Snapshot | None:
    """Load what is in service, with everything that was recorded since; None before the first run.

    Parameters
    ----------
    before
        The snapshot so far. Its vectors of texts that the new generation does not hold are taken over.

    Raises
    ------
    DedupError
        Where the generation cannot be loaded, or the settings ask for another encoder or metric.
    """
    state, published = store.service_state(), store.in_service()
    if state is None or published is None:
        return None
    settings = settings_in_service(store, resolved)
    searcher = Searcher.load(store, settings, quick=False)
    made = searcher.encoder
    if before is not None and _same_encoder(before.searcher.encoder, made):
        searcher = searcher.encoding_by(before.searcher.encoder)
    else:
        made.encode(["is everything loaded"])  # networks are compiled at their first use
    snapshot = Snapshot(searcher, settings, published, replace(state, corpus_revision=state.published_revision))
    if before is not None and searcher.encoder is before.searcher.encoder:
        overlay = before.searcher.overlay
        still = np.isin(overlay.added, searcher.overlay.missing(overlay.added))
        grown = searcher.overlay.adding(overlay.added[still], overlay.added_vectors[still])
        snapshot = replace(snapshot, searcher=searcher.over(grown))
    if state.corpus_revision != state.published_revision:
        snapshot = snapshot.adding(store.recorded_keys(), store, state.corpus_revision)
    return snapshot


def _same_encoder(one: Encoder, other: Encoder) -> bool:
    return (one.fingerprint, one.metric) == (other.fingerprint, other.metric)
