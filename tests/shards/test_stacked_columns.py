"""Columns of shards one after the other are those of the whole."""

from __future__ import annotations

import numpy as np
import pytest

from dedup.features import Described
from dedup.features.lexical import describe, fit_idf
from dedup.shards.columns import as_arrays, as_batch, described_columns, described_of, joined, stacked

TEXTS = ["how do i boil an egg", "", "the", "can one paint 2 houses", "why not", "", ""]


@pytest.mark.parametrize("cuts", [[], [1], [1, 2, 5], [0, 7]])
def test_parts_are_stacked_as_they_come(cuts):
    traits = describe(TEXTS)
    idf = fit_idf(traits)
    crowding = np.arange(len(TEXTS), dtype=np.float32)
    bounds = list(zip([0, *cuts], [*cuts, len(TEXTS)], strict=True))
    rows = [np.arange(start, stop) for start, stop in bounds if start < stop]
    parts = [as_arrays(as_batch(described_columns(Described(crowding[some], traits.take(some), idf)))) for some in rows]
    words = len(traits.content.columns)
    for whole in (stacked(iter(parts), len(TEXTS), words), joined(parts)):
        found = described_of(whole, idf)
        assert found.traits is not None
        np.testing.assert_array_equal(found.crowding, crowding)
        np.testing.assert_array_equal(found.traits.content.columns, traits.content.columns)
        np.testing.assert_array_equal(found.traits.content.starts, traits.content.starts)
        for name in ("numbers", "negated", "asks", "tokens", "bag", "sequence"):
            np.testing.assert_array_equal(getattr(found.traits, name), getattr(traits, name))


def test_nothing_described_is_nothing_stacked():
    assert stacked(iter([]), 5, 0) == {}
