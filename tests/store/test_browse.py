from datetime import UTC, datetime

import numpy as np
import pytest
from findings import findings

from dedup.errors import StoreError, UnknownQuestion
from dedup.questions import Label, Metric, Question, question_key
from dedup.store import (
    Counts,
    ExportedMember,
    ExportedPair,
    ExportedQuestion,
    GenerationRecord,
    PairRecord,
    RecordedClusters,
    RecordedPairs,
    RunKind,
    RunOutcome,
    Store,
)
from dedup.text import key_array, normalise, text_key

# Clusters: 1 = a/2 (canonical), a/10, B/2; 2 = a/3 (canonical), a/30; 3 = a/é alone.
QUESTIONS = [
    Question("2", "How do I sort?", "a", views=5, tags=("x",)),
    Question("10", "how do I sort", "a", views=9, created=datetime(2020, 1, 1, tzinfo=UTC)),
    Question("2", "Sorting, how?", "B"),
    Question("3", "Why", "a"),
    Question("30", "Wherefore", "a"),
    Question("é", "When", "a"),
]
CLUSTERS = {1: ["a 2", "a 10", "B 2"], 2: ["a 3", "a 30"], 3: ["a é"]}
PROBABILITY = {"a 2": 1.0, "a 10": 0.9, "B 2": 0.75, "a 3": 1.0, "a 30": 0.5, "a é": 1.0}
PAIRS = {
    ("a 2", "a 10"): (0.0, 1.0),
    ("a 2", "B 2"): (0.25, 0.75),
    ("a 3", "a 30"): (0.5, 0.5),
    ("a 3", "a é"): (2.0, 0.1),
}


def number(name: str) -> int:
    return question_key(*name.split(" "))


@pytest.fixture
def found(store: Store) -> Store:
    run = store.start_run(RunKind.RUN, Metric.EUCLIDEAN, 0.5, {})
    store.record_questions(run, QUESTIONS)
    store.record_labels(run, "labels.csv", [Label("2", "10", True, "a")])
    pairs = sorted((*sorted((number(left), number(right))), *measured) for (left, right), measured in PAIRS.items())
    left, right, distance, probability = (np.array(column) for column in zip(*pairs, strict=True))
    members = [(number(name), cluster, PROBABILITY[name]) for cluster, names in CLUSTERS.items() for name in names]
    questions, clusters, to_canonical = (np.array(column) for column in zip(*members, strict=True))
    encoder = store.register_encoder("f", "mini", 4, 1)
    results = findings(
        GenerationRecord("g", encoder, Metric.EUCLIDEAN, "flat", 5, 1.0),
        RecordedPairs(left, right, distance, probability),
        RecordedClusters(
            questions,
            clusters,
            to_canonical,
            np.array(list(CLUSTERS)),
            np.array([number(names[0]) for names in CLUSTERS.values()]),
            np.array([len(names) for names in CLUSTERS.values()]),
            np.array([0.7, 0.5, 1.0]),
        ),
    )
    store.write_results(run, store.recorded(), results, RunOutcome({}), corpus_revision=store.corpus().revision)
    return store


def names(records) -> list[str]:
    return [f"{record.source} {record.id}" for record in records]


def test_a_question_is_found_by_its_own_id_in_every_source_or_in_one(found: Store) -> None:
    assert names(found.find_question("2")) == ["B 2", "a 2"]  # by source, as its characters go
    assert names(found.find_question("2", "a")) == ["a 2"]
    (record,) = found.find_question("10")
    assert (record.text, record.views, record.created) == ("how do I sort", 9, datetime(2020, 1, 1, tzinfo=UTC))
    assert record.cluster_id == 1


def test_a_question_is_found_by_its_text_where_no_id_is_meant(found: Store) -> None:
    assert names(found.find_question("HOW do I sort")) == ["a 2", "a 10"]  # numbers by their value
    assert names(found.find_question("why?", "a")) == ["a 3"]


@pytest.mark.parametrize("source", [None, "B", "nowhere", "half \udcff"])
def test_an_unknown_question_is_named(found: Store, source: str | None) -> None:
    with pytest.raises(UnknownQuestion, match="has the id or the text '30 or so'"):
        found.find_question("30 or so", source)
    with pytest.raises(UnknownQuestion, match=r"has the id or the text '\\udcff\\x00'"):
        found.find_question("\udcff\0", source)
    with pytest.raises(UnknownQuestion, match=r"of source 'B' has the id or the text '30'"):
        found.find_question("30", "B")


def test_questions_by_number(found: Store) -> None:
    asked = [number("a 2"), number("a é"), 12345]
    assert {n: record.text for n, record in found.questions(asked).items()} == {
        asked[0]: "How do I sort?",
        asked[1]: "When",
    }


