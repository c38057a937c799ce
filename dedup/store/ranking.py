"""The canonical order: which of several questions that ask the same thing is the one to keep.

Most views first (unknown counts as fewest), then the highest score (unknown as lowest), then the oldest (unknown as
youngest), then the smallest own id: numbers by their value, before all others, which go by their characters. Then the
source, and last the recorded number, so that no two questions are equal.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import numpy as np

from dedup.questions import Int64

Ordered = TypeVar("Ordered", str, tuple[bool, int, str])

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LOWEST, _HIGHEST = -(2**63), 2**63 - 1
_SMALL_DIGITS = 18  # a number of so many digits is below 2**63


def _int64() -> array[int]:
    return array("q")


@dataclass(slots=True)
class RankedColumns:
    """What the canonical order looks at, gathered row by row: 48 bytes a row, but for ids that are not numbers."""

    ids: array[int] = field(default_factory=_int64)
    views: array[int] = field(default_factory=_int64)
    score: array[int] = field(default_factory=_int64)
    created: array[int] = field(default_factory=_int64)  # microseconds since 1970, UTC
    small_number: array[int] = field(default_factory=_int64)  # own ids that are numbers below 2**63; others -1
    other_names: dict[int, str] = field(default_factory=dict)  # row -> own id, of all others
    source: array[int] = field(default_factory=_int64)
    sources: dict[str, int] = field(default_factory=dict)

    def append(
        self,
        number: int,
        source: str,
        external_id: str,
        created: datetime | None,
        score: int | None,
        views: int | None,
    ) -> None:
        """Add one question."""
        self.extend((number,), (source,), (external_id,), (created,), (score,), (views,))

    def extend(
        self,
        numbers: Sequence[int],
        sources: Sequence[str],
        external_ids: Sequence[str],
        created: Sequence[datetime | None],
        score: Sequence[int | None],
        views: Sequence[int | None],
    ) -> None:
        """Add questions, by columns: a corpus has millions of them, and each look costs as much as reading one."""
        begun = len(self.ids)
        self.ids.extend(numbers)
        small = [
            int(name) if len(name) <= _SMALL_DIGITS and name.isascii() and name.isdigit() else -1
            for name in external_ids
        ]
        self.small_number.extend(small)
        self.other_names |= {begun + at: external_ids[at] for at, number in enumerate(small) if number < 0}
        self.views.extend(_filled(views, _LOWEST))
        self.score.extend(_filled(score, _LOWEST))
        known = (None if each is None else (each - _EPOCH) // _MICROSECOND for each in created)
        self.created.extend(_filled(created if _none(created) else list(known), _HIGHEST))
        place = {name: self.sources.setdefault(name, len(self.sources)) for name in dict.fromkeys(sources)}
        self.source.extend(map(place.__getitem__, sources))


def _none(values: Sequence[object]) -> bool:
    return values.count(None) == len(values)


def _filled(values: Sequence[Any], filling: int) -> Iterable[int]:
    """Return integers, ``filling`` where there is none."""
    if _none(values):
        return array("q", (filling,)) * len(values)
    return (filling if value is None else value for value in values)


def canonical_rank(columns: RankedColumns) -> Int64:
    """Return each question's position in the canonical order: (n,) int64, a permutation; 0 is the one to keep first."""
    ids = np.array(columns.ids, dtype=np.int64)
    name = np.array(columns.small_number, dtype=np.int64)
    is_other = np.zeros(len(ids), dtype=bool)
    if columns.other_names:
        rows = np.fromiter(columns.other_names, dtype=np.int64)
        is_other[rows] = True
        name[rows] = _positions([_name_order(other) for other in columns.other_names.values()])
    source = np.array(_positions(columns.sources), dtype=np.int64)[np.array(columns.source, dtype=np.int64)]
    views, score = (np.array(values, dtype=np.int64) for values in (columns.views, columns.score))
    created = np.array(columns.created, dtype=np.int64)
    # The last key leads. ~x = -x - 1 turns an order round without overflowing at the lowest number.
    order = np.lexsort((ids, source, name, is_other, created, ~score, ~views))
    rank = np.empty(len(ids), dtype=np.int64)
    rank[order] = np.arange(len(ids))
    return rank


def preferring(chosen: Sequence[int], ids: Int64, rank: Int64) -> Int64:
    """Return the canonical order with some questions before all others, in the order in which they are given.

    Parameters
    ----------
    chosen
        Numbers of questions, each once; those that are not among ``ids`` change nothing.
    ids, rank
        (n,) the number of each question and its position in the order so far.
    """
    if not chosen:
        return rank
    place = {number: at for at, number in enumerate(chosen)}
    listed = np.flatnonzero(np.isin(ids, np.array(chosen, dtype=np.int64)))
    before = np.zeros(len(ids), dtype=np.int64)
    before[listed] = [place[number] - len(chosen) for number in ids[listed].tolist()]
    preferred = np.empty(len(rank), dtype=np.int64)
    preferred[np.lexsort((rank, before))] = np.arange(len(rank))
    return preferred


def _name_order(external_id: str) -> tuple[bool, int, str]:
    """Return a key that sorts numbers of any length by value, and before all other ids."""
    if external_id.isascii() and external_id.isdigit():
        digits = external_id.lstrip("0")
        return False, len(digits), digits
    return True, 0, external_id


def _positions(values: Iterable[Ordered]) -> list[int]:
    """Return each value's position among the distinct ones, sorted."""
    listed = list(values)
    position = {value: place for place, value in enumerate(sorted(set(listed)))}
    return [position[value] for value in listed]
