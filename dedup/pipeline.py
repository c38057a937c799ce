"""The whole way of a question, in order; no other module knows it.

dumps -> questions in SQL -> one row per text key -> embeddings -> index -> candidate pairs -> probability
      (-> uncertain pairs judged again) -> clusters -> rows in SQL, a published generation, a report
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from dedup.classifier import Classifier
from dedup.clustering import Clusters, cluster_pairs, name_clusters
from dedup.collapse import Texts, as_question_pairs, collapse
from dedup.encoders import VECTORS, Encoder, VectorStore, encode_missing
from dedup.errors import ClassifierError, DumpError
from dedup.features import Described, background_of, describe_questions, needs_texts
from dedup.index import (
    FaissIndex,
    approximates,
    build_index,
    new_generation_name,
    save_generation,
)
from dedup.ingest import Ingested, ingest
from dedup.installed import installed_reranker, load_installed
from dedup.jobs import Job, running
from dedup.join import Joined, self_join
from dedup.matching import Matcher, rerank
from dedup.priors import estimate_share
from dedup.progress import Progress, Silent
from dedup.questions import Float32, Float64, Int64, Keys, Pairs
from dedup.reference import REFERENCE_SIZE, Near, nearest_reference
from dedup.report import run_name, write_report
from dedup.reranking import Reranker, Rescoring
from dedup.reuse import result_digest, standing_result
from dedup.run_report import (
    RunCounts,
    describe_run,
    distance_histogram,
    estimated_share,
    histogram_reach,
    with_drift,
)
from dedup.settings import AUTO, Settings
from dedup.store import Corpus, GenerationRecord, RecordedClusters, RunKind, RunOutcome, Store
from dedup.text import NORMALISER_VERSION, key_bytes

log = logging.getLogger(__name__)

PUBLISHING = "write"
"""The stage in which the results take effect: from there on a run is quicker finished than done again."""


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What a run did; the fields of `dedup run --json`."""

    run_id: int
    read: int
    rejected: int
    exact_duplicates: int
    encoded: int
    candidate_pairs: int
    reranked: int  # pairs judged again by a cross-encoder; 0 without --rerank
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
    matcher: Matcher  # at the prior that was asked for, or estimated
    joined: Joined  # every pair that can be a candidate, whatever its features
    pairs: Pairs  # the candidates
    probability: Float64  # (n_pairs,) of them
    reranked: int  # pairs judged again
    clusters: Clusters


@dataclass(frozen=True, slots=True)
class SecondJudgement:
    """What judges uncertain pairs again, and where it finds the normalised texts of distinct, ascending rows."""

    reranker: Reranker
    texts_of: Callable[[Int64], Sequence[str]]


def find_duplicates(
    matcher: Matcher,
    near: Near | None,
    settings: Settings,
    progress: Progress,
    second: SecondJudgement | None = None,
) -> Found:
    """Find the candidate pairs among distinct texts, how probable each is, and the clusters they make.

    The matcher's rows are in the order of their text keys: the order decides ties. ``near`` are their nearest reference
    vectors, None to compare all with all. With a second judgement, a candidate of which the classifier is not sure has
    its probability from there, and is one no longer where that is under the floor; what is no candidate by the
    classifier is not judged again.
    """
    embeddings, classifier = matcher.embeddings, matcher.classifier
    metric, floor = classifier.metric, settings.recall_floor
    index = build_index(embeddings, metric, settings.index, recall_floor=floor, progress=progress)
    joined = self_join(
        embeddings,
        metric,
        matcher.cutoff(settings.candidate_floor),
        near=near,
        recall_floor=floor,
        progress=progress,
    )
    with progress.stage("judge", "pairs", total=len(joined.pairs)) as advance:
        judged = matcher.judge(joined.pairs)
        if settings.prior == AUTO:
            matcher = replace(matcher, classifier=_at_estimated_prior(classifier, joined.pairs.distance))
            judged = matcher.judge(joined.pairs)
        candidate = judged >= settings.candidate_floor
        pairs, probability = joined.pairs.where(candidate), judged[candidate]
        advance(len(joined.pairs))
    reranked = 0
    if second is not None:
        again = rerank(matcher, pairs, probability, second.reranker, second.texts_of, progress)
        matcher, probability, reranked = again.matcher, again.probability, again.count
        candidate = probability >= settings.candidate_floor
        pairs, probability = pairs.where(candidate), probability[candidate]
    with progress.stage("cluster", "pairs", total=len(pairs)) as advance:
        clusters = cluster_pairs(
            matcher, pairs, probability, threshold=settings.threshold, floor=settings.cluster_floor
        )
        advance(len(pairs))
    return Found(index, matcher, joined, pairs, probability, reranked, clusters)


def _at_estimated_prior(classifier: Classifier, distance: Float32) -> Classifier:
    """Return the classifier for the share of duplicates that the pairs' distances make most likely.

    Judged up to where its own probability is one half: so far every pair is found, however sparse its surroundings.
    Never for a higher share than its own, for which pairs were joined.
    """
    cutoff = classifier.max_distance(0.5)
    try:
        estimated = estimate_share(distance, classifier.fit.get("distances", {}).get("duplicates", ()), cutoff)
        fitted = classifier.prior_within(cutoff)
    except ClassifierError as error:
        log.warning("%s; the classifier's own share is taken", str(error).split(";")[0])
        return classifier
    odds = classifier.prior / (1 - classifier.prior) * estimated / (1 - estimated) * (1 - fitted) / fitted
    log.info(
        "of the pairs within %.3f, %.1f%% are estimated to be duplicates; of labelled ones %.1f%% were",
        cutoff,
        100 * estimated,
        100 * fitted,
    )
    return classifier.at_prior(min(classifier.prior, odds / (1 + odds)))


