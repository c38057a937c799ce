"""FAISS indexes that propose candidates; what is returned are true distances, measured on the vectors themselves.

Two kinds. A flat index holds the vectors plainly and is true to its metric. Of a large corpus FAISS holds codes of four
bits for every few components (`IndexPQFastScan`): a thirtieth of the memory, and looked through whole in a few
milliseconds. Such codes measure L2 only; asked for L1, FAISS's product quantisers accept it and answer with something
else. So codes always propose by L2, several candidates for each neighbour, and where the metric is L1 the answer is
ordered by true L1 distances all the same. What is lost that way is part of the recall that the index states.

Rows can be added behind the others, coded as the first ones were, and rows can be dead: FAISS still proposes those, and
they are passed over. Both cost a little; `dedup.index.build` says when an index is built anew.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from dedup.cores import alone
from dedup.errors import ArtifactDamaged
from dedup.index.pieces import Pieces
from dedup.index.protocol import Rows
from dedup.index.ranking import FAISS_METRIC, ranked
from dedup.questions import Float32, Int64, Metric, Neighbours
from dedup.settings import IndexKind

_ADDED = 16_384  # vectors coded at once
_TRAINED_ON = 32_768  # vectors that the codes are made for
_FEWEST_PARTS = 96  # that a vector is cut into; of up to four components each
_MOST_COMPONENTS = 4
_SPARE = 8  # rows asked for beyond what is wanted where some are dead
_FEWEST_ASKED = 10  # candidates are proposed as for so many neighbours, at the least


class FaissIndex:
    """A FAISS index, the vectors that it is about, and its measured recall."""

    def __init__(
        self, index: faiss.Index, vectors: Rows, metric: Metric, recall: float, dead: NDArray[np.bool_] | None = None
    ) -> None:
        self._index = index
        self.dead = np.zeros(int(index.ntotal), dtype=bool) if dead is None else dead
        self._alive = len(self.dead) - int(self.dead.sum())
        self._coded = isinstance(index, faiss.IndexPQFastScan)
        expected = FAISS_METRIC[Metric.EUCLIDEAN if self._coded else metric]
        if index.metric_type != expected:
            raise ValueError(f"a FAISS index of metric type {index.metric_type} cannot be searched in {metric}")
        self._vectors = vectors
        self.metric = metric
        self.recall = recall
        self.proposed = 1  # candidates for each neighbour that is asked for

    @classmethod
    def flat(cls, vectors: Float32, metric: Metric) -> FaissIndex:
        """Return an exact index of ``vectors``, (n, d) float32."""
        index = faiss.IndexFlat(vectors.shape[1], FAISS_METRIC[metric])
        index.add(np.ascontiguousarray(vectors, dtype=np.float32))
        return cls(index, vectors, metric, recall=1.0)

    @classmethod
    def codes(cls, vectors: Float32, metric: Metric) -> FaissIndex:
        """Return an index of the codes of ``vectors``, (n, d) float32; its recall is not yet measured."""
        dimension = vectors.shape[1]
        each = min(_MOST_COMPONENTS, max(1, dimension // _FEWEST_PARTS))
        parts = -(-dimension // each)
        index = faiss.IndexPQFastScan(parts * each, parts, 4)
        with alone():  # 96 times 25 rounds of a small product
            index.train(_padded(vectors[:: max(1, len(vectors) // _TRAINED_ON)], parts * each))
        for start in range(0, len(vectors), _ADDED):
            index.add(_padded(vectors[start : start + _ADDED], parts * each))
        return cls(index, vectors, metric, recall=0.0)

    @property
    def kind(self) -> IndexKind:
        """Flat or codes."""
        return IndexKind.PQ if self._coded else IndexKind.FLAT

    def __len__(self) -> int:
        return self._alive

    @property
    def rows(self) -> int:
        """How many rows there are, the dead ones included."""
        return len(self.dead)

    def amended(self, added: Float32, dead: NDArray[np.bool_], vectors: Rows) -> FaissIndex:
        """Return the index with rows added behind the others, ``added`` (m, d) float32; this one is used up.

        Parameters
        ----------
        dead
            (rows + m,) which rows are passed over from now on.
        vectors
            Those of all rows.
        """
        for start in range(0, len(added), _ADDED):
            self._index.add(_padded(added[start : start + _ADDED], int(self._index.d)))
        index = FaissIndex(self._index, vectors, self.metric, self.recall, dead)
        index.proposed = self.proposed
        return index

    def search(self, queries: Float32, k: int) -> Neighbours:
        """See `Index.search`. FAISS proposes, `dedup.distance` measures.

        Also where the index is flat: FAISS's L2 is a squared one, and for many queries computed through BLAS with its
        cancellation.
        """
        wanted = min(self.proposed * max(k, _FEWEST_ASKED) if self._coded else k, len(self))
        padded, asked = _padded(queries, int(self._index.d)), self._with_spare(wanted)
        while True:
            proposed = self._propose(padded, max(1, min(asked, self.rows)))
            alive = proposed >= 0
            if len(self) < self.rows:
                alive &= ~self.dead[proposed]
            if asked >= self.rows or (alive.sum(axis=1) >= wanted).all():
                # No more than wanted: what else is asked, or how many rows were spare, must not change an answer.
                proposed[~alive | (np.cumsum(alive, axis=1) > wanted)] = -1
                return ranked(queries, self._vectors, proposed, k, self.metric)
            asked = 2 * asked + 1  # the dead can lie together, around a query

    def _propose(self, queries: Float32, k: int) -> Int64:
        if not self._coded:
            return self._index.search(queries, k)[1]
        return self._pieces.propose(queries, k)

    @cached_property
    def _pieces(self) -> Pieces:
        assert isinstance(self._index, faiss.IndexPQFastScan)
        return Pieces(self._index)

    def _with_spare(self, wanted: int) -> int:
        """Return how many rows to ask for so that hardly ever fewer than ``wanted`` of them are alive.

        Three times as many dead ones as there are on average, for they do not lie evenly, and a few: a second search
        takes as long as the first, and some more rows next to nothing.
        """
        dead = self.rows - len(self)
        return wanted + -(-3 * wanted * dead // self.rows) + _SPARE if dead else wanted

    def vectors(self, rows: NDArray[np.int64]) -> Float32:
        """Return the vectors of ``rows``, (len(rows), dimension) float32."""
        return self._vectors[rows]

    def save(self, file: Path) -> None:
        """Write the index to ``file``, without the vectors.

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
    def load(
        cls, file: Path, vectors: Rows, metric: Metric, *, recall: float, proposed: int, dead: NDArray[np.bool_]
    ) -> FaissIndex:
        """Read an index that `save` wrote; its SHA-256 has been checked by the caller.

        ``dead`` says which of its rows are passed over, (rows,).

        Raises
        ------
        ArtifactDamaged
            If FAISS cannot read the file, or it has not one row for each of ``dead``.
        """
        try:
            read = faiss.read_index(str(file))
            if int(read.ntotal) != len(dead):
                raise ArtifactDamaged(
                    f"{file} has {read.ntotal} rows for {len(dead)} keys; run `dedup run` to rebuild it"
                )
            index = cls(read, vectors, metric, recall, dead)
        except (RuntimeError, ValueError) as error:
            raise ArtifactDamaged(
                f"{file} is not an index of metric {metric}; run `dedup run` to rebuild it"
            ) from error
        index.proposed = proposed
        return index


def _padded(vectors: Float32, dimension: int) -> Float32:
    """Return vectors with zeros up to ``dimension``, which change no L2 or L1 distance."""
    padded = np.zeros((len(vectors), dimension), dtype=np.float32)
    padded[:, : vectors.shape[1]] = vectors
    return padded
