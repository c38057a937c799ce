"""What every index is, whatever holds the vectors."""

from __future__ import annotations

from typing import Protocol

from dedup.questions import Float32, Int64, Metric, Neighbours
from dedup.settings import IndexKind


class Rows(Protocol):
    """Vectors by row number: an array of them, or what reads them from disk."""

    def __getitem__(self, rows: Int64, /) -> Float32:
        """Return the vectors of ``rows``, (len(rows), dimension) float32."""


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

    def __len__(self) -> int:
        """How many vectors there are."""

    def search(self, queries: Float32, k: int) -> Neighbours:
        """Return the k nearest vectors of each query, (n_queries, dimension) float32."""

    def vectors(self, rows: Int64) -> Float32:
        """Return the stored vectors of ``rows``, (len(rows), dimension) float32."""
