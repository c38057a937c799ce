"""How probably two questions of one corpus are duplicates: the classifier, applied to rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dedup.classifier import Classifier
from dedup.distance import farthest, pair_distances
from dedup.features import CROWDING, Described, pair_features
from dedup.join import Cutoff
from dedup.questions import Float32, Float64, Int64, Pairs

_CHUNK = 1 << 18  # pairs whose features are in memory at once


@dataclass(frozen=True, slots=True)
class Matcher:
    """The vectors of a corpus, what else is known of its questions, and the classifier that judges their pairs."""

    embeddings: Float32  # (n, d)
    described: Described  # of the same n questions
    classifier: Classifier

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
        probability = np.empty(len(pairs))
        for start in range(0, len(pairs), _CHUNK):
            some = slice(start, start + _CHUNK)
            probability[some] = self._probability(pairs.left[some], pairs.right[some], pairs.distance[some])
        return probability

    def between(self, left: Int64, right: Int64) -> Float64:
        """Return the match probability of rows ``left[i]`` and ``right[i]``, (n_pairs,); measures their distances."""
        return self._probability(left, right, pair_distances(self.embeddings, left, right, self.classifier.metric))

    def weakest(self, rows: Int64, others: Int64) -> float:
        """Return the lowest match probability of any of ``rows`` with any of ``others``; 1.0 where there is no pair."""
        left, right = np.repeat(rows, len(others)), np.tile(others, len(rows))
        apart = left != right
        return float(self.between(left[apart], right[apart]).min(initial=1.0))

    def all_reach(self, rows: Int64, others: Int64, floor: float) -> bool:
        """Tell whether each of ``rows`` has at least the probability ``floor`` with each of ``others``."""
        widest = farthest(self.embeddings[rows], self.embeddings[others], self.classifier.metric)
        return widest <= self.classifier.reach(floor) and self.weakest(rows, others) >= floor

    def _probability(self, left: Int64, right: Int64, distance: Float32) -> Float64:
        names = self.classifier.feature_names
        return self.classifier.probability(distance, pair_features(names, self.described, left, self.described, right))
