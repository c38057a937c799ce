"""A corpus whose pairs are known: found in one piece."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from corpora import fake_classifier, made_up_features, many_questions
from fakes import HashingEncoder

from dedup.engines import Engine
from dedup.features import background_of, describe_questions
from dedup.finding import MARGIN
from dedup.join import self_join
from dedup.matching import Matcher
from dedup.progress import Silent
from dedup.questions import Metric, Pairs
from dedup.reference import REFERENCE_SIZE, nearest_reference
from dedup.settings import Settings
from dedup.shards import Compared, ShardedCorpus, compare_in_shards
from dedup.text import key_array, key_bytes, normalise, text_key

ROWS = 1500
FLOOR = 0.7


class Case:
    """Texts, their vectors, and what is found among them in one piece."""

    def __init__(self, metric: Metric, in_cells: bool, recall_floor: float = 0.5) -> None:
        self.recall_floor = recall_floor
        encoder = HashingEncoder(metric=metric)
        self.texts = sorted({normalise(text) for _, text, _ in many_questions(ROWS)}, key=text_key)
        self.keys = key_array(text_key(text) for text in self.texts)
        self.vectors = encoder.encode(self.texts)
        self.classifier = fake_classifier(metric, encoder, made_up_features(metric))
        self.in_cells = in_cells
        near = nearest_reference(self.vectors, self.vectors[:REFERENCE_SIZE]) if in_cells else None
        names = self.classifier.feature_names
        background = background_of(self.keys, self.vectors, self.texts)
        described = describe_questions(names, background, self.keys, self.vectors, self.texts, metric, near)
        matcher = Matcher(self.vectors, described, self.classifier)
        cutoff = matcher.cutoff(FLOOR)
        self.joined = self_join(
            self.vectors, metric, cutoff, near=near, recall_floor=recall_floor, progress=Silent(), margin=MARGIN
        )
        pairs = self.joined.pairs
        possible = pairs.where(pairs.distance <= cutoff.of(pairs.left, pairs.right))
        self.judged = matcher.judge(possible)

    def in_shards(self, folder: Path, engine: Engine, **how) -> Compared:
        texts = dict(zip(key_bytes(self.keys), self.texts, strict=True))
        corpus = ShardedCorpus(self.keys, self.vectors, lambda keys: [texts[key] for key in key_bytes(keys)])
        settings = Settings(indexes=folder, candidate_floor=FLOOR, threshold=0.8, recall_floor=self.recall_floor)
        return compare_in_shards(
            corpus,
            self.classifier,
            replace(settings, **how),
            margin=MARGIN,
            in_cells=self.in_cells,
            engine=engine,
            progress=Silent(),
        )


def same(found: Pairs, expected: Pairs) -> bool:
    return all(
        np.array_equal(getattr(found, column), getattr(expected, column)) for column in ("left", "right", "distance")
    )
