"""Verdicts that cannot all be right."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, pairwise

import networkx as nx
import numpy as np
import pytest
from corpora import many_questions

from dedup.contradictions import contradictions
from dedup.questions import question_key
from dedup.settings import Settings
from dedup.store import Store, Stratum, Verdict

SAME, DIFFERENT = Verdict.SAME, Verdict.DIFFERENT


@pytest.fixture
def store(run_csv: Callable[..., object], settings: Settings) -> Iterator[Store]:
    run_csv(many_questions(12))
    with Store.open(settings.db) as opened:
        yield opened


def judge(store: Store, one: int, other: int, verdict: Verdict, reviewer: str = "ana") -> None:
    numbers = (question_key("default", str(each)) for each in (one, other))
    store.record_review(*numbers, verdict, reviewer, Stratum.CHOSEN)


def found(store: Store) -> dict[frozenset[int], Sequence[int]]:
    return {
        frozenset((int(each.left.id), int(each.right.id))): [int(question.id) for question in each.chain]
        for each in contradictions(store)
    }


def test_reviewers_who_disagree_are_named(store: Store) -> None:
    judge(store, 1, 2, SAME)
    judge(store, 2, 1, DIFFERENT, "bea")
    judge(store, 3, 4, SAME)
    (each,) = contradictions(store)
    assert (each.chain, {(said.reviewer, said.verdict) for said in each.reviews}) == (
        (),
        {("ana", SAME), ("bea", DIFFERENT)},
    )


def test_a_rejected_pair_in_a_chain_comes_with_the_shortest_chain(store: Store) -> None:
    random = np.random.default_rng(3)
    pairs = [(left, right) for left, right in combinations(range(12), 2) if random.random() < 0.35]
    said = {pair: SAME if random.random() < 0.6 else DIFFERENT for pair in pairs}
    for (left, right), verdict in said.items():
        judge(store, left, right, verdict)
    confirmed = nx.Graph(pair for pair, verdict in said.items() if verdict is SAME)
    expected = {
        frozenset(pair): nx.shortest_path_length(confirmed, *pair)
        for pair, verdict in said.items()
        if verdict is DIFFERENT and set(pair) <= set(confirmed) and nx.has_path(confirmed, *pair)
    }
    chains = found(store)
    assert {pair: len(chain) - 1 for pair, chain in chains.items()} == expected
    assert len(expected) > 3
    for pair, chain in chains.items():
        assert {chain[0], chain[-1]} == pair
        assert all(confirmed.has_edge(*step) for step in pairwise(chain))


def test_what_is_taken_back_or_about_deleted_questions_contradicts_nothing(store: Store) -> None:
    for left, right, verdict in ((1, 2, SAME), (2, 3, SAME), (1, 3, DIFFERENT)):
        judge(store, left, right, verdict)
    assert set(found(store)) == {frozenset((1, 3))}
    store.delete_questions([question_key("default", "2")], actor="test")
    assert found(store) == {}
