"""A call that was looked up in the gateway's journal and is not there: it waits, is requested again, or is given up.

Runs in the database's thread, inside the ledger's transaction.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from bridge.call import Call, CallState, Outcome
from bridge.dispatch.ledger import Ledger
from bridge.dispatch.outcome import finish
from bridge.store import calls
from bridge.store.journal import Entry

# For so long a journal that does not answer is asked, and a row may be missing of a call that rings.
LOOK_UP_FOR = timedelta(seconds=60)
LOOK_UP_EVERY = timedelta(seconds=10)
# As long as no account takes calls.
LOOK_UP_SELDOM = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Sought:
    """How a call was looked for in vain: `sure`, its account's journal answered and knows nothing of it.

    `out`: no account takes calls now. `troubled`: its account has been out since it was requested, so that the request
    was part of an outage, and says nothing of whether another will be lost too.
    """

    sure: bool
    out: bool = False
    troubled: bool = False


def not_found(ledger: Ledger, call: Call, sought: Sought) -> None:
    """Requested once more; when that was uncertain too, it counts as unconfirmed and the incident goes on.

    In an outage no request counts against it: it is asked again when an account is there, and nobody is forgotten.
    """
    age = ledger.now - (call.requested_at or call.created_at)
    soon = age < LOOK_UP_FOR
    if not sought.sure and (sought.out or soon):
        return _later(ledger, call, sought)
    if call.asked_again and not sought.troubled:
        return finish(ledger, call, Outcome.UNCONFIRMED, "two requests, and nothing is known of either")
    if call.asked_again and soon:
        return _later(ledger, call, sought)
    ledger.line(Entry(ledger.now, "asked_again", call=call.id, who=call.person))
    ledger.effects.wake = True
    return calls.save(ledger.connection, replace(call, state=CallState.QUEUED, asked_again=True, due_at=ledger.now))


def _later(ledger: Ledger, call: Call, sought: Sought) -> None:
    pause = LOOK_UP_SELDOM if sought.out else LOOK_UP_EVERY
    calls.save(ledger.connection, replace(call, due_at=ledger.now + pause))


def unconfirmed(ledger: Ledger, call: Call, asked: Call) -> None:
    """Nothing is known of the call, neither by a report nor by the gateway's journal, as it was `asked` for."""
    # A report that came while the journal was asked has changed it: somebody is on the phone.
    if call.version == asked.version:
        finish(ledger, call, Outcome.UNCONFIRMED, "no report came")
