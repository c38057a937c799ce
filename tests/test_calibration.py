"""Calibration on labels that come true as often as a known classifier says, adapted from a shipped one or anew."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from corpora import many_questions, write_csv
from fakes import HashingEncoder

from dedup.calibration import CHOSEN_FEATURES, ENOUGH_FOR_FEATURES, PRECISIONS, calibrate
from dedup.classifier import Classifier, Feature
from dedup.distance import distance
from dedup.errors import ClassifierError
from dedup.evaluation import prior_weights
from dedup.labelled import LabelledPairs, MeasuredPairs, measure_pairs
from dedup.progress import Silent
from dedup.questions import Metric
from dedup.settings import Settings
from dedup.text import normalise
from dedup.thresholds import wilson_interval

FEATURES = (
    Feature("crowding", 12.0, 0.45, 0.35, 0.6),
    Feature("overlap", 2.0, 0.1, 0.0, 1.0),
    Feature("swapped", -2.5, 0.0, 0.0, 1.0),
)
PAIRS = 6000


@dataclass(frozen=True)
class Site:
    """Labelled pairs whose labels come true as often as ``truth`` says; each pair has its own two questions."""

    texts: list[tuple[str, str]]
    measured: MeasuredPairs
    duplicate: np.ndarray
    truth: Classifier

    @property
    def share(self) -> float:
        return float(self.duplicate.mean())


def pairs_of_texts() -> list[tuple[str, str]]:
    """Return pairs of which every tenth or so is of the same words in another order."""
    asked = [text for _, text, _ in many_questions(2 * PAIRS)]
    pairs = []
    for at in range(0, len(asked), 2):
        one, other = asked[at : at + 2]
        words = one.rstrip("?").split()
        verbs = [place for place, word in enumerate(words) if word in ("boil", "paint", "sell", "draw", "hide")]
        if at % 20 == 0 and words[verbs[0]] != words[verbs[1]]:
            words[verbs[0]], words[verbs[1]] = words[verbs[1]], words[verbs[0]]
            other = " ".join(words)
        pairs.append((one, other))
    return pairs


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    encoder = HashingEncoder()
    texts = pairs_of_texts()
    unlabelled = LabelledPairs(tuple(texts), np.zeros(len(texts), dtype=bool), 0, 0)
    kept = Settings(indexes=tmp_path_factory.mktemp("vectors"))
    measured = measure_pairs(unlabelled, encoder, CHOSEN_FEATURES, kept, Silent())
    middle = float(np.median(measured.distance))
    fingerprint = encoder.fingerprint
    truth = Classifier("truth", fingerprint, Metric.EUCLIDEAN, 16.0, -16.0 * middle, FEATURES, 0.5, {})
    probability = truth.probability(measured.distance, measured.features)
    duplicate = np.random.default_rng(5).random(len(texts)) < probability
    return Site(texts, measured, duplicate, replace(truth, prior=float(duplicate.mean())))


@pytest.fixture
def shipped(site: Site, monkeypatch: pytest.MonkeyPatch) -> Classifier:
    """A classifier that is wrong about this site in everything."""
    crowding, overlap, swapped = site.truth.features
    elsewhere = replace(
        site.truth,
        slope=25.0,
        intercept=-25.0 * site.truth.max_distance(0.5) + 1.0,
        features=(replace(crowding, weight=2.0), replace(overlap, weight=-1.0), replace(swapped, weight=0.5)),
        prior=0.4,
    )
    monkeypatch.setattr(
        "dedup.calibration.shipped_classifier",
        lambda fingerprint, metric: elsewhere if fingerprint == site.truth.fingerprint else None,
    )
    return elsewhere


@pytest.fixture
def fit(site: Site, settings: Settings, tmp_path: Path) -> Callable[..., Classifier]:
    """Calibrate on some rows of the site."""

    def calibrated(rows: slice, *, prior: float = site.share, anew: bool = False, swap: bool = False) -> Classifier:
        labels = [(*pair, int(label != swap)) for pair, label in zip(site.texts, site.duplicate, strict=True)]
        file = write_csv(tmp_path / "pairs.csv", labels[rows], ("question1", "question2", "is_duplicate"))
        return calibrate([file], settings, prior=prior, anew=anew, progress=Silent())

    return calibrated


def said(classifier: Classifier, site: Site) -> np.ndarray:
    return classifier.probability(site.measured.distance, site.measured.features)


def log_loss(classifier: Classifier, site: Site, rows: slice) -> float:
    right = np.where(site.duplicate, said(classifier, site), 1 - said(classifier, site))[rows]
    return float(-np.log(right).mean())


JUDGED = slice(PAIRS // 2, None)


def test_thousands_of_labels_give_the_fit_that_knows_nothing_of_the_shipped_one(fit, site: Site, shipped) -> None:
    adapted, anew = fit(slice(0, PAIRS // 2)), fit(slice(0, PAIRS // 2), anew=True)
    assert adapted.feature_names == anew.feature_names == CHOSEN_FEATURES
    assert np.abs(said(adapted, site) - said(anew, site)).mean() < 0.02
    for fitted in (adapted, anew):
        assert log_loss(fitted, site, JUDGED) == pytest.approx(log_loss(site.truth, site, JUDGED), abs=0.01)
        assert log_loss(fitted, site, JUDGED) < log_loss(shipped.at_prior(site.share), site, JUDGED) - 0.05
    assert adapted.fit["adapted_from"] == shipped.at_prior(site.share).identity
    assert "adapted_from" not in anew.fit
    assert adapted.fit["labelled"] == anew.fit["labelled"] == PAIRS // 2


def test_few_labels_move_the_shipped_one_towards_the_site(fit, site: Site, shipped) -> None:
    adapted = fit(slice(0, 150))
    assert log_loss(adapted, site, JUDGED) < log_loss(shipped.at_prior(site.share), site, JUDGED) - 0.02
    assert (adapted.encoder, adapted.fingerprint, adapted.prior) == ("trigrams", shipped.fingerprint, site.share)


def test_labels_that_say_nothing_leave_the_shipped_one_alone(
    settings: Settings, tmp_path: Path, trigrams: HashingEncoder, monkeypatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One pair, once labelled so and once so, of which the shipped classifier already says one half."""
    texts = ("How do I boil an egg?", "Can cats eat rice?")
    far = float(distance(*trigrams.encode([normalise(text) for text in texts])[:, None], Metric.EUCLIDEAN)[0])
    crowding, overlap, swapped = FEATURES
    features = (crowding, replace(overlap, typical=0.0), swapped)  # no word in common
    shipped = Classifier("x", trigrams.fingerprint, Metric.EUCLIDEAN, 9.0, -9.0 * far, features, 0.5, {})
    monkeypatch.setattr("dedup.calibration.shipped_classifier", lambda fingerprint, metric: shipped)
    file = write_csv(tmp_path / "p.csv", [(*texts, 1), (*texts[::-1], 0)], ("question1", "question2", "is_duplicate"))
    with caplog.at_level(logging.WARNING):
        adapted = calibrate([file], settings, prior=0.5, anew=False, progress=Silent())
    assert (adapted.slope, adapted.intercept) == pytest.approx((shipped.slope, shipped.intercept), rel=1e-6)
    assert [feature.weight for feature in adapted.features] == pytest.approx([12.0, 2.0, -2.5], rel=1e-6)
    assert adapted.fit["freedom"] == 0.0
    assert adapted.fit["precision"] == []
    assert "no thresholds by precision: the labelled pairs of p.csv share questions" in caplog.text


