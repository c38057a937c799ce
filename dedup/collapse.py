"""Exact duplicates: the questions of one text key become one row, and are given back as pairs and members.

Without this, many identical vectors crowd each other out of approximate search, and every copy is encoded again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dedup.external_sort import ExternalSort, chunks
from dedup.memory import spacious
from dedup.questions import Float32, Float64, Int64, Keys, Pairs, first_of_equal
from dedup.store import RecordedPairs


@dataclass(frozen=True, slots=True)
class Texts:
    """The distinct texts of a corpus, one row each, in the order of their keys."""

    keys: Keys  # (n_rows,) ascending
    representative: Int64  # (n_rows,) the number of the question that stands for the text: the smallest of its copies'
    row: Int64  # (n_questions,) the row of each question


def collapse(ids: Int64, keys: Keys) -> Texts:
    """Group questions by their text key.

    Parameters
    ----------
    ids, keys
        (n_questions,) sorted by (key, id).
    """
    first = first_of_equal(keys)
    return Texts(keys[first], ids[first], np.cumsum(first) - 1)


def as_question_pairs(texts: Texts, ids: Int64, pairs: Pairs, probability: Float64) -> RecordedPairs:
    """Return pairs of rows as pairs of questions, exact duplicates included.

    A pair of different texts is one between their representatives; each further copy of a text makes one pair with its
    representative, at distance 0 and probability 1: two questions of one text key ask the same by definition.
    """
    ascending = np.sort(ids)
    representative = np.searchsorted(ascending, texts.representative)  # two places are a number that sorts as two ids
    sorting = ExternalSort(np.int64, np.float32, np.float64)

    def gather(one: Int64, other: Int64, distance: Float32, sure: Float64) -> None:
        sorting.add(np.minimum(one, other) * len(ids) + np.maximum(one, other), distance, sure)

    for some in chunks(len(pairs)):
        left, right = representative[pairs.left[some]], representative[pairs.right[some]]
        gather(left, right, pairs.distance[some], probability[some])
    copies = ids != texts.representative[texts.row]
    copied = int(copies.sum())
    gather(
        representative[texts.row[copies]],
        np.searchsorted(ascending, ids[copies]),
        np.zeros(copied, dtype=np.float32),
        np.ones(copied),
    )
    right, distance, sure = sorting.in_order()
    left = spacious((len(right),), np.int64)
    for some in chunks(len(right)):
        left[some], right[some] = (ascending[places] for places in np.divmod(right[some], len(ids)))
    return RecordedPairs(left, right, distance, sure)
