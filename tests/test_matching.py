"""The probability of two rows is the classifier's, on what is measured and described of them."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from corpora import fake_classifier, fake_rescoring, made_up_features, many_questions
from fakes import HashingEncoder, SharedWords
from oracles import as_pairs, between, clustered_unit_rows, pairs_within

from dedup import matching
from dedup.classifier import Classifier, Feature
from dedup.features import Described, background_of, describe_questions, needs_texts, pair_features
from dedup.features.surroundings import FEWEST
from dedup.join import Cutoff
from dedup.matching import Matcher, rerank
from dedup.progress import Silent
from dedup.questions import NATURAL_PRIOR, Metric
from dedup.reranking import Reranker
from dedup.text import key_array, normalise, text_key

metrics = pytest.mark.parametrize("metric", list(Metric))
described_by = pytest.mark.parametrize("features", [False, True], ids=["distance alone", "with features"])
ASKED = 40  # rows of which every two are looked at


def matcher_of(metric: Metric, features: tuple[Feature, ...], n: int) -> Matcher:
    """Return a matcher of n questions in the order of their keys."""
    encoder = HashingEncoder(metric=metric)
    texts = sorted((normalise(text) for _, text, _ in many_questions(n)), key=text_key)
    keys, embeddings = key_array(text_key(text) for text in texts), encoder.encode(texts)
    classifier = fake_classifier(metric, encoder, features)
    names = classifier.feature_names
    background = background_of(keys, embeddings, texts if needs_texts(names) else None)
    described = describe_questions(names, background, keys, embeddings, texts, metric)
    return Matcher(embeddings, described, classifier)


@pytest.fixture(scope="module")
def matchers() -> dict[tuple[Metric, bool], Matcher]:
    return {
        (metric, features): matcher_of(metric, made_up_features(metric) if features else (), FEWEST + 71)
        for metric in Metric
        for features in (False, True)
    }


def slowly(matcher: Matcher, one: int, other: int) -> float:
    """Judge one pair by itself."""
    classifier = matcher.classifier
    left, right = np.array([one]), np.array([other])
    features = pair_features(classifier.feature_names, matcher.described, left, matcher.described, right)
    far = float(between(matcher.embeddings, one, other, classifier.metric))
    odds = -classifier.slope * far - classifier.intercept
    for feature in classifier.features:
        value = float(features[feature.name][0])
        known = feature.typical if np.isnan(value) else min(max(value, feature.low), feature.high)
        odds += feature.weight * (known - feature.typical)
    return float(1 / (1 + np.exp(-odds)))


@metrics
@described_by
def test_measured_pairs_are_judged_as_their_rows_are_and_as_one_pair_by_itself_is(
    matchers, metric: Metric, features: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    matcher = matchers[metric, features]
    every = list(combinations(range(ASKED), 2))
    pairs = as_pairs({pair: between(matcher.embeddings, *pair, metric) for pair in every})
    judged = matcher.judge(pairs)
    np.testing.assert_allclose(judged, [slowly(matcher, *pair) for pair in every], rtol=1e-6)
    np.testing.assert_array_equal(matcher.between(pairs.left, pairs.right), judged)
    np.testing.assert_allclose(matcher.between(pairs.right, pairs.left), judged, rtol=1e-12)  # whichever is left
    monkeypatch.setattr(matching, "_CHUNK", 7)
    np.testing.assert_array_equal(matcher.judge(pairs), judged)


@metrics
def test_every_feature_is_felt(matchers, metric: Metric) -> None:
    with_features, without = matchers[metric, True], matchers[metric, False]
    left, right = np.array(list(combinations(range(ASKED), 2))).T
    described = with_features.described
    found = pair_features(with_features.classifier.feature_names, described, left, described, right)
    for feature in with_features.classifier.features:
        assert len(np.unique(feature.log_odds(found[feature.name]))) > 1, feature.name
    assert (with_features.between(left, right) != without.between(left, right)).any()


@metrics
@pytest.mark.parametrize("weight", [3.0, -3.0])
def test_no_pair_that_reaches_the_floor_lies_beyond_the_cut_off_of_its_rows(metric: Metric, weight: float) -> None:
    vectors = clustered_unit_rows(7, 120, 8, groups=10, spread=0.6)
    crowded = np.random.default_rng(8).uniform(0.3, 1.7, len(vectors)).astype(np.float32)  # in and out of the range
    slope = {Metric.EUCLIDEAN: 6.0, Metric.MANHATTAN: 2.4}[metric]
    features = (Feature("crowding", weight, 1.0, 0.6, 1.4), Feature("swapped", -1.0, 0.0, 0.0, 1.0))
    alone = Classifier("made up", "f" * 64, metric, slope, -3.0, features[:1], NATURAL_PRIOR, {})
    every = as_pairs(pairs_within(vectors, metric, np.inf))
    matcher = Matcher(vectors, Described(crowded, None, None), alone)
    for floor in (0.1, 0.5, 0.9):
        reaching = matcher.judge(every) >= floor
        allowed = matcher.cutoff(floor).of(every.left, every.right)
        within = every.distance <= allowed
        assert (within | ~reaching).all()
        assert 0 < reaching.sum() <= within.sum() < (every.distance <= alone.reach(floor)).sum()
        more = replace(matcher, classifier=replace(alone, features=features))  # swapped can only take away
        np.testing.assert_allclose(
            more.cutoff(floor).of(every.left, every.right), matcher.cutoff(floor).of(every.left, every.right)
        )


@metrics
def test_without_surroundings_the_cut_off_is_the_same_for_every_row(matchers, metric: Metric) -> None:
    matcher = matchers[metric, False]
    assert matcher.cutoff(0.3) == Cutoff(matcher.classifier.reach(0.3))


@metrics
@pytest.mark.parametrize("weight", [3.0, -3.0])
def test_every_pair_over_the_floor_lies_within_the_cut_off_of_its_own_crowding(metric: Metric, weight: float) -> None:
    vectors = clustered_unit_rows(7, 80, 8, groups=6, spread=0.6)
    crowded = np.random.default_rng(8).uniform(0.2, 1.8, len(vectors)).astype(np.float32)
    slope = {Metric.EUCLIDEAN: 6.0, Metric.MANHATTAN: 2.4}[metric]
    features = (Feature("crowding", weight, 1.0, 0.6, 1.4),)
    classifier = Classifier("made up", "f" * 64, metric, slope, -3.0, features, NATURAL_PRIOR, {})
    matcher = Matcher(vectors, Described(crowded, None, None), classifier)
    cutoff, near_it = matcher.cutoff(0.5), 0
    for (one, other), far in pairs_within(vectors, metric, np.inf).items():
        allowed = float(np.asarray(cutoff.of(np.array([one]), np.array([other])))[0])
        if slowly(matcher, one, other) >= 0.5:
            assert far <= allowed + 1e-5
            near_it += far > allowed - 0.1
    assert near_it  # it is no wider than it has to be
    assert np.ptp(cutoff.of(np.arange(79), np.arange(1, 80))) > 0


def test_a_classifier_without_crowding_allows_every_pair_the_same_distance() -> None:
    vectors = clustered_unit_rows(9, 10, 8, groups=2, spread=0.6)
    plain = Classifier("made up", "f" * 64, Metric.EUCLIDEAN, 6.0, -3.0, (), NATURAL_PRIOR, {})
    cutoff = Matcher(vectors, Described(None, None, None), plain).cutoff(0.5)
    assert (cutoff.distance, cutoff.shortfall) == (plain.max_distance(0.5), None)


TEXTS = sorted((normalise(text) for _, text, _ in many_questions(80)), key=text_key)


def reranked_matcher(metric: Metric, prior: float = NATURAL_PRIOR):
    """Return a matcher of few questions, all their pairs as it judges them, and the reranking of those."""
    matcher = matcher_of(metric, (), len(TEXTS))
    matcher = replace(matcher, classifier=matcher.classifier.at_prior(prior))
    pairs = as_pairs(pairs_within(matcher.embeddings, metric, np.inf))
    probability = matcher.judge(pairs)
    scorer = SharedWords()
    reranker = Reranker(scorer, fake_rescoring(matcher.classifier, scorer))
    again = rerank(matcher, pairs, probability, reranker, lambda rows: [TEXTS[row] for row in rows], Silent())
    return matcher, pairs, probability, again, scorer


@metrics
@pytest.mark.parametrize("prior", [0.1, NATURAL_PRIOR])
def test_pairs_in_the_band_are_judged_again_and_the_others_keep_their_probability(metric: Metric, prior: float) -> None:
    matcher, pairs, probability, again, scorer = reranked_matcher(metric, prior)
    band = (probability >= 0.2) & (probability <= 0.9)
    assert 20 < again.count == band.sum() == len(scorer.scored) < len(pairs) - 20
    np.testing.assert_array_equal(again.probability[~band], probability[~band])
    moved = np.log(prior / (1 - prior)) - np.log(NATURAL_PRIOR / (1 - NATURAL_PRIOR))
    for at in np.flatnonzero(band).tolist():
        texts = TEXTS[pairs.left[at]], TEXTS[pairs.right[at]]
        (score,) = SharedWords().score([texts], lambda _: None)
        odds = np.log(probability[at] / (1 - probability[at])) - moved
        expected = 1 / (1 + np.exp(-(0.6 * odds + 1.7 * score - 0.3 + moved)))
        assert again.probability[at] == pytest.approx(expected)
    assert matcher.rescored is None  # as it was


@metrics
def test_whatever_asks_a_matcher_hears_what_was_judged_again(metric: Metric) -> None:
    _, pairs, probability, again, _ = reranked_matcher(metric)
    np.testing.assert_array_equal(again.matcher.judge(pairs), again.probability)
    np.testing.assert_allclose(again.matcher.between(pairs.right, pairs.left), again.probability, rtol=1e-12)
    assert np.abs(again.probability - probability).max() > 0.1


def test_nothing_to_judge_again_asks_for_no_texts() -> None:
    matcher = matcher_of(Metric.EUCLIDEAN, (), len(TEXTS))
    pairs = as_pairs({})
    scorer = SharedWords()
    reranker = Reranker(scorer, fake_rescoring(matcher.classifier, scorer))
    again = rerank(matcher, pairs, np.empty(0), reranker, lambda rows: pytest.fail("asked"), Silent())
    assert (again.count, len(again.probability), scorer.scored) == (0, 0, [])
    left, right = np.array([0]), np.array([1])
    assert again.matcher.between(left, right) == matcher.between(left, right)
