"""The nearest reference vectors are those of brute force, whatever proposes them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from oracles import clustered_unit_rows, grid_vectors, repeatable

from dedup.products import Bfloat16, Single
from dedup.reference import NEAREST, nearest, nearest_reference

arithmetics = pytest.mark.parametrize("arithmetic", [Single(), Bfloat16()], ids=["single", "bfloat16"])


@pytest.fixture
def vectors() -> np.ndarray:
    return clustered_unit_rows(3, 700, 48, groups=20, spread=0.4)


@arithmetics
@pytest.mark.parametrize("size", [1, 20, 32, 300])
def test_the_nearest_are_those_of_brute_force(arithmetic, size, vectors, monkeypatch):
    monkeypatch.setattr(nearest, "arithmetic_for", lambda _: arithmetic)
    near = nearest_reference(vectors, vectors[:size])
    table = ((vectors[:, None, :].astype(np.float64) - vectors[None, :size]) ** 2).sum(axis=2)
    k = min(size, NEAREST)
    assert near.row.shape == near.squared.shape == (700, k)
    np.testing.assert_allclose(near.squared, np.sort(table, axis=1)[:, :k], atol=1e-6)
    np.testing.assert_allclose(np.take_along_axis(table, near.row.astype(int), axis=1), near.squared, atol=1e-6)


@arithmetics
@repeatable
@given(vectors=grid_vectors(40, fewest_rows=35))
def test_of_equally_near_ones_the_first_is_taken(arithmetic, vectors):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nearest, "arithmetic_for", lambda _: arithmetic)
        near = nearest_reference(vectors, vectors)
    table = ((vectors[:, None, :] - vectors[None]) ** 2).sum(axis=2)  # of a grid: without rounding
    np.testing.assert_array_equal(near.row, np.argsort(table, axis=1, kind="stable")[:, :NEAREST])


def test_neither_arithmetic_nor_block_changes_a_digit(vectors, monkeypatch):
    found = []
    for arithmetic, block in ((Single(), 256), (Bfloat16(), 256), (Single(), 7), (Bfloat16(), 64)):
        monkeypatch.setattr(nearest, "arithmetic_for", lambda _, chosen=arithmetic: chosen)
        monkeypatch.setattr(nearest, "_BLOCK", block)
        found.append(nearest_reference(vectors, vectors[:400]))
    for other in found[1:]:
        np.testing.assert_array_equal(other.row, found[0].row)
        np.testing.assert_array_equal(other.squared, found[0].squared)


def test_progress_counts_the_vectors(vectors):
    told = []
    nearest_reference(vectors, vectors[:40], told.append)
    assert sum(told) == len(vectors)
