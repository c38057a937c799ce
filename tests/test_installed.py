"""What the settings ask for is loaded, and thresholds are those that a precision or a cost stands for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from corpora import fake_classifier, fake_rescoring
from fakes import HashingEncoder, SharedWords

from dedup.classifier import save_classifier
from dedup.errors import ClassifierError, NoClassifier
from dedup.installed import load_installed, with_cost_ratio, with_precision
from dedup.questions import Metric
from dedup.reranking import save_rescoring
from dedup.settings import AUTO, Settings

THRESHOLDS = [
    {"wanted": wanted, "threshold": threshold, "precision": wanted, "low": 0.0, "high": 1.0, "recall": 0.5}
    for wanted, threshold in ((0.8, 0.15), (0.9, 0.62), (0.95, 0.77))
]


@pytest.fixture
def calibrated(settings: Settings, trigrams: HashingEncoder) -> Settings:
    """Settings whose classifier carries thresholds by precision, for the Euclidean distance alone."""
    classifier = fake_classifier(Metric.EUCLIDEAN, trigrams)
    save_classifier(replace(classifier, fit={**classifier.fit, "precision": THRESHOLDS}), settings.indexes)
    return settings


@pytest.mark.parametrize("metric", list(Metric))
def test_the_classifier_is_that_of_the_encoder_and_metric_at_the_prior_asked_for(
    settings: Settings, trigrams: HashingEncoder, metric: Metric
) -> None:
    expected = fake_classifier(metric, trigrams)
    for prior in (None, AUTO, expected.prior):
        encoder, classifier = load_installed(replace(settings, metric=metric, prior=prior))
        assert (encoder, classifier) == (trigrams, expected)
    _, moved = load_installed(replace(settings, metric=metric, prior=0.1))
    assert moved == expected.at_prior(0.1)
    assert moved.probability(0.5) < expected.probability(0.5)


def test_an_encoder_without_a_classifier_is_refused(settings: Settings) -> None:
    with pytest.raises(NoClassifier, match="no classifier for the encoder trigrams"):
        load_installed(replace(settings, indexes=settings.indexes / "none"))


@pytest.mark.parametrize(("wanted", "threshold"), [(0.5, 0.15), (0.8, 0.15), (0.81, 0.62), (0.9, 0.62), (0.95, 0.77)])
def test_the_threshold_is_that_of_the_least_precision_that_suffices(
    calibrated: Settings, wanted: float, threshold: float
) -> None:
    found = with_precision(calibrated, wanted)
    assert found.threshold == threshold
    assert found.candidate_floor == min(calibrated.candidate_floor, threshold)  # a low threshold pulls the floors down
    assert found.cluster_floor == min(calibrated.cluster_floor, threshold)
    lowered = {"threshold": calibrated.threshold, "candidate_floor": calibrated.candidate_floor}
    assert replace(found, **lowered, cluster_floor=calibrated.cluster_floor) == calibrated  # and nothing else


def test_a_precision_that_the_classifier_carries_no_threshold_for_is_refused(calibrated: Settings) -> None:
    with pytest.raises(ClassifierError, match=r"carries no threshold for a precision of 0\.99; lower it, or give"):
        with_precision(calibrated, 0.99)
    with pytest.raises(ClassifierError, match=r"carries no threshold for a precision of 0\.8;"):
        with_precision(replace(calibrated, metric=Metric.MANHATTAN), 0.8)


@pytest.mark.parametrize("prior", [0.2, AUTO])
def test_a_precision_at_another_prior_is_refused(calibrated: Settings, prior: float | str) -> None:
    with pytest.raises(ClassifierError, match=rf"for a prior of 0\.369, the settings ask for {prior}; run"):
        with_precision(replace(calibrated, prior=prior), 0.9)
    own = replace(calibrated, prior=0.369)
    assert with_precision(own, 0.9).threshold == 0.62


def test_with_reranking_the_thresholds_by_precision_are_those_of_what_judges_again(
    calibrated: Settings, trigrams: HashingEncoder, words: SharedWords
) -> None:
    classifier = load_installed(calibrated)[1]
    rescoring = fake_rescoring(classifier, words)
    save_rescoring(
        replace(rescoring, fit={"precision": [{**at, "threshold": at["threshold"] / 2} for at in THRESHOLDS]}),
        calibrated.indexes,
    )
    reranked = replace(calibrated, rerank=True)
    assert with_precision(calibrated, 0.9).threshold == 0.62
    assert with_precision(reranked, 0.9).threshold == 0.31
    save_rescoring(replace(rescoring, prior=0.2), calibrated.indexes)
    with pytest.raises(ClassifierError, match=r"for a prior of 0\.2, the settings ask for 0\.369; run"):
        with_precision(reranked, 0.9)


@pytest.mark.parametrize("ratio", [0.05, 1.0, 3.0, 99.0])
def test_flagging_from_the_threshold_of_a_cost_ratio_on_is_the_cheapest(settings: Settings, ratio: float) -> None:
    found = with_cost_ratio(settings, ratio)
    probability = np.linspace(0, 1, 1001)
    wrongly_flagged, wrongly_left = (1 - probability) * ratio, probability
    clear = ~np.isclose(wrongly_flagged, wrongly_left)
    cheaper = wrongly_flagged < wrongly_left
    np.testing.assert_array_equal((probability >= found.threshold)[clear], cheaper[clear])
    assert max(found.candidate_floor, found.cluster_floor) <= found.threshold
