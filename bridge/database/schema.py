"""Bringing the schema up to date with Alembic; the revisions are in `migrations/versions`, the newest is `NEWEST`."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

NEWEST = "0001"
MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(connection: Connection) -> None:
    """Bring the schema of the connected database to `NEWEST`, inside the caller's transaction.

    Raises CallbridgeError for a database that a newer callbridge has written.
    """
    present = revision(connection)
    if present == NEWEST:
        return
    # Alembic costs a fifth of a second to load; a database that is up to date does not need it.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    from bridge.errors import CallbridgeError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if present is not None and present not in known:
        raise CallbridgeError(
            f"storage.url: this database has schema {present}, made by a newer callbridge; this one knows up to "
            f"{NEWEST}: install the newer version again, or restore a backup made before"
        )
    command.upgrade(config, NEWEST)


def revision(connection: Connection) -> str | None:
    """The schema revision that the database says it has; None for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found
