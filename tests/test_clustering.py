"""Clusters hold no strangers: the rule is followed to the letter, whatever the vectors."""

from itertools import combinations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import as_pairs, between, clustered_unit_rows, grid_vectors, pairs_within, repeatable

from dedup.clustering import Clusters, cluster_pairs, name_clusters
from dedup.questions import Float32, Metric

metrics = pytest.mark.parametrize("metric", list(Metric))
Found = dict[tuple[int, int], np.float32]


def groups(label: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(label == one).tolist()) for one in np.unique(label)}


def clustered(vectors: Float32, metric: Metric, found: Found, cutoff: float, widest: float) -> Clusters:
    clusters = cluster_pairs(vectors, metric, as_pairs(found), cutoff=cutoff, widest=widest)
    assert sorted(set(clusters.label.tolist())) == list(range(len(clusters.widest)))
    return clusters


def by_the_rule(vectors: Float32, metric: Metric, found: Found, cutoff: float, widest: float) -> set[frozenset[int]]:
    """Join along the pairs, nearest first, two clusters of which every two rows are within ``widest``."""
    cluster = {row: frozenset([row]) for row in range(len(vectors))}
    for (one, other), far in sorted(found.items(), key=lambda pair: (pair[1], pair[0])):
        a, b = cluster[one], cluster[other]
        if far <= cutoff and all(between(vectors, x, y, metric) <= widest for x in a for y in b):
            cluster.update(dict.fromkeys(a | b, a | b))
    return set(cluster.values())


def diameter(vectors: Float32, metric: Metric, rows: frozenset[int]) -> np.float32:
    return max((between(vectors, *pair, metric) for pair in combinations(sorted(rows), 2)), default=np.float32(0))


def on_a_line(*places: float) -> Float32:
    return np.array(places, dtype=np.float32)[:, None]  # where the two distances are one


@metrics
def test_a_chain_does_not_put_strangers_together(metric):
    """A~B~C~D, each 1 from the next: with strangers from 1.5 on, it is two pairs and no chain of four."""
    chain = on_a_line(0, 1, 2.01, 3.01)
    found = pairs_within(chain, metric, 1.2)
    assert len(found) == 3
    assert groups(clustered(chain, metric, found, 1.2, 1.5).label) == {frozenset({0, 1}), frozenset({2, 3})}
    assert groups(clustered(chain, metric, found, 1.2, 2.5).label) == {frozenset({0, 1}), frozenset({2, 3})}
    assert groups(clustered(chain, metric, found, 1.2, 3.5).label) == {frozenset({0, 1, 2, 3})}


@metrics
def test_a_star_keeps_of_its_rays_only_those_that_know_each_other(metric):
    """A general question near three special ones, two of which are near each other."""
    star = np.array([[0, 0], [1, 0], [1.25, 0.5], [-1.5, 0]], dtype=np.float32)
    found = pairs_within(star, metric, 1.75)
    assert groups(clustered(star, metric, found, 1.75, 1.75).label) == {frozenset({0, 1, 2}), frozenset({3})}


@metrics
def test_a_clique_is_one_cluster_and_states_its_weakest_link(metric):
    clique = on_a_line(0, 0.5, 1, 9)
    clusters = clustered(clique, metric, pairs_within(clique, metric, 1), 1, 1)
    assert groups(clusters.label) == {frozenset({0, 1, 2}), frozenset({3})}
    assert clusters.widest[clusters.label[0]] == 1
    assert clusters.widest[clusters.label[3]] == 0


@metrics
def test_the_weakest_link_may_be_a_pair_that_was_never_a_candidate(metric):
    chain = on_a_line(0, 1, 2)
    clusters = clustered(chain, metric, pairs_within(chain, metric, 1), 1, 5)
    assert clusters.widest.tolist() == [2]


@metrics
def test_what_was_too_far_once_stays_apart_when_it_grows(metric):
    """The pair of 1.0 is refused before 3.1 and 3.2 join; the later links between the two grown clusters are too."""
    line = on_a_line(0, 0.1, 1.1, 1.2, 2.3)
    found = pairs_within(line, metric, 1.15)
    assert groups(clustered(line, metric, found, 1.15, 1.15).label) == by_the_rule(line, metric, found, 1.15, 1.15)


@metrics
@settings(repeatable, max_examples=150)
@given(
    vectors=grid_vectors(14),
    cutoff=st.sampled_from([0.0, 0.125, 0.25, 0.4]),
    slack=st.sampled_from([0.0, 0.1, 0.25, 0.5]),
    missed=st.sets(st.integers(0, 90), max_size=20),
)
def test_the_rule_is_followed_also_among_ties_and_where_the_join_missed_pairs(metric, vectors, cutoff, slack, missed):
    widest = cutoff + slack
    every = pairs_within(vectors, metric, widest)
    found = {pair: far for at, (pair, far) in enumerate(every.items()) if at not in missed}
    clusters = clustered(vectors, metric, found, cutoff, widest)
    parts = groups(clusters.label)

    assert parts == by_the_rule(vectors, metric, found, cutoff, widest)
    for part in parts:
        farthest = diameter(vectors, metric, part)
        assert clusters.widest[clusters.label[min(part)]] == farthest
        assert farthest <= widest
        links = nx.Graph([pair for pair, far in found.items() if far <= cutoff and set(pair) <= part])
        assert len(part) == 1 or (nx.is_connected(links) and set(links) == part)