def run(dumps: Sequence[str], settings: Settings, *, wait: float = 0.0, progress: Progress | None = None) -> RunResult:
    """Record the questions of ``dumps`` and find the duplicates among all that are recorded.

    Raises
    ------
    Locked
        If another job still works on the database or the indexes folder after ``wait`` seconds.
    DedupError
        One of its kinds, with what to do. The generation in service stays, with its pairs and clusters; questions
        that had been recorded by then wait for the next run.
    """
    with running(RunKind.RUN, settings, wait=wait, progress=progress or Silent()) as job:
        return _run(job, dumps)


def _run(job: Job, dumps: Sequence[str]) -> RunResult:
    store, settings, watch = job.store, job.settings, job.watch
    rejects_file = settings.reports / f"rejects-{run_name(job.run_id, job.started)}.csv"
    ingested = ingest(store, job.run_id, dumps, settings, rejects_file=rejects_file, progress=watch)
    corpus = store.corpus()
    if not len(corpus):
        rejected = ingested.rejected_rows
        remedy = f"{rejects_file} says why" if rejected else "give a dump that has some"
        raise DumpError(f"no question was taken from {', '.join(dumps)}, {rejected} rows were rejected; {remedy}")
    with watch.stage("load", "encoders", total=1) as advance:
        encoder, classifier = load_installed(settings)
        reranker = installed_reranker(settings, classifier)
        advance(1)
    rescoring = None if reranker is None else reranker.rescoring
    digest = result_digest(corpus, classifier, reranker, settings)
    if (standing := standing_result(store, settings, encoder, digest)) is not None:
        counts = replace(
            standing.counts,
            read=ingested.read,
            rejected=ingested.rejected_rows,
            labels=ingested.labels,
            encoded=0,
            drift=[],
        )
        store.finish_run(
            job.run_id,
            asdict(counts),
            {},
            generation=standing.generation,
            classifier=standing.classifier.to_json(),
            corpus_digest=digest,
            corpus_revision=corpus.revision,
        )
        return _report(job, ingested, encoder, standing.classifier, rescoring, counts, standing.generation, reused=True)

    texts = collapse(corpus.ids, corpus.keys)
    vectors = VectorStore(settings.indexes / VECTORS, encoder.fingerprint)
    encoded = encode_missing(encoder, vectors, texts.keys, store.texts, watch)
    embeddings = vectors.gather(texts.keys)
    near = _near(embeddings, settings, watch)
    matcher = Matcher(embeddings, _described(store, texts, embeddings, near, classifier, watch), classifier)
    second = None
    if reranker is not None:
        second = SecondJudgement(reranker, lambda rows: _texts_in_order(store, texts.keys[rows]))
    found = find_duplicates(matcher, near, settings, watch, second)
    classifier = found.matcher.classifier
    pairs = as_question_pairs(texts, corpus.ids, found.pairs, found.probability)
    clusters = _clusters_of_questions(corpus, texts, found.matcher, found.clusters)
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
        histogram=distance_histogram(found.pairs, classifier, settings),
        reranked=found.reranked,
        reach=histogram_reach(classifier, settings),
        estimated_share=estimated_share(found.joined.pairs, classifier),
    )
    counts = with_drift(counts, store, job.run_id)
    generation = new_generation_name(job.started)
    with watch.stage(PUBLISHING, "pairs", total=len(pairs.left)) as advance:
        save_generation(
            settings.indexes,
            generation,
            found.index,
            texts.keys,
            vectors.places(texts.keys),
            embeddings[:REFERENCE_SIZE],
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
    return _report(job, ingested, encoder, classifier, rescoring, counts, generation, reused=False)


def _near(embeddings: Float32, settings: Settings, progress: Progress) -> Near | None:
    """Look up the nearest reference vectors of each, where the corpus is large enough to be cut into cells."""
    if not approximates(len(embeddings), settings.index):
        return None
    with progress.stage("cells", "vectors", total=len(embeddings)) as advance:
        return nearest_reference(embeddings, embeddings[:REFERENCE_SIZE], advance)


def _described(
    store: Store, texts: Texts, embeddings: Float32, near: Near | None, classifier: Classifier, progress: Progress
) -> Described:
    """Gather what the classifier looks at beside the distances."""
    features = classifier.feature_names
    with progress.stage("describe", "questions", total=len(texts.keys)) as advance:
        normalised = _texts_in_order(store, texts.keys) if needs_texts(features) else None
        background = background_of(texts.keys, embeddings, normalised)
        described = describe_questions(
            features, background, texts.keys, embeddings, normalised, classifier.metric, near
        )
        advance(len(texts.keys))
    return described


def _texts_in_order(store: Store, keys: Keys) -> list[str]:
    found: dict[bytes, str] = {}
    for some_keys, some_texts in store.texts(keys):
        found.update(zip(some_keys, some_texts, strict=True))
    return [found[key] for key in key_bytes(keys)]


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


def _report(
    job: Job,
    ingested: Ingested,
    encoder: Encoder,
    classifier: Classifier,
    rescoring: Rescoring | None,
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
            rescoring,
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
        reranked=counts.reranked,
        duplicate_pairs=counts.duplicate_pairs,
        clusters=counts.clusters,
        seconds=round(time.perf_counter() - job.clock, 3),
        database=job.store.display_url,
        generation=generation,
    )
    return RunResult(summary, ingested, counts.questions, counts.pair_recall, report, reused)
