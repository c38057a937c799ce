"""A stage's profile names the resource whose limit it came nearest to."""

from __future__ import annotations

import pytest

from dedup.limits import NO_LIMITS, Limits
from dedup.meters import Reading
from dedup.profile import Use, profile
from dedup.progress import Stage

LIMITS = Limits({"bf16": 800e9, "fp32": 100e9}, reading=500e6, writing=200e6)


def use_of(took: Reading, limits: Limits = LIMITS) -> Use | None:
    (only,) = profile({"join": Stage("cells", 40, took)}, limits)
    return only.use


def test_rates_and_busy_cores_are_by_the_second_of_the_wall() -> None:
    stages = {"read": Stage("rows", 300, Reading(2.0, 1.0)), "join": Stage("cells", 40, Reading(8.0, 14.0))}
    read, join = profile(stages, LIMITS)
    assert (read.name, read.unit, read.items, read.seconds, read.rate, read.cores) == ("read", "rows", 300, 2, 150, 0.5)
    assert (join.name, join.rate, join.cores) == ("join", 5.0, 1.75)


@pytest.mark.parametrize(
    ("took", "expected"),
    [
        (Reading(2.0, operations={"bf16": 800e9}), Use("bf16 products", "GFLOP/s", 400.0, 800.0)),
        (Reading(2.0, operations={"bf16": 200e9, "fp32": 120e9}), Use("fp32 products", "GFLOP/s", 60.0, 100.0)),
        (Reading(2.0, 0.0, 900_000_000, 100_000_000), Use("reading", "MB/s", 450.0, 500.0)),
        (Reading(2.0, 0.0, 100_000_000, 300_000_000), Use("writing", "MB/s", 150.0, 200.0)),
    ],
)
def test_the_nearest_limit_is_named(took: Reading, expected: Use) -> None:
    assert use_of(took) == expected


def test_a_stage_far_from_every_limit_has_none() -> None:
    assert use_of(Reading(2.0, 2.0, 1000, 1000, {"bf16": 1e9})) is None
    assert use_of(Reading(0.0)) is None


def test_what_was_not_measured_is_no_limit() -> None:
    assert use_of(Reading(2.0, 2.0, 10**9, 10**9, {"bf16": 1e12}), NO_LIMITS) is None


def test_a_share_is_of_the_limit() -> None:
    assert Use("reading", "MB/s", 150.0, 200.0).share == 0.75
