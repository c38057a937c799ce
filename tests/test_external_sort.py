"""Rows that come in parts are given back in order, however many runs they make."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import repeatable

from dedup import external_sort
from dedup.external_sort import ExternalSort


@repeatable
@given(
    numbers=st.lists(st.integers(-(2**62), 2**62), unique=True, max_size=60),
    cuts=st.lists(st.integers(0, 60), max_size=8),
    run=st.sampled_from([1, 3, 10, 1000]),
)
def test_all_rows_come_back_in_the_order_of_their_first_column(numbers: list[int], cuts: list[int], run: int) -> None:
    number = np.array(numbers, dtype=np.int64)
    share = (number % 1000).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(external_sort, "_RUN", run)
        gathered = ExternalSort(np.int64, np.float32)
        for rows in np.split(np.arange(len(number)), sorted(cuts)):
            gathered.add(number[rows], share[rows])
        ordered, beside = gathered.in_order()
    expected = np.argsort(number)
    assert ordered.tolist() == number[expected].tolist()
    assert beside.tolist() == share[expected].tolist()
    assert (ordered.dtype, beside.dtype) == (np.int64, np.float32)


@repeatable
@given(st.lists(st.integers(-2, 2), max_size=60), st.sampled_from([1, 3, 10, 1000]))
def test_rows_that_share_a_number_stay_in_the_order_in_which_they_came(numbers: list[int], run: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(external_sort, "_RUN", run)
        gathered = ExternalSort(np.int64, np.int64, ties=True)
        for at, number in enumerate(numbers):
            gathered.add(np.array([number]), np.array([at]))
        ordered, came = gathered.in_order()
    assert list(zip(ordered.tolist(), came.tolist(), strict=True)) == sorted(zip(numbers, range(60), strict=False))


def test_rows_that_share_a_number_are_merged_without_being_sorted_together(monkeypatch):
    monkeypatch.setattr(external_sort, "_RUN", 10)
    numbers = np.concatenate([np.arange(40), np.full(400, 17), np.arange(40)])
    runs = [(np.sort(some),) for some in np.split(numbers, 48)]
    for first, last in zip(external_sort._cuts(runs), external_sort._cuts(runs)[1:], strict=False):
        there = np.concatenate([run[0][a:b] for run, a, b in zip(runs, first, last, strict=True)])
        assert len(there) <= 60 or set(there.tolist()) == {17}


def test_a_part_that_is_larger_than_a_run_is_cut_up(monkeypatch):
    monkeypatch.setattr(external_sort, "_RUN", 10)
    gathered = ExternalSort(np.int64)
    gathered.add(np.arange(95)[::-1])
    assert [len(run[0]) for run in gathered._runs] == [10] * 9
    assert gathered.in_order()[0].tolist() == list(range(95))
