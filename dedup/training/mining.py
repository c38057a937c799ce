"""Hard negatives: questions that look alike to an encoder and are not known to be duplicates."""

from __future__ import annotations

import logging

import numpy as np

from dedup.distance import pair_distances
from dedup.encoders import Encoder
from dedup.index import build_index
from dedup.progress import Progress
from dedup.questions import Float32, Int64, Metric, Neighbours
from dedup.settings import IndexKind
from dedup.training.examples import TextPairs, duplicate_components

log = logging.getLogger(__name__)

NEGATIVES = 5
"""How many are kept of each text, at the most; each training step draws one."""

_RECALL_FLOOR = 0.9  # of the index, where it is not exact: another near one is as good
_FIRST_LOOK = 16  # neighbours
_WIDEST_LOOK = 1024  # where this many are duplicates or too near, the text is in the thick of its own topic
_QUERIES = 4096  # searched between two signs of progress


def hard_negatives(pairs: TextPairs, guide: Encoder, vectors: Float32, progress: Progress) -> Int64:
    """Return the hard negatives among the texts of training pairs, as the guide places them: see `mine_negatives`.

    Nearer than the median labelled duplicate, an unlabelled pair is as likely one more duplicate as not.
    """
    left, right = pairs.left[pairs.duplicate], pairs.right[pairs.duplicate]
    guard = float(np.median(pair_distances(vectors, left, right, guide.metric)))
    return mine_negatives(vectors, duplicate_components(pairs), guard, guide.metric, progress)


def mine_negatives(vectors: Float32, component: Int64, guard: float, metric: Metric, progress: Progress) -> Int64:
    """Return for each text the rows of its nearest ones that are of another component: (n, `NEGATIVES`), -1 padded.

    Nearest first. Those nearer than ``guard`` are left out: nobody has labelled them, and so near most pairs are
    duplicates.

    Parameters
    ----------
    vectors
        (n, d) float32, as the encoder places the texts.
    component
        (n,): texts of one component are duplicates.
    guard
        A distance in ``metric``.
    """
    index = build_index(vectors, metric, IndexKind.AUTO, recall_floor=_RECALL_FLOOR, progress=progress)
    negatives = np.full((len(vectors), NEGATIVES), -1, dtype=np.int64)
    with progress.stage("mine", "questions", total=len(vectors)) as advance:
        for start in range(0, len(vectors), _QUERIES):
            wanted = np.arange(start, min(start + _QUERIES, len(vectors)))
            advance(len(wanted))
            look = min(_FIRST_LOOK, len(vectors))
            while len(wanted):
                negatives[wanted] = _allowed(index.search(vectors[wanted], look), wanted, component, guard)
                if look == min(_WIDEST_LOOK, len(vectors)):
                    break
                wanted = wanted[negatives[wanted, -1] < 0]
                look = min(4 * look, _WIDEST_LOOK, len(vectors))
    none = int((negatives[:, 0] < 0).sum())
    log.info("hard negatives from %s distance %.3f on; %d texts of %d have none", metric, guard, none, len(vectors))
    return negatives


def _allowed(found: Neighbours, queries: Int64, component: Int64, guard: float) -> Int64:
    """Return the first `NEGATIVES` neighbours of each query that may be negatives, -1 padded."""
    other = (found.rows >= 0) & (component[found.rows] != component[queries, None]) & (found.distance >= guard)
    place = other.cumsum(axis=1) - 1
    kept = other & (place < NEGATIVES)
    allowed = np.full((len(queries), NEGATIVES), -1, dtype=np.int64)
    allowed[np.nonzero(kept)[0], place[kept]] = found.rows[kept]
    return allowed
