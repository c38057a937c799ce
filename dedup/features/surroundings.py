"""How crowded it is around a question: how near its neighbours lie, apart from the nearest few.

In a corpus on one subject every question lies near others that ask something else, so that a distance that means
"duplicate" among general questions means little. The neighbours are looked for in a sample of a fixed size: in the
whole corpus they would come nearer as it grows, and a probability would change with the number of questions.

It is the inverse of their mean distance, so that what varies most is how dense it is where it is dense. As features of
a classifier, the distance itself ranks other sites' pairs worse and makes a third more candidates (docs/quality.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from dedup.cores import spread
from dedup.questions import Float32, Float64, Int64, Keys, Metric
from dedup.reference import NEAREST, REFERENCE_SIZE, LookUp, Near

FEWEST = 1229
"""A smaller corpus has no surroundings: in proportion, the first of its ranks would be the nearest of all, which may be
the question's own duplicate, and any other rank would not be comparable with what a classifier was fitted on."""

_BITS = 6  # of a crowding that count: steps of 1.6 to 3.1%, see `_coarsely`
_NEAREST_MEAN = 0.01  # of equal vectors only: a smaller mean distance counts as this, which no classifier can tell
_RANKS = (5, 15)  # of `REFERENCE_SIZE`, the nearest is 1: the mean of so many hardly depends on a single one
_BLOCK = 1024  # questions measured at once


@dataclass(frozen=True)
class Reference:
    """A sample of a corpus, by distinct text keys in ascending order."""

    keys: Keys  # (m,)
    vectors: Float32  # (m, d) unit rows

    def __len__(self) -> int:
        return len(self.keys)

    @cached_property
    def look_up(self) -> LookUp:
        """What looks for the nearest of the sample."""
        return LookUp(self.vectors)

    @property
    def ranks(self) -> tuple[int, int]:
        """The first and the last of the neighbours that count, from 1: 5 to 15 of 4,096, and in proportion of fewer."""
        share = len(self) / REFERENCE_SIZE
        first, last = (round(rank * share) for rank in _RANKS)
        return first, last


def choose_reference(keys: Keys, embeddings: Float32) -> Reference:
    """Take the `REFERENCE_SIZE` questions with the smallest of the distinct ``keys``, or all where there are fewer.

    Keys are hashes of the texts, so this is a uniform sample that depends on nothing but the corpus.
    """
    smallest = np.argsort(keys, kind="stable")[:REFERENCE_SIZE]
    return Reference(keys[smallest], np.ascontiguousarray(embeddings[smallest], dtype=np.float32))


def crowding(
    keys: Keys, embeddings: Float32, reference: Reference, metric: Metric, near: Near | None = None
) -> Float32:
    """Return 1 / the mean distance of each question to its neighbours of `Reference.ranks`: (n,) float32.

    The distance is in ``metric``.

    To six binary digits: with every new question the sample may change, and a mean that moved in its fourth digit would
    move the probability of every pair of that question on record. At the most 100.

    A question of the reference is not its own neighbour: it is known by its key, not by its place. NaN throughout where
    the reference has fewer than `FEWEST` questions.

    Parameters
    ----------
    keys, embeddings
        (n,) and (n, d): of the questions asked about, in or outside the corpus.
    near
        What `dedup.reference.nearest_reference` returned for them, where it is known already.

    Notes
    -----
    The neighbours are the nearest of the 32 that are nearest in L2, and each distance is measured by itself, so that
    the result does not depend on what else is asked with it. In L2 the neighbours are exact. In L1 a few of the
    fifteen are missed for ones hardly farther, as L1 follows L2 closely among unit vectors: the mean is .1% too large,
    at the most 1% (measured in 384 dimensions).
    """
    crowded = np.full(len(keys), np.nan, dtype=np.float32)
    if len(reference) < FEWEST:
        return crowded
    near = near or reference.look_up.nearest(embeddings)
    first, last = reference.ranks
    lists = _as_lists(reference.vectors) if metric is Metric.MANHATTAN else None

    def measure(start: int) -> None:
        some = slice(start, start + _BLOCK)
        rows, apart = near.row[some].astype(np.int64), np.sqrt(near.squared[some])
        if lists is not None:
            rows, apart = _in_manhattan(lists, embeddings[some], rows)
        apart[reference.keys[rows] == keys[some, None]] = np.inf
        apart.sort(axis=1)
        # Summed in double precision: the mean of equal distances is that distance.
        mean = apart[:, first - 1 : last].mean(axis=1, dtype=np.float64)
        crowded[some] = _coarsely(1 / np.maximum(mean, _NEAREST_MEAN))

    for _ in spread(measure, range(0, len(keys), _BLOCK)):
        pass
    return crowded


def _coarsely(values: Float64) -> Float64:
    """Round to `_BITS` significant binary digits, whatever the metric makes the values' size."""
    mantissa, exponent = np.frexp(values)
    rounded: Float64 = np.ldexp(np.round(np.ldexp(mantissa, _BITS)), exponent - _BITS)
    return rounded


def _as_lists(vectors: Float32) -> Any:
    """Return an L1 index that has each vector in a list of its own: to measure exactly those that are named."""
    import faiss

    quantizer = faiss.IndexFlatL2(vectors.shape[1])
    quantizer.add(vectors)
    lists = faiss.IndexIVFFlat(quantizer, vectors.shape[1], len(vectors), faiss.METRIC_L1)
    lists.is_trained = True
    lists.nprobe = NEAREST
    every = np.arange(len(vectors), dtype=np.int64)
    lists.add_core(len(vectors), *(faiss.swig_ptr(each) for each in (vectors, every, every)))
    return lists


def _in_manhattan(lists: Any, embeddings: Float32, rows: Int64) -> tuple[Int64, Float32]:
    """Return the L1 distance of each embedding to the vectors of its rows, and the rows in that order."""
    asked, unused = np.ascontiguousarray(embeddings), np.zeros(rows.shape, dtype=np.float32)
    apart, ranked = lists.search_preassigned(asked, rows.shape[1], Iq=rows, Dq=unused)
    return ranked, apart
