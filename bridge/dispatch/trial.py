"""Test calls: real ones, that tell of no incident; they are in the books like any other, and count like any other."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta

from bridge.call import TEST, Call, CallState
from bridge.dispatch.claims import alone_in_calling, under_way_for
from bridge.dispatch.ledger import Ledger
from bridge.dispatch.limits import hold
from bridge.logs import fields
from bridge.speech import trial_words
from bridge.store import calls, pages
from bridge.store.journal import Entry

log = logging.getLogger(__name__)

# Who asks for a test waits for it: one that could not be made by then must not ring in the middle of the night.
TOO_LATE = timedelta(minutes=1)


def begin_test(ledger: Ledger, person: str, by: str, asked_at: datetime) -> None:
    """Write down a test call to `person`, to be placed at once; none where it would be late, or in anybody's way."""
    alone_in_calling(ledger)
    why = _refused(ledger, person, asked_at)
    if why:
        log.warning("no test call is made", extra=fields(person=person, why=why))
        return
    who = ledger.world.people[person]
    language = who.language or ledger.world.language
    text, seconds = trial_words(who.name, language)
    assert who.phone is not None
    call = Call(
        ledger.new_id(),
        person,
        who.phone,
        ledger.now,
        state=CallState.QUEUED,
        language=language,
        template=TEST,
        text=text,
        speech_seconds=seconds,
        due_at=ledger.now,
    )
    calls.add(ledger.connection, call)
    ledger.line(Entry(ledger.now, "calling", call=call.id, who=person, note=f"a test, by {by}" if by else "a test"))
    ledger.effects.wake = True


def _refused(ledger: Ledger, person: str, asked_at: datetime) -> str:
    who = ledger.world.people.get(person)
    if who is None or who.phone is None:
        return "nobody of that name with a number is in the config"
    if ledger.now - asked_at > TOO_LATE:
        return "it was asked for too long ago"
    if any(call.person == person or call.number == who.phone for call in calls.live(ledger.connection)):
        return "there is a call to them already"
    if waited_for(ledger, person):
        return "they are about to be called for real"
    return "a limit holds calls back" if hold(ledger, person, who.phone) is not None else ""


def waited_for(ledger: Ledger, person: str) -> bool:
    """Whether a page waits for `person`: what is real goes before a test."""
    return person in pages.people_waiting(ledger.connection)


def given_up(ledger: Ledger, call: Call) -> str:
    """Why a test call that waited for an account is not made any more; "": it is."""
    if waited_for(ledger, call.person):
        return "a real call goes before a test"
    return "it could not be made in time" if ledger.now - call.created_at > TOO_LATE else ""


def requested(ledger: Ledger, call: Call, account: str) -> Call:
    """The test call as it is once it is requested (again), by `account`."""
    due = ledger.now + under_way_for(ledger, account)
    placing = CallState.PLACING
    return replace(call, state=placing, requested_at=ledger.now, due_at=due, reason="", account=account)
