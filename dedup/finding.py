"""From the vectors of distinct texts to their duplicates: candidate pairs, probabilities, clusters.

What is found is a function of the texts, the models and the settings. What was known before (an earlier join) saves
work and changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dedup.classifier import Classifier
from dedup.clustering import Clusters, cluster_pairs
from dedup.decisions import Constraints, apply
from dedup.errors import ClassifierError
from dedup.external_sort import marked, selected
from dedup.join import Cutoff, Joined, Known, self_join
from dedup.matching import Matcher, rerank
from dedup.priors import estimate_share
from dedup.progress import Progress
from dedup.questions import Float32, Float64, Int64, Pairs
from dedup.reference import Near
from dedup.reranking import Reranker
from dedup.settings import AUTO, Settings
from dedup.shards import Compared

log = logging.getLogger(__name__)

MARGIN = 0.01
"""How much farther than needed is looked around each row. As a corpus grows it becomes more or less crowded around its
questions, and the cut-offs move with it; so few rows have to be looked at again in the next join."""


@dataclass(frozen=True, slots=True)
class Found:
    """The duplicates among distinct texts, by their rows."""

    matcher: Matcher  # at the prior that was asked for, or estimated
    joined: Joined  # every pair that can be a candidate, whatever its features, and some beyond
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
    known: Known | None = None,
    decided: Constraints | None = None,
    compared: Compared | None = None,
) -> Found:
    """Find the candidate pairs among distinct texts, how probable each is, and the clusters they make.

    The matcher's rows are in the order of their text keys: the order decides ties. ``near`` are their nearest reference
    vectors, None to compare all with all. With a second judgement, a candidate of which the classifier is not sure has
    its probability from there, and is one no longer where that is under the floor; what is no candidate by the
    classifier is not judged again.

    ``known`` is what an earlier join of the same vectors found: what is returned does not depend on it, but where the
    join is approximate. What people ``decided`` about rows counts before everything else. What was ``compared`` in
    shards under the same settings is neither joined nor judged again.
    """
    classifier = matcher.classifier
    cutoff = matcher.cutoff(settings.candidate_floor)
    if compared is not None:
        joined = compared.joined
    else:
        joined = self_join(
            matcher.embeddings,
            classifier.metric,
            cutoff,
            near=near,
            recall_floor=settings.recall_floor,
            progress=progress,
            known=known,
            margin=0.0 if cutoff.shortfall is None else MARGIN,
        )
    possible = _possible(joined.pairs, cutoff)
    with progress.stage("judge", "pairs", total=len(possible)) as advance:
        judged = matcher.judge(possible) if compared is None else compared.judged
        if settings.prior == AUTO:
            matcher = replace(matcher, classifier=_at_estimated_prior(classifier, possible.distance))
            judged = matcher.judge(possible)
        pairs, probability = _candidates(possible, judged, settings.candidate_floor)
        advance(len(possible))
    del possible, judged
    reranked = 0
    if second is not None:
        again = rerank(matcher, pairs, probability, second.reranker, second.texts_of, progress)
        matcher, probability, reranked = again.matcher, again.probability, again.count
        pairs, probability = _candidates(pairs, probability, settings.candidate_floor)
    if decided is not None:
        applied = apply(decided, matcher, pairs, probability)
        matcher, pairs, probability = applied.matcher, applied.pairs, applied.probability
    with progress.stage("cluster", "pairs", total=len(pairs)) as advance:
        clusters = cluster_pairs(
            matcher, pairs, probability, threshold=settings.threshold, floor=settings.cluster_floor
        )
        advance(len(pairs))
    return Found(matcher, joined, pairs, probability, reranked, clusters)


def _possible(pairs: Pairs, cutoff: Cutoff) -> Pairs:
    """Return the pairs within the cut-off."""

    def within(some: slice) -> NDArray[np.bool_]:
        return np.asarray(pairs.distance[some] <= cutoff.of(pairs.left[some], pairs.right[some]))

    return Pairs(*selected(marked(len(pairs), within), pairs.left, pairs.right, pairs.distance))


def _candidates(pairs: Pairs, probability: Float64, floor: float) -> tuple[Pairs, Float64]:
    kept = marked(len(pairs), lambda some: probability[some] >= floor)
    left, right, distance, judged = selected(kept, pairs.left, pairs.right, pairs.distance, probability)
    return Pairs(left, right, distance), judged


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
