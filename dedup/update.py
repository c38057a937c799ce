"""Bringing pairs, clusters and index in line with the questions on record, in order.

one row per text key -> embeddings -> candidate pairs -> probability (-> uncertain pairs judged again) -> clusters
                     -> index -> rows in SQL, a published generation

Anew, or going on from what is in service: then only what is new is encoded and joined, and the index is amended. Both
end in the same pairs and clusters.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from dedup.classifier import Classifier
from dedup.clustering import Clusters, name_clusters
from dedup.collapse import Texts, as_question_pairs, collapse
from dedup.comparing import compare
from dedup.continuity import changed_duplicates, cluster_events, keep_ids, receiving
from dedup.encoders import VECTORS, Encoder, VectorStore, encode_missing
from dedup.engines import opened_engine
from dedup.errors import BelowRecallFloor, CorpusChanged, DedupError
from dedup.finding import Found
from dedup.footprint import hold_to
from dedup.index import (
    new_generation_name,
    save_generation,
)
from dedup.indexing import index_corpus
from dedup.ingest import Ingested, set_aside
from dedup.installed import installed_reranker, load_installed
from dedup.jobs import Job
from dedup.kept import keep, load_known_pairs
from dedup.kept_pairs import KnownPairs, pair_changes
from dedup.matching import Matcher
from dedup.memory import peak_bytes
from dedup.questions import Float32, Keys, Pairs, rows_of
from dedup.reranking import Rescoring, remembering
from dedup.reuse import result_digest, standing_result
from dedup.run_report import RunCounts, distance_histogram, estimated_share, histogram_reach, with_drift
from dedup.settings import IndexKind
from dedup.shards import Encoded, Refused, encode_in_shards, in_shards
from dedup.sharing import borrow_vectors, fetch, forget, share
from dedup.state import Models, State
from dedup.store import (
    Corpus,
    EventKind,
    GenerationRecord,
    Recorded,
    RecordedClusters,
    RecordedPairs,
    RunFindings,
    RunOutcome,
)
from dedup.text import NORMALISER_VERSION, key_array

log = logging.getLogger(__name__)

PUBLISHING = "write"
"""The stage in which the results take effect: from there on a run is quicker finished than done again."""

_ATTEMPTS = 5  # to publish what was found, where questions come and go meanwhile; the last lets those wait that come


@dataclass(frozen=True, slots=True)
class News:
    """What became of the questions on record before they are compared."""

    ingested: Ingested
    deleted: int = 0
    before: Recorded | None = None  # what was in service before the deletions, where there were any


@dataclass(frozen=True, slots=True)
class Updated:
    """What is in service now, and what it was made with."""

    ingested: Ingested  # without what was set aside afterwards
    counts: RunCounts
    generation: str
    encoder: Encoder
    classifier: Classifier  # at the prior that was used
    rescoring: Rescoring | None
    reused: bool  # nothing had changed since the last run: its pairs, clusters and generation stand


def update(job: Job, news: News, *, going_on: bool) -> Updated:
    """Find the duplicates among all questions on record, and put them in service.

    Parameters
    ----------
    going_on
        From what is in service, instead of comparing everything anew.

    Raises
    ------
    BelowRecallFloor
        Where less was found than promised; what was in service stays.
    DedupError
        Where nothing is on record, or one of its kinds.
    """
    store, settings = job.store, job.settings
    service = store.in_service()
    last = None if service is None or not going_on else service.generation.name
    if service is not None:
        fetch(store, settings.indexes, service.generation.name)
    with job.watch.stage("load", "encoders", total=1) as advance:
        encoder, classifier = load_installed(settings)
        reranker = installed_reranker(settings, classifier)
        if reranker is not None:
            reranker = replace(reranker, scorer=remembering(reranker.scorer, settings.indexes, last))
        models = Models(encoder, classifier, reranker)
        advance(1)
    vectors = VectorStore(settings.indexes / VECTORS, encoder.fingerprint)
    if service is not None and service.generation.kind == IndexKind.PGVECTOR:
        borrow_vectors(store, settings.indexes, service.generation.name, encoder, vectors)
        if settings.index is not IndexKind.PGVECTOR and store.takes_vectors:
            log.warning(
                "other machines may search the vectors in the database; this job puts an index in %s in service, which "
                "they do not have: with --index pgvector it stays shared",
                settings.indexes,
            )
    known = load_known_pairs(settings.indexes, store) if going_on else None
    encoded, unpublished = 0, list[str]()
    for attempt in range(_ATTEMPTS):
        corpus = store.corpus()
        if not len(corpus):
            raise DedupError("no question is left on record; add some with `dedup run DUMP` or `dedup reindex DUMP`")
        decisions = store.decisions()
        digest = result_digest(corpus, models.classifier, models.reranker, decisions, settings)
        if (standing := standing_result(store, settings, encoder, digest)) is not None:
            counts = replace(standing.counts, **_of_this_run(news, encoded), **_NO_CHANGES)
            store.finish_run(
                job.run_id,
                asdict(counts),
                {},
                generation=standing.generation,
                classifier=standing.classifier.to_json(),
                corpus_digest=digest,
                corpus_revision=corpus.revision,
            )
            return Updated(
                news.ingested, counts, standing.generation, encoder, standing.classifier, models.rescoring, reused=True
            )
        texts = collapse(corpus.ids, corpus.keys)
        hold_to(
            settings.memory, len(texts.keys), encoder.dimension, known=0 if known is None else len(known.probability)
        )
        done = _encode(job, encoder, vectors, texts.keys)
        encoded += done.count
        if done.refused:
            news = replace(news, ingested=_set_aside(job, news.ingested, corpus, done.refused))
            known = None  # pairs of what was set aside, if it had any, are on record no more
            continue
        state = State(corpus, decisions, digest, texts, vectors.gather(texts.keys), vectors, encoded)
        try:
            updated = _publish(job, news, models, state, last, known, despite_news=attempt == _ATTEMPTS - 1)
        except CorpusChanged as changed:
            log.info("%s: going on from what was found", str(changed).split(";")[0])
            last = changed.found
            unpublished += [changed.found] if changed.found else []
            continue
        forget(store, settings.indexes, unpublished)
        return updated
    forget(store, settings.indexes, unpublished)
    raise CorpusChanged("questions keep changing faster than they are compared; run it again in a quieter hour")


def _publish(
    job: Job,
    news: News,
    models: Models,
    state: State,
    last: str | None,
    known: KnownPairs | None,
    *,
    despite_news: bool,
) -> Updated:
    """Compare, going on from the generation ``last``, and put in service what was found; see `update`.

    Parameters
    ----------
    known
        The pairs on record, where a run kept them.
    despite_news
        Whether to do so also where questions came meanwhile, which then wait for the next run.
    """
    store, settings, encoder = job.store, job.settings, models.encoder
    texts, corpus = state.texts, state.corpus
    before = store.recorded() if known is None else store.recorded_clusters()
    compared = compare(job, models, state, last)
    found, generation = compared.found, new_generation_name(job.started)
    rows, compacted = index_corpus(job, encoder, state, last, generation)
    classifier = found.matcher.classifier
    if (recall := min(rows.index.recall, found.joined.recall)) < settings.recall_floor:
        raise BelowRecallFloor(
            f"{recall:.4f} of what is near is found, the recall floor is {settings.recall_floor:g}; what was in "
            "service stays: run `dedup run` with --index flat, or lower the floor"
        )
    clusters = keep_ids(before, _clusters_of_questions(corpus, texts, found.matcher, found.clusters))
    differences = _differences(known, news.before or before, before, state, found, clusters, settings.threshold)
    before, pairs = differences.before, differences.pairs
    changed = changed_duplicates(differences.earlier, pairs, settings.threshold)
    events = cluster_events(differences.earlier, clusters, differences.causes, settings.threshold)
    several = clusters.size >= 2
    counts = RunCounts(
        **_of_this_run(news, state.encoded),
        questions=len(corpus),
        texts=len(texts.keys),
        exact_duplicates=len(corpus) - len(texts.keys),
        candidate_pairs=len(found.pairs) + len(corpus) - len(texts.keys),
        duplicate_pairs=int((found.probability >= settings.threshold).sum()) + len(corpus) - len(texts.keys),
        clusters=int(several.sum()),
        clustered_questions=int(clusters.size[several].sum()),
        index_kind=str(rows.index.kind),
        recall=rows.index.recall,
        pair_recall=found.joined.recall,
        pair_recall_pairs=found.joined.recall_pairs,
        histogram=distance_histogram(found.pairs, classifier, settings),
        reranked=found.reranked,
        compared=found.joined.compared,
        new_duplicates=int(changed.duplicate.sum()),
        lost_duplicates=int((~changed.duplicate).sum()),
        merged_clusters=events.kind.count(EventKind.MERGED),
        split_clusters=events.kind.count(EventKind.SPLIT),
        appended=rows.index.rows - rows.base,
        dead=rows.index.rows - len(rows.index),
        compacted=compacted,
        reach=histogram_reach(classifier, settings),
        estimated_share=estimated_share(found.joined.pairs, classifier),
        cut={} if compared.cut is None else asdict(compared.cut),
    )
    counts = with_drift(counts, store, job.run_id)
    with job.watch.stage(PUBLISHING, "pairs", total=len(pairs.left)) as advance:
        store.begin_generation(job.run_id, generation)
        keep(
            settings.indexes,
            generation,
            texts,
            corpus.ids,
            encoder,
            found=found,
            near=compared.near,
            scorer=None if models.reranker is None else models.reranker.scorer,
        )
        save_generation(
            settings.indexes,
            generation,
            rows,
            state.vectors.places(rows.keys),
            compared.sample,
            fingerprint=encoder.fingerprint,
            encoder=encoder.name,
            pair_recall=found.joined.recall,
            crowding=_of_rows(rows.keys, texts.keys, found.matcher.described.crowding),
        )
        share(store, settings.indexes, generation)
        dimension = state.embeddings.shape[1]
        encoder_id = store.register_encoder(encoder.fingerprint, encoder.name, dimension, NORMALISER_VERSION)
        index = rows.index
        record = GenerationRecord(generation, encoder_id, encoder.metric, str(index.kind), len(index), index.recall)
        try:
            store.write_results(
                job.run_id,
                before,
                RunFindings(record, pairs, clusters, changed, events),
                RunOutcome(asdict(counts), classifier.to_json(), state.digest),
                corpus_revision=corpus.revision,
                despite_news=corpus if despite_news else None,
            )
        except CorpusChanged as error:
            raise CorpusChanged(str(error), found=generation) from error
        advance(len(pairs.left))
    return Updated(news.ingested, counts, generation, encoder, classifier, models.rescoring, reused=False)


def _of_rows(rows: Keys, keys: Keys, values: Float32 | None) -> Float32 | None:
    """Return the values of ascending ``keys`` in the order of an index's ``rows``, text keys too; NaN of those gone."""
    if values is None:
        return None
    row = rows_of(keys, rows)
    return np.where(row >= 0, values[row], np.float32(np.nan))


