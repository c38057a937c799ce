"""The whole way of a question, in order; no other module knows it.

dumps -> questions in SQL -> one row per text key -> embeddings -> index -> candidate pairs -> probability
      -> clusters -> rows in SQL, a published generation, a report
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from dedup.classifier import Classifier, load_classifier
from dedup.clustering import Clusters, cluster_pairs, name_clusters
from dedup.collapse import QuestionPairs, Texts, as_question_pairs, collapse
from dedup.distance import pair_distances
from dedup.dumps import DumpOptions
from dedup.encoders import Encoder, VectorStore, encode_missing, load_encoder
from dedup.errors import DedupError, DumpError, StoreError
from dedup.index import (
    FaissIndex,
    build_index,
    check_generation,
    new_generation_name,
    save_generation,
    train_centroids,
)
from dedup.ingest import Ingested, OnError, ingest
from dedup.join import Joined, self_join
from dedup.progress import Progress, Silent, Stopwatch
from dedup.questions import Float32, Float64
from dedup.report import write_report
from dedup.run_report import RunFacts, describe_run
from dedup.settings import Settings
from dedup.store import (
    Corpus,
    GenerationRecord,
    RecordedClusters,
    RecordedPairs,
    RunKind,
    RunRecord,
    RunState,
    Store,
)
from dedup.text import NORMALISER_VERSION

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What a run did; the fields of `dedup run --json`."""

    run_id: int
    read: int
    rejected: int
    exact_duplicates: int
    encoded: int
    candidate_pairs: int
    duplicate_pairs: int
    clusters: int  # of two questions or more
    seconds: float
    database: str
    generation: str


@dataclass(frozen=True, slots=True)
class RunResult:
    """A run's summary, and where to read more."""

    summary: RunSummary
    ingested: Ingested
    recall: float  # measured, of the pairs under the candidate cut-off
    report: Path
    reused: bool  # nothing had changed since the last run: its pairs, clusters and generation stand


@dataclass(frozen=True, slots=True)
class Found:
    """The duplicates among distinct texts, by their rows."""

    index: FaissIndex
    joined: Joined
    probability: Float64  # (n_pairs,) of joined.pairs
    clusters: Clusters


def find_duplicates(embeddings: Float32, classifier: Classifier, settings: Settings, progress: Progress) -> Found:
    """Find the candidate pairs among vectors, how probable each is, and the clusters they make.

    Parameters
    ----------
    embeddings
        (n, d) float32, unit rows, distinct texts in the order of their keys: the order decides ties.
    """
    metric, floor = classifier.metric, settings.recall_floor
    with progress.stage("cells", "vectors", total=len(embeddings)) as advance:
        centroids = train_centroids(embeddings, settings.index)
        advance(len(embeddings))
    index = build_index(embeddings, metric, centroids, recall_floor=floor, progress=progress)
    farthest_candidate = classifier.max_distance(settings.candidate_floor)
    joined = self_join(
        embeddings, metric, farthest_candidate, centroids=centroids, recall_floor=floor, progress=progress
    )
    with progress.stage("cluster", "pairs", total=len(joined.pairs)) as advance:
        clusters = cluster_pairs(
            embeddings,
            metric,
            joined.pairs,
            cutoff=classifier.max_distance(settings.threshold),
            widest=classifier.max_distance(settings.cluster_floor),
        )
        advance(len(joined.pairs))
    return Found(index, joined, classifier.probability(joined.pairs.distance), clusters)


def run(
    dumps: Sequence[str],
    settings: Settings,
    options: DumpOptions,
    *,
    on_error: OnError = OnError.REJECT,
    progress: Progress | None = None,
) -> RunResult:
    """Record the questions of ``dumps`` and find the duplicates among all that are recorded.

    Raises
    ------
    DedupError
        One of its kinds, with what to do. What was recorded before stays, and so does the generation in service.
    """
    watch = Stopwatch(progress or Silent())
    with Store.open(settings.db) as store:
        run_id = store.start_run(RunKind.RUN, settings.metric, settings.threshold, recorded_settings(settings, store))
        try:
            job = _Job(store, run_id, settings, watch, datetime.now(UTC), time.perf_counter())
            return _run(job, dumps, options, on_error)
        except BaseException as error:
            with suppress(StoreError):  # a database that is gone must not hide what went wrong
                store.fail_run(run_id, str(error) or type(error).__name__)
            raise


