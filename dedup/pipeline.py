"""The whole way of a question, in order; no other module knows it.

dumps -> questions in SQL -> one row per text key -> embeddings -> index -> candidate pairs -> probability
      -> clusters -> rows in SQL, a published generation, a report
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from dedup.artifacts import require_writable
from dedup.classifier import Classifier, load_classifier
from dedup.clustering import Clusters, cluster_pairs, name_clusters
from dedup.collapse import Texts, as_question_pairs, collapse
from dedup.distance import pair_distances
from dedup.encoders import Encoder, VectorStore, encode_missing, load_encoder
from dedup.errors import DumpError, StoreError
from dedup.index import (
    FaissIndex,
    build_index,
    new_generation_name,
    remove_generations,
    save_generation,
    train_centroids,
)
from dedup.ingest import Ingested, ingest
from dedup.join import Joined, self_join
from dedup.progress import Progress, Silent, Stopwatch
from dedup.questions import Float32, Float64
from dedup.report import run_name, write_report
from dedup.reuse import result_digest, standing_result
from dedup.run_report import RunCounts, describe_run, distance_histogram
from dedup.settings import Settings
from dedup.store import Corpus, GenerationRecord, RecordedClusters, RunKind, RunOutcome, Store
from dedup.text import NORMALISER_VERSION

_KEPT_GENERATIONS = 1  # beside the one in service: for who still reads it, and to go back to


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
    questions: int  # on record, of all dumps
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


def run(dumps: Sequence[str], settings: Settings, *, progress: Progress | None = None) -> RunResult:
    """Record the questions of ``dumps`` and find the duplicates among all that are recorded.

    Raises
    ------
    DedupError
        One of its kinds, with what to do. The generation in service stays, with its pairs and clusters; questions
        that had been recorded by then wait for the next run.
    """
    watch = Stopwatch(progress or Silent())
    for folder in (settings.indexes, settings.reports):
        require_writable(folder)
    with Store.open(settings.db) as store:
        run_id = store.start_run(RunKind.RUN, settings.metric, settings.threshold, recorded_settings(settings, store))
        try:
            return _run(_Job(store, run_id, settings, watch, datetime.now(UTC), time.perf_counter()), dumps)
        except BaseException as error:
            with suppress(StoreError):  # a database that is gone must not hide what went wrong
                said = "interrupted" if isinstance(error, KeyboardInterrupt) else str(error) or type(error).__name__
                store.fail_run(run_id, said)
            raise


def recorded_settings(settings: Settings, store: Store) -> dict[str, Any]:
    """Return the settings as JSON can say them, the database without its password."""
    plain = {
        name: value if value is None or isinstance(value, int | float) else str(value)
        for name, value in asdict(settings).items()
    }
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


def _run(job: _Job, dumps: Sequence[str]) -> RunResult:
    store, settings, watch = job.store, job.settings, job.watch
    rejects_file = settings.reports / f"rejects-{run_name(job.run_id, job.started)}.csv"
    ingested = ingest(store, job.run_id, dumps, settings, rejects_file=rejects_file, progress=watch)
    corpus = store.corpus()
    if not len(corpus):
        rejected = ingested.rejected_rows
        remedy = f"{rejects_file} says why" if rejected else "give a dump that has some"
        raise DumpError(f"no question was taken from {', '.join(dumps)}, {rejected} rows were rejected; {remedy}")
    with watch.stage("load", "encoders", total=1) as advance:
        encoder = load_encoder(settings.encoder, settings.metric, batch_size=settings.batch_size)
        classifier = load_classifier(settings.indexes, encoder.name, encoder.fingerprint, encoder.metric)
        advance(1)
    digest = result_digest(corpus, classifier, settings)
    if (standing := standing_result(store, settings, encoder, digest)) is not None:
        counts = replace(
            standing.counts, read=ingested.read, rejected=ingested.rejected_rows, labels=ingested.labels, encoded=0
        )
        store.finish_run(
            job.run_id,
            asdict(counts),
            {},
            generation=standing.generation,
            classifier=classifier.to_json(),
            corpus_digest=digest,
            corpus_revision=corpus.revision,
        )
        return _report(job, ingested, encoder, classifier, counts, standing.generation, reused=True)

    texts = collapse(corpus.ids, corpus.keys)
    vectors = VectorStore(settings.indexes / "vectors", encoder.fingerprint)
    encoded = encode_missing(encoder, vectors, texts.keys, store.texts, watch)
    embeddings = vectors.gather(texts.keys)
    found = find_duplicates(embeddings, classifier, settings, watch)
    pairs = as_question_pairs(texts, corpus.ids, found.joined.pairs, found.probability)
    clusters = _clusters_of_questions(corpus, texts, embeddings, found.clusters, classifier)
    several = clusters.size >= 2
    counts = RunCounts(
        read=ingested.read,
        rejected=ingested.rejected_rows,
        labels=ingested.labels,
        questions=len(corpus),
        texts=len(texts.keys),
        exact_duplicates=len(corpus) - len(texts.keys),
        encoded=encoded,
        candidate_pairs=len(pairs.left),
        duplicate_pairs=int((pairs.probability >= settings.threshold).sum()),
        clusters=int(several.sum()),
        clustered_questions=int(clusters.size[several].sum()),
        index_kind=str(found.index.kind),
        recall=found.index.recall,
        pair_recall=found.joined.recall,
        pair_recall_pairs=found.joined.recall_pairs,
        histogram=distance_histogram(found.joined.pairs, classifier, settings),
    )
    generation = new_generation_name(job.started)
    with watch.stage("write", "pairs", total=len(pairs.left)) as advance:
        save_generation(
            settings.indexes,
            generation,
            found.index,
            texts.keys,
            fingerprint=encoder.fingerprint,
            encoder=encoder.name,
            pair_recall=found.joined.recall,
        )
        dimension = embeddings.shape[1]
        encoder_id = store.register_encoder(encoder.fingerprint, encoder.name, dimension, NORMALISER_VERSION)
        store.write_results(
            job.run_id,
            GenerationRecord(
                generation, encoder_id, encoder.metric, str(found.index.kind), len(found.index), found.index.recall
            ),
            pairs,
            clusters,
            RunOutcome(asdict(counts), classifier.to_json(), digest),
            corpus_revision=corpus.revision,
        )
        advance(len(pairs.left))
    remove_generations(settings.indexes, store.superseded_generations()[_KEPT_GENERATIONS:])
    return _report(job, ingested, encoder, classifier, counts, generation, reused=False)


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


def _report(
    job: _Job,
    ingested: Ingested,
    encoder: Encoder,
    classifier: Classifier,
    counts: RunCounts,
    generation: str,
    *,
    reused: bool,
) -> RunResult:
    """Write the report of what is recorded by now, and say what was done."""
    with job.watch.stage("report", "files", total=1) as advance:
        described = describe_run(
            job.store,
            job.run_id,
            job.started,
            job.settings,
            encoder,
            classifier,
            counts,
            generation,
            seconds=job.watch.seconds,
            ingested=ingested,
        )
        report = write_report(described, job.settings.reports)
        advance(1)
    job.store.record_report(
        job.run_id,
        str(report.resolve()),
        {stage: round(seconds, 3) for stage, seconds in job.watch.seconds.items()},
    )
    summary = RunSummary(
        run_id=job.run_id,
        read=counts.read,
        rejected=counts.rejected,
        exact_duplicates=counts.exact_duplicates,
        encoded=counts.encoded,
        candidate_pairs=counts.candidate_pairs,
        duplicate_pairs=counts.duplicate_pairs,
        clusters=counts.clusters,
        seconds=round(time.perf_counter() - job.clock, 3),
        database=job.store.display_url,
        generation=generation,
    )
    return RunResult(summary, ingested, counts.questions, counts.pair_recall, report, reused)
