"""A question, and the typed records and arrays that pass between the stages."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Float32: TypeAlias = NDArray[np.float32]
Float64: TypeAlias = NDArray[np.float64]
Int64: TypeAlias = NDArray[np.int64]
Keys: TypeAlias = NDArray[np.bytes_]
"""Text keys: dtype S16, 16 raw bytes each. NumPy hides trailing NUL bytes when it hands one out as a Python object; use
`dedup.text.key_bytes` for that. Comparing, sorting and searching see all 16."""

DEFAULT_SOURCE = "default"

MAX_NAME_BYTES = 600
"""The longest id or source, in UTF-8. PostgreSQL indexes at most 2,704 bytes; four of these fit."""

NATURAL_PRIOR = 0.369
"""The share of duplicates among the pairs of the published Quora set: the prior that probabilities are stated for."""


class Metric(StrEnum):
    """The distance in which vectors are compared: L1 or L2."""

    MANHATTAN = "manhattan"
    EUCLIDEAN = "euclidean"


@dataclass(frozen=True, slots=True)
class Question:
    """One question of a dump.

    ``id`` is the question's own id in its dump, unique within ``source``; ``text`` is kept exactly as the dump has it.
    ``created`` is aware, in UTC. What a dump does not say is None. ``row`` is where it stands in its dump, from 1.
    """

    id: str
    text: str
    source: str = DEFAULT_SOURCE
    created: datetime | None = None
    score: int | None = None
    views: int | None = None
    tags: tuple[str, ...] = ()
    row: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Label:
    """A person's word on two questions, by their ids: they ask the same thing, or they do not.

    The texts are there where the labels' own file has them (a pair file does, PostLinks.xml does not).
    """

    left: str
    right: str
    duplicate: bool
    source: str = DEFAULT_SOURCE
    left_text: str | None = None
    right_text: str | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that was not taken: where it stands (``row`` counts from 1), why, and the start of what it said."""

    file: str
    row: int
    reason: str
    excerpt: str


Record: TypeAlias = Question | Label | Rejected
"""What a dump yields."""


def question_key(source: str, id: str) -> int:
    """Return the number under which a question is recorded: 63 bits of BLAKE2b over its source and its own id.

    It depends on nothing else, so that row order, other questions and the number of writers cannot change it. Of one
    million questions two share a number with probability 5e-8; the store then refuses the second one by name.
    """
    digest = hashlib.blake2b(f"{source}\x1f{id}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def key_halves(keys: Keys) -> NDArray[np.uint64]:
    """Return keys as two numbers each, (n, 2), that compare as the keys do: NumPy is slow to compare text."""
    return np.ascontiguousarray(keys, dtype="S16").view(">u8").reshape(-1, 2).astype(np.uint64)


def first_of_equal(ascending: Keys) -> NDArray[np.bool_]:
    """Tell which keys, (n,) in order, are not those before them."""
    halves = key_halves(ascending)
    first = np.ones(len(ascending), dtype=bool)
    first[1:] = (halves[1:] != halves[:-1]).any(axis=1)
    return first


def key_order(keys: Keys, *then: Int64) -> Int64:
    """Return the order of ascending keys, (n,); of equal ones by the columns ``then``, the last one first."""
    first, second = key_halves(keys).T
    order: Int64 = np.lexsort((*then, second, first))
    return order


def rows_of(keys: Keys, asked: Keys) -> Int64:
    """Return where each of ``asked``, (m,), is among distinct, ascending ``keys``; -1 where it is not: (m,)."""
    if not len(keys):
        return np.full(len(asked), -1, dtype=np.int64)
    there, wanted = key_halves(keys), key_halves(asked)
    if (there[1:, 0] == there[:-1, 0]).any():  # hashes that begin alike: the whole keys are looked for
        place = np.searchsorted(keys, asked)
    else:
        place = np.searchsorted(there[:, 0], wanted[:, 0])
    place = np.minimum(place, len(keys) - 1)
    row: Int64 = np.where((there[place] == wanted).all(axis=1), place, -1).astype(np.int64)
    return row


def places_of(numbers: Int64, asked: Int64) -> Int64:
    """Return where each of ``asked``, (m,), is among distinct, ascending ``numbers``; -1 where it is not: (m,)."""
    if not len(numbers):
        return np.full(len(asked), -1, dtype=np.int64)
    place = np.minimum(np.searchsorted(numbers, asked), len(numbers) - 1)
    found: Int64 = np.where(numbers[place] == asked, place, -1)
    return found


@dataclass(frozen=True, slots=True)
class Proposed:
    """Candidates near one query, in no order."""

    rows: Int64  # (m,) distinct
    vectors: Float32  # (m, dimension)


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The k nearest stored vectors of each query, nearest first.

    ``distance`` is in the index's own metric (Manhattan or Euclidean), >= 0: smaller is closer, everywhere in dedup.
    ``rows`` are positions in the index. Queries with fewer than k neighbours are padded with row -1 and distance +inf.
    """

    rows: Int64  # (n_queries, k)
    distance: Float32  # (n_queries, k)


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of vectors under a cut-off distance, each once: ``left < right``, sorted by (left, right).

    ``left`` and ``right`` are rows of the embeddings; ``distance`` is exact, as `dedup.distance` defines it.
    """

    left: Int64  # (n_pairs,)
    right: Int64  # (n_pairs,)
    distance: Float32  # (n_pairs,)

    def __len__(self) -> int:
        return len(self.left)

    def where(self, kept: NDArray[np.bool_]) -> Pairs:
        """Return those pairs that are marked, (n_pairs,) of bool."""
        return Pairs(self.left[kept], self.right[kept], self.distance[kept])
