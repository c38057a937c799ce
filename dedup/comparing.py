"""The duplicates of a corpus, with all that is looked up for them: anew, or going on from what an earlier run kept."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np

from dedup.decisions import constraints
from dedup.engines import opened_engine
from dedup.features import (
    Described,
    TextTraits,
    count_words,
    describe,
    describe_news,
    describe_questions,
    needs_texts,
    sampled_background,
)
from dedup.finding import MARGIN, Found, SecondJudgement, find_duplicates
from dedup.index import Sample, approximates
from dedup.jobs import Job
from dedup.kept import Kept, load_kept
from dedup.matching import Matcher
from dedup.reference import NEAREST, REFERENCE_SIZE, Near, nearest_known
from dedup.shards import Compared, Cut, ShardedCorpus, compare_in_shards, in_shards
from dedup.state import Models, State

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was found, and what the next run need not look up again."""

    found: Found
    near: Near | None  # the nearest reference vectors of each text, where they were looked up
    sample: Sample  # of the corpus, against which its questions were seen
    cut: Cut | None  # how it was cut up, where it was compared in shards


def compare(job: Job, models: Models, state: State, last: str | None) -> Comparison:
    """Find the duplicates, going on from the generation ``last`` where there is one."""
    settings, texts, embeddings, watch = job.settings, state.texts, state.embeddings, job.watch
    in_cells = approximates(len(embeddings), settings.index)
    kept, near, sharded = Kept(), None, None
    if in_shards(settings):  # anew: what is known would save work, and change nothing
        sharded = _in_shards(job, models, state, in_cells=in_cells)
        described, sample = sharded.described, _sample(job, state, sharded.described.traits)
    else:
        kept = load_kept(settings.indexes, last, texts.keys, models.encoder)
        if in_cells:
            with watch.stage("cells", "vectors", total=len(embeddings)) as advance:
                near = nearest_known(texts.keys, embeddings, kept.near, advance)
        described, sample = _described(job, models, state, kept, near)
    second = None
    if models.reranker is not None:
        second = SecondJudgement(models.reranker, lambda rows: job.store.texts_in_order(texts.keys[rows]))
    decided = None
    if len(state.decisions):
        decided = constraints(state.decisions, texts.keys)
        if contradicted := len(decided.contradicted):
            log.warning(
                "%d rejected pairs are held together by confirmed ones; neither count until one changes",
                contradicted,
            )
    matcher = Matcher(embeddings, described, models.classifier)
    used = None if near is None else near.first(NEAREST)
    found = find_duplicates(matcher, used, settings, watch, second, kept.join, decided, sharded)
    return Comparison(found, near, sample, None if sharded is None else sharded.cut)


def _described(job: Job, models: Models, state: State, kept: Kept, near: Near | None) -> tuple[Described, Sample]:
    """Gather what the classifier looks at beside the distances, and the sample of the corpus it is seen against."""
    keys, embeddings, classifier = state.texts.keys, state.embeddings, models.classifier
    features, used = classifier.feature_names, None if near is None else near.first(NEAREST)
    with job.watch.stage("describe", "questions", total=len(keys)) as advance:
        traits = describe_news(keys, job.store.texts_in_order, kept.traits) if needs_texts(features) else None
        sample = _sample(job, state, traits)
        background = sampled_background(sample, features)
        described = describe_questions(features, background, keys, embeddings, None, classifier.metric, used, traits)
        advance(len(keys))
    return described, sample


def _sample(job: Job, state: State, traits: TextTraits | None) -> Sample:
    """Sample the corpus; ``traits`` are those of all its texts, where they are known."""
    keys = state.texts.keys[:REFERENCE_SIZE]
    known = describe(job.store.texts_in_order(keys)) if traits is None else traits.take(np.arange(len(keys)))
    return Sample(keys, state.embeddings[:REFERENCE_SIZE], count_words(known))


def _in_shards(job: Job, models: Models, state: State, *, in_cells: bool) -> Compared:
    corpus = ShardedCorpus(state.texts.keys, state.embeddings, job.store.texts_in_order)
    with opened_engine(job.settings, job.store.task_queue) as engine:
        return compare_in_shards(
            corpus, models.classifier, job.settings, margin=MARGIN, in_cells=in_cells, engine=engine, progress=job.watch
        )
