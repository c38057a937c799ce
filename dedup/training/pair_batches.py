"""Batches of a cross-encoder's training: both texts of a pair as one input, labelled pairs and mined negatives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers.base.sampler import DefaultBatchSampler
from sentence_transformers.cross_encoder.data_collator import CrossEncoderDataCollator

from dedup.questions import Float64, Int64
from dedup.training.batches import by_length
from dedup.training.examples import TextPairs
from dedup.training.options import MAX_PAIR_TOKENS

DUPLICATES, OTHERS, MINED = 0.45, 0.40, 0.15
"""The shares of an epoch's loss that labelled duplicates, other labelled pairs and mined negatives have."""

_EPOCHS_TO_SEE_ALL = 3  # the texts with mined negatives are shown one of them every so many epochs


@dataclass(frozen=True, slots=True)
class PairExamples:
    """Pairs to learn from: the labelled ones first, then every mined negative of every text."""

    texts: tuple[str, ...]
    left: Int64  # (n_rows,) of ``texts``
    right: Int64  # (n_rows,)
    duplicate: NDArray[np.bool_]  # (n_rows,)
    weight: Float64  # (n_rows,) 1 on average over an epoch
    labelled: int  # rows that are labelled; of the others an epoch has some
    length: Int64  # (n_rows,) in tokens, before they are cut

    def __len__(self) -> int:
        return len(self.left)

    @property
    def pairs(self) -> int:
        """How many pairs an epoch has."""
        return self.labelled + mined_per_epoch(self.left[self.labelled :])


def pair_examples(pairs: TextPairs, negatives: Int64, length: Int64) -> PairExamples:
    """Put labelled pairs and mined negatives together, weighted so that each kind has its share of the loss.

    Parameters
    ----------
    negatives
        (n_texts, k) rows of texts, -1 padded.
    length
        (n_texts,) in tokens.
    """
    owner, place = np.nonzero(negatives >= 0)
    left = np.concatenate([pairs.left, owner])
    right = np.concatenate([pairs.right, negatives[owner, place]])
    duplicate = np.concatenate([pairs.duplicate, np.zeros(len(owner), dtype=bool)])
    duplicates, mined = int(pairs.duplicate.sum()), mined_per_epoch(owner)
    share = np.array([DUPLICATES, OTHERS, MINED])
    shown = np.array([duplicates, len(pairs) - duplicates, mined])
    each = share / share[shown > 0].sum() * shown.sum() / np.maximum(shown, 1)
    weight = np.repeat([0.0, each[2]], [len(pairs), len(owner)])
    weight[: len(pairs)] = np.where(pairs.duplicate, each[0], each[1])
    return PairExamples(pairs.texts, left, right, duplicate, weight, len(pairs), length[left] + length[right])


def mined_per_epoch(owner: Int64) -> int:
    """Return how many mined negatives an epoch has, of the texts that they are negatives of."""
    return -(-len(np.unique(owner)) // _EPOCHS_TO_SEE_ALL)


class PairBuckets(DefaultBatchSampler):
    """Every labelled pair once an epoch, and for a third of the texts one mined negative, in batches of one length.

    The order is a function of the seed and the epoch alone, so that a training that goes on after a kill sees the
    batches it would have seen.
    """

    def __init__(self, examples: PairExamples, pairs_per_batch: int, seed: int) -> None:
        super().__init__(range(len(examples)), batch_size=pairs_per_batch, drop_last=False, seed=seed)
        self.pairs = examples.pairs
        self._labelled = examples.labelled
        self._length = examples.length
        # Mined rows stand in the order of their texts.
        self._first, self._count = np.unique(examples.left[self._labelled :], return_index=True, return_counts=True)[1:]

    def __len__(self) -> int:
        return -(-self.pairs // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        random = np.random.default_rng([self.seed, self.epoch])
        shown = random.permutation(len(self._first))[: self.pairs - self._labelled]
        drawn = self._first[shown] + (random.random(len(shown)) * self._count[shown]).astype(np.int64)
        rows = random.permutation(np.concatenate([np.arange(self._labelled), self._labelled + drawn]))
        batches = by_length(rows, self._length, self.batch_size)
        for place in random.permutation(len(batches)):
            yield batches[place].tolist()


class BothTexts(CrossEncoderDataCollator):
    """Makes rows of the data set into one input of both texts of each pair, in an order drawn from rows and seed."""

    def __init__(self, examples: PairExamples, tokenizer: Any, seed: int) -> None:
        super().__init__(preprocess_fn=tokenizer)
        self._all = examples
        self._seed = seed

    def __call__(self, features: list[dict[str, Any]]) -> dict[str, Any]:
        """Return the tokens, ``weight`` and ``label``."""
        examples = self._all
        rows = np.array([row["row"] for row in features], dtype=np.int64)
        turned = np.random.default_rng([self._seed, *rows.tolist()]).random(len(rows)) < 0.5
        ends = np.column_stack([examples.left[rows], examples.right[rows]])
        ends[turned] = ends[turned, ::-1]
        batch = self.preprocess_fn(
            [examples.texts[row] for row in ends[:, 0]],
            [examples.texts[row] for row in ends[:, 1]],
            truncation=True,
            max_length=MAX_PAIR_TOKENS,
            padding=True,
            return_tensors="pt",
        )
        return {
            **batch,
            "weight": torch.from_numpy(examples.weight[rows].astype(np.float32)),
            "label": torch.from_numpy(examples.duplicate[rows].astype(np.float32)),
        }
