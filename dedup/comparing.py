"""The duplicates of a corpus, with all that is looked up for them: anew, or going on from what an earlier run kept."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np

from dedup.decisions import constraints
from dedup.features import (
    Described,
    count_words,
    describe,
    describe_news,
    describe_questions,
    needs_texts,
    sampled_background,
)
from dedup.finding import Found, SecondJudgement, find_duplicates
from dedup.index import Sample, approximates
from dedup.jobs import Job
from dedup.kept import Kept, load_kept
from dedup.matching import Matcher
from dedup.reference import NEAREST, REFERENCE_SIZE, Near, nearest_known
from dedup.state import Models, State

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Compared:
    """What was found, and what the next run need not look up again."""

    found: Found
    near: Near | None  # the nearest reference vectors of each text, where they were looked up
    sample: Sample  # of the corpus, against which its questions were seen


def compare(job: Job, models: Models, state: State, last: str | None) -> Compared:
    """Find the duplicates, going on from the generation ``last`` where there is one."""
    settings, texts, embeddings, watch = job.settings, state.texts, state.embeddings, job.watch
    kept = load_kept(settings.indexes, last, texts.keys, models.encoder)
    near = None
    if approximates(len(embeddings), settings.index):  # then the corpus is cut into cells
        with watch.stage("cells", "vectors", total=len(embeddings)) as advance:
            near = nearest_known(texts.keys, embeddings, kept.near, advance)
    used = None if near is None else near.first(NEAREST)
    described, sample = _described(job, models, state, kept, used)
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
    found = find_duplicates(matcher, used, settings, watch, second, kept.join, decided)
    return Compared(found, near, sample)


def _described(job: Job, models: Models, state: State, kept: Kept, near: Near | None) -> tuple[Described, Sample]:
    """Gather what the classifier looks at beside the distances, and the sample of the corpus it is seen against."""
    keys, embeddings, classifier = state.texts.keys, state.embeddings, models.classifier
    features, sampled = classifier.feature_names, np.arange(min(len(keys), REFERENCE_SIZE))
    with job.watch.stage("describe", "questions", total=len(keys)) as advance:
        if needs_texts(features):
            traits = describe_news(keys, job.store.texts_in_order, kept.traits)
            words = count_words(traits.take(sampled))
        else:
            traits, words = None, count_words(describe(job.store.texts_in_order(keys[sampled])))
        sample = Sample(keys[sampled], embeddings[sampled], words)
        background = sampled_background(sample, features)
        described = describe_questions(features, background, keys, embeddings, None, classifier.metric, near, traits)
        advance(len(keys))
    return described, sample
