"""Pairs of a cross-encoder's training: what an epoch shows, in which batches, and what each pair weighs."""

from __future__ import annotations

import numpy as np
import pytest

from dedup.training.examples import TextPairs
from dedup.training.pair_batches import DUPLICATES, MINED, OTHERS, BothTexts, PairBuckets, PairExamples, pair_examples


def examples(n: int = 300, *, mined: bool = True, seed: int = 0) -> PairExamples:
    random = np.random.default_rng(seed)
    texts = tuple(f"text {row}" for row in range(n))
    left, right = random.integers(0, n, n), random.integers(0, n, n)
    pairs = TextPairs(texts, left, right, random.random(n) < 0.3)
    negatives = np.where(random.random((n, 5)) < 0.6, random.integers(0, n, (n, 5)), -1)
    negatives[random.random(n) < 0.2] = -1
    return pair_examples(pairs, negatives if mined else np.full((n, 5), -1), random.integers(3, 60, n))


def epochs(buckets: PairBuckets, count: int) -> list[list[list[int]]]:
    found = []
    for epoch in range(count):
        buckets.set_epoch(epoch)
        found.append(list(buckets))
    return found


@pytest.mark.parametrize("size", [4, 16, 1000])
def test_every_labelled_pair_comes_once_an_epoch_and_a_third_of_the_texts_with_one_mined_negative(size: int) -> None:
    made = examples()
    owners = np.unique(made.left[made.labelled :])
    buckets = PairBuckets(made, size, seed=1)
    seen = epochs(buckets, 3)
    for batches in seen:
        rows = np.array(sorted(row for batch in batches for row in batch))
        assert rows[: made.labelled].tolist() == list(range(made.labelled))
        shown = made.left[rows[made.labelled :]]
        assert len(np.unique(shown)) == len(shown) == -(-len(owners) // 3)
        assert len(rows) == made.pairs == buckets.pairs
        assert len(batches) == len(buckets)
    assert seen[0] != seen[1]
    assert epochs(PairBuckets(made, size, seed=1), 3) == seen
    assert epochs(PairBuckets(made, size, seed=2), 1) != seen[:1]


def test_every_mined_negative_is_shown_some_time() -> None:
    made = examples(40)
    seen = {row for batches in epochs(PairBuckets(made, 8, seed=0), 200) for batch in batches for row in batch}
    assert seen == set(range(len(made)))


def test_mined_negatives_are_those_of_their_texts_and_no_duplicates() -> None:
    made = examples(50)
    random = np.random.default_rng(0)
    negatives = np.full((4, 2), -1)
    negatives[1] = [3, 0]
    negatives[2, 1] = 0
    pairs = TextPairs(("a", "b", "c", "d"), np.array([0]), np.array([1]), np.array([True]))
    few = pair_examples(pairs, negatives, random.integers(3, 9, 4))
    assert list(zip(few.left.tolist(), few.right.tolist(), strict=True)) == [(0, 1), (1, 3), (1, 0), (2, 0)]
    assert few.duplicate.tolist() == [True, False, False, False]
    assert not made.duplicate[made.labelled :].any()


@pytest.mark.parametrize("mined", [True, False])
def test_each_kind_has_its_share_of_the_loss_of_an_epoch(mined: bool) -> None:
    made = examples(mined=mined)
    (batches,) = epochs(PairBuckets(made, 16, seed=0), 1)
    rows = np.concatenate([np.array(batch) for batch in batches])
    labelled = rows < made.labelled
    kinds = [made.duplicate[rows], labelled & ~made.duplicate[rows], ~labelled]
    shares = np.array([made.weight[rows][kind].sum() for kind in kinds]) / made.weight[rows].sum()
    wanted = np.array([DUPLICATES, OTHERS, MINED if mined else 0.0])
    np.testing.assert_allclose(shares, wanted / wanted.sum())
    assert made.weight[rows].mean() == pytest.approx(1)


def test_the_pairs_of_a_batch_are_of_about_one_length() -> None:
    made = examples(3000)
    spread = [np.ptp(made.length[batch]) for batch in PairBuckets(made, 32, seed=0)]
    assert np.median(spread) <= 4  # of up to 110


def test_a_batch_has_both_texts_in_an_order_that_is_drawn_and_stays() -> None:
    made = examples(60)

    def tokenise(left: list[str], right: list[str], **_: object) -> dict[str, object]:
        return {"texts": list(zip(left, right, strict=True))}

    rows = list(range(len(made)))
    features = [{"row": row} for row in rows]
    batch = BothTexts(made, tokenise, seed=3)(features)
    turned = 0
    for row, (one, other) in zip(rows, batch["texts"], strict=True):
        pair = (made.texts[made.left[row]], made.texts[made.right[row]])
        assert (one, other) in (pair, pair[::-1])
        turned += (one, other) != pair
    assert 0.35 < turned / len(rows) < 0.65
    assert BothTexts(made, tokenise, seed=3)(features)["texts"] == batch["texts"]
    assert BothTexts(made, tokenise, seed=4)(features)["texts"] != batch["texts"]
    np.testing.assert_allclose(batch["weight"].numpy(), made.weight, rtol=1e-6)
    assert batch["label"].numpy().tolist() == made.duplicate.astype(float).tolist()
