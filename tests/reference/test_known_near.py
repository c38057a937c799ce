"""Going on from an earlier corpus gives what looking everything up gives, to the last bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from damages import DAMAGES
from hypothesis import given
from hypothesis import strategies as st
from oracles import clustered_unit_rows, grid_vectors, repeatable

from dedup.errors import ArtifactDamaged
from dedup.questions import Float32, Keys
from dedup.reference import KnownNear, known, load_near, nearest_known, nearest_reference, save_near
from dedup.text import key_array, text_key

SIZE, USED, KEPT = 100, 6, 10


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """So few reference vectors that a few hundred texts are many."""
    for name, value in (("REFERENCE_SIZE", SIZE), ("NEAREST", USED), ("KEPT", KEPT), ("_BLOCK", 64)):
        monkeypatch.setattr(known, name, value)


def corpus(vectors: Float32) -> tuple[Keys, Float32]:
    keys = key_array(text_key(f"question {n}") for n in range(len(vectors)))
    return np.sort(keys), vectors


def night(then: KnownNear | None, keys: Keys, vectors: Float32, there: np.ndarray) -> KnownNear:
    """Look a part of the corpus up, going on from ``then``, and assert that it is as if looked up anew."""
    found = nearest_known(keys[there], vectors[there], then)
    expected = nearest_reference(vectors[there], vectors[there][:SIZE], count=USED)
    np.testing.assert_array_equal(found.first(USED).row, expected.row)
    np.testing.assert_array_equal(found.first(USED).squared, expected.squared)
    return KnownNear(keys[there], keys[there][:SIZE], found)


@pytest.mark.parametrize("changed", [0, 2, 12, 200], ids=["nothing", "a few", "many", "most"])
def test_after_any_nights_the_nearest_are_those_of_looking_anew(changed: int) -> None:
    keys, vectors = corpus(clustered_unit_rows(5, 900, 24, groups=12, spread=0.5))
    random = np.random.default_rng(changed)
    there = np.sort(random.permutation(900)[:600])
    then = night(None, keys, vectors, there)
    for _ in range(6):
        gone = random.permutation(there)[:changed]
        came = random.permutation(np.setdiff1d(np.arange(900), there))[:changed]
        there = np.union1d(np.setdiff1d(there, gone), came)
        then = night(then, keys, vectors, there)


@repeatable
@given(vectors=grid_vectors(160, fewest_rows=140), seed=st.integers(0, 1000))
def test_equal_distances_are_settled_as_by_looking_anew(vectors: Float32, seed: int) -> None:
    keys, vectors = corpus(vectors)
    random = np.random.default_rng(seed)
    first, second = (np.sort(random.permutation(len(vectors))[:130]) for _ in range(2))
    second = np.union1d(first[random.random(130) < 0.95], second[:8])
    night(night(None, keys, vectors, first), keys, vectors, second)


def test_what_stands_is_not_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    keys, vectors = corpus(clustered_unit_rows(5, 900, 24, groups=12, spread=0.5))
    then = night(None, keys, vectors, np.arange(850))
    asked = []

    def counted(embeddings: Float32, *rest: object) -> object:
        asked.append(len(embeddings))
        return nearest_reference(embeddings, *rest)

    monkeypatch.setattr(known, "nearest_reference", counted)
    nearest_known(keys, vectors, then)  # the new ones sort after all others: no reference vector changes
    assert asked == [50]


def test_it_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    keys, vectors = corpus(clustered_unit_rows(5, 300, 24, groups=12, spread=0.5))
    near = nearest_known(keys, vectors, None)
    save_near(tmp_path, "generation-1", keys, near, fingerprint="f")
    found = load_near(tmp_path, "generation-1", fingerprint="f")
    assert found is not None
    np.testing.assert_array_equal(found.keys, keys)
    np.testing.assert_array_equal(found.reference, keys[:SIZE])
    np.testing.assert_array_equal(found.near.row, near.row)
    np.testing.assert_array_equal(found.near.squared, near.squared)
    assert load_near(tmp_path, "generation-1", fingerprint="another encoder's") is None
    assert load_near(tmp_path, "generation-2", fingerprint="f") is None


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damage_is_refused(damage: Callable[[Path], None], tmp_path: Path) -> None:
    keys, vectors = corpus(clustered_unit_rows(5, 300, 24, groups=12, spread=0.5))
    save_near(tmp_path, "generation-1", keys, nearest_known(keys, vectors, None), fingerprint="f")
    damage(next(tmp_path.rglob("squared.npy")))
    with pytest.raises(ArtifactDamaged):
        load_near(tmp_path, "generation-1", fingerprint="f")
