"""Numbers are written so that they can be read, and rounding never makes a certainty of them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.report.figures import compact, counted, duration, fact, fraction, measure, seconds, share, whole


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (whole(1_234_567), "1,234,567"),
        (counted(1, "pair"), "1 pair"),
        (counted(0, "pair"), "0 pairs"),
        (counted(1_200, "pair"), "1,200 pairs"),
        (fraction(0.5), "0.500"),
        (fraction(0.99682, 4), "0.9968"),
        (fraction(0.99999, 4), ">0.9999"),
        (share(1, 3), "33.3%"),
        (share(0, 3), "0.0%"),
        (share(1, 1_000_000), "<0.1%"),
        (share(999_999, 1_000_000), ">99.9%"),
        (share(3, 3), "100.0%"),
        (share(0, 0), "–"),
        (measure(-6.10551), "−6.10551"),
        (measure(0.7444217), "0.744422"),
        (measure(0.5), "0.5"),
        (seconds(1480.333), "1,480.33"),
        (duration(8.44), "8.4 s"),
        (duration(59.96), "1 min 0 s"),
        (duration(1672.7), "27 min 53 s"),
        (duration(3599.7), "1 h 0 min"),
        (duration(7_500), "2 h 5 min"),
        (compact(0), "0"),
        (compact(8_000), "8,000"),
        (compact(20_000), "20k"),
        (compact(1_500_000), "1.5M"),
        (compact(2e9), "2G"),
        (fact(10_210), "10,210"),
        (fact(0.369), "0.369"),
        (fact(True), "True"),
        (fact("scikit-learn 1.7"), "scikit-learn 1.7"),
    ],
)
def test_a_number_is_written_as_a_reader_expects(written: str, expected: str) -> None:
    assert written == expected


@settings(derandomize=True)
@given(st.floats(0, 1))
def test_a_fraction_reads_as_0_or_1_only_where_it_is(value: float) -> None:
    written = fraction(value)
    assert (written == "0.000") == (value == 0)
    assert (written == "1.000") == (value == 1)
    assert abs(float(written.lstrip("<>")) - value) <= 0.001


@settings(derandomize=True)
@given(st.integers(0, 10**9), st.integers(1, 10**9))
def test_a_share_reads_as_none_or_all_only_where_it_is(part: int, total: int) -> None:
    part = min(part, total)
    written = share(part, total)
    assert (written == "0.0%") == (part == 0)
    assert (written == "100.0%") == (part == total)
    assert abs(float(written.strip("<>%")) - 100 * part / total) <= 0.1
