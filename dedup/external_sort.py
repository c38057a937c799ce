"""Rows of numbers that come in parts and in no order, more than memory has room for, put in order.

Runs that fit are sorted as they come and set aside; in the end all of them are merged, a range of the order at a time.
Source: Knuth, "The Art of Computer Programming", volume 3, section 5.4: merging sorted runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dedup.memory import set_all_aside, set_aside, spacious

Columns: TypeAlias = tuple[NDArray[Any], ...]
"""Arrays of one length; the rows are in the order of the first, an integer."""

_CHUNK = 1 << 17  # rows looked at together
_RUN = 1 << 21  # rows sorted at once: with what sorting takes, some 100 MB


def chunks(rows: int) -> Iterator[slice]:
    """Yield slices that together are so many rows, each few enough to be held in memory several times."""
    for start in range(0, rows, _CHUNK):
        yield slice(start, min(start + _CHUNK, rows))


def marked(rows: int, which: Callable[[slice], NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """Return which of so many rows are marked, (rows,), asked for chunk by chunk."""
    marks = spacious((rows,), np.bool_)
    for some in chunks(rows):
        marks[some] = which(some)
    return marks


def selected(marks: NDArray[np.bool_], *columns: NDArray[Any]) -> Columns:
    """Return those rows of columns that are marked, (n_rows,) of bool."""
    rows = int(np.count_nonzero(marks))
    kept = tuple(spacious((rows,), column.dtype) for column in columns)
    start = 0
    for some in chunks(len(marks)):
        stop = start + int(np.count_nonzero(marks[some]))
        for column, into in zip(columns, kept, strict=True):
            into[start:stop] = column[some][marks[some]]
        start = stop
    return kept


class ExternalSort:
    """Takes rows in parts, and gives them back in the order of their first column.

    With ``ties``, rows may share a number there; they come back in the order in which they were added.
    """

    def __init__(self, *dtypes: DTypeLike, ties: bool = False) -> None:
        self._dtypes = dtypes
        self._kind: Literal["quicksort", "stable"] = "stable" if ties else "quicksort"  # which is twice as fast
        self._waiting: list[Columns] = []
        self._rows_waiting = 0
        self._runs: list[Columns] = []

    def add(self, *columns: NDArray[Any]) -> None:
        """Take some rows."""
        for start in range(0, len(columns[0]), _RUN):
            some = tuple(column[start : start + _RUN] for column in columns)
            self._waiting.append(some)
            self._rows_waiting += len(some[0])
            if self._rows_waiting >= _RUN:
                self._set_aside()

    def in_order(self) -> Columns:
        """Return all rows in order, and forget them."""
        self._set_aside()
        runs, self._runs = self._runs, []
        if len(runs) == 1:
            return runs[0]
        set_all_aside()
        return _merged(runs, self._dtypes)

    def _set_aside(self) -> None:
        whole = self._all(self._waiting)
        self._waiting, self._rows_waiting = [], 0
        order = np.argsort(whole[0], kind=self._kind)
        run = tuple(spacious((len(order),), dtype) for dtype in self._dtypes)
        for column, sorted_column in zip(whole, run, strict=True):
            sorted_column[:] = column[order]
            set_aside(sorted_column)
        self._runs.append(run)

    def _all(self, parts: Sequence[Columns]) -> Columns:
        nothing = tuple(np.empty(0, dtype=dtype) for dtype in self._dtypes)
        return tuple(np.concatenate(columns) for columns in zip(nothing, *parts, strict=True))


def _merged(runs: Sequence[Columns], dtypes: Sequence[DTypeLike]) -> Columns:
    rows = sum(len(run[0]) for run in runs)
    merged = tuple(spacious((rows,), dtype) for dtype in dtypes)
    start = 0
    for ends in pairwise(_cuts(runs)):
        parts = [tuple(column[first:last] for column in run) for run, first, last in zip(runs, *ends, strict=True)]
        parts = [part for part in parts if len(part[0])]
        if len({int(end) for part in parts for end in part[0][[0, -1]]}) > 1:
            # One part, in order; that they are made of sorted ones makes it quick.
            order = np.argsort(np.concatenate([part[0] for part in parts]), kind="stable")
            parts = [tuple(np.concatenate(columns)[order] for columns in zip(*parts, strict=True))]
        for part in parts:
            stop = start + len(part[0])
            for column, into in zip(part, merged, strict=True):
                into[start:stop] = column
            start = stop
    return merged


def _cuts(runs: Sequence[Columns]) -> list[list[int]]:
    """Return where each of the runs is cut, from its start to its end, so that about a run lies between two cuts.

    Or, where many rows share a number, all of these alone, which need not be sorted.
    """
    each = max(1, _RUN // len(runs))
    bounds = np.sort(np.concatenate([run[0][::each] for run in runs]))[:: len(runs)][1:]
    shared = bounds[1:][bounds[1:] == bounds[:-1]]
    bounds = np.unique(np.concatenate([bounds, shared + 1]))
    inner = [np.searchsorted(run[0], bounds).tolist() for run in runs]
    return [[0] * len(runs), *map(list, zip(*inner, strict=True)), [len(run[0]) for run in runs]]
