"""One question at a time: what is nearest to a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from dedup.classifier import Classifier
from dedup.encoders import Encoder
from dedup.errors import DedupError, NoGeneration
from dedup.features import (
    Background,
    describe_questions,
    pair_features,
    sampled_background,
)
from dedup.index import Generation, Overlay, load_generation
from dedup.installed import installed_reranker, load_installed
from dedup.progress import Silent
from dedup.questions import Float32, Float64, Int64, Keys, Metric
from dedup.reranking import Reranker
from dedup.settings import Settings
from dedup.sharing import fetch
from dedup.store import QuestionRecord, Representative, Store
from dedup.text import key_array, key_bytes, normalise, text_key


@dataclass(frozen=True, slots=True)
class Query:
    """A text, how many of the nearest are wanted, and the probability from which one is a duplicate."""

    text: str
    k: int
    threshold: float


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


@dataclass(frozen=True, slots=True)
class _Near:
    """Recorded texts near some queries, by query, nearest first."""

    query: Int64  # (n_pairs,) ascending
    row: Int64  # (n_pairs,) of the overlay
    keys: Keys  # (n_pairs,)
    distance: Float64  # (n_pairs,)
    recorded: Mapping[bytes, Representative]  # by text key


class Searcher:
    """The generation in service and what lies over it, its encoder and its classifier, loaded once and asked often."""

    def __init__(
        self,
        store: Store,
        overlay: Overlay,
        encoder: Encoder,
        classifier: Classifier,
        reranker: Reranker | None,
        background: Background,
    ) -> None:
        self._store = store
        self.overlay = overlay
        self.encoder = encoder
        self.classifier = classifier
        self.reranker = reranker
        self.background = background

    @classmethod
    def load(cls, store: Store, settings: Settings, *, quick: bool = True) -> Self:
        """Load what is in service.

        Parameters
        ----------
        quick
            With the encoder that answers one question soonest after the start; otherwise with the one that is fastest
            once it is loaded.

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
        fetch(store, settings.indexes, published.name)
        encoder, classifier = load_installed(settings, quick=quick)
        reranker = installed_reranker(settings, classifier)
        generation = load_generation(
            settings.indexes,
            published.name,
            store,
            fingerprint=encoder.fingerprint,
            encoder=encoder.name,
            metric=encoder.metric,
        )
        return cls(
            store,
            Overlay(generation),
            encoder,
            classifier,
            reranker,
            sampled_background(generation.reference, classifier.feature_names),
        )

    @property
    def generation(self) -> Generation:
        """The generation that is searched."""
        return self.overlay.generation

    def over(self, overlay: Overlay) -> Searcher:
        """Return one that searches ``overlay``, of the same generation, instead; all else is shared."""
        return Searcher(self._store, overlay, self.encoder, self.classifier, self.reranker, self.background)

    def encoding_by(self, encoder: Encoder) -> Searcher:
        """Return one that encodes by ``encoder``, of the same fingerprint and metric, which is warm already."""
        return Searcher(self._store, self.overlay, encoder, self.classifier, self.reranker, self.background)

    def query(self, text: str, k: int, threshold: float) -> Answer:
        """Return the k nearest distinct texts to ``text``, each as its best-ranked question."""
        return self.query_many([text], k, threshold)[0]

    def query_many(self, texts: Sequence[str], k: int, threshold: float) -> list[Answer]:
        """Answer several questions of one kind; see `answer`."""
        return self.answer([Query(text, k, threshold) for text in texts])

    def answer(self, queries: Sequence[Query]) -> list[Answer]:
        """Answer several questions with one encoding; each as if it were asked alone.

        A recorded text with the same text key has distance 0 and probability 1: it asks the same by definition.

        Raises
        ------
        DedupError
            Where one is no question; see `asked_text`.
        """
        asked = [asked_text(query.text) for query in queries]
        vectors = self.encoder.encode(asked)
        own = key_array(text_key(text) for text in asked)
        near = self._near(vectors, [query.k for query in queries])
        same = near.keys == own[near.query]
        query, row = near.query[~same], near.row[~same]
        text_of = {key: normalise(recorded.question.text) for key, recorded in near.recorded.items()}
        features = self._features(asked, own, vectors, query, row, text_of)
        classified = self.classifier.probability(near.distance[~same], features)
        probability = np.ones(len(same))
        probability[~same] = self._judged_again(
            classified, [asked[n] for n in query.tolist()], [text_of[key] for key in key_bytes(near.keys[~same])]
        )
        measured = np.where(same, 0.0, near.distance)
        of_query = [near.query == n for n in range(len(queries))]
        return [
            Answer(
                query.text,
                self.encoder.name,
                self.encoder.metric,
                _matches(near.recorded, key_bytes(near.keys[its]), measured[its], probability[its], query.threshold),
            )
            for query, its in zip(queries, of_query, strict=True)
        ]

    def _near(self, vectors: Float32, wanted: Sequence[int]) -> _Near:
        """Find the ``wanted[i]`` texts nearest to ``vectors[i]`` that are still recorded.

        How many candidates an approximate index proposes depends on k, so each k has its own search.
        """
        parts: list[_Near] = []
        asked = np.array(wanted)
        for k in np.unique(asked).tolist():
            queries = np.flatnonzero(asked == k)
            found = self._recorded(vectors[queries], k)
            parts.append(_Near(queries[found.query], found.row, found.keys, found.distance, found.recorded))
        query = np.concatenate([part.query for part in parts])
        order = np.argsort(query, kind="stable")
        return _Near(
            query[order],
            np.concatenate([part.row for part in parts])[order],
            np.concatenate([part.keys for part in parts])[order],
            np.concatenate([part.distance for part in parts])[order],
            {key: recorded for part in parts for key, recorded in part.recorded.items()},
        )

    def _recorded(self, vectors: Float32, k: int) -> _Near:
        """Find the k nearest texts of each vector that are still recorded: the index has deleted and old ones too."""
        searched = k
        while True:
            found = self.overlay.search(vectors, searched)
            real = found.rows >= 0
            keys = self.overlay.keys(np.where(real, found.rows, 0))
            recorded = self._store.representatives_for_keys(keys[real])
            alive = real & np.isin(keys, key_array(recorded))
            if alive.sum(axis=1).min() >= k or searched >= len(self.overlay):
                break
            searched = min(2 * searched, len(self.overlay))
        alive &= np.cumsum(alive, axis=1) <= k
        query, place = np.nonzero(alive)
        return _Near(
            query, found.rows[query, place], keys[alive], found.distance[query, place].astype(np.float64), recorded
        )

    def _judged_again(self, classified: Float64, asked: Sequence[str], stored: Sequence[str]) -> Float64:
        """Return the probabilities, (n_pairs,), with a second judgement of those that are uncertain, if there is one.

        Pair i is of the texts ``asked[i]`` and ``stored[i]``.
        """
        if self.reranker is None:
            return classified
        uncertain = np.flatnonzero(self.reranker.uncertain(classified))
        judged = classified.copy()
        judged[uncertain] = self.reranker.judge(
            classified[uncertain],
            [(asked[pair], stored[pair]) for pair in uncertain.tolist()],
            prior=self.classifier.prior,
            progress=Silent(),
        )
        return judged

    def _features(
        self, asked: Sequence[str], own: Keys, vectors: Float32, query: Int64, row: Int64, text_of: Mapping[bytes, str]
    ) -> dict[str, Float64]:
        """Describe each text ``query[i]`` together with the stored row ``row[i]``; all are looked up together."""
        rows, place = np.unique(row, return_inverse=True)
        keys = self.overlay.keys(rows)
        names = self.classifier.feature_names
        crowded = self.overlay.crowding(rows)
        unknown = rows[np.isnan(crowded)]
        described = describe_questions(
            names,
            self.background,
            np.concatenate([own, keys]),
            np.concatenate([vectors, self.overlay.vectors(unknown)]) if len(unknown) else vectors,
            [*asked, *(text_of[key] for key in key_bytes(keys))],
            self.encoder.metric,
            crowded=np.concatenate([np.full(len(own), np.nan, dtype=np.float32), crowded]),
        )
        return pair_features(names, described, query, described, len(own) + place)


def asked_text(text: str) -> str:
    """Return the normalised text, or refuse what is no question with DedupError: dumps do so with their rows."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise DedupError("the question is not valid UTF-8; mend its encoding") from None
    if not (asked := normalise(text)):
        raise DedupError("the question is empty; give some text")
    return asked


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
    ]
    return tuple(sorted(matches, key=lambda match: match.distance))