def recorded_settings(settings: Settings, store: Store) -> dict[str, Any]:
    """Return the settings as JSON can say them, the database without its password."""
    plain = {name: value if isinstance(value, int | float) else str(value) for name, value in asdict(settings).items()}
    return {**plain, "db": store.display_url}


@dataclass(frozen=True, slots=True)
class _Job:
    """A run under way: where it records, what it was asked for, and its clock."""

    store: Store
    run_id: int
    settings: Settings
    watch: Stopwatch
    started: datetime
    clock: float


def _run(job: _Job, dumps: Sequence[str], options: DumpOptions, on_error: OnError) -> RunResult:
    store, settings, watch = job.store, job.settings, job.watch
    rejects_file = settings.reports / f"rejects-{job.run_id:06d}.csv"
    ingested = ingest(store, job.run_id, dumps, options, on_error=on_error, rejects_file=rejects_file, progress=watch)
    corpus = store.corpus()
    if not len(corpus):
        rejected = sum(ingested.rejected.values())
        remedy = f"{rejects_file} says why" if rejected else "give a dump that has some"
        raise DumpError(f"no question was taken from {', '.join(dumps)}, {rejected} rows were rejected; {remedy}")
    with watch.stage("load", "encoders", total=1) as advance:
        encoder = load_encoder(settings.encoder, settings.metric, batch_size=settings.batch_size)
        classifier = load_classifier(settings.indexes, encoder.name, encoder.fingerprint, encoder.metric)
        advance(1)
    digest = _digest(corpus, classifier, settings)
    if (last := _standing_result(store, settings, encoder, digest)) is not None:
        counts = {**last.counts, **_read_counts(ingested), "encoded": 0}
        return _finish(job, ingested, last.generation or "", classifier, digest, counts, Path(last.report or ""), True)

    texts = collapse(corpus.ids, corpus.keys)
    vectors = VectorStore(settings.indexes / "vectors", encoder.fingerprint, encoder.dimension)
    encoded = encode_missing(encoder, vectors, texts.keys, store.texts, watch)
    embeddings = vectors.gather(texts.keys)
    found = find_duplicates(embeddings, classifier, settings, watch)
    pairs = as_question_pairs(texts, corpus.ids, found.joined.pairs, found.probability)
    clusters = _clusters_of_questions(corpus, texts, embeddings, found.clusters, classifier)
    generation = _publish(job, encoder, texts, found, pairs, clusters)

    several = clusters.size >= 2
    counts = {
        **_read_counts(ingested),
        "questions": len(corpus),
        "texts": len(texts.keys),
        "exact_duplicates": len(corpus) - len(texts.keys),
        "encoded": encoded,
        "candidate_pairs": len(pairs.left),
        "duplicate_pairs": int((pairs.probability >= settings.threshold).sum()),
        "clusters": int(several.sum()),
        "clustered_questions": int(clusters.size[several].sum()),
        "pair_recall": found.joined.recall,
    }
    with watch.stage("report", "files", total=1) as advance:
        facts = RunFacts(job.run_id, job.started, generation, counts, watch.seconds, ingested)
        described = describe_run(store, facts, settings, encoder, classifier, found.index, found.joined, clusters)
        report = write_report(described, settings.reports)
        advance(1)
    return _finish(job, ingested, generation, classifier, digest, counts, report, reused=False)


def _digest(corpus: Corpus, classifier: Classifier, settings: Settings) -> str:
    """Return what the result of a run is a function of, as 64 hexadecimal digits."""
    whole = hashlib.sha256()
    for part in (corpus.ids, corpus.keys, corpus.rank):
        whole.update(np.ascontiguousarray(part).tobytes())
    asked = (settings.threshold, settings.candidate_floor, settings.cluster_floor, settings.recall_floor)
    whole.update(f"{classifier.identity} {asked} {settings.index}".encode())
    return whole.hexdigest()


