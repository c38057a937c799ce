"""Batches of pairs of about one length, each made into one input of the network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers.base.sampler import DefaultBatchSampler
from sentence_transformers.sentence_transformer.data_collator import SentenceTransformerDataCollator

from dedup.questions import Int64
from dedup.training.examples import TextPairs

_CHUNK_BATCHES = 50  # sorted by length at a time: little is padded, and a batch is still a mixture
KEPT_SHARE = 0.2
"""The share of kept questions among the texts of a batch (its hard negatives aside), where there are any."""

Tokenise: TypeAlias = Callable[[list[str]], dict[str, Any]]
"""Makes texts into what the network reads."""


@dataclass(frozen=True, slots=True)
class Batchable:
    """Everything that batches are made of.

    Rows of the data set 0 … n_pairs - 1 are the pairs; the kept texts follow.
    """

    pairs: TextPairs
    component: Int64  # (n_texts,)
    length: Int64  # (n_texts,) in tokens
    negatives: Int64  # (n_texts, k), -1 padded
    kept: tuple[str, ...]
    kept_vectors: NDArray[np.float16]  # (n_kept, dimension), of the teacher or the base

    def __len__(self) -> int:
        return len(self.pairs) + len(self.kept)


class LengthBuckets(DefaultBatchSampler):
    """Every pair once an epoch, in batches of about one length; kept texts of that length stand at a batch's end.

    The order is a function of the seed and the epoch alone, so that a training that goes on after a kill sees the
    batches it would have seen.
    """

    def __init__(self, pair_length: Int64, kept_length: Int64, pairs_per_batch: int, seed: int) -> None:
        super().__init__(range(len(pair_length)), batch_size=pairs_per_batch, drop_last=False, seed=seed)
        self._pair_length = pair_length
        self._kept_length = kept_length
        self._kept_per_batch = round(2 * pairs_per_batch * KEPT_SHARE / (1 - KEPT_SHARE)) if len(kept_length) else 0

    @property
    def pairs(self) -> int:
        """How many pairs an epoch has."""
        return len(self._pair_length)

    def __len__(self) -> int:
        return -(-self.pairs // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        random = np.random.default_rng([self.seed, self.epoch])
        pairs = random.permutation(len(self._pair_length))
        kept = _endless(random, len(self._kept_length), len(self) * self._kept_per_batch)
        batches = by_length(pairs, self._pair_length, self.batch_size)
        if self._kept_per_batch:
            beside = by_length(kept, self._kept_length, self._kept_per_batch)
            batches = [
                np.concatenate([some, others + len(self._pair_length)])
                for some, others in zip(batches, beside, strict=True)
            ]
        for place in random.permutation(len(batches)):
            yield batches[place].tolist()


class PairCollator(SentenceTransformerDataCollator):
    """Makes rows of the data set into one input: left texts, right texts, hard negatives, kept texts.

    A duplicate gets one hard negative of its left text, drawn anew in each epoch, of those no longer than the batch's
    longest pair: one long text among short ones would make the whole batch as long (three times as much to compute, on
    Quora's questions). The draw is a function of the batch's rows and the seed: after a kill it is the same.
    """

    def __init__(self, batchable: Batchable, tokenise: Tokenise, seed: int) -> None:
        super().__init__(preprocess_fn=tokenise)
        self._all = batchable
        self._seed = seed

    def __call__(self, features: list[dict[str, Any]]) -> dict[str, Any]:
        """Return the batch as the trainer splits it: features under the prefix ``text_``, and ``label``."""
        pairs = self._all.pairs
        every = np.array([row["row"] for row in features], dtype=np.int64)
        some, kept = every[every < len(pairs)], every[every >= len(pairs)] - len(pairs)
        negatives = self._draw(some)
        shown = np.concatenate([pairs.left[some], pairs.right[some], negatives])
        texts = [pairs.texts[row] for row in shown] + [self._all.kept[row] for row in kept]
        batch = {f"text_{name}": value for name, value in self.preprocess_fn(texts).items()}
        batch["text_component"] = torch.from_numpy(self._all.component[shown])
        batch["text_kept_vectors"] = torch.from_numpy(self._all.kept_vectors[kept])
        batch["label"] = torch.from_numpy(pairs.duplicate[some].astype(np.float32))
        return batch

    def _draw(self, rows: Int64) -> Int64:
        pairs, length = self._all.pairs, self._all.length
        longest = max(length[pairs.left[rows]].max(), length[pairs.right[rows]].max())
        candidates = self._all.negatives[pairs.left[rows[pairs.duplicate[rows]]]]
        usable = (candidates >= 0) & (length[candidates] <= longest)
        candidates = np.take_along_axis(candidates, np.argsort(~usable, axis=1, kind="stable"), axis=1)
        count = usable.sum(axis=1)
        random = np.random.default_rng([self._seed, *rows.tolist()]).random(len(candidates))
        place = (random * count).astype(np.int64)
        drawn: Int64 = candidates[np.arange(len(candidates)), place][count > 0]
        return drawn


def by_length(rows: Int64, length: Int64, size: int) -> list[Int64]:
    """Cut rows into batches of one size, the last one smaller, each of rows of about one length.

    Parameters
    ----------
    rows
        In random order; so many of them are sorted at a time as make `_CHUNK_BATCHES` batches.
    length
        Of every row, by its number.
    """
    batches = []
    for start in range(0, len(rows), _CHUNK_BATCHES * size):
        chunk = rows[start : start + _CHUNK_BATCHES * size]
        chunk = chunk[np.argsort(length[chunk], kind="stable")]
        batches += np.split(chunk, range(size, len(chunk), size))
    return batches


def _endless(random: np.random.Generator, rows: int, wanted: int) -> Int64:
    """Return ``wanted`` rows: all of them in random order, as often as it takes."""
    rounds = -(-wanted // rows) if rows else 0
    return np.concatenate([np.empty(0, dtype=np.int64), *(random.permutation(rows) for _ in range(rounds))])[:wanted]
