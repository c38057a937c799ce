"""The schema's revision: what a database has, what this program needs, and the way from one to the other."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from dedup.errors import SchemaMismatch, StoreError
from dedup.store.database import Database

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0006"
"""The revision that this program works with; a constant, so that opening a database needs no Alembic."""

_VERSION_TABLE = "alembic_version"


def upgrade(url: str, revision: str = "head") -> None:
    """Bring a database to ``revision``, in one transaction; an empty one, or a missing SQLite file, is made.

    Raises StoreError where it cannot be opened, or is at a revision that this program never heard of.
    """
    database = Database(url)
    try:
        _make_folder(database)
        _migrate(database, revision)
    finally:
        database.close()


def current(url: str) -> str | None:
    """Return the revision of a database; None for an empty one and for a SQLite file that is not there."""
    database = Database(url)
    try:
        if database.file is not None and not database.file.exists():  # looking must not create it
            return None
        with database.reading() as connection:
            return recorded_revision(connection, database.display_url)
    finally:
        database.close()


def prepare(database: Database, *, create: bool) -> None:
    """Make sure that a database has the schema of `HEAD`; with ``create``, give it to an empty one.

    Raises SchemaMismatch for another revision, StoreError for an empty database without ``create``, for one that holds
    something else, and where it cannot be opened.
    """
    if create:
        _make_folder(database)
    elif database.file is not None and not database.file.exists():
        raise _nothing_recorded(database)
    with database.reading() as connection:
        found = recorded_revision(connection, database.display_url)
    if found is None and create:
        _migrate(database, "head")
    elif found is None:
        raise _nothing_recorded(database)
    elif found != HEAD:
        remedy = "update dedup, a newer one made it" if found > HEAD else "run `dedup db upgrade`"
        raise SchemaMismatch(
            f"the database {database.display_url} is at revision {found}, this program works with {HEAD}; {remedy}"
        )


def recorded_revision(connection: Connection, display_url: str) -> str | None:
    """Return the revision a database says it has, None where it is empty; StoreError where it holds something else."""
    tables = inspect(connection).get_table_names()
    if _VERSION_TABLE in tables:
        revision: str | None = connection.execute(text(f"SELECT version_num FROM {_VERSION_TABLE}")).scalar()
        return revision
    if tables:
        raise StoreError(
            f"the database {display_url} holds tables that are not dedup's ({', '.join(sorted(tables)[:3])}); "
            "give dedup a database of its own"
        )
    return None


def alembic_config() -> Config:
    """Return Alembic's configuration, with the folder of the revisions wherever this program is installed."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_script_folder()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _migrate(database: Database, revision: str) -> None:
    from alembic import command
    from alembic.util import CommandError

    config = alembic_config()
    with database.migrating() as connection:
        recorded_revision(connection, database.display_url)  # refuses somebody else's tables
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, revision)
        except CommandError as error:
            raise StoreError(
                f"the database {database.display_url} cannot be brought to revision {revision}: {error}; "
                "update dedup, or restore the database from a backup"
            ) from error


def _script_folder() -> Path:
    package = Path(str(resources.files("dedup")))
    packaged = package / "_migrations"  # a wheel carries them inside the package
    return packaged if packaged.is_dir() else package.parent / "migrations"


def _make_folder(database: Database) -> None:
    if database.file is not None:
        try:
            database.file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"the folder {database.file.parent} cannot be made: {error.strerror}; choose another place"
            ) from error


def _nothing_recorded(database: Database) -> StoreError:
    return StoreError(f"nothing recorded yet in {database.display_url}; run `dedup run DUMP` first")
