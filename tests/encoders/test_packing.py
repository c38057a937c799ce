"""Rows of tokens: nothing is lost, nothing is mixed, and little is left empty."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import repeatable

from dedup.encoders.packing import WIDTH, Batch, pack

lengths = st.lists(st.integers(1, 3 * WIDTH), min_size=1, max_size=60)


def numbered(lengths: list[int]) -> list[list[int]]:
    """Return tokens that are all different, and none of them 0."""
    ends = np.cumsum(lengths)
    return [list(range(1 + end - length, 1 + end)) for end, length in zip(ends.tolist(), lengths, strict=True)]


@settings(repeatable, max_examples=60)
@given(lengths, st.integers(WIDTH, 8 * WIDTH))
def test_every_text_stands_whole_in_one_row_with_its_own_positions(lengths: list[int], per_batch: int) -> None:
    tokens = numbered(lengths)
    seen = []
    for batch in pack(tokens, per_batch):
        width = batch.tokens.shape[1]
        for text, start, length in zip(batch.text, batch.start, batch.length, strict=True):
            row, column = divmod(int(start), width)
            place = row, slice(column, column + int(length))
            assert batch.tokens[place].tolist() == tokens[text]
            assert batch.position[place].tolist() == list(range(length))
            assert (batch.owner[row] == batch.owner[row, column]).sum() == length
            seen.append(int(text))
        assert (batch.owner >= 0).sum() == batch.length.sum() == (batch.tokens > 0).sum()
    assert sorted(seen) == list(range(len(lengths)))


@settings(repeatable, max_examples=40)
@given(lengths)
def test_means_are_those_of_each_texts_own_states(lengths: list[int]) -> None:
    tokens = numbered(lengths)
    for batch in pack(tokens, 4 * WIDTH):
        states = np.stack([batch.tokens, 2.0 * batch.tokens], axis=2).astype(np.float32)
        expected = np.array([[np.mean(tokens[text]), 2 * np.mean(tokens[text])] for text in batch.text])
        np.testing.assert_allclose(batch.means(states), expected, rtol=1e-5)


def test_short_texts_share_rows_and_a_long_one_has_its_own() -> None:
    def widths(batches: list[Batch]) -> dict[int, int]:
        return {batch.tokens.shape[1]: len(batch.text) for batch in batches}

    assert widths(list(pack(numbered([10, 20, 2, 33, 64, 65]), 1024))) == {32: 3, 48: 1, 64: 1, 80: 1}


@pytest.mark.parametrize("seed", range(3))
def test_of_many_short_texts_hardly_a_place_is_left_empty(seed: int) -> None:
    length = np.random.default_rng(seed).integers(3, 25, 2000).tolist()
    places = sum(batch.tokens.size for batch in pack(numbered(length), 1024))
    assert sum(length) > 0.95 * places


def test_few_shapes_occur() -> None:
    for count in range(1, 70):
        rows = [batch.tokens.shape[0] for batch in pack(numbered([WIDTH] * count), 8 * WIDTH)]
        assert set(rows) <= {1, 2, 4, 8}
        assert set(rows[:-1]) <= {8}
