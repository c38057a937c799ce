"""Meters go up by what was done between two readings."""

from __future__ import annotations

import numpy as np

from dedup.meters import Reading, multiplied, read_meters
from dedup.products import Single

EARLIER = Reading(10.0, 4.0, 100, 50, {"fp32": 7.0})
LATER = Reading(12.5, 8.5, 400, 50, {"fp32": 9.0, "bf16": 6.0})


def test_what_was_done_between_two_readings_is_their_difference() -> None:
    assert LATER.since(EARLIER) == Reading(2.5, 4.5, 300, 0, {"fp32": 2.0, "bf16": 6.0})
    assert LATER.since(LATER) == Reading()


def test_two_stretches_of_work_add_up() -> None:
    assert EARLIER.plus(LATER.since(EARLIER)) == LATER


def test_operations_are_counted_by_precision() -> None:
    before = read_meters()
    multiplied(3e9, "bf16")
    multiplied(5e9, "bf16")
    multiplied(2e9, "fp32")
    assert read_meters().since(before).operations == {"bf16": 8e9, "fp32": 2e9}


def test_a_product_counts_two_operations_for_each_multiplication() -> None:
    single, before = Single(), read_meters()
    left, right = (single.operand(np.ones((rows, 7), dtype=np.float32)) for rows in (3, 5))
    single.not_negative(left, right)
    assert read_meters().since(before).operations == {"fp32": 2 * 3 * 5 * 7}


def test_time_goes_on_for_the_wall_and_for_the_cores() -> None:
    before = read_meters()
    while read_meters().since(before).core_seconds < 0.05:
        pass
    assert read_meters().since(before).seconds > 0
