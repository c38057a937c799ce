"""The index of a corpus: anew, or going on from that of the generation before."""

from __future__ import annotations

import logging

from dedup.encoders import Encoder
from dedup.errors import DedupError
from dedup.index import (
    FaissIndex,
    IndexedRows,
    TableIndex,
    amend_index,
    build_index,
    build_table,
    load_generation,
    plan_amendment,
    stored_vectors,
)
from dedup.jobs import Job
from dedup.settings import IndexKind
from dedup.state import State

log = logging.getLogger(__name__)


def index_corpus(
    job: Job, encoder: Encoder, state: State, last: str | None, generation: str
) -> tuple[IndexedRows, bool]:
    """Return the index of the corpus, and whether it was built anew though there was one to go on from.

    Parameters
    ----------
    last
        The generation to go on from; None to build anew.
    generation
        The name of the one that is being made.
    """
    settings, keys, floor = job.settings, state.texts.keys, job.settings.recall_floor
    if last is not None and (amended := _amended(job, encoder, state, last)) is not None:
        return amended, False
    index: FaissIndex | TableIndex
    if settings.index is IndexKind.PGVECTOR:
        index = build_table(
            state.embeddings, encoder.metric, job.store, generation, recall_floor=floor, progress=job.watch
        )
    else:
        index = build_index(state.embeddings, encoder.metric, settings.index, recall_floor=floor, progress=job.watch)
    return IndexedRows(index, keys, len(keys)), last is not None


def _amended(job: Job, encoder: Encoder, state: State, last: str) -> IndexedRows | None:
    settings = job.settings
    try:
        generation = load_generation(
            settings.indexes,
            last,
            job.store,
            fingerprint=encoder.fingerprint,
            encoder=encoder.name,
            metric=encoder.metric,
        )
    except DedupError as error:
        log.warning("%s; the index is built anew", str(error).split(";")[0])
        return None
    amendment = plan_amendment(generation, state.texts.keys)
    if len(state.vectors.missing(amendment.keys)):
        return None  # the vectors of rows that are dead were removed meanwhile
    return amend_index(
        generation,
        amendment,
        state.embeddings,
        stored_vectors(settings.indexes, encoder.fingerprint, state.vectors.places(amendment.keys)),
        settings.index,
        recall_floor=settings.recall_floor,
        compact_share=settings.compact_share,
        progress=job.watch,
    )
