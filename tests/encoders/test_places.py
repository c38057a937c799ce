"""A vector is stored once; by its place it is found again."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import random_unit_rows

from dedup.encoders import StoredVectors, VectorStore, segment_folder
from dedup.encoders.places import Places
from dedup.text import key_array, text_key

FINGERPRINT = "ef" * 32
KEYS = np.sort(key_array([text_key(str(n)) for n in range(60)]))
VECTORS = random_unit_rows(1, 60, 8)


@pytest.fixture
def store(tmp_path):
    made = VectorStore(tmp_path, FINGERPRINT)
    for some in np.array_split(np.random.default_rng(2).permutation(60), 4):
        made.append(KEYS[some], VECTORS[some])
    return made


def stored(tmp_path, places: Places) -> StoredVectors:
    return StoredVectors(segment_folder(tmp_path, FINGERPRINT), FINGERPRINT, places)


def test_rows_are_read_from_where_they_lie_in_any_order_and_more_than_once(store, tmp_path):
    rows = np.array([59, 0, 17, 17, 3, 59])
    found = stored(tmp_path, store.places(KEYS))
    assert len(found) == 60
    np.testing.assert_array_equal(found[rows], VECTORS[rows])
    np.testing.assert_array_equal(found[np.arange(60)], store.gather(KEYS))


def test_places_hold_when_more_is_stored_later(store, tmp_path):
    places = store.places(KEYS[10:50])
    more = key_array([text_key("one more")])
    store.append(more, random_unit_rows(5, 1, 8))
    np.testing.assert_array_equal(stored(tmp_path, places)[np.arange(40)], VECTORS[10:50])


def test_a_key_without_a_vector_has_no_place(store):
    with pytest.raises(KeyError, match="1 text keys have no vector"):
        store.places(key_array([text_key("1"), text_key("never stored")]))


def test_no_rows_are_no_vectors(store, tmp_path):
    assert len(stored(tmp_path, store.places(KEYS))[np.empty(0, dtype=np.int64)]) == 0
