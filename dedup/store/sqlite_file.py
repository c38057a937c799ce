"""A table of numbers as a file of SQLite's own format, written from arrays: no row becomes a Python object.

SQLite copies such a table and its indexes into one that has no rows yet, record by record as they stand, if the two are
alike to the letter (its "transfer optimisation", `INSERT INTO pairs SELECT * FROM other.pairs`): in a third of the time
that rows take which are bound one by one, and indexes that are sorted. Where it does not see that they are alike, it
copies row by row; that is slower, and the same.

Source: "Database File Format", https://www.sqlite.org/fileformat2.html, sections 1.3 (header), 1.6 (b-tree pages) and
2.1 (records). In a table without rowids, and in an index, the records are the keys of the tree, in inner pages too.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

Numbers: TypeAlias = Mapping[str, NDArray[Any]]
"""Integers and floats by column, all of one length."""

Cells: TypeAlias = Callable[[int, int], NDArray[np.void]]
"""Returns the records from one place to another, in the order of their keys."""

_PAGE = 1 << 16  # bytes, the most that SQLite has: so there are few of them
_LEAF, _INNER = 10, 2  # kinds of pages of trees whose keys are records
_LEAF_HEADER, _INNER_HEADER = 8, 12
_CHILD, _PLACE = 4, 2  # bytes: a page's number, a place in a page
_NEVER = (1 << 30) // _PAGE + 1  # the page that SQLite locks by; nothing is ever in it
_PAGES_AT, _HEADER_PAGE = 28, 1  # where the header says how many pages there are
_WHOLE = ((1, 1), (2, 2), (4, 4), (6, 8))  # kinds of whole numbers, and their bytes
_REAL = 7
_WRITTEN = 1 << 16  # records made ready at once
_LONGEST = 127  # bytes of a record whose length takes one byte


def write_table(file: Path, statements: Sequence[str], name: str, key: Sequence[str], columns: Numbers) -> None:
    """Write a table without rowids, with its indexes, into a new file.

    Parameters
    ----------
    statements
        What makes the table, and then what makes its indexes.
    name, key
        The table, and the columns of its primary key.
    columns
        All columns of the table in its order, the primary key's first; the rows are in the key's order.

    Raises
    ------
    OSError
        If the file cannot be written whole.
    ValueError
        If a record takes more than 127 bytes.
    """
    file.unlink(missing_ok=True)
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size={_PAGE}")
        connection.execute("PRAGMA journal_mode=OFF")
        for statement in statements:
            connection.execute(statement)
        roots = dict(connection.execute("SELECT name, rootpage FROM sqlite_master"))
        indexed = {
            index: [column for _, _, column in connection.execute(f"PRAGMA index_info({index})")]
            for index in roots.keys() - {name}
        }
    with file.open("r+b") as stream:
        free = (page for page in count(max(roots.values()) + 1) if page != _NEVER)
        _write_tree(stream, roots[name], free, *_cells(columns, None))
        for index, own in indexed.items():
            keyed = {column: columns[column] for column in dict.fromkeys([*own, *key])}
            order = np.lexsort([columns[column] for column in reversed(own)])  # equal ones stay in the key's order
            _write_tree(stream, roots[index], free, *_cells(keyed, order))
        pages = stream.seek(0, 2) // _PAGE
        stream.seek(_PAGES_AT)
        stream.write(pages.to_bytes(4, "big"))


def _cells(columns: Numbers, order: NDArray[np.int64] | None) -> tuple[int, np.dtype[np.void], Cells]:
    """Return how many records there are, what one looks like, and what makes them."""
    kinds = [_kind(values) for values in columns.values()]
    header = bytes([1 + len(kinds), *(kind for kind, _ in kinds)])
    record = np.dtype(
        [("length", "u1"), ("header", "u1", (len(header),)), *zip(columns, (form for _, form in kinds), strict=True)]
    )
    if record.itemsize - 1 > _LONGEST:
        raise ValueError(f"a record takes {record.itemsize - 1} bytes; expected {_LONGEST} at most")

    def cells(start: int, stop: int) -> NDArray[np.void]:
        made = np.empty(stop - start, dtype=record)
        made["length"] = record.itemsize - 1
        made["header"] = np.frombuffer(header, dtype=np.uint8)
        rows = slice(start, stop) if order is None else order[start:stop]
        for column, values in columns.items():
            made[column] = values[rows]
        return made

    return len(next(iter(columns.values()))), record, cells


def _kind(values: NDArray[Any]) -> tuple[int, str]:
    """Return how a column's values are written: the number by which SQLite knows it, and NumPy's."""
    if np.issubdtype(values.dtype, np.floating):
        return _REAL, ">f8"
    least, most = int(values.min(initial=0)), int(values.max(initial=0))
    return next(
        (kind, f">i{size}") for kind, size in _WHOLE if -(1 << 8 * size - 1) <= least <= most < 1 << 8 * size - 1
    )


def _write_tree(
    file: BinaryIO, root: int, free: Iterator[int], rows: int, record: np.dtype[np.void], cells: Cells
) -> None:
    """Write a tree from its leaves up. Between two pages of a level is one record, which goes a level up."""
    starts, sizes = _shared_out(rows, (_PAGE - _LEAF_HEADER) // (record.itemsize + _PLACE))
    pages = [root] if len(sizes) == 1 else [next(free) for _ in sizes]
    first = 0
    while first < len(pages):
        last = first + max(1, _WRITTEN // (int(sizes[0]) + 1))
        some = slice(first, last)
        made = cells(int(starts[first]), int(starts[some][-1] + sizes[some][-1]))
        for page, start, size in zip(pages[some], starts[some] - starts[first], sizes[some], strict=True):
            _write_page(file, page, made[start : start + size].view(np.uint8).reshape(size, record.itemsize))
        first = last
    between = starts[1:] - 1  # the records that go up
    while len(pages) > 1:
        starts, sizes = _shared_out(len(between), (_PAGE - _INNER_HEADER) // (_CHILD + record.itemsize + _PLACE))
        above = [root] if len(sizes) == 1 else [next(free) for _ in sizes]
        inner = np.empty((len(between), _CHILD + record.itemsize), dtype=np.uint8)
        inner[:, :_CHILD] = np.array(pages[:-1], dtype=">u4").view(np.uint8).reshape(-1, _CHILD)
        for place, row in enumerate(between.tolist()):
            inner[place, _CHILD:] = cells(row, row + 1).view(np.uint8)
        for page, start, size in zip(above, starts, sizes, strict=True):
            _write_page(file, page, inner[start : start + size], right=pages[start + size])
        between, pages = between[starts[1:] - 1], above


def _shared_out(records: int, most: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where each page's records start, and how many it has, where one record is left between two pages."""
    pages = -(-(records + 1) // (most + 1))
    sizes = np.full(pages, (records + 1) // pages - 1, dtype=np.int64)
    sizes[: (records + 1) % pages] += 1
    return np.concatenate([[0], np.cumsum(sizes + 1)[:-1]]), sizes


def _write_page(file: BinaryIO, number: int, cells: NDArray[np.uint8], right: int | None = None) -> None:
    """Write a page of cells, (n, bytes of a cell), of a leaf; with what lies right of all of them, an inner page."""
    page = np.zeros(_PAGE, dtype=np.uint8)
    content = _PAGE - cells.size
    header = bytes([_LEAF if right is None else _INNER, 0, 0]) + len(cells).to_bytes(2, "big")
    header += (content & 0xFFFF).to_bytes(2, "big") + b"\0"
    header += b"" if right is None else right.to_bytes(_CHILD, "big")
    places = np.arange(content, _PAGE, cells.shape[1]).astype(">u2").view(np.uint8)
    page[: len(header)] = np.frombuffer(header, dtype=np.uint8)
    page[len(header) : len(header) + len(places)] = places
    page[content:] = cells.reshape(-1)
    file.seek((number - 1) * _PAGE)
    file.write(page.tobytes())
