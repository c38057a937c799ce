"""The join finds the pairs that comparing everything with everything finds, and says how many of them it missed."""

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import as_dict, clustered_unit_rows, grid_vectors, pairs_within, random_unit_rows, repeatable

from dedup.distance import cross_distances
from dedup.join import Cutoff, Joined, Known, recall, self_join
from dedup.join.cells import NearestCells
from dedup.products import Bfloat16, Single
from dedup.progress import Silent
from dedup.questions import Float32, Metric, Pairs
from dedup.reference import Near, nearest_reference

metrics = pytest.mark.parametrize("metric", list(Metric))
WIDTH = {Metric.MANHATTAN: 2.0, Metric.EUCLIDEAN: 0.6}  # a cut-off with as many pairs in both, in 16 dimensions


def joined(vectors: Float32, metric: Metric, cutoff: float, **cells) -> Joined:
    return self_join(
        vectors, metric, Cutoff(cutoff), **{"near": None, "recall_floor": 0.99, **cells}, progress=Silent()
    )


def cells_of(vectors: Float32, count: int) -> Near:
    return nearest_reference(vectors, vectors[:count])


@pytest.fixture
def small_tiles(monkeypatch):
    make_tiles(monkeypatch, 3)


def make_tiles(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    monkeypatch.setattr("dedup.join.joining._ROWS", rows)
    monkeypatch.setattr("dedup.join.joining._PRODUCTS", 2 * rows * rows)


def within(vectors: Float32, metric: Metric, cutoff: float) -> set[tuple[int, int]]:
    left, right = np.nonzero(np.triu(cross_distances(vectors, vectors, metric) <= cutoff, 1))
    return set(zip(left.tolist(), right.tolist(), strict=True))


@metrics
@pytest.mark.parametrize("tile", [1, 3, 2048])
@repeatable
@given(vectors=grid_vectors(14), cutoff=st.sampled_from([0.0, 0.125, 0.25, 0.5, 1.0, 9.0]))
def test_comparing_all_with_all_equals_looking_at_every_pair(metric, tile, vectors, cutoff):
    with pytest.MonkeyPatch.context() as patch:
        make_tiles(patch, tile)
        found = joined(vectors, metric, cutoff)
    assert as_dict(found.pairs) == pairs_within(vectors, metric, cutoff)
    assert (found.recall, found.visits) == (1.0, 0)


@metrics
@pytest.mark.parametrize("rows", [0, 1, 2, 3, 4, 7])
def test_a_corpus_of_a_few_rows(metric, rows, small_tiles):
    vectors = np.repeat(random_unit_rows(1, 1, 8), rows, axis=0)
    assert set(as_dict(joined(vectors, metric, 0.0).pairs)) == within(vectors, metric, 0.0)
    assert len(joined(vectors, metric, 0.0).pairs) == rows * (rows - 1) // 2


@metrics
def test_no_pair_is_under_a_negative_cutoff(metric):
    vectors = np.repeat(random_unit_rows(1, 1, 8), 5, axis=0)
    assert len(joined(vectors, metric, -0.1).pairs) == 0


@metrics
def test_near_duplicates_at_the_cutoff_are_not_lost_to_rounding(metric):
    """BLAS and SIMD round otherwise than `dedup.distance`, by which a pair is in or out."""
    vectors = clustered_unit_rows(2, 400, 384, groups=40, spread=0.001)
    distances = np.sort(cross_distances(vectors, vectors, metric)[np.triu_indices(len(vectors), 1)])
    for cutoff in distances[[0, 10, 1000, 1500]].tolist():
        assert set(as_dict(joined(vectors, metric, cutoff).pairs)) == within(vectors, metric, cutoff)


@metrics
def test_a_large_group_of_near_copies_yields_all_its_pairs(metric):
    vectors = clustered_unit_rows(3, 3000, 4, groups=1, spread=0.01)
    found = joined(vectors, metric, 1.0)
    assert len(found.pairs) == 3000 * 2999 // 2
    assert (found.pairs.left < found.pairs.right).all()
    assert (np.diff(found.pairs.left * 3000 + found.pairs.right) > 0).all()


@metrics
def test_the_order_of_the_rows_changes_nothing(metric, small_tiles):
    vectors = clustered_unit_rows(4, 120, 16, groups=20, spread=0.3)
    order = np.random.default_rng(5).permutation(len(vectors))
    found = as_dict(joined(vectors, metric, WIDTH[metric]).pairs)
    shuffled = as_dict(joined(vectors[order], metric, WIDTH[metric]).pairs)
    assert len(found) > 100
    assert found == {tuple(sorted((int(order[i]), int(order[j])))): far for (i, j), far in shuffled.items()}


@pytest.fixture(autouse=True)
def small_cells(monkeypatch):
    monkeypatch.setattr("dedup.join.cells.RESIDENTS", 1)  # each reference vector makes a cell, however few the rows


@metrics
@pytest.mark.parametrize("residents", [1, 30], ids=["a cell each", "few cells"])
@pytest.mark.parametrize("cells", [1, 2, 5, 16])
@pytest.mark.parametrize("tile", [3, 2048])
def test_visiting_every_cell_finds_what_comparing_all_with_all_finds(metric, cells, tile, residents, monkeypatch):
    make_tiles(monkeypatch, tile)
    monkeypatch.setattr("dedup.join.cells.RESIDENTS", residents)
    monkeypatch.setattr(recall, "VISITS", (cells,))
    vectors = clustered_unit_rows(6, 300, 16, groups=30, spread=0.5)
    near = nearest_reference(vectors, random_unit_rows(7, cells, 16))
    found = joined(vectors, metric, WIDTH[metric], near=near)
    assert as_dict(found.pairs) == as_dict(joined(vectors, metric, WIDTH[metric]).pairs)
    assert (found.visits, found.recall) == (cells, 1.0)


@metrics
@pytest.mark.parametrize("visits", [1, 2, 3, 7])
@settings(repeatable, max_examples=40)
@given(
    vectors=grid_vectors(20, fewest_rows=7),
    cutoff=st.sampled_from([0.125, 0.5, 9.0]),
    residents=st.sampled_from([1, 4]),
)
def test_no_pair_is_given_twice_or_wrongly_and_none_that_shares_a_home_is_missed(
    metric, visits, vectors, cutoff, residents
):
    near = nearest_reference(vectors, np.unique(vectors, axis=0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recall, "VISITS", (visits,))
        patch.setattr("dedup.join.cells.RESIDENTS", residents)
        make_tiles(patch, 3)
        found = as_dict(joined(vectors, metric, cutoff, near=near, recall_floor=0.0).pairs)
    truth = pairs_within(vectors, metric, cutoff)
    assert found.items() <= truth.items()
    at_home = {(i, j) for i, j in truth if (vectors[i] == vectors[j]).all()}  # every vector is a reference vector
    assert at_home <= set(found)


@metrics
def test_the_recall_stated_is_the_recall_there_is(metric, monkeypatch):
    monkeypatch.setattr(recall, "VISITS", (1,))
    vectors = clustered_unit_rows(8, 2000, 16, groups=150, spread=0.6)
    near = cells_of(vectors, 250)
    found = joined(vectors, metric, WIDTH[metric], near=near, recall_floor=0.0)
    truth = set(as_dict(joined(vectors, metric, WIDTH[metric]).pairs))
    measured = len(truth & set(as_dict(found.pairs))) / len(truth)
    assert 0.3 < measured < 0.97  # a recall worth stating
    assert found.recall == pytest.approx(measured, abs=0.05)


@metrics
@pytest.mark.parametrize("floor", [0.9, 0.99, 0.999])
def test_cells_are_visited_until_the_floor_is_kept(metric, floor):
    vectors = clustered_unit_rows(9, 2000, 16, groups=150, spread=0.6)
    near = cells_of(vectors, 250)
    found = joined(vectors, metric, WIDTH[metric], near=near, recall_floor=floor)
    truth = set(as_dict(joined(vectors, metric, WIDTH[metric]).pairs))
    assert len(truth) > 1000  # enough to tell the floors apart
    assert found.recall >= floor
    assert len(truth & set(as_dict(found.pairs))) / len(truth) >= floor - 0.005


@metrics
def test_duplicates_too_few_for_a_sample_to_hold_are_found_all_the_same(metric):
    """A sample without a single pair says nothing of the recall; it once chose the fewest visits, and lost pairs."""
    random = np.random.default_rng(12)
    vectors = random_unit_rows(13, 4000, 32)
    copies = vectors[:15] + 0.55 * random_unit_rows(14, 15, 32)
    vectors[random.permutation(np.arange(15, 4000))[:15]] = copies / np.linalg.norm(copies, axis=1, keepdims=True)
    near = cells_of(vectors, 250)
    cutoff = {Metric.MANHATTAN: 2.75, Metric.EUCLIDEAN: 0.55}[metric]
    truth = as_dict(joined(vectors, metric, cutoff).pairs)
    assert len(truth) in (14, 15)
    assert as_dict(joined(vectors, metric, cutoff, near=near).pairs) == truth


def test_a_row_lies_around_each_cell_once_and_first_around_its_own():
    vectors = clustered_unit_rows(8, 2000, 16, groups=150, spread=0.6)
    near = cells_of(vectors, 250)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dedup.join.cells.RESIDENTS", 50)
        around = NearestCells(vectors, 250).around(near)
    first = cross_distances(vectors[:250], vectors[:40], Metric.EUCLIDEAN).argmin(axis=1)
    for cells, references in zip(around.tolist(), near.row.tolist(), strict=True):
        assert [cell for cell in cells if cell >= 0] == list(dict.fromkeys(first[references].tolist()))


def test_a_choice_by_a_lucky_sample_is_made_again_with_further_ones(monkeypatch):
    vectors = clustered_unit_rows(8, 2000, 16, groups=150, spread=0.6)
    chosen, fewest_visits = [], recall.fewest_visits

    def lucky_at_first(cells_of, tuning, floor):
        chosen.append((len(tuning), fewest_visits(cells_of, tuning, floor) if chosen else 1))
        return chosen[-1][1]

    monkeypatch.setattr(recall, "fewest_visits", lucky_at_first)
    found = joined(vectors, Metric.EUCLIDEAN, WIDTH[Metric.EUCLIDEAN], near=cells_of(vectors, 250))
    truth = as_dict(joined(vectors, Metric.EUCLIDEAN, WIDTH[Metric.EUCLIDEAN]).pairs)
    (first, _), *_, (last, visits) = chosen
    assert last > first
    assert found.visits == visits > 1
    assert len(truth.keys() & as_dict(found.pairs).keys()) >= 0.985 * len(truth)


def test_where_the_nearest_cells_do_not_give_the_recall_that_is_asked_for_more_are_visited(monkeypatch):
    vectors = clustered_unit_rows(8, 2000, 16, groups=150, spread=0.6)
    near = cells_of(vectors, 250)
    monkeypatch.setattr(recall, "VISITS", (2, 3))
    few = joined(vectors, Metric.EUCLIDEAN, WIDTH[Metric.EUCLIDEAN], near=near.first(3), recall_floor=0.5)
    many = joined(vectors, Metric.EUCLIDEAN, WIDTH[Metric.EUCLIDEAN], near=near.first(3), recall_floor=0.995)
    assert few.visits in (2, 3)
    assert many.visits in recall.FURTHER
    assert few.recall < 0.995 <= many.recall


@pytest.mark.parametrize("pairs", [0, 1, 60, 400])
def test_a_sample_of_few_pairs_is_no_reason_to_visit_further_cells(pairs):
    """All meet where 32 cells are visited, and not in fewer: that they are few does not make it 48."""
    cells = np.tile(np.arange(48, dtype=np.int16), (2, 1))
    cells[1, :32] = cells[1, 31::-1]
    apart = Pairs(np.zeros(pairs, np.int64), np.ones(pairs, np.int64), np.zeros(pairs, np.float32))
    assert recall.fewest_visits(lambda rows, count: cells[rows, :count], apart, 0.99) == 32


def test_known_pairs_change_nothing_where_further_cells_are_visited(monkeypatch):
    vectors = clustered_unit_rows(8, 2000, 16, groups=150, spread=0.6)
    near, cutoff = cells_of(vectors, 250).first(3), Cutoff(WIDTH[Metric.EUCLIDEAN])
    monkeypatch.setattr(recall, "VISITS", (2, 3))

    def join(known: Known | None) -> Joined:
        return self_join(
            vectors, Metric.EUCLIDEAN, cutoff, near=near, recall_floor=0.995, progress=Silent(), known=known
        )

    whole = join(None)
    assert whole.visits in recall.FURTHER
    for news in (10, 1000):
        shortfall = np.zeros(len(vectors), dtype=np.float32)
        shortfall[:news] = np.inf
        old = whole.pairs.where((whole.pairs.left >= news) & (whole.pairs.right >= news))
        again = join(Known(old, cutoff.distance, shortfall))
        assert again.compared == news
        assert again.recall >= 0.995
        common = as_dict(again.pairs).keys() & as_dict(whole.pairs).keys()
        assert len(common) >= 0.995 * len(whole.pairs)


@metrics
def test_where_cells_cannot_keep_the_floor_all_is_compared_with_all(metric, monkeypatch, caplog):
    monkeypatch.setattr("dedup.join.recall.fewest_visits", lambda *_: 1)  # as if the tuning sample had been misleading
    vectors = clustered_unit_rows(8, 2000, 16, groups=150, spread=0.6)
    found = joined(vectors, metric, WIDTH[metric], near=cells_of(vectors, 250))
    assert as_dict(found.pairs) == as_dict(joined(vectors, metric, WIDTH[metric]).pairs)
    assert (found.recall, found.visits) == (1.0, 0)
    assert "the recall floor is 0.99: comparing all with all" in caplog.text


@metrics
def test_cells_without_any_pair_are_an_empty_join(metric):
    vectors = np.eye(16, dtype=np.float32)
    found = joined(vectors, metric, 0.5, near=cells_of(vectors, 4))
    assert (len(found.pairs), found.recall) == (0, 1.0)


@metrics
@pytest.mark.parametrize("cells", [{}, {"recall_floor": 1.0}])
def test_each_row_can_fall_short_of_the_cut_off_by_its_own(metric, cells):
    vectors = clustered_unit_rows(4, 300, 16, groups=20, spread=0.6)
    cutoff, random = WIDTH[metric], np.random.default_rng(5)
    shortfall = random.uniform(-0.2, 0.4, len(vectors)).astype(np.float32) * np.float32(cutoff)
    if cells:
        cells = {**cells, "near": cells_of(vectors, 40)}
    found = self_join(
        vectors,
        metric,
        Cutoff(cutoff, shortfall),
        **{"near": None, "recall_floor": 0.99, **cells},
        progress=Silent(),
    )
    allowed = np.float32(cutoff) - shortfall[:, None] - shortfall[None, :]
    left, right = np.nonzero(np.triu(cross_distances(vectors, vectors, metric) <= allowed, 1))
    assert set(zip(found.pairs.left.tolist(), found.pairs.right.tolist(), strict=True)) == set(
        zip(left.tolist(), right.tolist(), strict=True)
    )
    assert 0 < len(left) < 300 * 299 / 2


@metrics
@pytest.mark.parametrize("in_cells", [False, True])
def test_neither_threads_nor_arithmetic_change_a_digit(metric, in_cells, monkeypatch):
    vectors = clustered_unit_rows(9, 1200, 48, groups=150, spread=0.6)
    cutoff = {Metric.MANHATTAN: 4.0, Metric.EUCLIDEAN: 0.7}[metric]
    cells = {"near": cells_of(vectors, 250)} if in_cells else {}
    found, before = [], faiss.omp_get_max_threads()
    for arithmetic, threads in ((Single(), 1), (Bfloat16(), 1), (Bfloat16(), 3)):
        monkeypatch.setattr("dedup.join.joining.arithmetic_for", lambda _, chosen=arithmetic: chosen)
        faiss.omp_set_num_threads(threads)
        found.append(as_dict(joined(vectors, metric, cutoff, **cells).pairs))
    faiss.omp_set_num_threads(before)
    assert len(found[0]) > 500
    assert found[0] == found[1] == found[2]


def test_a_sample_of_a_group_of_near_copies_is_thinned(monkeypatch):
    """Each row has a thousand others under the cut-off: a sample has more pairs than tell anything."""
    monkeypatch.setattr(recall, "_MOST_PAIRS", 1000)
    vectors = clustered_unit_rows(8, 2000, 16, groups=2, spread=0.01)
    seen = []

    def fewest_visits(cells_of, truth, floor):
        seen.append(len(truth))
        return 2

    monkeypatch.setattr(recall, "fewest_visits", fewest_visits)
    found = joined(vectors, Metric.EUCLIDEAN, WIDTH[Metric.EUCLIDEAN], near=cells_of(vectors, 250), recall_floor=0.01)
    assert 0 < found.recall < 1
    assert 900 < min(seen) <= max(seen) <= 6 * 1000
    assert 900 < found.recall_pairs <= 1000


def test_a_reference_vector_that_is_nobodys_nearest_is_one_all_the_same():
    """Of forty identical ones the last are in no list of the 32 nearest, and are looked through all the same."""
    vectors = clustered_unit_rows(8, 2000, 16, groups=150, spread=0.6)
    vectors[210:250] = vectors[249]
    near = cells_of(vectors, 250)
    assert near.references == 250 > near.row.max() + 1
    nearest = NearestCells(vectors, near.references)
    further = nearest.around_some(np.arange(240, 250), 48)
    assert np.array_equal(further, nearest.around(nearest_reference(vectors, vectors[:250], count=48))[240:250])
    guessed = NearestCells(vectors, int(near.row.max()) + 1).around_some(np.arange(240, 250), 48)
    assert not np.array_equal(further, guessed), "by those that are somebody's nearest alone"
