"""What no database can hold, refused on both: a corpus must be able to move from one to the other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dedup.errors import StoreError
from dedup.questions import MAX_NAME_BYTES, Question

_COUNTS = range(-(2**63) + 1, 2**63)  # the lowest 64-bit number stands for None in the canonical order
_LONGEST_CHARACTER = 4  # bytes, in UTF-8


def refuse_unstorable(batch: Sequence[Question]) -> None:
    """Raise StoreError at the first question with a NUL character, half a surrogate pair or a name that is too long.

    A batch is looked at as a whole; only where something is wrong with it are its questions looked at one by one.
    """
    if not _all_storable(batch):
        for question in batch:
            _refuse_question(question)


def refuse_unstorable_text(about: str, names: Iterable[str], texts: Iterable[str]) -> None:
    """Raise StoreError, with ``about`` in front, where a name or a text cannot be stored."""
    try:
        for name in names:
            if len(name.encode()) > MAX_NAME_BYTES:
                raise StoreError(
                    f"{about[:200]} has a name of {len(name.encode()):,} bytes; expected at most {MAX_NAME_BYTES}, "
                    "shorten it in the dump"
                )
            if "\0" in name:
                raise _unstorable(about, "a NUL character")
        for text in texts:
            text.encode()
            if "\0" in text:
                raise _unstorable(about, "a NUL character")
    except UnicodeEncodeError:
        raise _unstorable(about, "half a surrogate pair, which is no character") from None


def _all_storable(batch: Sequence[Question]) -> bool:
    """Tell whether a batch is surely without fault."""
    names = [question.id for question in batch]
    names += {question.source for question in batch}
    counts = [count for question in batch for count in (question.score, question.views) if count is not None]
    tags = {question.tags for question in batch}
    texts = "\n".join([*names, *(question.text for question in batch), *(tag for some in tags for tag in some)])
    return (
        "\0" not in texts
        and _is_unicode(texts)
        and max(map(len, names), default=0) * _LONGEST_CHARACTER <= MAX_NAME_BYTES
        and min(counts, default=0) in _COUNTS
        and max(counts, default=0) in _COUNTS
    )


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refuse_question(question: Question) -> None:
    about = f"question {question.id!a} of source {question.source!a}"
    refuse_unstorable_text(about, (question.source, question.id), (question.text, *question.tags))
    for count in (question.score, question.views):
        if count is not None and count not in _COUNTS:
            raise StoreError(f"{about} has a score or views of more than 63 bits; mend it in the dump")


def _unstorable(about: str, found: str) -> StoreError:
    return StoreError(f"{about[:200]} has {found}; no database can hold it, remove it from the dump")
