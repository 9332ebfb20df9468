"""What becomes of incidents whose time has come.

Runs in the database's thread, inside the ledger's transaction.
"""

from __future__ import annotations

from collections.abc import Iterable

from bridge.dispatch.ledger import Ledger
from bridge.escalation import Due
from bridge.store import incidents

AT_ONCE = 500


def fire(ledger: Ledger, ids: Iterable[str]) -> int:
    """Decide these, as far as they are due; returns how many were."""
    # Somebody else may have been here since the ids were read.
    due = [one for one in ledger.load(ids) if one.incident.due_at is not None and one.incident.due_at <= ledger.now]
    for held in due:
        ledger.happen(held, Due())
    return len(due)


def fire_all(ledger: Ledger) -> int:
    """Decide all that is due, up to AT_ONCE, but for what another process is about to decide; returns how many."""
    return fire(ledger, incidents.due(ledger.connection, ledger.now, AT_ONCE, claim=True))
