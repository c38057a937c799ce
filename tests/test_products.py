"""Products may be off, and are known by how much: nothing that is looked for is missed, whatever the arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import clustered_unit_rows, random_unit_rows, repeatable

from dedup import products
from dedup.products import Arithmetic, Bfloat16, Single, arithmetic_for
from dedup.questions import Float32

arithmetics = pytest.mark.parametrize("arithmetic", [Single(), Bfloat16()], ids=["single", "bfloat16"])
WIDEST_ERROR = {"Single": 1e-3, "Bfloat16": 0.03}  # of the bound, for vectors about as long as 1


def exactly(left: Float32, right: Float32) -> np.ndarray:
    return left.astype(np.float64) @ right.astype(np.float64).T


def hard_to_round(seed: int, rows: int, dimension: int) -> Float32:
    """Return unit rows whose components all lie half-way between two numbers of eight bits, with one sign for all."""
    random = np.random.default_rng(seed)
    halves = (1 + (2 * random.integers(0, 4, (rows, dimension)) + 1) / 256) / np.sqrt(dimension)
    return halves.astype(np.float32)


@arithmetics
@repeatable
@given(seed=st.integers(0, 10**6), dimension=st.sampled_from([1, 3, 31, 32, 100]), shift=st.floats(-0.05, 0.05))
def test_no_product_of_at_least_zero_is_missed(arithmetic: Arithmetic, seed: int, dimension: int, shift: float) -> None:
    left, right = random_unit_rows(seed, 21, dimension), random_unit_rows(seed + 1, 40, dimension)
    left, right = (np.column_stack([each, np.full(len(each), c)]) for each, c in ((left, 1), (right, shift)))
    left, right = left.astype(np.float32), right.astype(np.float32)
    marked = arithmetic.not_negative(arithmetic.operand(left), arithmetic.operand(right))
    truth = exactly(left, right)
    assert marked.shape == truth.shape
    assert marked[truth >= 0].all()
    assert truth[marked].min(initial=0) >= -WIDEST_ERROR[type(arithmetic).__name__]


@arithmetics
@pytest.mark.parametrize("sign", [1, -1])
def test_no_product_is_missed_where_rounding_is_at_its_worst(arithmetic: Arithmetic, sign: int) -> None:
    one = hard_to_round(1, 200, 384)
    truth = exactly(one, one)
    bound = np.float32(np.quantile(truth, 0.5))
    left = np.column_stack([sign * one, np.full(len(one), -sign * bound)]).astype(np.float32)
    right = np.column_stack([one, np.ones(len(one))]).astype(np.float32)
    marked = arithmetic.not_negative(arithmetic.operand(left), arithmetic.operand(right))
    assert marked[exactly(left, right) >= 0].all()


@arithmetics
@pytest.mark.parametrize("k", [1, 7, 32])
@pytest.mark.parametrize("columns", [5, 32, 33, 260, 1000])
@pytest.mark.parametrize("shift", [-2.0, 0.0, 1.5])
def test_the_largest_products_are_among_those_returned(
    arithmetic: Arithmetic, k: int, columns: int, shift: float
) -> None:
    left = np.column_stack([random_unit_rows(2, 30, 64), np.ones(30)]).astype(np.float32)
    right = np.column_stack([clustered_unit_rows(3, columns, 64, groups=20, spread=0.3), np.full(columns, shift)])
    right = right.astype(np.float32)
    row, column = arithmetic.largest(arithmetic.operand(left), arithmetic.operand(right), k)
    found = set(zip(row.tolist(), column.tolist(), strict=True))
    truth = exactly(left, right)
    for at, products_of_row in enumerate(truth):
        assert {(at, int(best)) for best in np.argsort(-products_of_row)[:k]} <= found
    assert len(found) == len(row)
    assert (np.diff(row * columns + column) > 0).all()
    assert len(row) < 30 * columns or columns <= 4 * k


@arithmetics
def test_rows_taken_are_multiplied_as_they_were(arithmetic: Arithmetic) -> None:
    left, right = random_unit_rows(4, 50, 40), random_unit_rows(5, 300, 40)
    rows, others = np.array([3, 49, 3]), np.arange(299, 20, -1)
    whole = arithmetic.not_negative(arithmetic.operand(left), arithmetic.operand(right))
    some = arithmetic.not_negative(arithmetic.operand(left).take(rows), arithmetic.operand(right).take(others))
    np.testing.assert_array_equal(some, whole[rows][:, others])


@pytest.mark.parametrize("rows", [0, 1, 31, 33, 1000, 5000, 100_001])
def test_arrays_of_many_lengths_come_in_a_few(rows: int) -> None:
    size = products._common_size(rows)
    assert max(rows, 32) <= size <= max(40, rows * 1.26)
    assert len({products._common_size(n) for n in range(1, 10_000)}) < 50


def test_small_work_does_not_wait_for_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "has_bfloat16", lambda: True)
    monkeypatch.delitem(products.sys.modules, "torch", raising=False)
    assert isinstance(arithmetic_for(1e6), Single)
    assert isinstance(arithmetic_for(1e12), Bfloat16)
    monkeypatch.setattr(products, "has_bfloat16", lambda: False)
    assert isinstance(arithmetic_for(1e12), Single)
