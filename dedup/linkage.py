"""Complete linkage down to a floor: parts grow along links, surest first, and never hold two strangers.

Sørensen (1948), "A method of establishing groups of equal amplitude in plant sociology", where every link has to be
at the floor; here links may have to be surer than that.

A link is decided by the two parts it joins as they are when its turn comes, so links that share no part can be decided
at once. Each round decides every open link that comes first for both its parts: the result is that of deciding one
after the other, in a few rounds of array operations instead of a step for each of millions of links.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from dedup.matching import Matcher
from dedup.questions import Float64, Int64

_WINDOW = 1 << 16  # links looked at together: the fewer, the more of later ones are inside a part by their turn
_PAIRS = 1 << 17  # pairs judged together
_THINNED = 16  # rows of either part that are looked at before all are: most strangers show among these

Parts: TypeAlias = tuple[Int64, Int64]
"""The rows of two parts."""


@dataclass(frozen=True, slots=True)
class Grown:
    """A partition of the rows. Parts are named after one of their rows."""

    part: Int64  # (n_rows,) the name of each row's part
    weakest: Float64  # (n_rows,) by name: the lowest match probability of two rows of the part; 1 of a single row


def grow(matcher: Matcher, left: Int64, right: Int64, floor: float) -> Grown:
    """Join rows along links, in their order, unless a row of the one part is a stranger to one of the other.

    Parameters
    ----------
    left, right
        (n_links,) rows, the surest link first; each link has at least the probability ``floor``.
    floor
        Two rows of a lower match probability are strangers.
    """
    growing = _Growing(matcher, floor)
    for start in range(0, len(left), _WINDOW):
        growing.along(left[start : start + _WINDOW], right[start : start + _WINDOW])
    return Grown(growing.part, growing.weakest)


class _Growing:
    """Parts while they grow."""

    def __init__(self, matcher: Matcher, floor: float) -> None:
        rows = len(matcher.embeddings)
        self._matcher = matcher
        self._floor = floor
        self.part = np.arange(rows, dtype=np.int64)
        self.weakest = np.ones(rows)
        self._rows: dict[int, Int64] = {}  # of parts of several rows
        self._strangers = np.empty((2, 0), dtype=np.int64)  # two rows of parts that stay apart, also when they grow
        self._first = np.empty(rows, dtype=np.int64)

    def along(self, one: Int64, other: Int64) -> None:
        """Decide some links, given by rows of the parts that they join."""
        # Parts have grown together: of many strangers between two of them, one is enough.
        self._strangers = np.stack(np.divmod(np.unique(self._places(*self.part[self._strangers])), len(self.part)))
        while True:
            one, other = self._open(self.part[one], self.part[other])
            if not len(one):
                return
            now = self._come_first(one, other)
            self._decide(one[now], other[now])

    def _open(self, one: Int64, other: Int64) -> tuple[Int64, Int64]:
        """Drop links within a part, between parts that stay apart, and all but the first of two parts."""
        between = one != other
        one, other = one[between], other[between]
        places = self._places(one, other)
        first = np.sort(np.unique(places, return_index=True)[1])
        apart = np.unique(self._places(*self.part[self._strangers]))
        undecided = first[~np.isin(places[first], apart)]
        return one[undecided], other[undecided]

    def _places(self, one: Int64, other: Int64) -> Int64:
        return np.minimum(one, other) * len(self.part) + np.maximum(one, other)

    def _come_first(self, one: Int64, other: Int64) -> NDArray[np.bool_]:
        """Tell which links are the first of both their parts."""
        turn = np.arange(len(one))
        # Of several values for one place NumPy keeps the last: written backwards, the smallest.
        self._first[np.stack([one, other], axis=1).ravel()[::-1]] = np.repeat(turn, 2)[::-1]
        first: NDArray[np.bool_] = (self._first[one] == turn) & (self._first[other] == turn)
        return first

    def _decide(self, one: Int64, other: Int64) -> None:
        names = list(zip(one.tolist(), other.tolist(), strict=True))
        parts = [(self._rows_of(a), self._rows_of(b)) for a, b in names]
        lowest = self._lowest(parts)
        # Two single rows are linked themselves.
        joined = (lowest >= self._floor) | np.array([len(a) == len(b) == 1 for a, b in parts], dtype=bool)
        for (a, b), (rows, others), low in zip(
            np.stack([one, other], axis=1)[joined].tolist(),
            [some for some, is_joined in zip(parts, joined.tolist(), strict=True) if is_joined],
            lowest[joined].tolist(),
            strict=True,
        ):
            self._rows.pop(a, None)
            self._rows.pop(b, None)
            self._rows[a] = np.concatenate([rows, others])
            self.part[others] = a
            self.weakest[a] = min(self.weakest[a], self.weakest[b], low)
        self._strangers = np.concatenate([self._strangers, [one[~joined], other[~joined]]], axis=1)

    def _rows_of(self, name: int) -> Int64:
        several = self._rows.get(name)
        return np.array([name], dtype=np.int64) if several is None else several

    def _lowest(self, parts: Sequence[Parts]) -> Float64:
        """Return the lowest match probability between each two parts; of strangers, one that is under the floor."""
        lowest = lowest_between(self._matcher, [(_thinned(rows), _thinned(others)) for rows, others in parts])
        larger = np.array([max(len(rows), len(others)) > _THINNED for rows, others in parts], dtype=bool)
        whole = np.flatnonzero(larger & (lowest >= self._floor))
        lowest[whole] = lowest_between(self._matcher, [parts[at] for at in whole.tolist()])
        return lowest


def _thinned(rows: Int64) -> Int64:
    return rows if len(rows) <= _THINNED else rows[np.linspace(0, len(rows) - 1, _THINNED).astype(np.int64)]


def lowest_between(matcher: Matcher, parts: Sequence[Parts]) -> Float64:
    """Return the lowest match probability of a row of the one with a row of the other, of each two parts."""
    lowest = np.ones(len(parts))
    waiting: list[tuple[int, Int64, Int64]] = []
    pairs = 0
    for at, rows, others in _blocks(parts):
        waiting.append((at, rows, others))
        pairs += len(rows) * len(others)
        if pairs >= _PAIRS:
            _judge(matcher, waiting, lowest)
            waiting, pairs = [], 0
    if waiting:
        _judge(matcher, waiting, lowest)
    return lowest


def _blocks(parts: Sequence[Parts]) -> Iterator[tuple[int, Int64, Int64]]:
    """Cut the tables of pairs into blocks of rows that are not too many at once."""
    for at, (rows, others) in enumerate(parts):
        step = max(1, _PAIRS // len(others))
        for start in range(0, len(rows), step):
            yield at, rows[start : start + step], others


def _judge(matcher: Matcher, blocks: Sequence[tuple[int, Int64, Int64]], lowest: Float64) -> None:
    places, rows, others = zip(*blocks, strict=True)
    left, right, starts = _crossed(rows, others)
    np.minimum.at(lowest, np.array(places), np.minimum.reduceat(matcher.between(left, right), starts))


def _crossed(rows: Sequence[Int64], others: Sequence[Int64]) -> tuple[Int64, Int64, Int64]:
    """Return every row of the one with every row of the other, of each two of some, and where those of each begin.

    In few operations for all: most have a handful of rows, and there are hundreds of thousands of them.
    """
    high, wide = (np.fromiter(map(len, some), np.int64, len(some)) for some in (rows, others))
    size = high * wide
    starts = np.cumsum(size) - size
    block = np.repeat(np.arange(len(size)), size)
    across, down = np.divmod(np.arange(int(size.sum())) - starts[block], wide[block])
    left = np.concatenate(rows)[(np.cumsum(high) - high)[block] + across]
    right = np.concatenate(others)[(np.cumsum(wide) - wide)[block] + down]
    return left, right, starts
