"""Bringing the schema up to date with Alembic; the revisions are in `migrations/versions`, the newest is `NEWEST`."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from bridge.database.speaking import alone
from bridge.errors import CallbridgeError

NEWEST = "0004"
MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(connection: Connection) -> str | None:
    """Bring the schema of the connected database to `NEWEST`, inside the caller's transaction; returns what it was.

    Raises CallbridgeError for a database that a newer callbridge has written.
    """
    alone(connection, "schema")
    present = revision(connection)
    if present == NEWEST:
        return present
    # Alembic costs a fifth of a second to load; a database that is up to date does not need it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    if present is not None and newer(present):
        raise CallbridgeError(too_new(present))
    command.upgrade(config, NEWEST)
    return present


def newer(present: str) -> bool:
    """Whether the revision `present` was made by a later version: they are numbered."""
    return present > NEWEST


def too_new(present: str) -> str:
    """What is said of a database that a newer version has written."""
    return (
        f"storage.url: this database has schema {present}, made by a newer callbridge; this one knows up to "
        f"{NEWEST}: install the newer version again, or restore a backup made before"
    )


def revision(connection: Connection) -> str | None:
    """The schema revision that the database says it has; None for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found
