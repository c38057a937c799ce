"""Fitting what a cross-encoder's scores mean, on labels that come true as often as a known truth says."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from corpora import fake_classifier, many_questions, write_csv
from fakes import HashingEncoder, SharedWords
from sklearn.linear_model import LogisticRegression

from dedup.distance import distance
from dedup.errors import ClassifierError, NoClassifier
from dedup.evaluation import prior_weights
from dedup.progress import Silent
from dedup.questions import Metric
from dedup.rerank_calibration import calibrate_reranking
from dedup.reranking import Rescoring
from dedup.settings import Settings
from dedup.text import normalise

PAIRS = 2000
HEADER = ("question1", "question2", "is_duplicate")


@dataclass(frozen=True)
class Site:
    """Labelled pairs, each of its own two questions, and what is said of them at the labels' own prior."""

    texts: list[tuple[str, str]]
    classified: np.ndarray
    logit: np.ndarray
    duplicate: np.ndarray

    @property
    def share(self) -> float:
        return float(self.duplicate.mean())

    @property
    def uncertain(self) -> np.ndarray:
        return (self.classified >= 0.2) & (self.classified <= 0.9)


@pytest.fixture(scope="module")
def site() -> Site:
    encoder = HashingEncoder()
    asked = [normalise(text) for _, text, _ in many_questions(2 * PAIRS)]
    texts = [
        (left, " ".join([*left.split()[:3], *right.split()[3:]]))
        for left, right in zip(asked[::2], asked[1::2], strict=True)
    ]
    left, right = (encoder.encode(side) for side in zip(*texts, strict=True))
    classifier = fake_classifier(Metric.EUCLIDEAN, encoder)
    near = distance(left, right, Metric.EUCLIDEAN)
    logit = SharedWords().score(texts, lambda _: None)
    known = classifier.probability(near)
    truth = 1 / (1 + np.exp(-(0.8 * np.log(known / (1 - known)) + 2.5 * logit + 1.0)))
    duplicate = np.random.default_rng(6).random(PAIRS) < truth
    return Site(texts, classifier.at_prior(float(duplicate.mean())).probability(near), logit, duplicate)


@pytest.fixture
def fit(site: Site, settings: Settings, words: SharedWords, tmp_path: Path) -> Callable[..., Rescoring]:
    """Calibrate on some rows of the site."""

    def calibrated(rows: slice = slice(None), *, prior: float = site.share, swap: bool = False) -> Rescoring:
        labels = [(*pair, int(label != swap)) for pair, label in zip(site.texts, site.duplicate, strict=True)]
        file = write_csv(tmp_path / "pairs.csv", labels[rows], HEADER)
        return calibrate_reranking([file], settings, prior=prior, progress=Silent())

    return calibrated


def test_it_is_scikit_learns_fit_of_the_pairs_in_the_band(fit, site: Site, words: SharedWords) -> None:
    found = fit()
    band = site.uncertain
    assert 100 < band.sum() < PAIRS - 100
    columns = np.column_stack([np.log(site.classified / (1 - site.classified)), site.logit])[band]
    weight = prior_weights(site.duplicate, site.share)[band]
    model = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000).fit(columns, site.duplicate[band], weight)
    assert (found.classifier_weight, found.reranker_weight) == pytest.approx(tuple(model.coef_[0]), rel=1e-3)
    assert found.intercept == pytest.approx(model.intercept_[0], abs=1e-3)
    assert len(words.scored) == band.sum() == found.fit["labelled"]
    assert (found.fit["pairs"], found.prior, found.reranker) == ("pairs.csv", site.share, "words")
    assert (found.low, found.high) == (0.2, 0.9)


def test_on_other_pairs_it_knows_more_than_the_classifier_and_means_what_it_says(fit, site: Site) -> None:
    found = fit(slice(0, PAIRS // 2))
    band = np.flatnonzero(site.uncertain)
    others = band[band >= PAIRS // 2]
    again = found.probability(site.classified[others], site.logit[others], prior=site.share)
    label = site.duplicate[others]

    def log_loss(probability: np.ndarray) -> float:
        return float(-np.log(np.where(label, probability, 1 - probability)).mean())

    assert log_loss(again) < log_loss(site.classified[others]) - 0.05
    assert again.mean() == pytest.approx(label.mean(), abs=0.05)


def test_it_belongs_to_the_classifier_as_it_is_installed_whatever_the_prior(
    fit, site: Site, trigrams: HashingEncoder
) -> None:
    installed = fake_classifier(Metric.EUCLIDEAN, trigrams)
    one, other = fit(prior=0.5), fit(prior=0.6)
    assert {one.classifier, other.classifier} == {installed.identity}
    assert (one.prior, other.prior) == (0.5, 0.6)


def test_the_thresholds_by_precision_hold_for_all_pairs(fit, site: Site) -> None:
    found = fit(slice(0, PAIRS // 2))
    judged = site.classified.copy()
    band = site.uncertain
    judged[band] = found.probability(site.classified[band], site.logit[band], prior=site.share)
    rows = slice(PAIRS // 2, None)
    thresholds = found.fit["precision"]
    assert thresholds
    for at in thresholds:
        flagged = judged[rows] >= at["threshold"]
        assert site.duplicate[rows][flagged].mean() >= at["wanted"] - 0.05, at


def test_few_labels_swapped_labels_and_one_class_are_refused(fit, site: Site) -> None:
    with pytest.raises(ClassifierError, match=r"of pairs\.csv, \d+ have a probability from 0\.2 to 0\.9, .*20 of each"):
        fit(slice(0, 30))
    with pytest.raises(ClassifierError, match=r"in pairs\.csv duplicates do not score higher than the other pairs by"):
        fit(swap=True)
    one = int(np.argmin(site.duplicate))
    with pytest.raises(ClassifierError, match=r"pairs\.csv has 0 duplicates among 1 labelled pairs; give labels"):
        fit(slice(one, one + 1))


def test_without_a_classifier_there_is_nothing_to_judge_again(
    site: Site, settings: Settings, words: SharedWords, tmp_path: Path
) -> None:
    file = write_csv(tmp_path / "pairs.csv", [("a b", "a c", 1), ("d", "e", 0)], HEADER)
    with pytest.raises(NoClassifier, match="no classifier for the encoder trigrams"):
        calibrate_reranking([file], replace(settings, indexes=tmp_path / "none"), prior=0.3, progress=Silent())


def test_pairs_that_hang_together_carry_no_thresholds(
    site: Site, settings: Settings, words: SharedWords, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    band = np.flatnonzero(site.uncertain)[:400]
    labels = [(*site.texts[row], int(site.duplicate[row])) for row in band]
    chain = [(labels[n][1], labels[n + 1][0], 0) for n in range(len(labels) - 1)]
    file = write_csv(tmp_path / "pairs.csv", [*labels, *chain], HEADER)
    with caplog.at_level(logging.WARNING):
        found = calibrate_reranking([file], settings, prior=0.3, progress=Silent())
    assert found.fit["precision"] == []
    assert "no thresholds by precision: the labelled pairs of pairs.csv share questions" in caplog.text