@metrics
@pytest.mark.parametrize("seed", range(3))
def test_the_rule_is_followed_on_a_corpus_of_long_chains(metric, seed):
    vectors = clustered_unit_rows(seed, 150, 8, groups=12, spread=0.5)
    cutoff, widest = {Metric.MANHATTAN: (1.0, 1.3), Metric.EUCLIDEAN: (0.45, 0.6)}[metric]
    found = pairs_within(vectors, metric, widest)
    parts = groups(clustered(vectors, metric, found, cutoff, widest).label)
    assert parts == by_the_rule(vectors, metric, found, cutoff, widest)
    chained = nx.Graph(pair for pair, far in found.items() if far <= cutoff)
    assert max(map(len, nx.connected_components(chained))) > max(map(len, parts)) >= 5


@metrics
def test_the_order_of_the_rows_changes_no_cluster(metric):
    vectors = clustered_unit_rows(7, 120, 8, groups=12, spread=0.5)
    cutoff, widest = {Metric.MANHATTAN: (1.0, 1.3), Metric.EUCLIDEAN: (0.45, 0.6)}[metric]
    order = np.random.default_rng(8).permutation(len(vectors))
    found, shuffled = pairs_within(vectors, metric, widest), pairs_within(vectors[order], metric, widest)
    assert len(set(found.values())) == len(found)  # no ties, which go by rows
    parts = groups(clustered(vectors, metric, found, cutoff, widest).label)
    moved = groups(clustered(vectors[order], metric, shuffled, cutoff, widest).label)
    assert {frozenset(order[list(part)].tolist()) for part in moved} == parts


@metrics
@repeatable
@given(vectors=grid_vectors(14), cutoff=st.sampled_from([0.125, 0.25, 0.4]))
def test_without_strangers_clusters_are_connected_components(metric, vectors, cutoff):
    found = pairs_within(vectors, metric, 2.0)
    graph = nx.Graph(pair for pair, far in found.items() if far <= cutoff)
    graph.add_nodes_from(range(len(vectors)))
    parts = groups(clustered(vectors, metric, found, cutoff, np.inf).label)
    assert parts == {frozenset(component) for component in nx.connected_components(graph)}


@metrics
@pytest.mark.parametrize("rows", [0, 1, 5])
def test_without_pairs_every_row_is_its_own_cluster(metric, rows):
    clusters = clustered(np.eye(5, dtype=np.float32)[:rows], metric, {}, 0.1, 0.2)
    assert len(np.unique(clusters.label)) == rows
    assert clusters.widest.tolist() == [0] * rows


@repeatable
@given(st.data())
def test_clusters_are_numbered_by_size_then_rank_and_keep_their_best_question(data):
    label_of_row = data.draw(st.lists(st.integers(0, 5), min_size=1, max_size=8))
    label = np.unique(label_of_row, return_inverse=True)[1].astype(np.int64)
    clusters = Clusters(label, np.linspace(0, 1, label.max() + 1, dtype=np.float32))
    copies = data.draw(st.lists(st.integers(0, len(label) - 1), max_size=8))
    row = np.array(data.draw(st.permutations([*range(len(label)), *copies])), dtype=np.int64)
    rank = np.array(data.draw(st.permutations(range(len(row)))), dtype=np.int64)

    members = {}  # label: its questions, the best first
    for question in sorted(range(len(row)), key=lambda question: rank[question]):
        members.setdefault(int(label[row[question]]), []).append(question)
    expected = sorted(members.items(), key=lambda item: (-len(item[1]), rank[item[1][0]]))

    named = name_clusters(clusters, row, rank)
    assert named.canonical.tolist() == [questions[0] for _, questions in expected]
    assert named.size.tolist() == [len(questions) for _, questions in expected]
    assert named.widest.tolist() == [clusters.widest[one] for one, _ in expected]
    for number, (_, questions) in enumerate(expected, start=1):
        assert np.flatnonzero(named.number == number).tolist() == sorted(questions)


def test_exact_copies_share_the_cluster_of_their_row():
    clusters = Clusters(np.array([0, 1], dtype=np.int64), np.zeros(2, dtype=np.float32))
    named = name_clusters(clusters, row=np.array([0, 1, 1, 1]), rank=np.array([0, 3, 1, 2]))
    assert named.number.tolist() == [2, 1, 1, 1]
    assert named.canonical.tolist() == [2, 0]
    assert named.size.tolist() == [3, 1]
