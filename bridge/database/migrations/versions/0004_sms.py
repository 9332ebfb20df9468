"""SMS beside the calls: what was written, and which pages it carries.

Revision ID: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_QUEUED = sa.text("state = 'queued'")


def upgrade() -> None:
    """Give pages a channel, and SMS a table."""
    op.add_column("pages", sa.Column("channel", TEXT, server_default="voice", nullable=False))
    op.drop_index("pages_waiting", "pages")
    op.create_index(
        "pages_waiting",
        "pages",
        ["channel", "person", "urgent", "held", "id"],
        unique=False,
        sqlite_where=_QUEUED,
        postgresql_where=_QUEUED,
    )
    _texts()


def _texts() -> None:
    op.create_table(
        "texts",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("gateway_id", TEXT, nullable=True),
        sa.Column("person", TEXT, nullable=False),
        sa.Column("number", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("outcome", TEXT, nullable=True),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("language", TEXT, nullable=False),
        sa.Column("template", TEXT, nullable=False),
        sa.Column("text", TEXT, nullable=False),
        sa.Column("parts", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("requested_at", sa.BigInteger(), nullable=True),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("cost", sa.Float(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("asked_again", sa.Boolean(), nullable=False),
        sa.Column("acknowledged", sa.Boolean(), nullable=False),
        sa.Column("account", TEXT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    for name, columns, condition in (
        ("texts_due", ["due_at"], sa.text("due_at IS NOT NULL")),
        ("texts_gateway", ["gateway_id"], sa.text("gateway_id IS NOT NULL")),
        ("texts_number", ["number", "created_at"], None),
        ("texts_requested", ["requested_at"], None),
    ):
        op.create_index(name, "texts", columns, unique=False, sqlite_where=condition, postgresql_where=condition)
