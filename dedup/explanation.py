"""Why two questions are or are not duplicates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any, Self

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree

from dedup.classifier import Classifier, Feature
from dedup.distance import distance
from dedup.encoders import Encoder
from dedup.errors import AmbiguousQuestion, UnknownQuestion
from dedup.features import Background, describe_questions, pair_features, sampled_background
from dedup.index import Sample, load_reference
from dedup.installed import installed_reranker, load_installed
from dedup.progress import Silent
from dedup.queries import Searcher, asked_text
from dedup.questions import Float32, Metric
from dedup.reranking import Reranker
from dedup.settings import Settings
from dedup.sharing import fetch
from dedup.store import PairRecord, QuestionRecord, Store
from dedup.text import key_array, text_key


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why two questions are duplicates, or are not."""

    left: QuestionRecord | str  # a recorded question, or a text that is none
    right: QuestionRecord | str
    manhattan: float
    euclidean: float
    probability: float
    threshold: float
    duplicate: bool
    classifier: Classifier
    features: Mapping[str, float]  # what the classifier looks at beside the distance; NaN where not known
    second: SecondOpinion | None  # where the pair was judged again
    same_text: bool  # equal text keys: an exact duplicate
    chain: tuple[Link, ...]  # the recorded pairs that join the two, where they are in one cluster; else empty


@dataclass(frozen=True, slots=True)
class SecondOpinion:
    """What a pair's probability was by the classifier alone, and which reranker moved it."""

    classified: float
    reranker: str


@dataclass(frozen=True, slots=True)
class Link:
    """One pair of a chain."""

    left: QuestionRecord
    right: QuestionRecord
    distance: float
    probability: float


@dataclass(frozen=True, slots=True)
class Explainer:
    """What it takes to judge a pair of the corpus in service, loaded once and asked often."""

    encoder: Encoder
    classifier: Classifier
    reranker: Reranker | None
    background: Background

    @classmethod
    def load(cls, store: Store, settings: Settings) -> Self:
        """Load the models of the settings; before the first run, what needs a corpus is not known (NaN)."""
        published = store.published_generation()
        if published is not None:
            fetch(store, settings.indexes, published.name)
        encoder, classifier = load_installed(settings, quick=True)
        reranker = installed_reranker(settings, classifier)
        sample = Sample(key_array(()), np.empty((0, 0), dtype=np.float32), np.empty((2, 0), dtype=np.int32))
        if classifier.features and published is not None:
            sample = load_reference(
                settings.indexes,
                published.name,
                fingerprint=encoder.fingerprint,
                encoder=encoder.name,
                metric=encoder.metric,
            )
        return cls(encoder, classifier, reranker, sampled_background(sample, classifier.feature_names))

    @classmethod
    def of(cls, searcher: Searcher) -> Self:
        """Return one with the models of a searcher."""
        return cls(searcher.encoder, searcher.classifier, searcher.reranker, searcher.background)

    def explain(self, store: Store, one: str, other: str, source: str | None, *, threshold: float) -> Explanation:
        """Explain the relation of two questions, each given by its own id or as a text.

        Raises
        ------
        AmbiguousQuestion
            Where an id is in several sources, and none is named.
        DedupError
            Where a text is no question; see `dedup.queries.asked_text`.
        """
        return self.explain_pair(store, _find(store, one, source), _find(store, other, source), threshold=threshold)

    def explain_pair(
        self, store: Store, left: QuestionRecord | str, right: QuestionRecord | str, *, threshold: float
    ) -> Explanation:
        """Explain the relation of two questions, each a recorded one or a text.

        The chain is the one whose weakest pair is strongest (the path in the minimum spanning tree of the cluster's
        recorded pairs; Hu, 1961). DedupError where a text is no question; see `dedup.queries.asked_text`.
        """
        texts = [asked_text(side if isinstance(side, str) else side.text) for side in (left, right)]
        vectors = self.encoder.encode(texts)
        first, second = vectors
        measured = {metric: float(distance(first[None], second[None], metric)[0]) for metric in Metric}
        same_text = texts[0] == texts[1]
        features = self._features(texts, vectors)
        classified = self.classifier.probability(np.array([measured[self.encoder.metric]]), features)
        opinion = None
        probability = 1.0 if same_text else float(classified[0])
        if self.reranker is not None and not same_text and self.reranker.uncertain(classified)[0]:
            opinion = SecondOpinion(probability, self.reranker.scorer.name)
            judged = self.reranker.judge(
                classified, [(texts[0], texts[1])], prior=self.classifier.prior, progress=Silent()
            )
            probability = float(judged[0])
        return Explanation(
            left,
            right,
            measured[Metric.MANHATTAN],
            measured[Metric.EUCLIDEAN],
            probability,
            threshold,
            probability >= threshold,
            self.classifier,
            features,
            opinion,
            same_text,
            _chain(store, left, right),
        )

    def _features(self, texts: Sequence[str], vectors: Float32) -> dict[str, float]:
        """Describe two texts as a pair of the corpus."""
        names, keys = self.classifier.feature_names, key_array(text_key(text) for text in texts)
        described = describe_questions(names, self.background, keys, vectors, texts, self.encoder.metric)
        left, right = np.array([0]), np.array([1])
        found = pair_features(names, described, left, described, right)
        return {name: float(value[0]) for name, value in found.items()}


