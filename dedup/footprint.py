"""How much memory comparing a corpus takes at the least, estimated before work begins.

Vectors and pairs are in files that are mapped into the process (`dedup.memory`), but while pairs are looked for, rows
are read from everywhere, and all vectors are in memory. The constants were measured (docs/performance.md).
"""

from __future__ import annotations

from dedup.errors import SettingsError
from dedup.memory import hold_within, resident_bytes, trim

_WORKING = 380 << 20  # libraries that are loaded later, pairs that are being sorted, tiles that are being compared
_OF_A_TEXT = 150  # bytes, beside its vector: keys, words, nearest reference vectors, cells
_OF_A_KNOWN_PAIR = 80  # bytes: as it was joined and as it was recorded, then and now
_OF_A_COMPONENT = 5  # bytes: of four as it is stored, and two or four as it is multiplied, not all are needed at once


def smallest_memory(texts: int, dimension: int) -> int:
    """Return how many bytes a run over so many distinct texts takes at the least; its models are loaded by now."""
    trim()
    return resident_bytes() + _WORKING + texts * (_OF_A_TEXT + dimension * _OF_A_COMPONENT)


def hold_to(asked: int | None, texts: int, dimension: int, *, known: int) -> None:
    """Hold the process to the memory that was asked for, or else to the least that works.

    And what ``known`` pairs take: with less than that, a reindex reads each row from its file many times (of 680,000
    questions it looked for pairs for 18 seconds, in place of 12, and for clusters for 28, in place of 18).

    Raises
    ------
    SettingsError
        Where what was asked for is less than that.
    """
    smallest = smallest_memory(texts, dimension)
    if asked is not None and asked < smallest:
        needed = -(-smallest // 10**7) / 100
        raise SettingsError(
            f"--memory is {asked / 1e6:,.0f}MB, the smallest that works for {texts:,} distinct texts is "
            f"{needed:.2f}GB; give --memory {needed:.2f}GB or more"
        )
    hold_within(asked or smallest + known * _OF_A_KNOWN_PAIR)
