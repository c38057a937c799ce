"""What people decided about pairs of texts, as constraints on any clustering: these belong together, those never do.

A decision is about two texts, by their keys, so it holds for every copy of them, whatever encoder, index and run come
after. Confirmed pairs chain: what is confirmed with one of two confirmed texts belongs with both. A rejected pair
inside such a chain is a contradiction; which of the decisions is wrong cannot be told, so none of that chain is applied
until a person has mended it, and both are shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from dedup.questions import Int64, Keys


@dataclass(frozen=True, slots=True)
class Decisions:
    """Decided pairs of texts, by their keys; ``left`` and ``right`` of one array are the pairs of the other."""

    same: tuple[Keys, Keys]  # (n,) each
    different: tuple[Keys, Keys]  # (m,) each

    def __len__(self) -> int:
        return len(self.same[0]) + len(self.different[0])


@dataclass(frozen=True, slots=True)
class Constraints:
    """Decisions as rows of a corpus, without those that contradict each other.

    ``group[row]`` is a number that rows share which must be in one cluster; the rows of each of ``apart`` never are.
    """

    group: Int64  # (n_rows,)
    apart: Int64  # (k, 2) rows
    contradicted: Int64  # (c, 2) rows of rejected pairs whose texts confirmed ones hold together


def constraints(decisions: Decisions, keys: Keys) -> Constraints:
    """Return what decisions say of a corpus whose rows are the texts of ``keys``, ascending; of other texts nothing."""
    same, different = (_rows(pair, keys) for pair in (decisions.same, decisions.different))
    group = _joined(same, len(keys))
    inside = group[different[:, 0]] == group[different[:, 1]]
    if inside.any():
        undecided = np.isin(group[same[:, 0]], group[different[inside, 0]])
        group = _joined(same[~undecided], len(keys))
    return Constraints(group, different[~inside], different[inside])


def _rows(pair: tuple[Keys, Keys], keys: Keys) -> Int64:
    """Return the rows of pairs of which both texts are there, (n, 2), without those of one and the same text."""
    if not len(keys) or not len(pair[0]):
        return np.empty((0, 2), dtype=np.int64)
    sides = []
    for side in pair:
        row = np.minimum(np.searchsorted(keys, side), len(keys) - 1)
        sides.append(np.where(keys[row] == side, row, -1))
    rows = np.stack(sides, axis=1).astype(np.int64)
    found: Int64 = rows[(rows >= 0).all(axis=1) & (rows[:, 0] != rows[:, 1])]
    return found


def _joined(pairs: Int64, rows: int) -> Int64:
    graph = coo_array((np.ones(len(pairs), dtype=bool), (pairs[:, 0], pairs[:, 1])), shape=(rows, rows))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def decided(verdicts: Sequence[tuple[bytes, bytes, bool]]) -> Decisions:
    """Return verdicts on pairs of text keys, each with whether they ask the same, as `Decisions`."""
    from dedup.text import key_array

    def side(number: int, same: bool) -> Keys:
        return key_array(verdict[number] for verdict in verdicts if verdict[2] is same)

    return Decisions((side(0, True), side(1, True)), (side(0, False), side(1, False)))
