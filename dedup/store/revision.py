"""The corpus revision: a number that goes up with every change of the questions, whatever the clock says."""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from dedup.store.models import CorpusRow


def corpus_revision(connection: Connection) -> int:
    """Return the corpus revision; 0 until the first question is recorded."""
    return connection.scalars(select(CorpusRow.revision)).one()


def raise_corpus_revision(connection: Connection) -> None:
    """Count one more change, in the transaction that makes it."""
    connection.execute(update(CorpusRow).values(revision=CorpusRow.revision + 1))
