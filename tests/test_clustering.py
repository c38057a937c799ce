"""Clusters hold no strangers: the rule is followed to the letter, whatever the vectors and the features."""

from dataclasses import replace
from itertools import combinations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import as_pairs, clustered_unit_rows, grid_vectors, pairs_within, repeatable

from dedup.classifier import Classifier, Feature
from dedup.clustering import Clusters, cluster_pairs, name_clusters
from dedup.features import Described
from dedup.matching import Matcher, RescoredPairs
from dedup.questions import NATURAL_PRIOR, Float32, Metric

metrics = pytest.mark.parametrize("metric", list(Metric))
Found = dict[tuple[int, int], np.float32]

SLOPE = 2.0  # P = 1 / (1 + exp(2 * distance)): the probability of a distance alone, one half at 0
CROWDING = Feature("crowding", 3.0, 1.0, 0.6, 1.4)


def at(distance: float) -> float:
    """Return the match probability of a pair of typical features at a distance."""
    return float(1 / (1 + np.exp(SLOPE * distance)))


def groups(label: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(label == one).tolist()) for one in np.unique(label)}


def matcher_of(vectors: Float32, metric: Metric, crowding: np.ndarray | None = None) -> Matcher:
    features = () if crowding is None else (CROWDING,)
    classifier = Classifier("made up", "f" * 64, metric, SLOPE, 0.0, features, NATURAL_PRIOR, {})
    return Matcher(vectors, Described(crowding, None, None), classifier)


def probability(matcher: Matcher, one: int, other: int) -> float:
    return float(matcher.between(np.array([one]), np.array([other]))[0])


def clustered(matcher: Matcher, found: Found, threshold: float, floor: float) -> Clusters:
    pairs = as_pairs(found)
    clusters = cluster_pairs(matcher, pairs, matcher.judge(pairs), threshold=threshold, floor=floor)
    assert sorted(set(clusters.label.tolist())) == list(range(len(clusters.weakest)))
    return clusters


def by_the_rule(matcher: Matcher, found: Found, threshold: float, floor: float) -> set[frozenset[int]]:
    """Join along the pairs, most probable first, two clusters of which every two rows have the floor's probability."""
    cluster = {row: frozenset([row]) for row in range(len(matcher.embeddings))}
    judged = {pair: probability(matcher, *pair) for pair in found}
    for (one, other), sure in sorted(judged.items(), key=lambda pair: (-pair[1], pair[0])):
        a, b = cluster[one], cluster[other]
        if a != b and sure >= threshold and all(probability(matcher, x, y) >= floor for x in a for y in b):
            cluster.update(dict.fromkeys(a | b, a | b))
    return set(cluster.values())


def weakest(matcher: Matcher, rows: frozenset[int]) -> float:
    return min((probability(matcher, *pair) for pair in combinations(sorted(rows), 2)), default=1.0)


def on_a_line(*places: float) -> Float32:
    return np.array(places, dtype=np.float32)[:, None]  # where the two distances are one


@pytest.fixture(params=[1 << 17, 3], ids=["at once", "in parts"], autouse=True)
def pairs_looked_at_together(request, monkeypatch):
    monkeypatch.setattr("dedup.external_sort._CHUNK", request.param)


@metrics
def test_a_chain_does_not_put_strangers_together(metric):
    """A~B~C~D, each 1 from the next: with strangers from 1.5 on, it is two pairs and no chain of four."""
    chain = matcher_of(on_a_line(0, 1, 2.01, 3.01), metric)
    found = pairs_within(chain.embeddings, metric, 1.2)
    assert len(found) == 3
    assert groups(clustered(chain, found, at(1.2), at(1.5)).label) == {frozenset({0, 1}), frozenset({2, 3})}
    assert groups(clustered(chain, found, at(1.2), at(2.5)).label) == {frozenset({0, 1}), frozenset({2, 3})}
    assert groups(clustered(chain, found, at(1.2), at(3.5)).label) == {frozenset({0, 1, 2, 3})}


@metrics
def test_a_star_keeps_of_its_rays_only_those_that_know_each_other(metric):
    """A general question near three special ones, two of which are near each other."""
    star = matcher_of(np.array([[0, 0], [1, 0], [1.25, 0.5], [-1.5, 0]], dtype=np.float32), metric)
    found = pairs_within(star.embeddings, metric, 1.76)
    assert groups(clustered(star, found, at(1.76), at(1.76)).label) == {frozenset({0, 1, 2}), frozenset({3})}


