"""One question at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import isnan
from pathlib import Path

import numpy as np
import pytest
from corpora import KITCHEN, fake_classifier, made_up_features, many_questions, read_csv
from fakes import HashingEncoder, SharedWords

from dedup.classifier import Feature, save_classifier
from dedup.distance import distance
from dedup.errors import GenerationMismatch, NoGeneration
from dedup.explanation import _strongest_path, explain
from dedup.export import export_pairs
from dedup.features.surroundings import FEWEST
from dedup.index import Overlay
from dedup.pipeline import RunResult
from dedup.queries import Searcher
from dedup.questions import Metric
from dedup.settings import Settings
from dedup.store import PairRecord, Store
from dedup.text import normalise

RunCsv = Callable[..., RunResult]


@pytest.mark.parametrize("metric", list(Metric))
def test_matches_are_the_nearest_texts_with_their_true_distances(
    run_csv: RunCsv, settings: Settings, trigrams: HashingEncoder, metric: Metric
) -> None:
    run_csv(KITCHEN, metric=metric)
    asked = "How do I boil two eggs?"
    with Store.open(settings.db) as store:
        answer = Searcher.load(store, replace(settings, metric=metric)).query(asked, 3, 0.5)
    texts = sorted({normalise(text) for _, text, _ in KITCHEN})
    near = distance(trigrams.encode([normalise(asked)]), trigrams.encode(texts), metric)
    expected = sorted((float(d), text) for d, text in zip(near, texts, strict=True))[:3]
    assert [normalise(match.question.text) for match in answer.matches] == [text for _, text in expected]
    assert [match.distance for match in answer.matches] == pytest.approx([d for d, _ in expected], abs=1e-6)
    probability = fake_classifier(metric, trigrams).probability([d for d, _ in expected])
    assert [match.probability for match in answer.matches] == pytest.approx(list(probability), abs=1e-5)
    assert [match.duplicate for match in answer.matches] == [bool(p >= 0.5) for p in probability]


@pytest.mark.parametrize("metric", list(Metric))
def test_with_features_too_a_query_says_of_a_recorded_pair_what_the_run_recorded(
    run_csv: RunCsv, settings: Settings, trigrams: HashingEncoder, tmp_path: Path, metric: Metric
) -> None:
    classifier = fake_classifier(metric, trigrams, made_up_features(metric))
    save_classifier(classifier, settings.indexes)
    few = replace(settings, metric=metric, candidate_floor=0.7, threshold=0.8)
    run_csv(many_questions(FEWEST + 21), metric=metric, candidate_floor=0.7, threshold=0.8)
    with Store.open(settings.db) as store:
        export_pairs(store, tmp_path / "pairs.csv", 0.7)
        pairs = read_csv(tmp_path / "pairs.csv")
        recorded = {(pair["left"], pair["right"]): float(pair["probability"]) for pair in pairs}
        recorded |= {(right, left): probability for (left, right), probability in recorded.items()}
        asked = [pair["left"] for pair in pairs[:: len(pairs) // 12]]
        searcher = Searcher.load(store, few)
        answers = searcher.query_many(asked, 30, 0.8)
        kept = searcher.generation.crowding
        looked_up = searcher.over(Overlay(replace(searcher.generation, crowding=None))).query_many(asked, 30, 0.8)
        told = [explain(store, few, pair["left_id"], pair["right_id"], None) for pair in pairs[:: len(pairs) // 5]]
    assert np.isfinite(kept).all()
    assert answers == looked_up
    checked = 0
    for answer in answers:
        for match in answer.matches[1:]:
            probability = recorded.get((answer.query, match.question.text))
            if probability is None:
                assert match.probability < 0.7
            else:
                assert match.probability == pytest.approx(probability, abs=1e-9)
                assert match.duplicate == (match.probability >= 0.8)
                checked += 1
    assert checked > 20
    for explanation, pair in zip(told, pairs[:: len(pairs) // 5], strict=True):
        assert explanation.probability == pytest.approx(float(pair["probability"]), abs=1e-9)
        assert set(explanation.features) == set(classifier.feature_names)
        near = explanation.manhattan if metric is Metric.MANHATTAN else explanation.euclidean
        odds = -classifier.slope * near - classifier.intercept
        odds += sum(float(feature.log_odds(explanation.features[feature.name])) for feature in classifier.features)
        assert explanation.probability == pytest.approx(1 / (1 + np.exp(-odds)), abs=1e-6)


@pytest.mark.parametrize("metric", list(Metric))
def test_with_reranking_too_a_query_and_an_explanation_say_what_the_run_recorded(
    run_csv: RunCsv, settings: Settings, words: SharedWords, tmp_path: Path, metric: Metric
) -> None:
    run_csv(many_questions(200), metric=metric, rerank=True)
    reranked = replace(settings, metric=metric, rerank=True)
    with Store.open(settings.db) as store:
        export_pairs(store, tmp_path / "pairs.csv", 0.2)
        pairs = read_csv(tmp_path / "pairs.csv")
        recorded = {(pair["left"], pair["right"]): float(pair["probability"]) for pair in pairs}
        recorded |= {(right, left): probability for (left, right), probability in recorded.items()}
        asked = [pair["left"] for pair in pairs[:: len(pairs) // 12]]
        answers = Searcher.load(store, reranked).query_many(asked, 30, 0.5)
        told = [explain(store, reranked, pair["left_id"], pair["right_id"], None) for pair in pairs[:40]]
        alone = replace(reranked, rerank=False)
        plain = [explain(store, alone, pair["left_id"], pair["right_id"], None) for pair in pairs[:40]]
    checked = 0
    for answer in answers:
        for match in answer.matches[1:]:
            probability = recorded.get((answer.query, match.question.text))
            assert probability is not None or match.probability < 0.2
            if probability is not None:
                assert match.probability == pytest.approx(probability, abs=1e-9)
                checked += 1
    assert checked > 20
    for pair, explanation, classified in zip(pairs, told, plain, strict=False):
        assert explanation.probability == pytest.approx(float(pair["probability"]), abs=1e-9)
        assert classified.second is None
        assert (explanation.second is None) == (explanation.probability == classified.probability)
        if explanation.second is not None:
            assert explanation.second.classified == pytest.approx(classified.probability)
            assert explanation.second.reranker == "words"
    assert sum(explanation.second is not None for explanation in told) > 5


def test_a_pair_is_explained_before_the_first_run_without_its_surroundings(
    settings: Settings, trigrams: HashingEncoder
) -> None:
    features = (*made_up_features(Metric.EUCLIDEAN), Feature("swapped", -1.0, 0.0, 0.0, 1.0))
    save_classifier(fake_classifier(Metric.EUCLIDEAN, trigrams, features), settings.indexes)
    with Store.open(settings.db) as store:
        told = explain(store, settings, "Can 3 cats eat rice?", "Can rice eat 4 cats?", None)
    assert isnan(told.features["crowding"])
    assert told.features["different_numbers"] == 1.0
    assert 0 < told.probability < 1


def test_a_neighbour_whose_text_has_changed_since_is_left_out(
    run_csv: RunCsv, settings: Settings, trigrams: HashingEncoder
) -> None:
    save_classifier(fake_classifier(Metric.EUCLIDEAN, trigrams, made_up_features(Metric.EUCLIDEAN)), settings.indexes)
    run_csv(KITCHEN)
    trigrams.fails_after = 0
    with pytest.raises(InterruptedError):
        run_csv([("6", "Why is the sky blue at noon?", 1)])  # recorded, and in no generation yet
    trigrams.fails_after = None
    with Store.open(settings.db) as store:
        answer = Searcher.load(store, settings).query("Can cats eat rice?", 50, 0.5)
    assert len(answer.matches) == len({normalise(text) for _, text, _ in KITCHEN}) - 1
    assert "6" not in {match.question.id for match in answer.matches}


def test_a_corpus_of_one_question_can_be_asked_for_it(
    run_csv: RunCsv, settings: Settings, trigrams: HashingEncoder
) -> None:
    save_classifier(fake_classifier(Metric.EUCLIDEAN, trigrams, made_up_features(Metric.EUCLIDEAN)), settings.indexes)
    run_csv([("7", "Who?", 1)])
    with Store.open(settings.db) as store:
        (match,) = Searcher.load(store, settings).query("who", 5, 0.5).matches
    assert (match.question.id, match.probability) == ("7", 1.0)


def test_a_recorded_text_is_found_at_distance_zero_as_its_best_ranked_copy(run_csv: RunCsv, settings: Settings) -> None:
    run_csv(KITCHEN)
    with Store.open(settings.db) as store:
        match = Searcher.load(store, settings).query("  how do I BOIL an egg?!", 1, 0.5).matches[0]
    assert (match.question.id, match.distance, match.probability, match.duplicate) == ("2", 0.0, 1.0, True)
    assert match.canonical is not None
    assert match.canonical.id == "2"


def test_asking_for_more_than_there_is_gives_all(run_csv: RunCsv, settings: Settings) -> None:
    run_csv(KITCHEN)
    with Store.open(settings.db) as store:
        answer = Searcher.load(store, settings).query("anything", 50, 0.5)
    assert len(answer.matches) == len({normalise(text) for _, text, _ in KITCHEN})


def test_before_the_first_run_the_way_to_one_is_named(settings: Settings) -> None:
    with Store.open(settings.db) as store, pytest.raises(NoGeneration, match="dedup run DUMP"):
        Searcher.load(store, settings)


def test_another_metric_than_the_generations_is_refused_by_name(run_csv: RunCsv, settings: Settings) -> None:
    result = run_csv(KITCHEN)
    with Store.open(settings.db) as store, pytest.raises(GenerationMismatch, match=result.summary.generation):
        Searcher.load(store, replace(settings, metric=Metric.MANHATTAN))


def test_an_explanation_has_both_distances_and_the_chain(
    run_csv: RunCsv, settings: Settings, trigrams: HashingEncoder
) -> None:
    run_csv(KITCHEN)
    with Store.open(settings.db) as store:
        told = explain(store, settings, "10", "3", None)
    one, other = trigrams.encode([normalise("How do I boil an egg"), normalise("How do I boil eggs")])
    assert told.manhattan == pytest.approx(float(distance(one[None], other[None], Metric.MANHATTAN)[0]))
    assert told.euclidean == pytest.approx(float(distance(one[None], other[None], Metric.EUCLIDEAN)[0]))
    assert told.duplicate
    assert not told.same_text
    assert told.chain[0].left.id == "10"
    assert told.chain[-1].right.id == "3"
    assert all(a.right.number == b.left.number for a, b in zip(told.chain, told.chain[1:], strict=False))


def test_a_text_that_is_not_recorded_can_be_explained(run_csv: RunCsv, settings: Settings) -> None:
    run_csv(KITCHEN)
    with Store.open(settings.db) as store:
        told = explain(store, settings, "boil an egg, how do I?", "6", None)
    assert told.left == "boil an egg, how do I?"
    assert told.chain == ()
    assert not told.duplicate


def test_the_chain_is_the_one_whose_weakest_pair_is_strongest() -> None:
    def pair(left: int, right: int, far: float) -> PairRecord:
        return PairRecord(left, right, far, 1 - far, 1)

    pairs = [pair(1, 2, 0.0), pair(2, 3, 0.2), pair(1, 3, 0.9), pair(3, 4, 0.3), pair(1, 4, 0.8)]
    path = _strongest_path(pairs, 4, 1)
    assert [(step.left, step.right) for step in path] == [(3, 4), (2, 3), (1, 2)]
    assert _strongest_path([pair(1, 2, 0.1), pair(3, 4, 0.1)], 1, 4) == []
