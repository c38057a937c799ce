"""Going on from the index in service: rows are added behind the others, and rows of texts that are gone are dead."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedup.index.build import IndexedRows, approximates, measured_recall
from dedup.index.faiss_index import FaissIndex
from dedup.index.generations import Generation
from dedup.index.protocol import Rows
from dedup.index.table_index import TableIndex
from dedup.progress import Progress
from dedup.questions import Float32, Int64, Keys, key_order, rows_of
from dedup.settings import IndexKind

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Amendment:
    """How the rows of a generation become those of a corpus."""

    keys: Keys  # (rows,) of all rows: the generation's, then the added ones
    added: Int64  # (m,) which of the corpus' texts are added
    dead: NDArray[np.bool_]  # (rows,)
    row: Int64  # (n,) where each of the corpus' texts stands


def plan_amendment(generation: Generation, keys: Keys) -> Amendment:
    """Compare the rows of a generation with the texts of a corpus, by their ``keys``, (n,) ascending.

    A text that comes back after it was gone has its old row again.
    """
    order = key_order(generation.keys)
    added = np.flatnonzero(rows_of(generation.keys[order], keys) < 0)
    every = np.concatenate([generation.keys, keys[added]])
    in_order = key_order(every)
    return Amendment(
        keys=every,
        added=added,
        dead=rows_of(keys, every) < 0,
        row=in_order[rows_of(every[in_order], keys)],
    )


def amend_index(
    generation: Generation,
    amendment: Amendment,
    embeddings: Float32,
    vectors: Rows,
    kind: IndexKind,
    *,
    recall_floor: float,
    compact_share: float,
    progress: Progress,
) -> IndexedRows | None:
    """Return the index of a corpus as an amendment of a generation's, its recall measured again; this one is used up.

    None where it has to be built anew: where a larger share of its base than ``compact_share`` was added or has died,
    where its recall has fallen under the floor, or where a corpus of this size has another kind of index.

    Parameters
    ----------
    embeddings
        (n, d) of the corpus, in the order of its keys.
    vectors
        Of all rows, in the order of the index.
    """
    index, base = generation.index, generation.base
    changed = len(amendment.keys) - base + int(amendment.dead.sum())
    if changed > compact_share * base or not _is_still(index, len(embeddings), kind, recall_floor):
        return None
    with progress.stage("index", "vectors", total=len(amendment.added)) as advance:
        added = np.asarray(embeddings[amendment.added])
        if isinstance(index, TableIndex):
            amended: FaissIndex | TableIndex = index.amended(added, amendment.dead)
        else:
            amended = index.amended(added, amendment.dead, vectors)
        amended.recall = measured_recall(amended, embeddings, amendment.row)
        advance(len(amendment.added))
    if amended.recall < recall_floor:
        log.info("the amended index has recall %.4f, the floor is %g: it is built anew", amended.recall, recall_floor)
        return None
    return IndexedRows(amended, amendment.keys, base)


def _is_still(index: FaissIndex | TableIndex, rows: int, kind: IndexKind, recall_floor: float) -> bool:
    """Tell whether an index is of the kind that a corpus of so many texts has, and rows can be added to it."""
    if isinstance(index, TableIndex):
        return kind is IndexKind.PGVECTOR and index.is_last and (recall_floor < 1 or not index.proposed)
    coded = approximates(rows, kind) and recall_floor < 1
    return kind is not IndexKind.PGVECTOR and coded == (index.kind is IndexKind.PQ)
