"""What reviews make of the classifier."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from corpora import many_questions
from fakes import HashingEncoder
from reviewers import review

from dedup.classifier import Classifier, load_classifier
from dedup.errors import ClassifierError
from dedup.explanation import Explainer
from dedup.progress import Silent
from dedup.recalibration import Recalibration, recalibrate
from dedup.settings import Settings
from dedup.store import Store


@pytest.fixture
def store(run_csv: Callable[..., object], settings: Settings) -> Iterator[Store]:
    run_csv(many_questions(700))
    with Store.open(settings.db) as opened:
        yield opened


def made(store: Store, settings: Settings) -> Recalibration:
    return recalibrate(store, Explainer.load(store, settings), settings, Silent())


def installed(settings: Settings, encoder: HashingEncoder) -> Classifier:
    return load_classifier(settings.indexes, encoder.name, encoder.fingerprint, settings.metric)


def test_labels_that_come_true_as_often_as_the_classifier_says_hardly_move_it(
    store: Store, settings: Settings, trigrams: HashingEncoder
) -> None:
    before = installed(settings, trigrams)
    review(store, 200)
    labels = list(store.review_labels())
    share = sum(label.duplicate for label in labels) / len(labels)
    assert abs(share - before.prior) > 0.1  # weighted to the prior, they would pull it away
    after = made(store, settings).classifier
    assert after.prior == before.prior
    at = np.array([pair.distance for pair in store.pairs_from(0, 99_999)])
    assert np.abs(after.probability(at) - before.probability(at)).max() < 0.08


def test_labels_that_say_otherwise_move_it_to_where_it_is_better(
    store: Store, settings: Settings, trigrams: HashingEncoder
) -> None:
    before = installed(settings, trigrams)
    review(store, 200, log_odds=2.0)
    found = made(store, settings)
    assert found.after.log_loss < found.before.log_loss - 0.02
    assert found.after.ece < found.before.ece
    middle = before.max_distance(0.5)
    moved = found.classifier.probability(middle)
    assert moved == pytest.approx(1 / (1 + np.exp(-2.0)), abs=0.1)
    assert installed(settings, trigrams).identity == before.identity


def test_too_few_labels_and_a_reranker_are_refused(store: Store, settings: Settings) -> None:
    review(store, 12)
    with pytest.raises(ClassifierError, match="agree on 12 pairs"):
        made(store, settings)
    with pytest.raises(ClassifierError, match="reranker"):
        recalibrate(store, Explainer.load(store, settings), replace(settings, rerank=True), Silent())
