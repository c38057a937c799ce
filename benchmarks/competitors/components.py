"""Pairs to clusters as those do it who have nothing else: connected components."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from dedup.questions import Int64


def components(pairs: Int64, rows: int) -> Int64:
    """Return the component of each of ``rows`` rows, (rows,), from (n, 2) pairs of rows."""
    graph = coo_array((np.ones(len(pairs), dtype=bool), (pairs[:, 0], pairs[:, 1])), shape=(rows, rows))
    _, component = connected_components(graph, directed=False)
    label: Int64 = component.astype(np.int64)
    return label


def several(component: Int64) -> int:
    """Return how many components have two rows or more."""
    return int((np.bincount(component) >= 2).sum())
