"""Exact duplicates: the questions of one text key become one row, and are given back as pairs and members.

Without this, many identical vectors crowd each other out of approximate search, and every copy is encoded again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dedup.questions import Float64, Int64, Keys, Pairs
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
    distinct, first, row = np.unique(keys, return_index=True, return_inverse=True)
    return Texts(distinct, ids[first], row.astype(np.int64))


def as_question_pairs(texts: Texts, ids: Int64, pairs: Pairs, probability: Float64) -> RecordedPairs:
    """Return pairs of rows as pairs of questions, exact duplicates included.

    A pair of different texts is one between their representatives; each further copy of a text makes one pair with its
    representative, at distance 0 and probability 1: two questions of one text key ask the same by definition.
    """
    representative = texts.representative
    copies = ids != representative[texts.row]
    one = np.concatenate([representative[pairs.left], representative[texts.row[copies]]])
    other = np.concatenate([representative[pairs.right], ids[copies]])
    copied = int(copies.sum())
    distance = np.concatenate([pairs.distance, np.zeros(copied, dtype=np.float32)])
    every = np.concatenate([probability, np.ones(copied)])
    left, right = np.minimum(one, other), np.maximum(one, other)
    order = np.lexsort((right, left))
    return RecordedPairs(left[order], right[order], distance[order], every[order])
