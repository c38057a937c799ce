"""What people are asked, and what follows from their answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import isnan

import numpy as np
import pytest
from corpora import KITCHEN, many_questions
from scipy.stats import chisquare

from dedup.errors import UnknownQuestion, UnknownRecord
from dedup.pipeline import RunResult
from dedup.questions import Metric, question_key
from dedup.reviewing import estimates, next_pairs, share
from dedup.settings import Settings
from dedup.store import Store, Stratum, Verdict

RunCsv = Callable[..., RunResult]


def number(name: str) -> int:
    return question_key("default", name)


@pytest.fixture
def kitchen(run_csv: RunCsv, settings: Settings) -> Iterator[Store]:
    run_csv(KITCHEN)
    with Store.open(settings.db) as store:
        yield store


@pytest.fixture
def many(run_csv: RunCsv, settings: Settings) -> Iterator[Store]:
    run_csv(many_questions(150))
    with Store.open(settings.db) as store:
        yield store


def cluster_of(store: Store, id: str) -> int | None:
    return store.find_question(id)[0].cluster_id


def judge(store: Store, one: str, other: str, verdict: Verdict, reviewer: str = "ana") -> int:
    return store.record_review(number(one), number(other), verdict, reviewer, Stratum.CHOSEN).id


def test_a_rejected_pair_never_joins_again_and_a_confirmed_one_always_does(kitchen: Store, run_csv: RunCsv) -> None:
    assert cluster_of(kitchen, "1") == cluster_of(kitchen, "3")
    assert cluster_of(kitchen, "4") != cluster_of(kitchen, "6")
    judge(kitchen, "1", "3", Verdict.DIFFERENT)
    judge(kitchen, "6", "4", Verdict.SAME)
    for changed in ({}, {"metric": Metric.MANHATTAN}, {"threshold": 0.3}):
        run_csv(KITCHEN, **changed)
        for copy in ("1", "2", "10"):  # a decision is about texts: it holds for every copy
            assert cluster_of(kitchen, copy) != cluster_of(kitchen, "3")
        assert cluster_of(kitchen, "4") == cluster_of(kitchen, "6")
    judged = kitchen.duplicates(kitchen.find_question("6")[0], 0.5)
    assert ("4", 1.0) in {(each.question.id, each.probability) for each in judged}


def test_a_verdict_that_is_taken_back_decides_nothing(kitchen: Store, run_csv: RunCsv) -> None:
    review = judge(kitchen, "1", "3", Verdict.DIFFERENT)
    run_csv(KITCHEN)
    assert cluster_of(kitchen, "1") != cluster_of(kitchen, "3")
    with pytest.raises(UnknownRecord, match="only one's own"):
        kitchen.undo_review(review, "ben")
    assert kitchen.undo_review(review, "ana").undone_at is not None
    assert kitchen.undo_review(review, "ana") == kitchen.reviews(1)[0]
    run_csv(KITCHEN)
    assert cluster_of(kitchen, "1") == cluster_of(kitchen, "3")


def test_the_last_word_of_a_reviewer_counts_and_disagreement_decides_nothing(kitchen: Store) -> None:
    judge(kitchen, "1", "3", Verdict.DIFFERENT)
    judge(kitchen, "3", "1", Verdict.SAME)
    assert [len(side) for side in kitchen.decisions().same] == [1, 1]
    assert len(kitchen.decisions()) == 1
    judge(kitchen, "2", "3", Verdict.DIFFERENT, "ben")  # 2 is a copy of 1
    assert len(kitchen.decisions()) == 0
    assert estimates(kitchen.reviewed(), 0.5).disagreements == 1
    judge(kitchen, "1", "3", Verdict.SKIP, "ben")
    assert len(kitchen.decisions()) == 0  # a skip says nothing, and takes nothing back


def test_a_review_is_about_two_recorded_questions(kitchen: Store) -> None:
    for other in ("1", "nobody"):
        with pytest.raises(UnknownQuestion):
            judge(kitchen, "1", other, Verdict.SAME)


def test_a_reviewer_is_asked_about_each_pair_once_and_two_about_each(many: Store) -> None:
    random = np.random.default_rng(1)
    asked: dict[str, set[tuple[int, int]]] = {"ana": set(), "ben": set(), "eva": set()}
    for reviewer in ("ana", "ben", "eva"):
        for _ in range(4):
            pairs = next_pairs(many, reviewer, 5, threshold=0.5, random=random)
            ends = [(pair.left.number, pair.right.number) for pair in pairs]
            assert len(set(ends)) == 5
            assert not asked[reviewer] & set(ends)
            asked[reviewer] |= set(ends)
            for pair in pairs:
                verdict = Verdict.SAME if pair.probability > 0.5 else Verdict.DIFFERENT
                many.record_review(pair.left.number, pair.right.number, verdict, reviewer, pair.stratum)
    assert asked["ben"] == asked["ana"]  # what one has judged is asked first
    assert not asked["eva"] & asked["ana"]


def test_the_least_certain_come_first_and_a_fourth_is_drawn_at_random(many: Store) -> None:
    pairs = next_pairs(many, "ana", 16, threshold=0.5, random=np.random.default_rng(2))
    assert [pair.stratum for pair in pairs].count(Stratum.RANDOM) == 4
    uncertain = [abs(pair.probability - 0.5) for pair in pairs if pair.stratum is Stratum.UNCERTAIN]
    assert uncertain == sorted(uncertain)
    random = {(pair.left.number, pair.right.number) for pair in pairs if pair.stratum is Stratum.RANDOM}
    others = [pair for pair in many.pairs_from(0, 10**6) if (pair.left, pair.right) not in random]
    assert uncertain == pytest.approx(sorted(abs(pair.probability - 0.5) for pair in others)[:12])


def test_every_pair_is_drawn_as_often_as_any_other(run_csv: RunCsv, settings: Settings) -> None:
    run_csv(many_questions(30))
    random = np.random.default_rng(3)
    with Store.open(settings.db) as store:
        drawn = {(pair.left, pair.right): 0 for pair in store.pairs_from(0, 10**6)}
        for _ in range(400):
            for pair in next_pairs(store, "ana", 8, threshold=0.5, random=random):
                drawn[pair.left.number, pair.right.number] += pair.stratum is Stratum.RANDOM
    counts = np.array(list(drawn.values()))
    assert counts.sum() == 800
    assert chisquare(counts).pvalue > 0.001


def test_estimates_are_of_agreed_random_pairs_alone(many: Store) -> None:
    pairs = list(many.pairs_from(0, 10**6))
    truth = {(pair.left, pair.right): (pair.left ^ pair.right) % 3 > 0 for pair in pairs}
    for at, pair in enumerate(pairs[:60]):
        verdict = Verdict.SAME if truth[pair.left, pair.right] else Verdict.DIFFERENT
        stratum = Stratum.RANDOM if at % 2 else Stratum.UNCERTAIN
        many.record_review(pair.left, pair.right, verdict, "ana", stratum)
    random = pairs[1:60:2]
    above = [truth[pair.left, pair.right] for pair in random if pair.probability >= 0.6]
    same = [pair.probability >= 0.6 for pair in random if truth[pair.left, pair.right]]
    found = estimates(many.reviewed(), 0.6)
    assert (found.precision.n, found.precision.value) == (len(above), pytest.approx(np.mean(above)))
    assert (found.recall.n, found.recall.value) == (len(same), pytest.approx(np.mean(same)))
    assert found.precision.low < found.precision.value < found.precision.high


def test_an_interval_is_wilsons() -> None:
    """The values of Newcombe (1998), "Two-sided confidence intervals for the single proportion", table I."""
    for hits, n, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)):
        found = share([True] * hits + [False] * (n - hits))
        assert (found.low, found.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))
    assert isnan(share([]).value)
