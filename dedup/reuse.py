"""Whether what is in service is already all that a run would find."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass

import numpy as np

from dedup.classifier import Classifier, from_json
from dedup.decisions import Decisions
from dedup.encoders import Encoder
from dedup.errors import DedupError
from dedup.index import check_generation
from dedup.reranking import Reranker
from dedup.run_report import RunCounts
from dedup.settings import AUTO, Settings
from dedup.store import Corpus, Store

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Standing:
    """The result in service: what the run that found it counted, how it judged, and the name of its generation."""

    counts: RunCounts
    classifier: Classifier
    generation: str


def result_digest(
    corpus: Corpus, classifier: Classifier, reranker: Reranker | None, decisions: Decisions, settings: Settings
) -> str:
    """Return 64 hexadecimal digits over all that the result of a run is a function of."""
    whole = hashlib.sha256()
    for part in (corpus.ids, corpus.keys, corpus.rank):
        whole.update(np.ascontiguousarray(part).tobytes())
    asked = (
        settings.threshold,
        settings.candidate_floor,
        settings.cluster_floor,
        settings.recall_floor,
        settings.prior == AUTO,
    )
    whole.update(f"{classifier.identity} {asked} {settings.index}".encode())
    if reranker is not None:
        whole.update(reranker.rescoring.identity.encode())
    if len(decisions):
        for side in (*decisions.same, b"different", *decisions.different):
            whole.update(side if isinstance(side, bytes) else np.ascontiguousarray(side).tobytes())
    return whole.hexdigest()


def standing_result(store: Store, settings: Settings, encoder: Encoder, digest: str) -> Standing | None:
    """Return the result in service if it has this digest and its generation is undamaged; else None."""
    service = store.in_service()
    if service is None or service.run.corpus_digest != digest:
        return None
    try:
        check_generation(
            settings.indexes,
            service.generation.name,
            fingerprint=encoder.fingerprint,
            encoder=encoder.name,
            metric=encoder.metric,
        )
    except DedupError as error:
        log.warning("%s; the index is built anew", str(error).split(";")[0])
        return None
    assert service.run.classifier is not None  # a run that has a digest has one
    return Standing(RunCounts(**service.run.counts), from_json(service.run.classifier), service.generation.name)