def _standing_result(store: Store, settings: Settings, encoder: Encoder, digest: str) -> RunRecord | None:
    """Return the last run if what it published is in service, undamaged, and all that this run would find."""
    last, published = store.last_run(RunState.DONE), store.published_generation()
    if last is None or published is None or (last.corpus_digest, last.generation) != (digest, published.name):
        return None
    try:
        check_generation(
            settings.indexes,
            published.name,
            fingerprint=encoder.fingerprint,
            encoder=encoder.name,
            metric=encoder.metric,
        )
    except DedupError as error:
        log.warning("%s: it is built anew", error)
        return None
    return last


def _clusters_of_questions(
    corpus: Corpus, texts: Texts, embeddings: Float32, clusters: Clusters, classifier: Classifier
) -> RecordedClusters:
    """Give every question its cluster, and measure how probably it asks what the cluster's canonical question asks."""
    named = name_clusters(clusters, texts.row, corpus.rank)
    canonical_row = texts.row[named.canonical[named.number - 1]]
    to_canonical = classifier.probability(pair_distances(embeddings, texts.row, canonical_row, classifier.metric))
    return RecordedClusters(
        question=corpus.ids,
        cluster=named.number,
        probability=np.where(texts.row == canonical_row, 1.0, to_canonical),
        id=np.arange(1, len(named.size) + 1),
        canonical=corpus.ids[named.canonical],
        size=named.size,
        weakest=np.where(named.texts == 1, 1.0, classifier.probability(named.widest)),
    )


def _publish(
    job: _Job, encoder: Encoder, texts: Texts, found: Found, pairs: QuestionPairs, clusters: RecordedClusters
) -> str:
    """Put the generation on disk, then switch to it and to its pairs and clusters in one transaction."""
    with job.watch.stage("write", "pairs", total=len(pairs.left)) as advance:
        name = new_generation_name(job.started)
        generation = save_generation(
            job.settings.indexes,
            name,
            found.index,
            texts.keys,
            fingerprint=encoder.fingerprint,
            encoder=encoder.name,
            pair_recall=found.joined.recall,
        )
        encoder_id = job.store.register_encoder(
            encoder.fingerprint, encoder.name, encoder.dimension, NORMALISER_VERSION
        )
        record = GenerationRecord(
            name, encoder_id, encoder.metric, str(found.index.kind), len(found.index), generation.index.recall
        )
        recorded = RecordedPairs(pairs.left, pairs.right, pairs.distance, pairs.probability)
        job.store.write_results(job.run_id, record, recorded, clusters)
        advance(len(pairs.left))
    return name


def _read_counts(ingested: Ingested) -> dict[str, int]:
    return {"read": ingested.read, "rejected": sum(ingested.rejected.values()), "labels": ingested.labels}


def _finish(
    job: _Job,
    ingested: Ingested,
    generation: str,
    classifier: Classifier,
    digest: str,
    counts: Mapping[str, Any],
    report: Path,
    reused: bool,
) -> RunResult:
    job.store.finish_run(
        job.run_id,
        counts,
        {stage: round(seconds, 3) for stage, seconds in job.watch.seconds.items()},
        generation=generation,
        classifier=classifier.to_json(),
        corpus_digest=digest,
        report=str(report),
    )
    summary = RunSummary(
        run_id=job.run_id,
        read=counts["read"],
        rejected=counts["rejected"],
        exact_duplicates=counts["exact_duplicates"],
        encoded=counts["encoded"],
        candidate_pairs=counts["candidate_pairs"],
        duplicate_pairs=counts["duplicate_pairs"],
        clusters=counts["clusters"],
        seconds=round(time.perf_counter() - job.clock, 3),
        database=job.store.display_url,
        generation=generation,
    )
    return RunResult(summary, ingested, counts["pair_recall"], report, reused)
