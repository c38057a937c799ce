"""Questions added, changed and deleted one at a time."""

from __future__ import annotations

import numpy as np
import pytest
from findings import findings

from dedup.errors import KeyReused, NoGeneration, StoreError
from dedup.questions import Metric, Question, question_key
from dedup.store import GenerationRecord, RecordedClusters, RecordedPairs, RunKind, RunOutcome, Store

# Clusters: 1 = a (canonical), b, c, and the copy A of a; 2 = d alone.
QUESTIONS = [
    Question("a", "How to sort?", views=9),
    Question("A", "how to sort", views=1),
    Question("b", "Sorting, how?", views=5),
    Question("c", "Ways to sort?", views=2),
    Question("d", "Why?"),
]
PAIRS = {("a", "A"): 1.0, ("a", "b"): 0.8, ("a", "c"): 0.7, ("b", "c"): 0.6}


def number(name: str) -> int:
    return question_key("default", name)


def figures(store: Store, cluster: int) -> dict[str, float]:
    return {member.question.id: member.probability for member in store.cluster(cluster).members}


@pytest.fixture
def found(store: Store) -> Store:
    run = store.start_run(RunKind.RUN, Metric.EUCLIDEAN, 0.5, {})
    store.record_questions(run, QUESTIONS)
    by_number = {
        (min(ends), max(ends)): probability
        for (left, right), probability in PAIRS.items()
        for ends in [(number(left), number(right))]
    }
    ends = np.array(sorted(by_number), dtype=np.int64)
    probability = np.array([by_number[tuple(each)] for each in ends.tolist()])
    pairs = RecordedPairs(ends[:, 0], ends[:, 1], 1 - probability, probability)
    clusters = RecordedClusters(
        question=np.array([number(name) for name in "aAbcd"]),
        cluster=np.array([1, 1, 1, 1, 2]),
        probability=np.array([1.0, 1.0, 0.8, 0.7, 1.0]),
        id=np.array([1, 2]),
        canonical=np.array([number("a"), number("d")]),
        size=np.array([4, 1]),
        weakest=np.array([0.6, 1.0]),
    )
    encoder = store.register_encoder("f" * 64, "none", 2, 1)
    generation = GenerationRecord("generation-1", encoder, Metric.EUCLIDEAN, "flat", 4, 1.0)
    revision = store.corpus().revision
    found = findings(generation, pairs, clusters)
    store.write_results(run, store.recorded(), found, RunOutcome({}), corpus_revision=revision)
    return store


def test_a_new_question_is_recorded_and_waits(found: Store) -> None:
    before = found.recorded_revision()
    edited = found.put_questions([Question("e", "Whither?", tags=("x",), views=3)], actor="me")
    assert (edited.added, edited.changed, edited.unchanged) == (1, 0, 0)
    assert edited.revision == found.recorded_revision() == before + 1
    (question,) = found.find_question("e")
    assert (question.text, question.tags, question.views, question.cluster_id) == ("Whither?", ("x",), 3, None)
    state = found.service_state()
    assert state.corpus_revision == state.published_revision + 1


def test_what_is_recorded_so_already_changes_nothing(found: Store) -> None:
    before = found.recorded_revision()
    edited = found.put_questions(QUESTIONS, actor="me")
    assert (edited.added, edited.changed, edited.unchanged, edited.revision) == (0, 0, 5, before)
    assert found.acts(9) == []
    assert len(figures(found, 1)) == 4


def test_of_several_with_one_id_the_last_counts_also_again_and_again(found: Store) -> None:
    found.put_questions([Question("e", "One?"), Question("e", "Two?")], actor="me")
    assert found.find_question("e")[0].text == "Two?"
    found.put_questions([Question("e", "Three?")], actor="me")
    assert found.find_question("e")[0].text == "Three?"


def test_other_figures_leave_a_question_where_it_is(found: Store) -> None:
    assert found.put_questions([Question("b", "Sorting, how?", views=6)], actor="me").changed == 1
    assert found.find_question("b")[0].cluster_id == 1
    assert len(found.pairs_of_cluster(1)) == len(PAIRS)


def test_a_changed_text_leaves_its_cluster_and_its_pairs(found: Store) -> None:
    found.put_questions([Question("a", "Who?")], actor="me")
    assert found.find_question("a")[0].cluster_id is None
    assert found.cluster(1).summary.canonical.id == "b"
    # b and c have a pair; of b and A only the cluster's weakest link is known
    assert figures(found, 1) == {"b": 1.0, "c": 0.6, "A": 0.6}
    assert found.cluster(1).summary.size == 3
    assert [(pair.left, pair.right) for pair in found.pairs_of_cluster(1)] == [tuple(sorted(map(number, "bc")))]


def test_deleted_questions_take_what_was_found_about_them_along(found: Store) -> None:
    assert found.delete_questions([number("c"), number("d"), number("nobody")]) == 2
    assert figures(found, 1) == {"a": 1.0, "A": 1.0, "b": 0.8}
    with pytest.raises(StoreError, match="no cluster 2"):
        found.cluster(2)
    assert found.counts().questions == 3
    assert found.counts().pairs == 2
    before = found.recorded_revision()
    assert found.delete_questions([number("c")]) == 0
    assert found.recorded_revision() == before
    assert found.delete_questions([number(name) for name in "aAb"]) == 3
    assert found.counts().questions == found.counts().pairs == 0


def test_a_cluster_of_one_has_no_weak_link(found: Store) -> None:
    found.delete_questions([number(name) for name in "Abc"])
    summary = found.cluster(1).summary
    assert (summary.size, summary.weakest_probability, summary.canonical.id) == (1, 1.0, "a")


def test_a_key_names_one_request_of_one_actor(found: Store) -> None:
    first = found.put_questions([Question("e", "One?")], actor="me", key="k")
    found.put_questions([Question("e", "Two?")], actor="me")
    again = found.put_questions([Question("e", "One?")], actor="me", key="k")
    assert again.repeated
    assert (again.added, again.revision) == (first.added, first.revision)
    assert found.find_question("e")[0].text == "Two?"
    with pytest.raises(KeyReused):
        found.put_questions([Question("f", "One?")], actor="me", key="k")
    assert not found.put_questions([Question("e", "One?")], actor="you", key="k").repeated


def test_nothing_of_a_batch_is_recorded_where_one_cannot_be(found: Store) -> None:
    with pytest.raises(StoreError, match="NUL"):
        found.put_questions([Question("e", "One?"), Question("f", "T\0wo?")], actor="me")
    assert found.counts().questions == 5


def test_before_the_first_run_there_is_nothing_to_add_to(store: Store) -> None:
    with pytest.raises(NoGeneration, match="dedup run DUMP"):
        store.put_questions([Question("e", "One?")], actor="me")
    assert store.service_state() is None


def test_duplicates_are_the_copies_and_the_others_of_the_pairs_of_any_copy(found: Store) -> None:
    (copy,) = found.find_question("A")
    duplicates = found.duplicates(copy, 0.75)
    assert [(each.question.id, each.probability) for each in duplicates] == [("a", 1.0), ("b", 0.8)]
    assert {each.question.id for each in found.duplicates(copy, 0.0)} == {"a", "b", "c"}
