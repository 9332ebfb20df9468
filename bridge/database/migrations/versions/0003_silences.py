"""Silences set in Alertmanager, and pages that it keeps quiet.

Revision ID: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table, and the index of pages that are kept back."""
    op.create_table(
        "silences",
        sa.Column("incident", TEXT, nullable=False),
        sa.Column("fingerprint", TEXT, nullable=False),
        sa.Column("silence", TEXT, nullable=True),
        sa.Column("ours", sa.Boolean(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("incident", "fingerprint"),
    )
    op.create_index(
        "pages_suppressed",
        "pages",
        ["incident"],
        unique=False,
        sqlite_where=sa.text("state = 'suppressed'"),
        postgresql_where=sa.text("state = 'suppressed'"),
    )
