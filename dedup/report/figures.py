"""How the report writes numbers. Rounding never turns a number into a certainty: 0.9999 is not 1, 0.0001 is not 0."""

from __future__ import annotations

_MINUS = "−"


def whole(number: int) -> str:
    """Return a count with thousands separators: 1,234,567."""
    return f"{number:,}"


def counted(number: int, thing: str) -> str:
    """Return a count and what it counts: 1 pair, 1,234 pairs."""
    return f"{whole(number)} {thing}" if number == 1 else f"{whole(number)} {thing}s"


def fraction(value: float, digits: int = 3) -> str:
    """Return a number from 0 to 1 with ``digits`` decimals; what only rounds to 0 or 1 is <0.001 or >0.999."""
    least = 10.0**-digits
    if 0 < value < least / 2:
        return f"<{least:.{digits}f}"
    if 1 - least / 2 <= value < 1:
        return f">{1 - least:.{digits}f}"
    return f"{value:.{digits}f}"


def share(part: float, total: float) -> str:
    """Return ``part`` as a percentage of ``total`` with one decimal; a dash where there is no total."""
    if not total:
        return "–"
    percentage = 100 * part / total
    if 0 < percentage < 0.05:
        return "<0.1%"
    if 99.95 <= percentage < 100:
        return ">99.9%"
    return f"{percentage:.1f}%"


def measure(value: float) -> str:
    """Return a distance or a coefficient to six significant digits, with a true minus sign."""
    return f"{value:.6g}".replace("-", _MINUS)


def seconds(value: float) -> str:
    """Return seconds with two decimals, so that a column of them lines up."""
    return f"{value:,.2f}"


def duration(value: float) -> str:
    """Return seconds as a person says them: 8.4 s, 3 min 20 s, 2 h 5 min."""
    if round(value, 1) < 60:
        return f"{value:.1f} s"
    minutes, left = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {left} s"
    return f"{minutes // 60:,} h {minutes % 60} min"


def rate(value: float) -> str:
    """Return a rate with separators, and with one decimal where it has less than three digits before it."""
    return f"{value:,.1f}" if round(value, 1) < 100 else f"{value:,.0f}"


def megabytes(value: int) -> str:
    """Return bytes as whole megabytes: 1,235 MB."""
    return f"{value / 1e6:,.0f} MB"


def compact(number: float) -> str:
    """Return a round number of an axis in few characters: 8,000, 20k, 1.5M."""
    if number >= 10_000:
        for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
            if number >= size:
                return f"{number / size:g}{letter}"
    return f"{number:,g}"


def fact(value: object) -> str:
    """Return a value of the classifier's fit: counts with separators, other numbers short, the rest as it is."""
    if isinstance(value, float):
        return measure(value)
    return whole(value) if isinstance(value, int) and not isinstance(value, bool) else str(value)
