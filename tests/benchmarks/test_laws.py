"""A power law that is there is found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import repeatable

from benchmarks.laws import law_of


@repeatable
@given(st.floats(1e-7, 1e-3), st.floats(1.0, 3.0), st.lists(st.integers(10, 10**6), min_size=2, unique=True))
def test_times_of_a_power_law_are_foretold(factor: float, exponent: float, sizes: list[int]) -> None:
    law = law_of({size: factor * size**exponent for size in sizes})
    assert law is not None
    assert law.seconds(10**7) == pytest.approx(factor * (10.0**7) ** exponent, rel=1e-3)
    assert law.sizes == tuple(sorted(sizes)[-2:])


def test_nothing_is_foretold_of_what_was_never_measured() -> None:
    assert law_of({}) is None


def test_one_measurement_foretells_no_less_than_in_proportion() -> None:
    law = law_of({1000: 2.0})
    assert law is not None
    assert law.seconds(5000) == pytest.approx(10.0)


def test_a_start_that_costs_more_than_the_work_does_not_make_more_questions_cheaper() -> None:
    law = law_of({1000: 2.0, 2000: 1.9})
    assert law is not None
    assert law.seconds(4000) == pytest.approx(3.8)
