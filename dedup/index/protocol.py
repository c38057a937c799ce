"""What every index is, whatever holds the vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dedup.progress import Advance
from dedup.questions import Float32, Int64, Metric, Neighbours, Proposed
from dedup.settings import IndexKind


class Rows(Protocol):
    """Vectors by row number: an array of them, or what reads them from disk."""

    def __getitem__(self, rows: Int64, /) -> Float32:
        """Return the vectors of ``rows``, (len(rows), dimension) float32."""


class VectorTable(Rows, Protocol):
    """Vectors in a table of a database, numbered from 0 on; it may have more than the index that searches it."""

    @property
    def name(self) -> str:
        """The table's."""

    def nearest(self, queries: Float32, count: int, *, breadth: int | None) -> Sequence[Proposed]:
        """Return at least the ``count`` nearest to each query, as far as there are so many, more where some are tied.

        Parameters
        ----------
        breadth
            How many candidates the search keeps in view, from 1 to `dedup.index.table_index.BROADEST`; None to compare
            every row.
        """

    def append(self, first: int, vectors: Float32) -> None:
        """Add ``vectors``, (m, dimension), as the rows from ``first`` on; what a killed job left there goes first."""

    def shared_rows(self) -> int:
        """Return how many rows the longest generation that is shared has here."""


class VectorTables(Protocol):
    """Where such tables are."""

    def create_vectors(
        self, generation: str, vectors: Float32, metric: Metric, *, graph: bool, advance: Advance
    ) -> VectorTable:
        """Make the table of a generation's ``vectors``, (n, dimension), with a ``graph`` to search it by or without.

        ``advance`` is told how many of them are in, from another thread while the graph is made.
        """

    def open_vectors(self, name: str, dimension: int, metric: Metric) -> VectorTable:
        """Return a table that is there."""


class Index(Protocol):
    """Vectors by row number, searched in one metric. Distances are true ones of that metric, smaller is closer."""

    @property
    def metric(self) -> Metric:
        """The distance."""

    @property
    def kind(self) -> IndexKind:
        """How it searches."""

    @property
    def recall(self) -> float:
        """The measured recall of `search` against exact search; 1.0 where search is exact."""

    @property
    def proposed(self) -> int:
        """How much it looks at for an answer, in a measure of its own."""

    @property
    def dead(self) -> NDArray[np.bool_]:
        """Which rows are passed over, (rows,)."""

    @property
    def rows(self) -> int:
        """How many rows there are, the dead ones included."""

    def __len__(self) -> int:
        """How many vectors there are that are not dead."""

    def search(self, queries: Float32, k: int) -> Neighbours:
        """Return the k nearest vectors of each query, (n_queries, dimension) float32."""

    def vectors(self, rows: Int64) -> Float32:
        """Return the stored vectors of ``rows``, (len(rows), dimension) float32."""
