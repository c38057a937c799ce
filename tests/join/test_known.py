"""A join that knows of an earlier one finds what a join of everything finds, and compares only what is fresh."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import as_dict, clustered_unit_rows, grid_vectors, pairs_within, repeatable

from dedup.join import Cutoff, Joined, Known, moved, self_join
from dedup.join.cells import NearestCells
from dedup.join.recall import references_needed
from dedup.progress import Silent
from dedup.questions import Float32, Metric, Pairs
from dedup.reference import nearest_reference

metrics = pytest.mark.parametrize("metric", list(Metric))


def joined(
    vectors: Float32,
    metric: Metric,
    cutoff: Cutoff,
    *,
    known: Known | None = None,
    cells: int = 0,
    margin: float = 0.0,
) -> Joined:
    near = nearest_reference(vectors, vectors[:cells]) if cells else None
    return self_join(
        vectors, metric, cutoff, near=near, recall_floor=0.9, progress=Silent(), known=known, margin=margin
    )


def within(pairs: Pairs, cutoff: Cutoff) -> dict[tuple[int, int], np.float32]:
    """Return the pairs that lie within the cut-off."""
    return as_dict(pairs.where(pairs.distance <= cutoff.of(pairs.left, pairs.right)))


def rows_now(then: np.ndarray, now: np.ndarray) -> np.ndarray:
    """Return where each of the rows ``then`` stands among those of ``now``; -1 where it is gone."""
    place = {row: at for at, row in enumerate(now.tolist())}
    return np.array([place.get(row, -1) for row in then.tolist()], dtype=np.int64)


@metrics
@repeatable
@given(
    vectors=grid_vectors(14),
    had=st.lists(st.booleans(), min_size=14, max_size=14),
    has=st.lists(st.booleans(), min_size=14, max_size=14),
    cutoff=st.sampled_from([0.125, 0.25, 0.5, 1.0]),
    before=st.lists(st.sampled_from([0.0, 0.0625, 0.25]), min_size=14, max_size=14),
    after=st.lists(st.sampled_from([0.0, 0.0625, 0.25]), min_size=14, max_size=14),
)
def test_after_additions_deletions_and_moved_cutoffs_it_equals_a_whole_join(
    metric, vectors, had, has, cutoff, before, after
):
    then, now = (np.flatnonzero(marks[: len(vectors)]) for marks in (had, has))
    earlier = joined(vectors[then], metric, Cutoff(cutoff, np.array(before, dtype=np.float32)[then]))
    known = moved(earlier.pairs, earlier.covered, rows_now(then, now), len(now))
    asked = Cutoff(cutoff, np.array(after, dtype=np.float32)[now])
    extended = joined(vectors[now], metric, asked, known=known)
    assert within(extended.pairs, asked) == as_dict(joined(vectors[now], metric, asked).pairs)
    assert as_dict(extended.pairs) == within(extended.pairs, extended.covered)


@metrics
def test_many_joins_one_after_the_other_equal_one(metric):
    vectors = clustered_unit_rows(5, 300, 16, groups=60, spread=0.3)
    cutoff = Cutoff({Metric.MANHATTAN: 1.0, Metric.EUCLIDEAN: 0.35}[metric])
    shuffled = np.random.default_rng(5).permutation(300)
    then = np.sort(shuffled[:100])
    found = joined(vectors[then], metric, cutoff)
    for size in (150, 151, 300):
        now = np.sort(shuffled[:size])
        known = moved(found.pairs, found.covered, rows_now(then, now), len(now))
        found = joined(vectors[now], metric, cutoff, known=known)
        assert found.compared == len(now) - len(then)
        then = now
    assert as_dict(found.pairs) == pairs_within(vectors, metric, cutoff.distance)


@metrics
def test_what_is_known_is_not_looked_for_again(metric):
    vectors = clustered_unit_rows(6, 200, 16, groups=20, spread=0.3)
    first = joined(vectors, metric, Cutoff(0.5))
    again = joined(vectors, metric, Cutoff(0.5), known=moved(first.pairs, first.covered, np.arange(200), 200))
    assert (first.compared, again.compared) == (200, 0)
    assert as_dict(again.pairs) == as_dict(first.pairs)


def test_rows_are_fresh_where_their_cutoff_outgrew_the_margin():
    vectors = clustered_unit_rows(7, 100, 16, groups=20, spread=0.3)
    near, rows = Cutoff(0.4, np.zeros(100, dtype=np.float32)), np.arange(100)
    first = joined(vectors, Metric.EUCLIDEAN, near, margin=0.05)
    known = moved(first.pairs, first.covered, rows, 100)
    assert not known.fresh(Cutoff(0.4, np.full(100, -0.04, dtype=np.float32))).any()
    shrunk = np.where(rows < 7, np.float32(-0.06), np.float32(0.3))
    assert known.fresh(Cutoff(0.4, shrunk)).nonzero()[0].tolist() == list(range(7))
    assert known.fresh(Cutoff(0.41)).all()
    assert known.fresh(Cutoff(0.39)).all()


def test_with_a_margin_all_within_the_cutoff_are_found_and_all_within_what_is_covered():
    vectors = clustered_unit_rows(9, 200, 16, groups=20, spread=0.3)
    found = joined(vectors, Metric.EUCLIDEAN, Cutoff(0.4), margin=0.05)
    assert as_dict(found.pairs) == pairs_within(vectors, Metric.EUCLIDEAN, np.float32(0.4) + np.float32(0.1))


@metrics
def test_in_cells_new_rows_find_their_pairs_among_old_ones(metric):
    vectors = clustered_unit_rows(8, 3000, 16, groups=600, spread=0.25)
    cutoff = Cutoff({Metric.MANHATTAN: 1.0, Metric.EUCLIDEAN: 0.35}[metric])
    now, then = np.arange(3000), np.sort(np.random.default_rng(8).permutation(3000)[:2900])
    first = joined(vectors[then], metric, cutoff, cells=64)
    known = moved(first.pairs, first.covered, rows_now(then, now), 3000)
    second = joined(vectors, metric, cutoff, known=known, cells=64)
    assert second.compared == 100
    truth, found = pairs_within(vectors, metric, cutoff.distance), as_dict(second.pairs)
    assert set(found) <= set(truth)
    assert len(found) >= 0.9 * len(truth)
    new = {pair for pair in truth if not set(pair) <= set(then.tolist())}
    assert len(new & set(found)) >= 0.9 * len(new)


@metrics
def test_few_new_rows_visit_and_the_others_stay_at_home(metric, monkeypatch):
    monkeypatch.setattr("dedup.join.joining.references_needed", lambda *_: 3)
    vectors = clustered_unit_rows(8, 3000, 16, groups=600, spread=0.25)
    cutoff = Cutoff({Metric.MANHATTAN: 1.0, Metric.EUCLIDEAN: 0.35}[metric])
    new = np.sort(np.random.default_rng(8).permutation(3000)[:100])
    old = np.setdiff1d(np.arange(3000), new)
    nothing = moved(joined(vectors[old], metric, Cutoff(0.0)).pairs, cutoff, rows_now(old, np.arange(3000)), 3000)
    near = nearest_reference(vectors, vectors[:64])
    found = self_join(vectors, metric, cutoff, near=near, recall_floor=0.01, progress=Silent(), known=nothing)
    visits = dict(zip(new.tolist(), NearestCells(vectors, 64).around_some(new, 3).tolist(), strict=True))
    home = NearestCells(vectors, 64).around(near)[:, 0].tolist()
    expected = {
        (left, right)
        for left, right in pairs_within(vectors, metric, cutoff.distance)
        if home[right] in visits.get(left, ()) or home[left] in visits.get(right, ())
    }
    assert set(as_dict(found.pairs)) == expected
    assert len(found.pairs) == len(expected), "each once"


def test_as_many_cells_are_visited_as_enough_pairs_need():
    cells = np.array([[2, 0, 1], [1, 2, 0], [0, 1, 2], [0, 1, 3]], dtype=np.int16)
    homes = np.array([2, 2, 2, 2], dtype=np.int16)
    assert [references_needed(homes, cells, floor) for floor in (-0.7, -0.3, 0.1, 0.3, 0.9)] == [1, 2, 3, None, None]


@metrics
def test_where_too_little_is_known_cells_find_all_anew(metric):
    vectors = clustered_unit_rows(8, 1500, 16, groups=300, spread=0.25)
    cutoff = Cutoff({Metric.MANHATTAN: 1.0, Metric.EUCLIDEAN: 0.35}[metric])
    anew = joined(vectors, metric, cutoff, cells=64)
    half = np.arange(len(anew.pairs)) % 2 == 0
    known = moved(anew.pairs.where(half), anew.covered, np.arange(len(vectors)), len(vectors))
    found = joined(vectors, metric, cutoff, known=known, cells=64)
    assert as_dict(found.pairs) == as_dict(anew.pairs)
    assert found.visits == anew.visits > 0, "not all with all"