def test_the_representative_of_a_text_is_the_best_ranked_copy(found: Store) -> None:
    keys = {text: text_key(normalise(text)) for text in ("how do i sort", "Wherefore", "nothing")}
    answers = found.representatives_for_keys(key_array(keys.values()))
    assert set(answers) == {keys["how do i sort"], keys["Wherefore"]}
    sorting, wherefore = answers[keys["how do i sort"]], answers[keys["Wherefore"]]
    assert names([sorting.question, sorting.canonical]) == ["a 10", "a 2"]  # 9 views against 5
    assert sorting.question.cluster_id == 1
    assert names([wherefore.question, wherefore.canonical]) == ["a 30", "a 3"]


def test_before_the_first_results_a_question_has_no_cluster(store: Store) -> None:
    store.record_questions(store.start_run(RunKind.RUN, Metric.EUCLIDEAN, 0.5, {}), QUESTIONS)
    (answer,) = store.representatives_for_keys(key_array([text_key("why")])).values()
    assert (answer.question.cluster_id, answer.canonical) == (None, None)
    assert store.largest_clusters(5) == []
    assert list(store.iter_clusters()) == list(store.iter_canonical()) == list(store.iter_pairs(0.0)) == []
    assert store.counts() == Counts(6, 5, 0, 0, 0, 0, 0)


def test_a_cluster_names_its_canonical_question_first(found: Store) -> None:
    cluster = found.cluster(1)
    assert names(member.question for member in cluster.members) == ["a 2", "B 2", "a 10"]
    assert [member.probability for member in cluster.members] == [1.0, 0.75, 0.9]
    assert (cluster.summary.size, cluster.summary.weakest_probability) == (3, 0.7)
    assert cluster.summary.canonical == cluster.members[0].question
    with pytest.raises(StoreError, match="no cluster 77 is recorded"):
        found.cluster(77)


def test_the_largest_clusters_leave_out_single_questions(found: Store) -> None:
    assert [(cluster.id, cluster.size) for cluster in found.largest_clusters(10)] == [(1, 3), (2, 2)]
    assert [cluster.id for cluster in found.largest_clusters(1)] == [1]


def test_pairs_of_a_cluster_are_those_with_both_ends_in_it(found: Store) -> None:
    run = found.last_run().id
    assert found.pairs_of_cluster(2) == [PairRecord(*sorted((number("a 3"), number("a 30"))), 0.5, 0.5, run)]
    assert {(pair.left, pair.right): pair.probability for pair in found.pairs_of_cluster(1)} == {
        tuple(sorted((number("a 2"), number("a 10")))): 1.0,
        tuple(sorted((number("a 2"), number("B 2")))): 0.75,
    }


def test_sources_and_counts(found: Store) -> None:
    assert found.sources() == ["B", "a"]
    assert found.counts(0.5) == Counts(questions=6, texts=5, pairs=4, duplicates=3, clusters=2, clustered=5, labels=1)


def test_exported_pairs_have_their_questions(found: Store) -> None:
    texts = {f"{question.source} {question.id}": question for question in QUESTIONS}
    expected = []
    for pair, measured in PAIRS.items():
        left, right = sorted(pair, key=number)
        ends = [end for name in (left, right) for end in (texts[name].source, texts[name].id, texts[name].text)]
        expected.append((number(left), number(right), ExportedPair(*ends, *measured)))
    expected.sort(key=lambda row: row[:2])
    assert list(found.iter_pairs(0.0)) == [pair for *_, pair in expected]
    assert list(found.iter_pairs(0.5)) == [pair for *_, pair in expected if pair.probability >= 0.5]


def test_exported_clusters_go_by_cluster_then_canonical_then_source_and_id(found: Store) -> None:
    rows = list(found.iter_clusters())
    assert [f"{row.cluster_id} {row.source} {row.id}" for row in rows] == [
        "1 a 2",
        "1 B 2",
        "1 a 10",
        "2 a 3",
        "2 a 30",
        "3 a é",
    ]
    assert rows[1] == ExportedMember(1, 3, "B", "2", "Sorting, how?", 0.75, "a", "2")


def test_exported_canonical_questions_are_one_of_each_cluster(found: Store) -> None:
    assert list(found.iter_canonical()) == [
        ExportedQuestion("a", "2", "How do I sort?", 1, 3),
        ExportedQuestion("a", "3", "Why", 2, 2),
        ExportedQuestion("a", "é", "When", 3, 1),
    ]


def test_an_export_that_is_left_early_gives_its_connection_back(found: Store) -> None:
    for _ in range(20):
        rows = found.iter_clusters()
        next(rows)
        rows.close()
    assert found.register_encoder("other", "n", 1, 1) > 0


def test_an_export_under_way_does_not_see_or_hinder_a_writer(found: Store) -> None:
    rows = found.iter_canonical()
    first = next(rows)
    found.record_questions(found.start_run(RunKind.RUN, Metric.EUCLIDEAN, 0.5, {}), [Question("2", "Changed", "a")])
    assert [first, *rows][0].text == "How do I sort?"
    assert next(found.iter_canonical()).text == "Changed"
