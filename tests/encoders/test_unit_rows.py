"""Every vector has length 1, or is refused by the text it belongs to."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from oracles import repeatable

from dedup.encoders.protocol import unit_rows
from dedup.errors import EncoderError


@repeatable
@given(
    arrays.arrays(np.float32, st.tuples(st.integers(0, 5), st.integers(1, 6)), elements=st.floats(-1e4, 1e4, width=32))
)
def test_rows_keep_their_direction_and_lose_their_length(vectors):
    length = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    assume((length > 1e-15).all())
    scaled = unit_rows(vectors, ["text"] * len(vectors))
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled, vectors / length, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("values", "length"), [([0, 0], "0"), ([np.nan, 1], "nan"), ([np.inf, 1], "inf"), ([-np.inf, np.inf], "inf")]
)
def test_a_vector_without_a_direction_is_refused_by_its_text(values, length):
    vectors = np.array([[1, 2], values, [0, 0]], dtype=np.float32)
    with pytest.raises(EncoderError, match=f"gave 'second' a vector of length {length}, which has no direction"):
        unit_rows(vectors, ["first", "second", "third"])
