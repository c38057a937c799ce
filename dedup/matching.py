"""How probably two questions of one corpus are duplicates: the classifier, applied to rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dedup.classifier import Classifier
from dedup.cores import spread
from dedup.distance import pair_distances
from dedup.features import CROWDING, Described, pair_features
from dedup.join import Cutoff
from dedup.memory import spacious
from dedup.progress import Progress
from dedup.questions import Float32, Float64, Int64, Pairs, places_of
from dedup.reranking import Reranker

_CHUNK = 1 << 15  # pairs judged together: what is computed for them stays near the processor


@dataclass(frozen=True, slots=True)
class RescoredPairs:
    """Pairs of rows that were judged again, and what then counts."""

    place: Int64  # (n_pairs,) ascending: left * n + right, left < right, of n rows
    probability: Float64  # (n_pairs,)

    def over(self, probability: Float64, places: Int64) -> Float64:
        """Return the probabilities of pairs at some places, (m,), new ones in the place of the classifier's."""
        if not len(self.place):
            return probability
        at = places_of(self.place, places)
        return np.where(at >= 0, self.probability[at], probability)


@dataclass(frozen=True, slots=True)
class Matcher:
    """The vectors of a corpus, what else is known of its questions, and the classifier that judges their pairs.

    Of pairs that were judged again, ``rescored`` has what counts instead of the classifier's word.
    """

    embeddings: Float32  # (n, d)
    described: Described  # of the same n questions
    classifier: Classifier
    rescored: RescoredPairs | None = None

    def cutoff(self, floor: float) -> Cutoff:
        """Return how far apart a pair may be to have the probability ``floor``, by the crowding of its questions.

        A pair's crowding is the mean of its two, so each side brings its half. What lies outside the classifier's range
        counts fully where that allows more, for the mean of the two may lie inside.
        """
        classifier = self.classifier
        reach = classifier.reach(floor)
        crowding = next((each for each in classifier.features if each.name == CROWDING), None)
        if crowding is None or self.described.crowding is None:
            return Cutoff(reach)
        bounded = (
            np.minimum(self.described.crowding, crowding.high)
            if crowding.weight < 0
            else np.maximum(self.described.crowding, crowding.low)
        )
        brought = np.nan_to_num(crowding.weight * (bounded - crowding.typical), nan=0.0)
        return Cutoff(reach, ((crowding.most - brought) / (2 * classifier.slope)).astype(np.float32))

    def judge(self, pairs: Pairs) -> Float64:
        """Return the match probability of measured pairs, (n_pairs,)."""
        return _in_chunks(
            len(pairs), lambda some: self._probability(pairs.left[some], pairs.right[some], pairs.distance[some])
        )

    def between(self, left: Int64, right: Int64) -> Float64:
        """Return the match probability of rows ``left[i]`` and ``right[i]``, (n_pairs,); measures their distances."""

        def measured(some: slice) -> Float64:
            distance = pair_distances(self.embeddings, left[some], right[some], self.classifier.metric)
            return self._probability(left[some], right[some], distance)

        return _in_chunks(len(left), measured)

    def _probability(self, left: Int64, right: Int64, distance: Float32) -> Float64:
        names = self.classifier.feature_names
        features = pair_features(names, self.described, left, self.described, right)
        probability = self.classifier.probability(distance, features)
        if self.rescored is None:
            return probability
        return self.rescored.over(probability, _places(left, right, len(self.embeddings)))


@dataclass(frozen=True, slots=True)
class Reranked:
    """A matcher that knows of the pairs that were judged again, and all pairs as it judges them."""

    matcher: Matcher
    probability: Float64  # (n_pairs,)
    count: int  # of those judged again


def rerank(
    matcher: Matcher,
    pairs: Pairs,
    probability: Float64,
    reranker: Reranker,
    texts_of: Callable[[Int64], Sequence[str]],
    progress: Progress,
) -> Reranked:
    """Judge again those pairs of which the classifier is not sure; the others keep its probability.

    Parameters
    ----------
    pairs, probability
        (n_pairs,): as the matcher judges them.
    texts_of
        Gives the normalised texts of distinct, ascending rows.
    """
    uncertain = np.flatnonzero(reranker.uncertain(probability))
    left, right = pairs.left[uncertain], pairs.right[uncertain]
    rows, place = np.unique(np.concatenate([left, right]), return_inverse=True)
    texts = texts_of(rows) if len(rows) else []
    ends = place.reshape(2, -1).T.tolist()
    again = reranker.judge(
        probability[uncertain],
        [(texts[one], texts[other]) for one, other in ends],
        prior=matcher.classifier.prior,
        progress=progress,
    )
    judged = probability.copy()
    judged[uncertain] = again
    rescored = RescoredPairs(_places(left, right, len(matcher.embeddings)), again)
    return Reranked(replace(matcher, rescored=rescored), judged, len(uncertain))


def _places(left: Int64, right: Int64, rows: int) -> Int64:
    places: Int64 = np.minimum(left, right) * rows + np.maximum(left, right)
    return places


def _in_chunks(pairs: int, probability: Callable[[slice], Float64]) -> Float64:
    """Ask for the probability of so many pairs, (n_pairs,), chunk by chunk, on all cores."""
    chunks = [slice(start, start + _CHUNK) for start in range(0, pairs, _CHUNK)]
    judged = spacious((pairs,), np.float64)
    for some, found in zip(chunks, spread(probability, chunks), strict=True):
        judged[some] = found
    return judged