@dataclass(frozen=True, slots=True)
class _Differences:
    """What was in service and what was found, as far as the one is not the other; or all of both."""

    earlier: Recorded  # before questions were deleted
    before: Recorded  # that is on record
    pairs: RecordedPairs  # of now
    causes: RecordedPairs  # of now: all that can have moved a cluster


def _differences(
    known: KnownPairs | None,
    earlier: Recorded,
    before: Recorded,
    state: State,
    found: Found,
    clusters: RecordedClusters,
    threshold: float,
) -> _Differences:
    texts, ids = state.texts, state.corpus.ids
    if known is None:
        pairs = as_question_pairs(texts, ids, found.pairs, found.probability)
        return _Differences(earlier, before, pairs, pairs)
    changes = pair_changes(
        known,
        texts,
        ids,
        found.pairs,
        found.probability,
        thresholds=(before.threshold, threshold),
        clustered=before.clusters.question,
    )
    moved = np.zeros(len(texts.keys), dtype=bool)
    moved[texts.row[receiving(earlier, clusters)]] = True
    among = np.flatnonzero(found.probability >= threshold)
    among = among[moved[found.pairs.left[among]]]
    among = among[moved[found.pairs.right[among]]]
    some = Pairs(found.pairs.left[among], found.pairs.right[among], found.pairs.distance[among])
    return _Differences(
        replace(earlier, pairs=changes.earlier),
        replace(before, pairs=changes.before),
        changes.after,
        as_question_pairs(texts, ids, some, found.probability[among]),
    )


