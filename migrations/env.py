"""Run the revisions: on the connection that `dedup.store.schema` hands over, or on ``alembic -x url=URL``.

Alembic's own commands are for developers (`alembic -x url=sqlite:///dedup.db revision --autogenerate -m ...`); users
have `dedup db upgrade`.
"""

from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection

from dedup.store import service_models  # noqa: F401 - its tables are part of the metadata
from dedup.store.database import Database
from dedup.store.models import Base


def run(connection: Connection) -> None:
    # SQLite can alter little: Alembic then copies the table (batch), and its transactions do hold DDL as we begin them.
    context.configure(
        connection=connection, target_metadata=Base.metadata, render_as_batch=True, transactional_ddl=True
    )
    with context.begin_transaction():
        context.run_migrations()


connection = context.config.attributes.get("connection")
if connection is not None:
    run(connection)
else:
    url = context.get_x_argument(as_dictionary=True).get("url")
    if url is None:
        raise CommandError("no database is named; say which: alembic -x url=sqlite:///dedup.db COMMAND")
    database = Database(url)
    with database.migrating() as opened:
        run(opened)
    database.close()
