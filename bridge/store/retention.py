"""What is older than the retention is deleted, a little at a time."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from bridge.database.speaking import try_alone
from bridge.store import calls, inbox, incidents, texts

AT_ONCE = 500


def forget_before(connection: Connection, before: datetime) -> int:
    """Delete some of what was over before `before`; returns how many incidents and messages went."""
    if not try_alone(connection, "forgetting"):
        return 0
    calls.forget_before(connection, before, AT_ONCE)
    texts.forget_before(connection, before, AT_ONCE)
    return incidents.forget_before(connection, before, AT_ONCE) + inbox.forget_before(connection, before, AT_ONCE)