_NO_CHANGES: Mapping[str, Any] = {
    "compared": 0,
    "new_duplicates": 0,
    "lost_duplicates": 0,
    "merged_clusters": 0,
    "split_clusters": 0,
    "compacted": False,
    "drift": [],
    "cut": {},
}


def _of_this_run(news: News, encoded: int) -> dict[str, Any]:
    """Return those of a run's counts that do not depend on what is found."""
    ingested = news.ingested
    return {
        "read": ingested.read,
        "rejected": ingested.rejected_rows,
        "labels": ingested.labels,
        "added": ingested.added,
        "changed": ingested.changed,
        "deleted": news.deleted,
        "encoded": encoded,
        "peak_memory_bytes": peak_bytes(),
    }


def _encode(job: Job, encoder: Encoder, vectors: VectorStore, keys: Keys) -> Encoded:
    """Encode the texts that have no vector yet, in this process or on an engine."""
    settings, store = job.settings, job.store
    if not in_shards(settings):
        return Encoded(encode_missing(encoder, vectors, keys, store.texts, job.watch))
    if not len(vectors.missing(keys)):
        return Encoded(0)
    with opened_engine(settings, store.task_queue) as engine:
        return encode_in_shards(encoder, vectors, keys, store.texts, settings, engine, job.watch)


def _set_aside(job: Job, ingested: Ingested, corpus: Corpus, refused: Sequence[Refused]) -> Ingested:
    """Take the questions whose texts cannot be encoded off the record, and keep them in the rejects file."""
    for text in refused:
        log.warning("%a cannot be encoded and is set aside: %s", text.text[:60], text.reason)
    numbers = corpus.ids[np.isin(corpus.keys, key_array(text.key for text in refused))].tolist()
    questions = job.store.questions(numbers)
    counted = set_aside(ingested, [questions[number] for number in numbers], job.rejects_file)
    job.store.delete_questions(numbers)
    return counted


def _clusters_of_questions(corpus: Corpus, texts: Texts, matcher: Matcher, clusters: Clusters) -> RecordedClusters:
    """Give every question its cluster, and measure how probably it asks what the cluster's canonical question asks."""
    named = name_clusters(clusters, texts.row, corpus.rank)
    canonical_row = texts.row[named.canonical[named.number - 1]]
    probability = np.ones(len(corpus))
    other = texts.row != canonical_row
    probability[other] = matcher.between(texts.row[other], canonical_row[other])
    return RecordedClusters(
        question=corpus.ids,
        cluster=named.number,
        probability=probability,
        id=np.arange(1, len(named.size) + 1),
        canonical=corpus.ids[named.canonical],
        size=named.size,
        weakest=named.weakest,
    )
