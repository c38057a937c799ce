"""A corpus compared in shards has the pairs, distances and probabilities of one compared in one piece, to the bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from corpora import fake_classifier, made_up_features, many_questions
from engines.pools import Here
from fakes import HashingEncoder

from dedup.classifier import Classifier
from dedup.engines import Engine
from dedup.errors import EngineError
from dedup.features import background_of, describe_questions
from dedup.finding import MARGIN
from dedup.join import self_join
from dedup.matching import Matcher
from dedup.progress import Silent
from dedup.questions import Metric, Pairs
from dedup.reference import REFERENCE_SIZE, nearest_reference
from dedup.settings import Settings
from dedup.shards import Compared, ShardedCorpus, compare_in_shards
from dedup.shards.joining import join_bins
from dedup.text import key_array, key_bytes, normalise, text_key

ROWS = 1500
FLOOR = 0.7
COUNTED = ("left", "right", "distance")


class Case:
    """Texts, their vectors, and what is found among them in one piece."""

    def __init__(self, metric: Metric, in_cells: bool) -> None:
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
            self.vectors, metric, cutoff, near=near, recall_floor=0.5, progress=Silent(), margin=MARGIN
        )
        pairs = self.joined.pairs
        possible = pairs.where(pairs.distance <= cutoff.of(pairs.left, pairs.right))
        self.judged = matcher.judge(possible)

    def in_shards(self, folder: Path, classifier: Classifier | None = None, **how) -> Compared:
        texts = dict(zip(key_bytes(self.keys), self.texts, strict=True))
        corpus = ShardedCorpus(self.keys, self.vectors, lambda keys: [texts[key] for key in key_bytes(keys)])
        settings = Settings(indexes=folder, candidate_floor=FLOOR, threshold=0.8, recall_floor=0.5)
        return compare_in_shards(
            corpus,
            classifier or self.classifier,
            replace(settings, **how),
            margin=MARGIN,
            in_cells=self.in_cells,
            engine=Engine(Here(2)),
            progress=Silent(),
        )


@pytest.fixture(scope="module", params=[(m, c) for m in Metric for c in (True, False)], ids=str)
def case(request) -> Case:
    return Case(*request.param)


def same(found: Pairs, expected: Pairs) -> bool:
    return all(np.array_equal(getattr(found, column), getattr(expected, column)) for column in COUNTED)


@pytest.mark.parametrize(
    ("shard_size", "memory_per_task"),
    [(10_000, 10**9), (400, 10**9), (700, 800_000)],
    ids=["one shard", "several", "cells that do not fit a task"],
)
def test_the_pairs_are_those_of_one_piece(case, tmp_path, shard_size, memory_per_task):
    compared = case.in_shards(tmp_path, shard_size=shard_size, memory_per_task=memory_per_task)
    assert len(case.judged) > 100
    assert same(compared.joined.pairs, case.joined.pairs)
    assert np.array_equal(compared.judged, case.judged)
    ours, theirs = compared.joined, case.joined
    assert (ours.recall, ours.recall_pairs, ours.visits) == (theirs.recall, theirs.recall_pairs, theirs.visits)
    rows = len(case.keys)
    assert np.array_equal(ours.covered.shortfalls(rows), theirs.covered.shortfalls(rows))
    assert (compared.hot_cells > 0) == (memory_per_task == 800_000)
    assert list((tmp_path / "work").iterdir()) == []


def test_after_a_failure_only_what_was_not_finished_is_done_again(case, tmp_path, monkeypatch):
    done: list[str] = []

    def joining(task):
        if len(done) == 3:
            raise EngineError("the disk is full")
        done.append(task.file)
        return join_bins(task)

    monkeypatch.setattr("dedup.shards.comparing.join_bins", joining)
    with pytest.raises(EngineError, match=r"joining bin.* failed once: the disk is full"):
        case.in_shards(tmp_path, shard_size=700, memory_per_task=800_000)
    kept = {file: file.stat().st_mtime_ns for file in (tmp_path / "work").rglob("*.arrow")}
    assert sum(file.name.startswith("pairs-") for file in kept) == 3

    def finishing(task):
        for file, written in kept.items():
            assert not file.name.startswith("sample") or file.exists()
            assert file.name.startswith("sample") or file.stat().st_mtime_ns == written
        return join_bins(task)

    monkeypatch.setattr("dedup.shards.comparing.join_bins", finishing)
    compared = case.in_shards(tmp_path, shard_size=700, memory_per_task=800_000)
    assert same(compared.joined.pairs, case.joined.pairs)
