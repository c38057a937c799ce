"""Batches: every pair once an epoch, of about one length, and the same after a kill."""

from __future__ import annotations

import numpy as np
import pytest

from dedup.training.batches import Batchable, LengthBuckets, PairCollator
from dedup.training.examples import TextPairs


def buckets(pairs: int, kept: int, size: int, seed: int = 0) -> LengthBuckets:
    random = np.random.default_rng(pairs)
    return LengthBuckets(random.integers(3, 60, pairs), random.integers(3, 60, kept), size, seed)


@pytest.mark.parametrize(("pairs", "size"), [(1, 4), (7, 4), (400, 4), (1000, 16)])
def test_every_pair_comes_once_an_epoch_and_epochs_differ(pairs: int, size: int) -> None:
    made = buckets(pairs, 0, size)
    epochs = []
    for epoch in (0, 1):
        made.set_epoch(epoch)
        epochs.append(list(made))
        assert sorted(row for batch in epochs[-1] for row in batch) == list(range(pairs))
        assert len(epochs[-1]) == len(made)
        assert sum(len(batch) < size for batch in epochs[-1]) <= 1
    assert pairs < 2 or epochs[0] != epochs[1]
    made.set_epoch(0)
    assert list(made) == epochs[0]


def test_the_pairs_of_a_batch_are_of_about_one_length() -> None:
    length = np.random.default_rng(0).integers(3, 60, 3200)
    made = LengthBuckets(length, np.empty(0, dtype=np.int64), 64, 0)
    spread = [np.ptp(length[batch]) for batch in made]
    assert np.median(spread) <= 2  # one batch of 50 that are sorted together; a random batch spreads over 55
    assert len({int(length[batch].max()) for batch in list(made)[:10]}) > 5  # and they do not come in that order


def test_kept_texts_are_a_fifth_of_the_texts_and_each_comes_as_often_as_the_others() -> None:
    made = buckets(640, 100, 16)
    batches = list(made)
    kept = np.array([row - 640 for batch in batches for row in batch if row >= 640])
    assert all(sum(row >= 640 for row in batch) == 8 for batch in batches)  # of 2 * 16 + 8 texts
    assert np.ptp(np.bincount(kept, minlength=100)) <= 1


def batchable(too_long: list[int]) -> Batchable:
    texts = tuple(f"text {n}" for n in range(8))
    pairs = TextPairs(texts, np.array([0, 2, 4]), np.array([1, 3, 5]), np.array([True, False, True]))
    negatives = np.full((8, 3), -1)
    negatives[0] = [6, 7, -1]
    negatives[2] = [1, 5, 6]
    kept_vectors = np.arange(6, dtype=np.float16).reshape(3, 2)
    length = np.array([4, 4, 4, 4, 4, 4, 4, 4])
    length[too_long] = 5
    return Batchable(pairs, np.arange(8) // 2, length, negatives, ("kept a", "kept b", "kept c"), kept_vectors)


def collate(rows: list[int], seed: int = 0, *, too_long: list[int] | None = None):
    collator = PairCollator(batchable(too_long or []), lambda texts: {"texts": texts}, seed)
    return collator([{"row": row} for row in rows])


def test_a_batch_is_left_right_negatives_and_kept_texts_with_what_the_loss_needs() -> None:
    made = collate([2, 0, 1, 3 + 2, 3 + 0])
    texts = made["text_texts"]
    assert texts[:6] == ["text 4", "text 0", "text 2", "text 5", "text 1", "text 3"]
    assert texts[6] in ("text 6", "text 7")  # of the one duplicate that has negatives; none of what is no duplicate
    assert texts[7:] == ["kept c", "kept a"]
    assert made["text_component"].tolist() == [2, 0, 1, 2, 0, 1, 3]
    assert made["text_kept_vectors"].tolist() == [[4, 5], [0, 1]]
    assert made["label"].tolist() == [1, 1, 0]


def test_the_negative_is_a_function_of_the_batch_and_every_one_is_drawn() -> None:
    drawn = {collate([0], seed)["text_texts"][2] for seed in range(20)}
    assert drawn == {"text 6", "text 7"}
    assert collate([0, 1, 2], 3)["text_texts"] == collate([0, 1, 2], 3)["text_texts"]


def test_no_negative_is_longer_than_the_pairs_of_its_batch() -> None:
    assert {collate([0], seed, too_long=[7])["text_texts"][2] for seed in range(20)} == {"text 6"}
    assert collate([0], too_long=[6, 7])["text_texts"] == ["text 0", "text 1"]
    drawn = {collate([0, 2], seed, too_long=[5, 7])["text_texts"][4] for seed in range(20)}
    assert drawn == {"text 6", "text 7"}  # another pair of the batch is as long
