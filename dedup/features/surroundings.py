"""How crowded it is around a question: how far its neighbours lie, apart from the nearest few.

In a corpus on one subject every question lies near others that ask something else, so that a distance that means
"duplicate" among general questions means little. The neighbours are looked for in a sample of a fixed size: in the
whole corpus they would come nearer as it grows, and a probability would change with the number of questions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dedup.distance import distance
from dedup.questions import Float32, Int64, Keys, Metric

REFERENCE_SIZE = 4096
"""The vectors that surroundings are measured against, at the most."""

FEWEST = 1229
"""A smaller corpus has no surroundings: in proportion, the first of its ranks would be the nearest of all, which may be
the question's own duplicate, and any other rank would not be comparable with what a classifier was fitted on."""

_RANKS = (5, 15)  # of `REFERENCE_SIZE`, the nearest is 1: the mean of so many hardly depends on a single one
_CANDIDATES = 32  # nearest in L2, among which the neighbours are looked for in the metric
_SEARCHED = 4096  # questions searched for at once, which BLAS likes many of
_MEASURED = 64  # questions measured at once: their differences to 32 candidates, 3 MiB, stay in the processor's cache


@dataclass(frozen=True, slots=True)
class Reference:
    """A sample of a corpus, by distinct text keys in ascending order."""

    keys: Keys  # (m,)
    vectors: Float32  # (m, d) unit rows

    def __len__(self) -> int:
        return len(self.keys)

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


def crowding(keys: Keys, embeddings: Float32, reference: Reference, metric: Metric) -> Float32:
    """Return the mean distance of each question to its neighbours of `Reference.ranks`: (n,) float32, in ``metric``.

    A question of the reference is not its own neighbour: it is known by its key, not by its place. NaN throughout where
    the reference has fewer than `FEWEST` questions.

    Parameters
    ----------
    keys, embeddings
        (n,) and (n, d): of the questions asked about, in or outside the corpus.

    Notes
    -----
    The neighbours are found among the 32 nearest in L2, which goes through BLAS, and measured as `dedup.distance`
    does, so that the result does not depend on what else is asked with it. In L2 it is exact. In L1 a few of the
    fifteen are missed for ones hardly farther, as L1 follows L2 closely among unit vectors: the mean is .1% too large,
    at the most 1% (measured in 384 dimensions).
    """
    crowded = np.full(len(keys), np.nan, dtype=np.float32)
    if len(reference) < FEWEST:
        return crowded
    first, last = reference.ranks
    for start in range(0, len(keys), _SEARCHED):
        searched = slice(start, start + _SEARCHED)
        rows = _nearest(embeddings[searched], reference.vectors, _CANDIDATES)
        apart = _measured(embeddings[searched], reference.vectors, rows, metric)
        apart[reference.keys[rows] == keys[searched, None]] = np.inf
        apart.sort(axis=1)
        # Summed in double precision: the mean of equal distances is that distance.
        crowded[searched] = apart[:, first - 1 : last].mean(axis=1, dtype=np.float64)
    return crowded


def _nearest(embeddings: Float32, stored: Float32, k: int) -> Int64:
    import faiss

    rows: Int64 = faiss.knn(np.ascontiguousarray(embeddings), stored, k)[1]
    return rows


def _measured(embeddings: Float32, stored: Float32, rows: Int64, metric: Metric) -> Float32:
    """Return the distance of each embedding to the stored vectors of its rows: the shape of ``rows``."""
    apart = np.empty(rows.shape, dtype=np.float32)
    for start in range(0, len(rows), _MEASURED):
        some = slice(start, start + _MEASURED)
        apart[some] = distance(embeddings[some, None, :], stored[rows[some]], metric)
    return apart
