"""Whose a call is, and what only one transaction may do at a time where several processes share the work.

Runs in the database's thread, inside the ledger's transaction.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from bridge.call import Call, CallState
from bridge.database.speaking import alone, shared
from bridge.dispatch.ledger import Ledger

# An uncertain request is looked up when the gateway's journal may know it.
LOOK_UP_AFTER = timedelta(seconds=3)
# For so long a call is ours to look after; who is not heard of until then is dead, and another process looks it up.
LEASE = timedelta(seconds=5)
RENEW_EVERY = LEASE / 3


def under_way_for(ledger: Ledger, account: str) -> timedelta:
    """How long a request to `account` may be under way before it is looked up.

    Where others share the work they must soon know that we are gone: there it is a lease, which we renew.
    """
    return LEASE if shared(ledger.connection) else 2 * ledger.world.terms(account).request_timeout + LOOK_UP_AFTER


def alone_in_calling(ledger: Ledger) -> None:
    """One call is begun at a time: who is engaged, and what the limits still allow, must stay true until it is."""
    alone(ledger.connection, "beginning a call")


def line_free(ledger: Ledger, live: Iterable[Call], account: str) -> bool:
    """Whether `account` may run another call beside those of `live` (the calls that are not over) that are its own."""
    terms = ledger.world.terms(account)
    lines = [call for call in live if call.state is not CallState.QUEUED and ledger.world.terms(call.account) == terms]
    return len(lines) < terms.max_concurrent_calls


def alone_with(ledger: Ledger, gateway_id: str) -> None:
    """A call gets its gateway's id, or a report is found to be of no call, but not both at the same time."""
    alone(ledger.connection, f"the call {gateway_id}")