@metrics
def test_a_clique_is_one_cluster_and_states_its_weakest_link(metric):
    clique = matcher_of(on_a_line(0, 0.5, 1, 9), metric)
    clusters = clustered(clique, pairs_within(clique.embeddings, metric, 1.1), at(1.1), at(1.1))
    assert groups(clusters.label) == {frozenset({0, 1, 2}), frozenset({3})}
    assert clusters.weakest[clusters.label[0]] == pytest.approx(at(1))
    assert clusters.weakest[clusters.label[3]] == 1


@metrics
def test_the_weakest_link_may_be_a_pair_that_was_never_a_candidate(metric):
    chain = matcher_of(on_a_line(0, 1, 2), metric)
    clusters = clustered(chain, pairs_within(chain.embeddings, metric, 1.1), at(1.1), at(5))
    assert clusters.weakest.tolist() == pytest.approx([at(2)])


@metrics
def test_what_was_too_far_once_stays_apart_when_it_grows(metric):
    """The pair of 1.0 is refused before 1.1 and 1.2 join; the later links between the two grown clusters are too."""
    line = matcher_of(on_a_line(0, 0.1, 1.1, 1.2, 2.3), metric)
    found = pairs_within(line.embeddings, metric, 1.15)
    assert groups(clustered(line, found, at(1.15), at(1.15)).label) == by_the_rule(line, found, at(1.15), at(1.15))


@metrics
def test_a_link_that_its_features_make_surer_goes_before_a_nearer_one(metric):
    """B is nearer to A than to C, but where C is the same distance means more; A and C are strangers."""
    line = on_a_line(0, 0.2, 0.55)
    plain, felt = matcher_of(line, metric), matcher_of(line, metric, np.array([1.0, 1.0, 1.4], dtype=np.float32))
    found = pairs_within(line, metric, 0.4)
    assert groups(clustered(plain, found, 0.33, 0.33).label) == {frozenset({0, 1}), frozenset({2})}
    assert probability(felt, 1, 2) > probability(felt, 0, 1) > 0.39 > probability(felt, 0, 2)
    assert groups(clustered(felt, found, 0.39, 0.39).label) == {frozenset({0}), frozenset({1, 2})}


# No distance of the grid, so that no probability is a threshold or a floor up to rounding.
CUTOFFS = (0.01, 0.13, 0.26, 0.41)


@metrics
@settings(repeatable, max_examples=150)
@given(
    vectors=grid_vectors(14),
    cutoff=st.sampled_from(CUTOFFS),
    slack=st.sampled_from([0.0, 0.11, 0.27, 0.52]),
    missed=st.sets(st.integers(0, 90), max_size=20),
    crowding=st.one_of(st.none(), st.lists(st.sampled_from([0.0, 0.7, 1.0, 1.3, 9.0]), min_size=14, max_size=14)),
)
def test_the_rule_is_followed_also_among_ties_and_where_the_join_missed_pairs(
    metric, vectors, cutoff, slack, missed, crowding
):
    crowded = None if crowding is None else np.array(crowding[: len(vectors)], dtype=np.float32)
    matcher = matcher_of(vectors, metric, crowded)
    threshold, floor = at(cutoff), at(cutoff + slack)
    every = pairs_within(vectors, metric, np.inf)
    judged = {pair: far for pair, far in every.items() if probability(matcher, *pair) >= floor}
    found = {pair: far for place, (pair, far) in enumerate(judged.items()) if place not in missed}
    clusters = clustered(matcher, found, threshold, floor)
    parts = groups(clusters.label)

    assert parts == by_the_rule(matcher, found, threshold, floor)
    for part in parts:
        lowest = weakest(matcher, part)
        assert clusters.weakest[clusters.label[min(part)]] == pytest.approx(lowest, rel=1e-12)
        assert lowest >= floor
        links = nx.Graph([pair for pair in found if probability(matcher, *pair) >= threshold and set(pair) <= part])
        assert len(part) == 1 or (nx.is_connected(links) and set(links) == part)


@metrics
@settings(repeatable, max_examples=60)
@given(
    vectors=grid_vectors(12, fewest_rows=3),
    cutoff=st.sampled_from(CUTOFFS),
    slack=st.sampled_from([0.0, 0.11, 0.27]),
    seed=st.integers(0, 2**16),
)
def test_the_rule_is_followed_on_what_was_judged_again(metric, vectors, cutoff, slack, seed):
    """Every second pair has another probability than the classifier's, whichever."""
    plain = matcher_of(vectors, metric)
    threshold, floor = at(cutoff), at(cutoff + slack)
    every = pairs_within(vectors, metric, np.inf)
    again = list(every)[seed % 2 :: 2]
    random = np.random.default_rng(seed)
    place = np.array([one * len(vectors) + other for one, other in again], dtype=np.int64)
    matcher = replace(plain, rescored=RescoredPairs(place, random.random(len(again))))
    clusters = clustered(matcher, every, threshold, floor)
    assert groups(clusters.label) == by_the_rule(matcher, every, threshold, floor)
    for part in groups(clusters.label):
        assert clusters.weakest[clusters.label[min(part)]] == pytest.approx(weakest(matcher, part), rel=1e-12)


