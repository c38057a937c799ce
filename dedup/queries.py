"""One question at a time: what is nearest to a text, and why two questions are or are not duplicates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree

from dedup.classifier import Classifier
from dedup.distance import distance
from dedup.encoders import Encoder
from dedup.errors import DedupError, NoGeneration, UnknownQuestion
from dedup.features import (
    Background,
    background_of,
    describe_questions,
    needs_texts,
    pair_features,
)
from dedup.index import Generation, Sample, load_generation, load_reference
from dedup.installed import installed_reranker, load_installed
from dedup.progress import Silent
from dedup.questions import Float32, Float64, Int64, Keys, Metric
from dedup.reranking import Reranker
from dedup.settings import Settings
from dedup.store import PairRecord, QuestionRecord, Representative, Store
from dedup.text import key_array, key_bytes, normalise, text_key


@dataclass(frozen=True, slots=True)
class Match:
    """A recorded question near a text: the best-ranked one where several have the same text."""

    question: QuestionRecord
    distance: float
    probability: float
    duplicate: bool
    canonical: QuestionRecord | None  # of its cluster; the question itself where it is alone


@dataclass(frozen=True, slots=True)
class Answer:
    """What is nearest to a text, nearest first."""

    query: str
    encoder: str
    metric: Metric
    matches: tuple[Match, ...]


class Searcher:
    """The generation in service, its encoder and its classifier, loaded once and asked often."""

    def __init__(
        self,
        store: Store,
        generation: Generation,
        encoder: Encoder,
        classifier: Classifier,
        reranker: Reranker | None = None,
    ) -> None:
        self._store = store
        self._generation = generation
        self._encoder = encoder
        self._classifier = classifier
        self._reranker = reranker
        self._background = _background(store, generation.reference, classifier)

    @classmethod
    def load(cls, store: Store, settings: Settings) -> Self:
        """Load what is in service.

        Raises
        ------
        NoGeneration
            Before the first run.
        GenerationMismatch
            If ``settings`` ask for another encoder or metric than the generation's.
        """
        published = store.published_generation()
        if published is None:
            raise NoGeneration(f"nothing has been indexed in {store.display_url}; run `dedup run DUMP` first")
        encoder, classifier = load_installed(settings, quick=True)
        reranker = installed_reranker(settings, classifier)
        generation = load_generation(
            settings.indexes,
            published.name,
            fingerprint=encoder.fingerprint,
            encoder=encoder.name,
            metric=encoder.metric,
        )
        return cls(store, generation, encoder, classifier, reranker)

    def query(self, text: str, k: int, threshold: float) -> Answer:
        """Return the k nearest distinct texts to ``text``, each as its best-ranked question."""
        return self.query_many([text], k, threshold)[0]

    def query_many(self, texts: Sequence[str], k: int, threshold: float) -> list[Answer]:
        """Answer several questions with one encoding and one search.

        A recorded text with the same text key has distance 0 and probability 1: it asks the same by definition.
        """
        asked = [_asked(text) for text in texts]
        vectors = self._encoder.encode(asked)
        found = self._generation.index.search(vectors, k)
        real = found.rows >= 0
        keys = self._generation.keys[np.where(real, found.rows, 0)]  # (n, k)
        own = key_array(text_key(text) for text in asked)
        same = real & (keys == own[:, None])
        near = np.where(same, 0.0, found.distance)
        query, place = np.nonzero(real & ~same)
        features = self._features(asked, own, vectors, query, found.rows[query, place])
        probability = np.ones(near.shape)
        judged = self._classifier.probability(near[query, place], features)
        probability[query, place] = self._judged_again(judged, [asked[n] for n in query.tolist()], keys[query, place])
        recorded = self._store.representatives_for_keys(keys[real])
        return [
            Answer(
                text,
                self._encoder.name,
                self._encoder.metric,
                _matches(recorded, key_bytes(keys[n, real[n]]), near[n, real[n]], probability[n, real[n]], threshold),
            )
            for n, text in enumerate(texts)
        ]

    def _judged_again(self, classified: Float64, asked: Sequence[str], keys: Keys) -> Float64:
        """Return the probabilities, (n_pairs,), with a second judgement of those that are uncertain, if there is one.

        Pair i is of the text ``asked[i]`` and the stored one of ``keys[i]``.
        """
        if self._reranker is None:
            return classified
        uncertain = np.flatnonzero(self._reranker.uncertain(classified))
        distinct, place = np.unique(keys[uncertain], return_inverse=True)
        stored = _texts(self._store, distinct)
        pairs = [(asked[pair], stored[other]) for pair, other in zip(uncertain.tolist(), place.tolist(), strict=True)]
        judged = classified.copy()
        judged[uncertain] = self._reranker.judge(
            classified[uncertain], pairs, prior=self._classifier.prior, progress=Silent()
        )
        return judged

    def _features(
        self, asked: Sequence[str], own: Keys, vectors: Float32, query: Int64, row: Int64
    ) -> dict[str, Float64]:
        """Describe each text ``query[i]`` together with the stored row ``row[i]``."""
        rows, place = np.unique(row, return_inverse=True)
        keys = self._generation.keys[rows]
        names, metric = self._classifier.feature_names, self._encoder.metric
        left = describe_questions(names, self._background, own, vectors, asked, metric)
        right = describe_questions(
            names,
            self._background,
            keys,
            self._generation.index.vectors(rows),
            _texts(self._store, keys) if needs_texts(names) else None,
            metric,
        )
        return pair_features(names, left, query, right, place)


def _background(store: Store, sample: Sample, classifier: Classifier) -> Background:
    """See questions as the run did that made a generation, against the generation's sample of its corpus."""
    texts = _texts(store, sample.keys) if needs_texts(classifier.feature_names) else None
    return background_of(sample.keys, sample.vectors, texts)


