"""A generation, and the texts recorded since that it does not hold: searched as one.

A generation is never changed. What is recorded after it was built lies over it in memory, compared one by one with each
question: exact, and as fast as a few thousand texts are. The next generation has them all, and nothing lies over it.
"""

from __future__ import annotations

import numpy as np

from dedup.distance import distance
from dedup.index.generations import Generation
from dedup.questions import Float32, Int64, Keys, Metric, Neighbours

_FEWEST = 64  # rows that there is room for at first


class Overlay:
    """An index of the rows of a generation, followed by those of texts that were added since.

    It never changes: `adding` returns another one, which shares the memory.
    """

    def __init__(self, generation: Generation) -> None:
        self.generation = generation
        self._index = generation.index
        dimension = generation.reference.vectors.shape[1]
        self._room = np.empty((_FEWEST, dimension), dtype=np.float32)
        self.added = np.empty(0, dtype=generation.keys.dtype)  # (m,) text keys, in the order they came

    @property
    def metric(self) -> Metric:
        """The distance."""
        return self._index.metric

    @property
    def recall(self) -> float:
        """The generation's measured recall; what lies over it is found exactly."""
        return self._index.recall

    @property
    def added_vectors(self) -> Float32:
        """The vectors of ``added``, (m, dimension) float32."""
        return self._room[: len(self.added)]

    def __len__(self) -> int:
        return len(self._index) + len(self.added)

    @property
    def rows(self) -> int:
        """How many rows there are, those of the generation that are dead included."""
        return self._index.rows + len(self.added)

    def adding(self, keys: Keys, vectors: Float32) -> Overlay:
        """Return an overlay that has the texts of ``keys`` too, (m,) and (m, dimension).

        Only the overlay that was returned last may be added to: the others' memory has been given on.
        """
        grown = Overlay.__new__(Overlay)
        grown.generation, grown._index = self.generation, self._index
        start, end = len(self.added), len(self.added) + len(keys)
        grown._room = self._room
        if end > len(self._room):
            grown._room = np.empty((2 * end, self._room.shape[1]), dtype=np.float32)
            grown._room[:start] = self._room[:start]
        grown._room[start:end] = vectors  # after the rows of every overlay that shares this memory
        grown.added = np.concatenate([self.added, keys])
        return grown

    def missing(self, keys: Keys) -> Keys:
        """Return those of ``keys`` that are neither in the generation nor over it, sorted and each once."""
        asked = np.unique(keys)
        base, stored = self.generation.base, self.generation.keys
        place = np.minimum(np.searchsorted(stored[:base], asked), base - 1)
        there = (stored[place] == asked) & ~self._index.dead[place]  # the rows up to the base ascend by key
        alive = base + np.flatnonzero(~self._index.dead[base:])
        for others in (stored[alive], self.added):
            there |= np.isin(asked, others)
        absent: Keys = asked[~there]
        return absent

    def keys(self, rows: Int64) -> Keys:
        """Return the text keys of ``rows``, in their shape."""
        below = self._index.rows
        found = self.generation.keys[np.minimum(rows, below - 1)]
        over = rows >= below
        found[over] = self.added[rows[over] - below]
        return found

    def crowding(self, rows: Int64) -> Float32:
        """Return the crowding of ``rows``, (len(rows),) float32; NaN where it is not known."""
        found = np.full(len(rows), np.nan, dtype=np.float32)
        if self.generation.crowding is not None:
            below = rows < self._index.rows
            found[below] = self.generation.crowding[rows[below]]
        return found

    def vectors(self, rows: Int64) -> Float32:
        """Return the vectors of ``rows``, (len(rows), dimension) float32."""
        below = self._index.rows
        over = rows >= below
        if not over.any():
            return self._index.vectors(rows)
        found = np.empty((len(rows), self._room.shape[1]), dtype=np.float32)
        found[over] = self._room[rows[over] - below]
        if not over.all():
            found[~over] = self._index.vectors(rows[~over])
        return found

    def search(self, queries: Float32, k: int) -> Neighbours:
        """See `Index.search`; equal distances go by row, so that what was recorded earlier comes first."""
        found = self._index.search(queries, k)
        if not len(self.added):
            return found
        over = np.arange(self._index.rows, self.rows, dtype=np.int64)
        for at, query in enumerate(queries):
            rows = np.concatenate([found.rows[at], over])
            far = np.concatenate([found.distance[at], distance(query[None, :], self.added_vectors, self.metric)])
            nearest = np.lexsort((rows, far))[:k]
            found.rows[at], found.distance[at] = rows[nearest], far[nearest]
        return found
