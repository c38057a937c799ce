"""What differs between two sets of rows with keys, as arrays: so that only that is written."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dedup.questions import Float32, Float64, Int64, places_of

Values = Int64 | Float32 | Float64


def pair_places(left: Int64, right: Int64, questions: Int64) -> Int64:
    """Return one number for each pair of questions, (n,), in the order of (left, right).

    ``questions``, (m,) ascending, has all that occur.
    """
    places: Int64 = np.searchsorted(questions, left) * np.int64(len(questions)) + np.searchsorted(questions, right)
    return places


def differing(
    before: Int64, after: Int64, columns: Sequence[tuple[Values, Values]]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Tell which rows of ``before`` are no longer there, and which of ``after`` are new or have another value.

    Parameters
    ----------
    before, after
        (n,) and (m,) keys, each ascending and distinct.
    columns
        The values of one column before, (n,), and after, (m,).
    """
    if not len(before):
        return np.zeros(0, dtype=bool), np.ones(len(after), dtype=bool)
    at = places_of(before, after)
    known = at >= 0
    still = np.zeros(len(before), dtype=bool)
    still[at[known]] = True
    written = ~known
    for values_before, values_after in columns:
        written |= known & (values_before[at] != values_after)
    return ~still, written
