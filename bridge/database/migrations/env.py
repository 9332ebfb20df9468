"""Alembic's entry: runs the revisions on the connection that the caller gives, inside the caller's transaction."""

from __future__ import annotations

from alembic import context

from bridge.database.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
context.run_migrations()