def _texts(store: Store, keys: Keys) -> list[str]:
    """Return the normalised texts of ascending keys; of one that has been changed or deleted since, nothing."""
    found = store.known_texts(keys)
    return [found.get(key, "") for key in key_bytes(keys)]


def _matches(
    recorded: Mapping[bytes, Representative],
    keys: Sequence[bytes],
    near: Float64,
    probability: Float64,
    threshold: float,
) -> tuple[Match, ...]:
    matches = [
        Match(recorded[key].question, float(d), float(p), bool(p >= threshold), recorded[key].canonical)
        for key, d, p in zip(keys, near, probability, strict=True)
        if key in recorded  # else its question was changed or deleted since the generation was built
    ]
    return tuple(sorted(matches, key=lambda match: match.distance))


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


def explain(store: Store, settings: Settings, one: str, other: str, source: str | None) -> Explanation:
    """Explain the relation of two questions, each given by its own id or as a text.

    The chain is the one whose weakest pair is strongest (the path in the minimum spanning tree of the cluster's
    recorded pairs; Hu, 1961).
    """
    left, right = _find(store, one, source), _find(store, other, source)
    texts = [_asked(side if isinstance(side, str) else side.text) for side in (left, right)]
    encoder, classifier = load_installed(settings, quick=True)
    first, second = encoder.encode(texts)
    measured = {metric: float(distance(first[None], second[None], metric)[0]) for metric in Metric}
    same_text = texts[0] == texts[1]
    features = _features_of_two(store, settings, encoder, classifier, texts, np.stack([first, second]))
    classified = classifier.probability(np.array([measured[encoder.metric]]), features)
    reranker = installed_reranker(settings, classifier)
    second = None
    probability = 1.0 if same_text else float(classified[0])
    if reranker is not None and not same_text and reranker.uncertain(classified)[0]:
        second = SecondOpinion(probability, reranker.scorer.name)
        judged = reranker.judge(classified, [(texts[0], texts[1])], prior=classifier.prior, progress=Silent())
        probability = float(judged[0])
    return Explanation(
        left,
        right,
        measured[Metric.MANHATTAN],
        measured[Metric.EUCLIDEAN],
        probability,
        settings.threshold,
        probability >= settings.threshold,
        classifier,
        features,
        second,
        same_text,
        _chain(store, left, right),
    )


def _features_of_two(
    store: Store, settings: Settings, encoder: Encoder, classifier: Classifier, texts: Sequence[str], vectors: Float32
) -> dict[str, float]:
    """Describe two texts as a pair of the corpus in service; what needs one is not known (NaN) where there is none."""
    names, keys = classifier.feature_names, key_array(text_key(text) for text in texts)
    published = store.published_generation()
    sample = Sample(keys[:0], vectors[:0])
    if names and published is not None:
        sample = load_reference(
            settings.indexes,
            published.name,
            fingerprint=encoder.fingerprint,
            encoder=encoder.name,
            metric=encoder.metric,
        )
    background = _background(store, sample, classifier)
    described = describe_questions(names, background, keys, vectors, texts, encoder.metric)
    left, right = np.array([0]), np.array([1])
    return {name: float(value[0]) for name, value in pair_features(names, described, left, described, right).items()}


def _asked(text: str) -> str:
    """Return the normalised text, or refuse what is no question: dumps do so with their rows."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise DedupError("the question is not valid UTF-8; mend its encoding") from None
    if not (asked := normalise(text)):
        raise DedupError("the question is empty; give some text")
    return asked


def _find(store: Store, id_or_text: str, source: str | None) -> QuestionRecord | str:
    try:
        found = store.find_question(id_or_text, source)
    except UnknownQuestion:
        return id_or_text
    if len(sources := [question.source for question in found if question.id == id_or_text]) > 1:
        raise UnknownQuestion(f"the id {id_or_text!a} is in the sources {', '.join(sources)}; say which with --source")
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
