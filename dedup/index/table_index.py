"""An index in a table of a database that several servers share: pgvector's graph proposes, `dedup.distance` measures.

HNSW (Malkov & Yashunin, 2018) is true to its metric, L1 as well as L2. What tunes it is how many candidates a search
keeps in view (pgvector's ``hnsw.ef_search``); it goes on beyond them until it has as many rows as were asked for
(``hnsw.iterative_scan``). Rows are added behind the others, in the same table; a generation passes over those that came
after it, as over its dead ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from dedup.index.protocol import VectorTable
from dedup.index.ranking import ranked_each
from dedup.questions import Float32, Int64, Metric, Neighbours, Proposed
from dedup.settings import IndexKind

BREADTHS = (40, 80, 120, 160, 240, 320, 480, 640, 1000)
"""How many candidates a search keeps in view: the first that keeps the recall floor is taken."""

BROADEST = BREADTHS[-1]
"""pgvector's own limit. Whoever asks for more rows than that has all of them compared."""

_SPARE = 8  # rows more than asked for: the database measures in another order of additions, which can swap near ones


class TableIndex:
    """A table of vectors, which of its rows count, and the measured recall of a search in it."""

    kind = IndexKind.PGVECTOR

    def __init__(
        self, table: VectorTable, metric: Metric, recall: float, proposed: int, dead: NDArray[np.bool_]
    ) -> None:
        self.table = table
        self.metric = metric
        self.recall = recall
        self.proposed = proposed  # candidates in view; 0: every row is compared
        self.dead = dead
        self._alive = len(dead) - int(dead.sum())

    def __len__(self) -> int:
        return self._alive

    @property
    def rows(self) -> int:
        """How many rows there are, the dead ones included, and those of later generations not."""
        return len(self.dead)

    def search(self, queries: Float32, k: int) -> Neighbours:
        """See `Index.search`."""
        wanted = min(k, len(self))
        asked = wanted + _SPARE
        while True:
            breadth = self._breadth(asked)
            proposed = self.table.nearest(queries, asked, breadth=breadth)
            # Of the table: it may have rows of later generations.
            everything = breadth is None and all(len(some.rows) < asked for some in proposed)
            alive = list(self._alive_among(proposed))
            if everything or all(len(some.rows) >= wanted for some in alive):
                return ranked_each(queries, alive, k, self.metric)
            asked = 2 * asked + 1  # the dead can lie together, around a query

    def _breadth(self, asked: int) -> int | None:
        if not self.proposed or asked > BROADEST or asked >= self.rows:
            return None
        return max(self.proposed, asked)

    def _alive_among(self, proposed: Sequence[Proposed]) -> Iterator[Proposed]:
        for some in proposed:
            real = some.rows < self.rows
            real[real] = ~self.dead[some.rows[real]]
            yield some if real.all() else Proposed(some.rows[real], some.vectors[real])

    def vectors(self, rows: Int64) -> Float32:
        """Return the vectors of ``rows``, (len(rows), dimension) float32."""
        return self.table[rows]

    @property
    def is_last(self) -> bool:
        """Whether no other generation has added rows after this one's."""
        return self.table.shared_rows() <= self.rows

    def amended(self, added: Float32, dead: NDArray[np.bool_]) -> TableIndex:
        """Return the index with rows added behind the others, ``added`` (m, d) float32.

        ``dead`` says which rows are passed over from now on, (rows + m,). Only of the last generation of a table.
        """
        if len(added):
            self.table.append(self.rows, added)
        return TableIndex(self.table, self.metric, self.recall, self.proposed, dead)
