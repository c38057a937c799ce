"""Which recorded questions are to go, by their own ids."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dedup.errors import DumpError, UnknownQuestion
from dedup.questions import question_key
from dedup.store import Store

_SHOWN = 5  # unknown ids in a message


@dataclass(frozen=True, slots=True)
class Removal:
    """Own ids of questions to delete, in one source or, with None, in whichever has them."""

    ids: Sequence[str]
    source: str | None = None
    strict: bool = False  # an id that no recorded question has is an error, and nothing is deleted


NOTHING_REMOVED = Removal(())


def ids_in_file(file: Path) -> list[str]:
    """Return the ids in a text file, one a line; ``-`` is standard input, a first line that says "id" is its heading.

    Raises
    ------
    DumpError
        If it cannot be read, or is not UTF-8.
    """
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text("utf-8-sig")
    except OSError as error:
        raise DumpError(f"{file} cannot be read ({error.strerror}); give a file of ids, one a line") from error
    except UnicodeDecodeError as error:
        raise DumpError(f"{file} is not UTF-8 (byte {error.start}); give a text file of ids, one a line") from error
    ids = [line.strip() for line in text.splitlines() if line.strip()]
    return ids[1:] if ids[:1] == ["id"] else ids


def numbers_on_record(store: Store, removal: Removal) -> list[int]:
    """Return the numbers of the recorded questions that are to go, ascending.

    Raises
    ------
    UnknownQuestion
        If an id is in several sources and none is named; with ``strict``, if no recorded question has an id.
    """
    sources = [name for name in store.sources() if removal.source in (None, name)]
    wanted = list(dict.fromkeys(removal.ids))
    numbers = {question_key(name, id_): (id_, name) for id_ in wanted for name in sources}
    found: dict[str, list[int]] = {}
    for number in store.numbers_on_record(sorted(numbers)):
        found.setdefault(numbers[number][0], []).append(number)
    for id_, several in found.items():
        if len(several) > 1:
            where = ", ".join(sorted(numbers[number][1] for number in several))
            raise UnknownQuestion(f"the id {id_!a} is in the sources {where}; say which with --source")
    if removal.strict and (unknown := [id_ for id_ in wanted if id_ not in found]):
        shown = ", ".join(f"{id_[:80]!a}" for id_ in unknown[:_SHOWN]) + (", …" if len(unknown) > _SHOWN else "")
        where = "" if removal.source is None else f" of source {removal.source!a}"
        raise UnknownQuestion(
            f"{len(unknown)} of {len(wanted)} ids belong to no recorded question{where}: {shown}; nothing was deleted"
        )
    return sorted(number for several in found.values() for number in several)
