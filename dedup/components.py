"""Which rows hang together: connected components of more links than memory has room for.

Every row points to a row of its component with a smaller number, or to itself if there is none. Links are looked at a
part at a time, as links of the rows at the ends of these chains, so that only the rows have to be held, in a mapped
array. Sources: Tarjan (1975), "Efficiency of a good but not linear set union algorithm", for the chains; Abello,
Buchsbaum & Westbrook (2002), "A functional approach to external graph algorithms", for links that stay outside.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from dedup.external_sort import chunks
from dedup.memory import spacious
from dedup.questions import Int64


def components(rows: int, links: Iterable[tuple[Int64, Int64]]) -> Int64:
    """Return the component of each row, (rows,): the smallest of the rows that hang together with it.

    Parameters
    ----------
    links
        Parts of the links, as the rows on either side, (n_links,) each; every part fits in memory.
    """
    before = spacious((rows,), np.int64)
    for some in chunks(rows):
        before[some] = np.arange(some.start, some.stop)
    for left, right in links:
        one, other = _first(before, left), _first(before, right)
        before[left], before[right] = one, other  # shorter chains from now on
        apart = one != other
        ends, place = np.unique(np.stack([one[apart], other[apart]]), return_inverse=True)
        here, there = place.reshape(2, -1)
        graph = coo_array((np.ones(len(here), dtype=bool), (here, there)), shape=(len(ends), len(ends)))
        together = connected_components(graph, directed=False)[1]
        # Ascending: the first of each component is its smallest.
        before[ends] = ends[np.unique(together, return_index=True)[1]][together]
    for some in chunks(rows):
        before[some] = _first(before, before[some])
    return before


def _first(before: Int64, rows: Int64) -> Int64:
    """Follow the chains from some rows to their ends."""
    while True:
        further = before[rows]
        if np.array_equal(further, rows):
            return further
        rows = further
