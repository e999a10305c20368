"""Alembic's entry: runs on the connection it is given, or on the database of the settings."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from cadenza_server.database import open_database
from cadenza_server.settings import ServerSettings
from cadenza_server.tables import metadata


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        transactional_ddl=True,
    )
    context.run_migrations()


given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    _run(given)
else:
    database = open_database(ServerSettings())
    with database.engine.begin() as opened:
        _run(opened)
    database.close()
