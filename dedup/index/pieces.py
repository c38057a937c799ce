"""Codes of a large corpus, cut into pieces: for one query FAISS looks through an index on one core, for many on all.

The pieces are the same whatever the machine is, and what they propose is what the whole index proposes: the codes and
the tables they are measured by are the same, and of equally near rows the first ones count.
"""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from threading import Lock

import faiss
import numpy as np

from dedup.cores import alone, on_one_core
from dedup.questions import Float32, Int64

_ROWS = 1 << 17  # of a piece, at the least: below a millisecond's work, another thread costs more than it saves
_MOST = 8
_FEW = 16  # queries: FAISS takes twice as long where it asks the other cores about them

_alone = Lock()  # held by the one query that all cores work on; any other has its own thread only


class Pieces:
    """An `IndexPQFastScan` in pieces of whole blocks; ``index`` itself where it is small."""

    def __init__(self, index: faiss.IndexPQFastScan) -> None:
        count = max(1, min(_MOST, int(index.ntotal) // _ROWS))
        self._pieces = [(0, index)] if count == 1 else _cut(index, count)

    def propose(self, queries: Float32, k: int) -> Int64:
        """Return the rows of the k nearest codes of each query, nearest first, (n_queries, k); -1 where there is none.

        A query that comes alone is worked on by all cores.
        """
        found: list[tuple[Float32, Int64]] = [(_NO_DISTANCE, _NO_ROW)] * len(self._pieces)
        left = deque(range(len(self._pieces)))

        def work() -> None:
            while left:
                try:
                    number = left.popleft()
                except IndexError:  # another thread has taken the last
                    return
                first, piece = self._pieces[number]
                near, rows = piece.search(queries, k)
                found[number] = near, np.where(rows >= 0, rows + first, -1)

        with alone(where=len(queries) <= _FEW):
            if len(queries) == 1 and len(self._pieces) > 1 and _alone.acquire(blocking=False):
                try:
                    others = [_threads().submit(work) for _ in range(_cores() - 1)]
                    work()
                    for other in others:
                        if not other.cancel():
                            other.result()
                finally:
                    _alone.release()
            else:
                work()
        if len(found) == 1:
            return found[0][1]
        near, rows = (np.concatenate(parts, axis=1) for parts in zip(*found, strict=True))
        nearest: Int64 = np.take_along_axis(rows, np.lexsort((rows, near), axis=1)[:, :k], axis=1)
        return nearest


_NO_DISTANCE, _NO_ROW = np.empty((0, 0), dtype=np.float32), np.empty((0, 0), dtype=np.int64)


def _cut(index: faiss.IndexPQFastScan, count: int) -> list[tuple[int, faiss.IndexPQFastScan]]:
    """Return so many pieces, each with the number of its first row."""
    codes = faiss.AlignedTable_to_array(index.codes)
    rows_of_block = int(index.bbs)
    blocks = -(-int(index.ntotal) // rows_of_block)
    bytes_of_block = len(codes) // blocks
    cuts = [blocks * number // count for number in range(count + 1)]
    pieces = []
    for start, end in pairwise(cuts):
        piece = faiss.IndexPQFastScan(index.d, index.M, index.nbits, index.metric_type, rows_of_block)
        piece.pq = index.pq
        piece.is_trained = True
        faiss.copy_array_to_AlignedTable(codes[start * bytes_of_block : end * bytes_of_block], piece.codes)
        first = start * rows_of_block
        piece.ntotal = min(int(index.ntotal), end * rows_of_block) - first
        piece.ntotal2 = (end - start) * rows_of_block  # type: ignore[attr-defined]
        pieces.append((first, piece))
    return pieces


def _cores() -> int:
    return len(os.sched_getaffinity(0))


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(1, _cores() - 1), thread_name_prefix="search", initializer=on_one_core)
