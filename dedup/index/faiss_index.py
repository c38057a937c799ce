"""FAISS indexes that are true to their metric: flat, and IVF over flat lists.

Only these two are used, because only they hold plain vectors in both metrics. Product-quantised lists accept L1 and
answer with something that is not L1, and HNSW's range search in L1 silently returns a part of the truth.
"""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np

from dedup.distance import distance
from dedup.errors import ArtifactDamaged
from dedup.questions import Float32, Metric, Neighbours
from dedup.settings import IndexKind

_FAISS_METRIC = {Metric.MANHATTAN: faiss.METRIC_L1, Metric.EUCLIDEAN: faiss.METRIC_L2}


class FaissIndex:
    """A FAISS index with its measured recall."""

    def __init__(self, index: faiss.Index, metric: Metric, recall: float) -> None:
        if index.metric_type != _FAISS_METRIC[metric]:
            raise ValueError(f"a FAISS index of metric type {index.metric_type} cannot be searched in {metric}")
        self._index = index
        self._cells = index if isinstance(index, faiss.IndexIVF) else None
        if self._cells:
            self._cells.make_direct_map()  # from row to place, for `vectors`
        self.metric = metric
        self.recall = recall

    @classmethod
    def flat(cls, vectors: Float32, metric: Metric) -> FaissIndex:
        """Return an exact index of ``vectors``, (n, d) float32."""
        index = faiss.IndexFlat(vectors.shape[1], _FAISS_METRIC[metric])
        index.add(vectors)
        return cls(index, metric, recall=1.0)

    @classmethod
    def ivf(cls, vectors: Float32, metric: Metric, centroids: Float32) -> FaissIndex:
        """Return an index of ``vectors`` in the cells of ``centroids``, (c, d) float32; its recall is not yet measured.

        The cell of a vector is that of its L2-nearest centroid in both metrics: L2 goes through BLAS, and which cell
        a vector lies in changes what is searched, never a distance.
        """
        quantizer = faiss.IndexFlatL2(vectors.shape[1])
        quantizer.add(centroids)
        index = faiss.IndexIVFFlat(quantizer, vectors.shape[1], len(centroids), _FAISS_METRIC[metric])
        index.train(centroids)
        index.add(vectors)
        return cls(index, metric, recall=0.0)

    @property
    def kind(self) -> IndexKind:
        """Flat or IVF."""
        return IndexKind.IVF if self._cells else IndexKind.FLAT

    @property
    def dimension(self) -> int:
        """The length of a vector."""
        return int(self._index.d)

    @property
    def cells(self) -> int:
        """How many cells there are; 1 in a flat index."""
        return int(self._cells.nlist) if self._cells else 1

    @property
    def probes(self) -> int:
        """How many cells a search looks into."""
        return int(self._cells.nprobe) if self._cells else 1

    @probes.setter
    def probes(self, probes: int) -> None:
        if self._cells:
            self._cells.nprobe = probes

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def search(self, queries: Float32, k: int) -> Neighbours:
        """See `Index.search`. FAISS chooses the neighbours; their distances are measured again, exactly, and sorted.

        FAISS's L2 is a squared one, and for many queries at once computed through BLAS with its cancellation.
        """
        queries = np.ascontiguousarray(queries, dtype=np.float32)
        rows = np.full((len(queries), k), -1, dtype=np.int64)
        _, found = self._index.search(queries, min(k, max(1, len(self))))
        rows[:, : found.shape[1]] = found
        measured = np.full(rows.shape, np.inf, dtype=np.float32)
        for at, query in enumerate(queries):
            real = rows[at] >= 0
            measured[at, real] = distance(query[None, :], self.vectors(rows[at, real]), self.metric)
        order = np.lexsort((rows, measured))  # equal distances by row, so that the answer is a function of the corpus
        return Neighbours(np.take_along_axis(rows, order, 1), np.take_along_axis(measured, order, 1))

    def vectors(self, rows: np.ndarray) -> Float32:
        """Return the stored vectors of ``rows``, (len(rows), dimension) float32."""
        stored: Float32 = self._index.reconstruct_batch(np.ascontiguousarray(rows, dtype=np.int64))
        return stored

    def save(self, file: Path) -> None:
        """Write the index to ``file``.

        Raises
        ------
        OSError
            If it cannot be written whole.
        """
        try:
            faiss.write_index(self._index, str(file))
        except RuntimeError as error:  # FAISS has no other, and its message is about its source
            raise OSError(f"FAISS could not write {file.name} whole, the disk may be full") from error

    @classmethod
    def load(cls, file: Path, metric: Metric, recall: float) -> FaissIndex:
        """Read an index that `save` wrote; its SHA-256 has been checked by the caller.

        Raises
        ------
        ArtifactDamaged
            If FAISS cannot read the file.
        """
        try:
            return cls(faiss.read_index(str(file)), metric, recall)
        except (RuntimeError, ValueError) as error:
            raise ArtifactDamaged(
                f"{file} is not an index of metric {metric}; run `dedup run` to rebuild it"
            ) from error