@pytest.mark.parametrize(("n", "features"), [(ENOUGH_FOR_FEATURES - 1, ()), (2000, CHOSEN_FEATURES)])
def test_without_a_shipped_one_few_labels_are_for_the_distance_alone(fit, n: int, features: tuple[str, ...]) -> None:
    classifier = fit(slice(0, n))
    assert classifier.feature_names == features
    assert classifier.fit["labelled"] == n


@pytest.mark.parametrize("prior", [0.2, 0.5])
def test_the_thresholds_have_their_precision_on_other_pairs(fit, site: Site, prior: float) -> None:
    classifier = fit(slice(0, PAIRS // 2), prior=prior)
    probability, duplicate = said(classifier, site)[JUDGED], site.duplicate[JUDGED]
    weight = prior_weights(duplicate, prior)
    thresholds = classifier.fit["precision"]
    assert [at["wanted"] for at in thresholds] == list(PRECISIONS[: len(thresholds)])
    assert len(thresholds) >= 2
    for at in thresholds:
        flagged = probability >= at["threshold"]
        true = weight[flagged & duplicate].sum()
        effective = weight[flagged].sum() ** 2 / (weight[flagged] ** 2).sum()
        low, high = wilson_interval(float(true / weight[flagged].sum()), float(effective))
        assert low <= at["high"], at
        if at["wanted"] <= 0.95:  # above, few are flagged, and it was chosen because of them
            assert at["low"] <= high, at
        assert high >= at["wanted"] - 0.01, at
        assert true / weight[duplicate].sum() == pytest.approx(at["recall"], abs=0.08), at
        assert at["low"] < at["precision"] <= at["high"] + 1e-9
    assert [at["threshold"] for at in thresholds] == sorted(at["threshold"] for at in thresholds)


@pytest.mark.parametrize("anew", [False, True])
def test_swapped_labels_are_refused(fit, shipped, anew: bool) -> None:
    with pytest.raises(ClassifierError, match=r"in pairs\.csv duplicates are not nearer than the other pairs"):
        fit(slice(0, 2000), swap=True, anew=anew)


def test_the_order_of_the_labels_changes_no_probability(fit, site: Site, shipped) -> None:
    there, back = fit(slice(0, 300)), fit(slice(299, None, -1))
    np.testing.assert_allclose(said(there, site), said(back, site), atol=1e-4)
