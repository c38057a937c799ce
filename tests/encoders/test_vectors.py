"""Vectors are kept: no text is encoded twice, whatever is interrupted, and each key gets its own vector back."""

import os
from contextlib import contextmanager

import numpy as np
import pytest
from fakes import HashingEncoder
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import random_unit_rows, repeatable

from dedup.encoders import VectorStore, encode_missing, vectors
from dedup.encoders.vectors import TextsOf
from dedup.errors import ArtifactDamaged
from dedup.progress import Silent
from dedup.text import key_array, key_bytes, text_key

TEXTS = [f"how do i {verb} {'very ' * (number % 4)}{number}" for number in range(20) for verb in ("cook", "sell")]
KEYS = key_array(text_key(text) for text in TEXTS)
NUL_KEYS = [bytes(16), b"\x01" + bytes(15), b"\x01\x00\x01" + bytes(13), bytes(15) + b"\x01", b"\xff" * 15 + b"\x00"]


def texts_of(chunk: int) -> TextsOf:
    """Give texts in chunks, in the order of their keys, as a database does."""
    text = {text_key(text): text for text in TEXTS}

    def give(keys):
        ordered = sorted(key_bytes(keys))
        for start in range(0, len(ordered), chunk):
            some = ordered[start : start + chunk]
            yield some, [text[key] for key in some]

    return give


def encode(encoder: HashingEncoder, store: VectorStore, keys=KEYS) -> int:
    return encode_missing(encoder, store, keys, texts_of(7), Silent())


@pytest.fixture
def opened(tmp_path):
    """Return a function that opens the same store anew, as the next run does."""
    return lambda: VectorStore(tmp_path, HashingEncoder().fingerprint)


@pytest.fixture
def small_segments(monkeypatch):
    monkeypatch.setattr(vectors, "SEGMENT_TEXTS", 8)
    monkeypatch.setattr(vectors, "_CALL_TEXTS", 3)


def test_every_text_is_encoded_once_and_each_key_has_its_own_vector(opened, small_segments):
    encoder = HashingEncoder()
    assert encode(encoder, opened(), KEYS[:15]) == 15
    assert encode(encoder, opened(), KEYS[5:30]) == 15
    assert encode(encoder, opened()) == 10
    assert encode(encoder, opened()) == 0
    assert sorted(encoder.encoded) == sorted(TEXTS)
    assert len(opened()) == len(TEXTS)
    order = np.random.default_rng(1).permutation(len(TEXTS))
    expected = HashingEncoder().encode([TEXTS[i] for i in order])
    np.testing.assert_array_equal(opened().gather(KEYS[order]), expected)


def test_a_store_gives_what_it_was_just_given(opened, small_segments):
    store = opened()
    encode(HashingEncoder(), store)
    np.testing.assert_array_equal(store.gather(KEYS), opened().gather(KEYS))


@pytest.mark.parametrize("fails_after", [0, 3, 8, 9, 39])
def test_after_an_interruption_nothing_that_was_encoded_is_encoded_again(opened, small_segments, fails_after):
    with pytest.raises(InterruptedError):
        encode(first := HashingEncoder(fails_after=fails_after), opened())
    kept = len(first.encoded)
    assert len(opened()) == kept
    second = HashingEncoder()
    assert encode(second, opened()) == len(TEXTS) - kept
    assert len(second.encoded) == len(TEXTS) - kept
    np.testing.assert_array_equal(opened().gather(KEYS), HashingEncoder().encode(TEXTS))


def test_the_longest_texts_of_a_segment_go_first(opened):
    encoder = HashingEncoder()
    encode(encoder, opened())
    assert [len(text) for text in encoder.encoded] == sorted(map(len, TEXTS), reverse=True)


def test_progress_counts_the_texts_that_were_missing(opened, small_segments):
    told = []

    class Told:
        @contextmanager
        def stage(self, name, unit, total=None):
            told.append(total)
            yield told.append

    encode(HashingEncoder(), opened(), KEYS[:15])
    encode_missing(HashingEncoder(), opened(), KEYS, texts_of(7), Told())
    assert told[0] == sum(told[1:]) == len(TEXTS) - 15


def test_a_key_without_a_vector_is_an_error_not_another_keys_vector(opened):
    store = opened()
    with pytest.raises(KeyError, match="40 text keys have no vector"):
        store.gather(KEYS)
    encode(HashingEncoder(), store, KEYS[1:])
    with pytest.raises(KeyError, match="1 text keys have no vector"):
        store.gather(KEYS)


@settings(repeatable, max_examples=25)
@given(
    st.lists(
        st.sets(st.sampled_from([*NUL_KEYS, *(bytes([n] * 16) for n in range(1, 9))]), min_size=1),
        min_size=1,
        max_size=5,
    )
)
def test_keys_that_end_in_nul_are_kept_apart(tmp_path_factory, arrivals):
    folder = tmp_path_factory.mktemp("vectors")
    kept = {}
    random = np.random.default_rng(2)
    for arriving in arrivals:
        store = VectorStore(folder, "f" * 64)
        keys = key_array(sorted(arriving, reverse=True))
        missing = store.missing(keys)
        assert key_bytes(missing) == [key for key in key_bytes(keys) if key not in kept]
        if len(missing):
            made = random_unit_rows(len(kept), len(missing), 4)
            store.append(missing, made)
            kept.update(zip(key_bytes(missing), made, strict=True))
    every = random.permutation(len(kept))
    wanted = [list(kept)[i] for i in every]
    found = VectorStore(folder, "f" * 64).gather(key_array(wanted))
    np.testing.assert_array_equal(found, np.array([kept[key] for key in wanted]).reshape(-1, 4))


def segment_of(folder):
    (segment,) = folder.glob("*/segment-*")
    return segment


@pytest.mark.parametrize("file", ["keys.npy", "vectors.npy"])
def test_a_damaged_segment_is_refused_by_name(tmp_path, opened, file):
    encode(HashingEncoder(), opened())
    damaged = segment_of(tmp_path) / file
    content = bytearray(damaged.read_bytes())
    content[-1] ^= 1
    damaged.write_bytes(content)
    with pytest.raises(ArtifactDamaged, match=f"{file} has SHA-256"):
        opened()
    os.truncate(damaged, 100)
    with pytest.raises(ArtifactDamaged, match=f"{file} has 100 bytes"):
        opened()


def test_what_a_kill_left_half_written_is_not_read(tmp_path, opened):
    encode(HashingEncoder(), opened(), KEYS[:10])
    half = segment_of(tmp_path).parent / ".writing-0123"
    half.mkdir()
    (half / "keys.npy").write_bytes(b"\x93NUMPY")
    assert len(opened()) == 10


def test_two_encoders_keep_their_vectors_apart(tmp_path, opened):
    encode(HashingEncoder(), opened())
    assert len(VectorStore(tmp_path, "ab" * 32)) == 0


def test_a_segment_of_another_encoder_is_refused(tmp_path, opened):
    encode(HashingEncoder(), opened())
    fingerprint = HashingEncoder().fingerprint
    with pytest.raises(ArtifactDamaged, match="holds another encoder's vectors; delete it"):
        VectorStore(tmp_path, fingerprint[:32] + "0" * 32)
    with pytest.raises(ArtifactDamaged, match="holds another encoder's vectors; delete it"):
        opened().append(key_array([b"k" * 16]), random_unit_rows(3, 1, 32))
