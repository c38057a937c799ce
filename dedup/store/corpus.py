"""The whole corpus as arrays, and the texts behind its keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import select

from dedup.errors import StoreError
from dedup.questions import Int64, Keys, key_order
from dedup.store.bulk import batched, rows_among
from dedup.store.choices import chosen_questions
from dedup.store.database import Database
from dedup.store.models import QuestionRow
from dedup.store.ranking import RankedColumns, canonical_rank, preferring
from dedup.store.revision import corpus_revision
from dedup.text import key_array, key_bytes, normalise

_FETCHED = 10_000
_TEXTS = 5_000  # keys in one chunk of texts
_BETWEEN = 2  # times as many rows between the first and the last of them are worth reading, to pass half of them over


@dataclass(frozen=True, slots=True)
class Corpus:
    """Every recorded question, sorted by (text key, number): exact copies stand together, the representative first.

    ``revision`` goes up whenever a question is added or changed; `Results.write_results` refuses what was found in
    another one than the one that is recorded.
    """

    ids: Int64  # (n,) numbers of the questions
    keys: Keys  # (n,) S16
    rank: Int64  # (n,) position in the canonical order, chosen ones first; 0 is the one to keep first
    revision: int

    def __len__(self) -> int:
        return len(self.ids)


class CorpusReads:
    """The store's reads of everything at once."""

    _database: Database

    def corpus(self) -> Corpus:
        """Return every recorded question as arrays; some 200 bytes a question while it works."""
        statement = select(
            QuestionRow.text_key,
            QuestionRow.id,
            QuestionRow.source,
            QuestionRow.external_id,
            QuestionRow.created_at,
            QuestionRow.score,
            QuestionRow.views,
        )
        columns = RankedColumns()
        found_keys = bytearray()
        with self._database.reading() as connection:
            revision = corpus_revision(connection)
            chosen = chosen_questions(connection)
            with connection.execution_options(yield_per=_FETCHED).execute(statement) as rows:
                for some in rows.partitions():
                    keys_of_some, *ranked = zip(*some, strict=True)
                    found_keys += b"".join(keys_of_some)
                    columns.extend(*ranked)
        ids, keys = np.array(columns.ids), key_array([bytes(found_keys)])
        rank = preferring(chosen, ids, canonical_rank(columns))
        order = key_order(keys, ids)
        return Corpus(ids[order], keys[order], rank[order], revision)

    def numbers_on_record(self, numbers: Sequence[int]) -> list[int]:
        """Return those of ``numbers``, ascending, under which a question is recorded."""
        with self._database.reading() as connection:
            return [row.id for row in rows_among(connection, select(QuestionRow.id), QuestionRow.id, numbers)]

    def texts(self, keys: Keys) -> Iterator[tuple[list[bytes], list[str]]]:
        """Yield the distinct ``keys`` and their normalised texts, in chunks, both sorted by key.

        Which copy a text is taken from makes no difference: copies are equal once normalised.

        Raises
        ------
        StoreError
            Where a key belongs to no recorded question.
        """
        for chunk in batched(key_bytes(np.unique(keys)), _TEXTS):
            found = self._texts_of(chunk)
            if len(found) < len(chunk):
                raise StoreError(
                    f"{len(chunk) - len(found)} of {len(chunk)} text keys have no recorded question any more: the "
                    "database changed meanwhile; run it again"
                )
            yield list(chunk), [found[key] for key in chunk]

    def texts_in_order(self, keys: Keys) -> list[str]:
        """Return the normalised texts of distinct, ascending ``keys``; StoreError as for `texts`."""
        return [text for _, texts in self.texts(keys) for text in texts]

    def known_texts(self, keys: Keys) -> dict[bytes, str]:
        """Return the normalised texts of those of ``keys`` that belong to a recorded question, by key."""
        found: dict[bytes, str] = {}
        for chunk in batched(key_bytes(np.unique(keys)), _TEXTS):
            found |= self._texts_of(chunk)
        return found

    def _texts_of(self, keys: Sequence[bytes]) -> dict[bytes, str]:
        """Return the normalised texts of those of ``keys``, ascending, that belong to a recorded question, by key."""
        statement = select(QuestionRow.text_key, QuestionRow.text)
        # Where all texts are asked for, no other lies between these: to name each key takes twice as long.
        between = statement.where(QuestionRow.text_key.between(keys[0], keys[-1])).limit(_BETWEEN * len(keys))
        found: dict[bytes, str] = {}
        with self._database.reading() as connection:
            rows: Sequence[Any] = connection.execute(between).all()
            if len(rows) == _BETWEEN * len(keys):
                rows = list(rows_among(connection, statement, QuestionRow.text_key, keys))
            wanted = set(keys)
            for key, text in rows:
                if key in wanted and key not in found:
                    found[key] = normalise(text)
        return found