def long_chains(seed: int, rows: int, metric: Metric, crowded: bool) -> tuple[Matcher, Found, float, float]:
    vectors = clustered_unit_rows(seed, rows, 8, groups=12, spread=0.5)
    cutoff, widest = {Metric.MANHATTAN: (1.0, 1.3), Metric.EUCLIDEAN: (0.45, 0.6)}[metric]
    random = np.random.default_rng(seed)
    crowding = random.uniform(0.95, 1.05, rows).astype(np.float32) if crowded else None
    return matcher_of(vectors, metric, crowding), pairs_within(vectors, metric, 2 * widest), at(cutoff), at(widest)


@metrics
@pytest.mark.parametrize("crowded", [False, True], ids=["distance alone", "with a feature"])
@pytest.mark.parametrize("seed", range(2))
def test_the_rule_is_followed_on_a_corpus_of_long_chains(metric, seed, crowded):
    matcher, found, threshold, floor = long_chains(seed, 110, metric, crowded)
    parts = groups(clustered(matcher, found, threshold, floor).label)
    assert parts == by_the_rule(matcher, found, threshold, floor)
    chained = nx.Graph(pair for pair in found if probability(matcher, *pair) >= threshold)
    assert max(map(len, nx.connected_components(chained))) > max(map(len, parts)) >= 4


@metrics
@pytest.mark.parametrize("crowded", [False, True], ids=["distance alone", "with a feature"])
def test_the_order_of_the_rows_changes_no_cluster(metric, crowded):
    matcher, found, threshold, floor = long_chains(7, 120, metric, crowded)
    order = np.random.default_rng(8).permutation(len(matcher.embeddings))
    crowding = matcher.described.crowding
    other = matcher_of(matcher.embeddings[order], metric, None if crowding is None else crowding[order])
    shuffled = pairs_within(other.embeddings, metric, max(found.values()))
    links = matcher.judge(as_pairs(found))
    links = links[links >= threshold]
    assert len(np.unique(links)) == len(links)  # no ties, which go by rows
    parts = groups(clustered(matcher, found, threshold, floor).label)
    moved = groups(clustered(other, shuffled, threshold, floor).label)
    assert {frozenset(order[list(part)].tolist()) for part in moved} == parts


@metrics
@repeatable
@given(vectors=grid_vectors(14), cutoff=st.sampled_from(CUTOFFS))
def test_without_strangers_clusters_are_connected_components(metric, vectors, cutoff):
    found = pairs_within(vectors, metric, 2.0)
    graph = nx.Graph(pair for pair, far in found.items() if far <= cutoff)
    graph.add_nodes_from(range(len(vectors)))
    parts = groups(clustered(matcher_of(vectors, metric), found, at(cutoff), 1e-9).label)
    assert parts == {frozenset(component) for component in nx.connected_components(graph)}


@metrics
@pytest.mark.parametrize("rows", [0, 1, 5])
def test_without_pairs_every_row_is_its_own_cluster(metric, rows):
    clusters = clustered(matcher_of(np.eye(5, dtype=np.float32)[:rows], metric), {}, at(0.1), at(0.2))
    assert len(np.unique(clusters.label)) == rows
    assert clusters.weakest.tolist() == [1] * rows


@repeatable
@given(st.data())
def test_clusters_are_numbered_by_size_then_rank_and_keep_their_best_question(data):
    label_of_row = data.draw(st.lists(st.integers(0, 5), min_size=1, max_size=8))
    label = np.unique(label_of_row, return_inverse=True)[1].astype(np.int64)
    clusters = Clusters(label, np.linspace(0, 1, label.max() + 1))
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
    assert named.weakest.tolist() == [clusters.weakest[one] for one, _ in expected]
    assert named.texts.tolist() == [int((label == one).sum()) for one, _ in expected]
    for number, (_, questions) in enumerate(expected, start=1):
        assert np.flatnonzero(named.number == number).tolist() == sorted(questions)


def test_exact_copies_share_the_cluster_of_their_row():
    clusters = Clusters(np.array([0, 1], dtype=np.int64), np.ones(2))
    named = name_clusters(clusters, row=np.array([0, 1, 1, 1]), rank=np.array([0, 3, 1, 2]))
    assert named.number.tolist() == [2, 1, 1, 1]
    assert named.canonical.tolist() == [2, 0]
    assert named.size.tolist() == [3, 1]
