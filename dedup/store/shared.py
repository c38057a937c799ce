"""Generations whose index is in this database: their small files, for machines that do not have them.

Two tables that are there once a first generation is shared, beside those of the schema: which table of vectors a
generation searches and how many of its rows are the generation's, and its files, in parts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from sqlalchemy import Connection, text

from dedup.store.database import Database
from dedup.store.retries import retried

_PART = 16 << 20  # bytes
_TABLES = (
    "CREATE TABLE IF NOT EXISTS shared_generations "
    "(name text PRIMARY KEY, vectors text NOT NULL, rows bigint NOT NULL)",
    "CREATE TABLE IF NOT EXISTS shared_files (generation text NOT NULL REFERENCES shared_generations "
    "ON DELETE CASCADE, file text NOT NULL, part integer NOT NULL, content bytea NOT NULL, "
    "PRIMARY KEY (generation, file, part))",
)
_TABLES_OF_VECTORS = (
    "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ^@ 'dedup_vectors_' "
    "AND relnamespace = current_schema()::regnamespace"
)


class SharedGenerations:
    """The store's book of generations that are searched in it."""

    _database: Database

    @retried
    def share_generation(self, name: str, vectors: str, rows: int, files: Mapping[str, Path]) -> None:
        """Keep a generation's files, by the names under which others find them, in one transaction.

        Parameters
        ----------
        vectors, rows
            The table that it searches, and how many of its rows are the generation's.
        """
        with self._database.writing() as connection:
            for statement in _TABLES:
                connection.exec_driver_sql(statement)
            about = {"name": name, "vectors": vectors, "rows": rows}
            connection.execute(text("INSERT INTO shared_generations VALUES (:name, :vectors, :rows)"), about)
            for file, path in sorted(files.items()):
                for part, content in enumerate(_parts(path)):
                    connection.execute(
                        text("INSERT INTO shared_files VALUES (:name, :file, :part, :content)"),
                        {"name": name, "file": file, "part": part, "content": content},
                    )

    def shared_generations(self) -> list[str]:
        """Return the names of the generations that are shared, in the order they were begun."""
        with self._database.reading() as connection:
            if not _is_there(connection):
                return []
            return list(connection.execute(text("SELECT name FROM shared_generations ORDER BY name")).scalars())

    def shared_files(self, name: str) -> dict[str, bytes]:
        """Return the files of a shared generation; none where it is not shared."""
        found: dict[str, bytes] = {}
        with self._database.reading() as connection:
            if _is_there(connection):
                statement = text("SELECT file, content FROM shared_files WHERE generation = :name ORDER BY file, part")
                for file, content in connection.execute(statement, {"name": name}):
                    found[file] = found.get(file, b"") + bytes(content)
        return found

    def was_shared(self, file: str, content: bytes) -> bool:
        """Tell whether a generation that is shared has this file with this content, in one part."""
        with self._database.reading() as connection:
            if not _is_there(connection):
                return False
            statement = text("SELECT 1 FROM shared_files WHERE file = :file AND content = :content LIMIT 1")
            return connection.execute(statement, {"file": file, "content": content}).first() is not None

    @retried
    def forget_shared(self, names: Sequence[str]) -> None:
        """Remove generations, and every table of vectors that none of the others searches; for the holder of the lock.

        Also tables that no generation ever searched: what a killed job left.
        """
        with self._database.reading() as connection:
            if self._database.is_sqlite:
                return
            there = _is_there(connection)
            if not there and connection.exec_driver_sql(_TABLES_OF_VECTORS).first() is None:
                return
        with self._database.writing() as connection:
            needed: set[str] = set()
            if there:
                statement = text("DELETE FROM shared_generations WHERE name = ANY(:names)")
                connection.execute(statement, {"names": list(names)})
                needed = set(connection.execute(text("SELECT vectors FROM shared_generations")).scalars())
            for table in sorted(set(connection.exec_driver_sql(_TABLES_OF_VECTORS).scalars()) - needed):
                connection.exec_driver_sql(f"DROP TABLE {table}")


def longest(connection: Connection, vectors: str) -> int:
    """Return how many rows of a table of vectors the longest generation has."""
    if not _is_there(connection):
        return 0
    statement = text("SELECT coalesce(max(rows), 0) FROM shared_generations WHERE vectors = :vectors")
    return int(connection.execute(statement, {"vectors": vectors}).scalar_one())


def _is_there(connection: Connection) -> bool:
    if connection.dialect.name != "postgresql":
        return False
    return connection.exec_driver_sql("SELECT to_regclass('shared_files')").scalar_one() is not None


def _parts(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while content := file.read(_PART):
            yield content