def explain(store: Store, settings: Settings, one: str, other: str, source: str | None) -> Explanation:
    """Load what `Explainer.explain` needs, and explain once."""
    return Explainer.load(store, settings).explain(store, one, other, source, threshold=settings.threshold)


def explained(explanation: Explanation) -> dict[str, Any]:
    """Return an explanation as JSON has it: the answer of `dedup explain --json` and of the service."""
    classifier = explanation.classifier
    return {
        "left": _side(explanation.left),
        "right": _side(explanation.right),
        "same_text": explanation.same_text,
        "distance": {"manhattan": explanation.manhattan, "euclidean": explanation.euclidean},
        "metric": str(classifier.metric),
        "probability": explanation.probability,
        "threshold": explanation.threshold,
        "duplicate": explanation.duplicate,
        "reranked": None
        if explanation.second is None
        else {"reranker": explanation.second.reranker, "classified": explanation.second.classified},
        "classifier": {
            "identity": classifier.identity,
            "encoder": classifier.encoder,
            "slope": classifier.slope,
            "intercept": classifier.intercept,
            "prior": classifier.prior,
            "features": [_feature(feature, explanation) for feature in classifier.features],
            "fit": dict(classifier.fit),
        },
        "chain": [
            {
                "left": link.left.id,
                "left_source": link.left.source,
                "right": link.right.id,
                "right_source": link.right.source,
                "distance": link.distance,
                "probability": link.probability,
            }
            for link in explanation.chain
        ],
    }


def _feature(feature: Feature, explanation: Explanation) -> dict[str, Any]:
    """Return what a feature of the pair adds to the log-odds; a value that is not known is null and adds nothing."""
    value = explanation.features[feature.name]
    return {
        "name": feature.name,
        "value": None if isnan(value) else value,
        "typical": feature.typical,
        "log_odds": float(feature.log_odds(value)),
    }


def _side(side: QuestionRecord | str) -> dict[str, Any]:
    if isinstance(side, str):
        return {"id": None, "text": side, "cluster": None}
    return {"id": side.id, "source": side.source, "text": side.text, "cluster": side.cluster_id}


def _find(store: Store, id_or_text: str, source: str | None) -> QuestionRecord | str:
    try:
        found = store.find_question(id_or_text, source)
    except UnknownQuestion:
        return id_or_text
    if len(sources := [question.source for question in found if question.id == id_or_text]) > 1:
        raise AmbiguousQuestion(
            f"the id {id_or_text!a} is in the sources {', '.join(sources)}; say which with --source"
        )
    return found[0]


def _chain(store: Store, left: QuestionRecord | str, right: QuestionRecord | str) -> tuple[Link, ...]:
    if isinstance(left, str) or isinstance(right, str) or left.cluster_id is None:
        return ()
    if left.cluster_id != right.cluster_id or left.number == right.number:
        return ()
    pairs = store.pairs_of_cluster(left.cluster_id)
    steps = _strongest_path(pairs, left.number, right.number)
    questions = store.questions([number for pair in steps for number in (pair.left, pair.right)])
    links = []
    at = left.number
    for pair in steps:
        to = pair.right if pair.left == at else pair.left
        links.append(Link(questions[at], questions[to], pair.distance, pair.probability))
        at = to
    return tuple(links)


def _strongest_path(pairs: Sequence[PairRecord], start: int, end: int) -> list[PairRecord]:
    numbers = sorted({number for pair in pairs for number in (pair.left, pair.right)})
    if start not in numbers or end not in numbers:
        return []
    position = {number: at for at, number in enumerate(numbers)}
    between = {frozenset((position[pair.left], position[pair.right])): pair for pair in pairs}
    left = [position[pair.left] for pair in pairs]
    right = [position[pair.right] for pair in pairs]
    weight = [1.0 + pair.distance for pair in pairs]  # the tree reads 0 as "no edge"; exact copies have distance 0
    tree = minimum_spanning_tree(coo_array((weight, (left, right)), shape=(len(numbers), len(numbers))))
    _, before = breadth_first_order(tree, position[end], directed=False)
    steps = []
    at = position[start]
    while at != position[end]:
        if before[at] < 0:
            return []
        steps.append(between[frozenset((at, int(before[at])))])
        at = int(before[at])
    return steps
