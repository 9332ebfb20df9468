"""What becomes of a call, from its claim to its end, and what that means for the incidents that it tells of.

Runs in the database's thread, inside the ledger's transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bridge.alert import Alert
from bridge.call import (
    MOST_MEASURED,
    TEST,
    By,
    Call,
    CallState,
    Outcome,
    Report,
    end,
    pace,
    pause_after,
    settle,
    taken,
)
from bridge.dispatch import trial
from bridge.dispatch.claims import LOOK_UP_AFTER, alone_in_calling, alone_with, line_free, under_way_for
from bridge.dispatch.ledger import Ledger
from bridge.dispatch.limits import HeldBack, hold, hold_again
from bridge.errors import GatewayError, GatewayRefused, GatewayUnavailable
from bridge.escalation import PageEnded, Verdict
from bridge.speech import Kind, Speech, Subject
from bridge.store import calls, incidents, pages
from bridge.store.ids import Ids
from bridge.store.incidents import Policies, Stored
from bridge.store.journal import Entry

# What one call can tell in words is far less: beyond these, only counts are told.
TOLD_INCIDENTS = 50
TOLD_ALERTS = 20
# An uncertain request is looked up for so long at most.
LATE_WORD = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Begun:
    """A call that is written down and may now be requested; `xml`: the text is TwiML."""

    call: Call
    xml: bool


def begin(ledger: Ledger, person: str, snapshots: Policies, ids: Ids, account: str) -> Begun | HeldBack | None:
    """Write down one call to `person` with every page that waits for them, to be requested by `account`.

    None: there is nothing to call for.
    """
    who = ledger.world.people.get(person)
    if who is None or who.phone is None:
        _nobody(ledger, person, ids)
        return None
    alone_in_calling(ledger)
    live = calls.live(ledger.connection)
    if any(call.person == person or call.number == who.phone for call in live):
        return None
    if not line_free(ledger, live, account):
        return None
    held = hold(ledger, person, who.phone)
    if held is not None:
        return held
    call = Call(ids.new(ledger.now), person, who.phone, ledger.now, requested_at=ledger.now, account=account)
    if not pages.claim_pages(ledger.connection, person, call.id):
        return None
    call, xml = _worded(ledger, call, snapshots)
    calls.add(ledger.connection, call)
    ledger.line(Entry(ledger.now, "calling", call=call.id, who=person))
    return Begun(call, xml)


def begin_again(ledger: Ledger, call: Call, snapshots: Policies, account: str) -> Begun | HeldBack | None:
    """Request a call once more, by `account`, with whatever waits by now.

    It ends as cancelled when nothing is left to tell (None). A test call is requested as it is, where nobody must be
    called for real by now and it is not too late.
    """
    alone_in_calling(ledger)
    held = hold_again(ledger, call.number)
    if held is not None:
        return held
    if call.template == TEST:
        if why := trial.given_up(ledger, call):
            finish(ledger, call, Outcome.CANCELLED, why)
            return None
        return Begun(_saved(ledger, trial.requested(ledger, call, account)), xml=False)
    if not line_free(ledger, calls.live(ledger.connection), account):
        return None
    pages.claim_pages(ledger.connection, call.person, call.id)
    if not _tells(ledger, call):
        finish(ledger, call, Outcome.CANCELLED, "not needed any more")
        return None
    again = replace(call, state=CallState.PLACING, requested_at=ledger.now, reason="", account=account)
    worded, xml = _worded(ledger, again, snapshots)
    return Begun(_saved(ledger, worded), xml)


def _tells(ledger: Ledger, call: Call) -> bool:
    """Whether there is anything (left) that the call is to tell."""
    return any(state == "calling" for _, _, state in pages.pages_in(ledger.connection, call.id))


def _nobody(ledger: Ledger, person: str, ids: Ids) -> None:
    """Pages wait for somebody who cannot be called (any more): they end as refused, and their incidents go on."""
    call = Call(ids.new(ledger.now), person, "", ledger.now)
    if not pages.claim_pages(ledger.connection, person, call.id):
        return
    ended = end(call, Outcome.REFUSED, ledger.now, "nobody of that name with a number is in the config")
    calls.add(ledger.connection, ended)
    call_ended(ledger, ended, first=True)


def _worded(ledger: Ledger, call: Call, snapshots: Policies) -> tuple[Call, bool]:
    """The call with its words, and until when its request may be under way before it is looked up."""
    speech = speak(ledger, call, snapshots)
    if speech.fallback:
        ledger.effects.count("speech_fallbacks_total")
        ledger.line(Entry(ledger.now, "speech_fallback", call=call.id, who=call.person, note=speech.problem))
    begins, ends = _window(ledger, speech)
    worded = replace(
        call,
        text=speech.text,
        language=speech.language,
        template=speech.template,
        speech_seconds=speech.seconds,
        window_from=begins,
        window_until=ends,
        due_at=ledger.now + under_way_for(ledger, call.account),
    )
    return worded, speech.kind is Kind.XML


def _window(ledger: Ledger, speech: Speech) -> tuple[float, float] | tuple[None, None]:
    """When hanging up takes it, at the pace that the voice has had of late."""
    if speech.window is None:
        return None, None
    factor = pace(calls.measured(ledger.connection, speech.language, MOST_MEASURED))
    begins, ends = speech.window
    return begins * factor, ends * factor


def speak(ledger: Ledger, call: Call, snapshots: Policies) -> Speech:
    """What the call says: the worst incidents first, as many as fit."""
    told, total = incidents.told_in(ledger.connection, call.id, TOLD_INCIDENTS, snapshots)
    return said(ledger, call.person, told, total, ledger.world.link(call.id))


def said(ledger: Ledger, person: str, told: Sequence[Stored], total: int, link: str = "") -> Speech:
    """What `person` (a key of people) hears of these incidents, the worst first, of `total` in all."""
    world, who = ledger.world, ledger.world.people.get(person)
    return world.speaker.speak(
        template=told[0].incident.policy.template,
        language=(who.language if who else "") or world.language,
        timezone=world.timezone,
        person=who.name if who else "",
        subjects=[subject_of(ledger, stored) for stored in told],
        total=total,
        now=ledger.now,
        acknowledge_url=link,
        keypress=world.keypress,
        hang_up=world.rules.hang_up,
    )


def subject_of(ledger: Ledger, stored: Stored) -> Subject:
    """One incident as it is told: its worst firing alerts, and how many there are."""
    incident, origin = stored.incident, stored.origin
    shown: list[Alert] = incidents.alerts_of(ledger.connection, incident.id, firing=True, limit=TOLD_ALERTS)
    firing = incidents.count_alerts(ledger.connection, incident.id, firing=True)
    return Subject(
        incident=incident.id,
        policy=incident.policy.name,
        opened_at=incident.opened_at,
        receiver=incident.stream.receiver,
        external_url=origin.external_url,
        group_labels=origin.group_labels,
        alerts=tuple(shown),
        truncated=origin.truncated + firing - len(shown),
    )


# --- what the gateway answered


def placed(ledger: Ledger, call: Call, gateway_id: str | None, note: str = "") -> None:
    """The gateway took it. Reports that were quicker than its answer are applied now."""
    if gateway_id:
        alone_with(ledger, gateway_id)
    if not call.live:
        return
    moved = replace(
        call,
        state=CallState.PLACED,
        gateway_id=call.gateway_id or gateway_id,
        placed_at=call.placed_at or ledger.now,
        due_at=ledger.now + ledger.world.terms(call.account).report_timeout,
        reason="",
    )
    _took(ledger, call)
    moved = _saved(ledger, moved)
    several = f"by {call.account}" if len(ledger.world.accounts) > 1 else ""
    said = "; ".join(filter(None, (several, note)))
    ledger.line(Entry(ledger.now, "placed", call=call.id, who=call.person, note=said))
    _time_to_call(ledger, moved)
    if call.template != TEST and not _tells(ledger, call):
        # What it was to tell was taken while the gateway thought about it.
        ledger.effects.hang_up.append(call.id)
    if moved.gateway_id:
        for report in calls.take_strays(ledger.connection, moved.gateway_id):
            moved = apply_report(ledger, moved, report)


def _took(ledger: Ledger, call: Call) -> None:
    """Count a call that the gateway has, by what it said itself or by a report that was quicker."""
    if call.state not in (CallState.QUEUED, CallState.PLACING):
        return
    hour = ledger.now.astimezone(ledger.world.timezone).hour
    ledger.effects.count("calls_placed_total", f"{hour:02}")
    for policy in incidents.policies_in(ledger.connection, call.id):
        ledger.effects.count("policy_calls_total", policy)


def _saved(ledger: Ledger, call: Call) -> Call:
    """The call, written; as the table has it then."""
    calls.save(ledger.connection, call)
    return replace(call, version=call.version + 1)


def apply_report(ledger: Ledger, call: Call, report: Report) -> Call:
    """What a report changes: the call, and when it is over, the incidents that it told of."""
    moved = settle(call, report, ledger.now)
    if moved == call:
        ledger.effects.count("duplicates_suppressed_total", "report")
        return call
    if moved.state is CallState.PLACED and moved.due_at is not None:
        # A call that still reports is alive: its time-out counts from the last word of it.
        moved = replace(moved, due_at=ledger.now + ledger.world.terms(call.account).report_timeout)
    _took(ledger, call)
    moved = _saved(ledger, moved)
    if call.cost is None and moved.cost is not None:
        ledger.effects.count("call_cost_euros_total", by=moved.cost)
    if moved.state is CallState.ENDED and (call.live or moved.outcome is not call.outcome):
        call_ended(ledger, moved, first=call.live)
    elif moved.live:
        ledger.line(Entry(ledger.now, report.status.value, call=call.id, who=call.person))
    return moved


def _time_to_call(ledger: Ledger, call: Call) -> None:
    told = [incident for page, incident, _ in pages.pages_in(ledger.connection, call.id) if page.endswith("-1")]
    for held in ledger.load(told[:TOLD_INCIDENTS]):
        ledger.effects.observe("time_to_call_seconds", (ledger.now - held.incident.opened_at).total_seconds())


def failed(ledger: Ledger, call: Call, asked: Call, error: GatewayError) -> None:
    """The gateway did not take the call as it was `asked` for, or nobody knows whether it did."""
    if call.requested_at != asked.requested_at:
        return  # we were taken for dead, and somebody else has asked again: what counts is their answer
    if isinstance(error, GatewayRefused):
        refused(ledger, call, error)
    elif isinstance(error, GatewayUnavailable):
        unavailable(ledger, call, error)
    else:
        uncertain(ledger, call, error)


def not_taken(ledger: Ledger, call: Call, asked: Call, error: GatewayError) -> None:
    """An account did not take the call as it was `asked` for; it may be asked for again, elsewhere."""
    if call.requested_at == asked.requested_at:
        unavailable(ledger, call, error)


def refused(ledger: Ledger, call: Call, error: GatewayError) -> None:
    """Never: the pages end, and their incidents go on to the next person."""
    finish(ledger, call, Outcome.REFUSED, str(error))


def unavailable(ledger: Ledger, call: Call, error: GatewayError) -> None:
    """Again: nobody was called; the pages keep waiting in this call, and later ones join it."""
    if call.state is not CallState.PLACING:
        return
    tries = call.tries + 1
    due = ledger.now + pause_after(tries)
    calls.save(ledger.connection, replace(call, state=CallState.QUEUED, tries=tries, due_at=due, reason=str(error)))
    if tries == 1:
        note = f"{call.account}: {error}" if len(ledger.world.accounts) > 1 else str(error)
        ledger.line(Entry(ledger.now, "gateway_unavailable", call=call.id, who=call.person, note=note))


def uncertain(ledger: Ledger, call: Call, error: GatewayError) -> None:
    """It may ring: it is looked up before anything else."""
    if call.state is not CallState.PLACING:
        return
    calls.save(ledger.connection, replace(call, due_at=ledger.now + LOOK_UP_AFTER, reason=str(error)))
    ledger.line(Entry(ledger.now, "uncertain", call=call.id, who=call.person, note=str(error)))


def finish(ledger: Ledger, call: Call, outcome: Outcome, reason: str) -> None:
    """The call ends by other means than a report."""
    if not call.live:
        return
    ended = end(call, outcome, ledger.now, reason)
    calls.save(ledger.connection, ended)
    call_ended(ledger, ended, first=True)


def call_ended(ledger: Ledger, call: Call, *, first: bool) -> None:
    """A call is over: count it, end its pages, tell the incidents. `first`: not a late correction of its outcome."""
    assert call.outcome is not None
    by = taken(call, ledger.world.rules) if first or _recent(call, ledger.now) else None
    carried = pages.pages_in(ledger.connection, call.id)
    ended = pages.end_pages(ledger.connection, call.id, call.outcome, ledger.now)
    note = call.reason or ("" if by else _missed(call))
    ledger.line(Entry(ledger.now, call.outcome.value, call=call.id, who=call.person, note=note))
    ledger.effects.wake = True
    ledger.effects.ended.append(call)
    if first:
        _count(ledger, call, ended)
    # A page that was dropped says nothing any more; a correction that comes late finds none that still rides.
    by_incident = {incident: page for page, incident, state in carried if state == "calling" or not first}
    for held in ledger.load(by_incident):
        event = PageEnded(by_incident[held.incident.id], call.person, call.outcome, by)
        decision = ledger.happen(held, event, _hung_up(call) if by is By.HANG_UP else "")
        if by is not None and decision.verdict is Verdict.ACKNOWLEDGED:
            ledger.acknowledged(held, by)


def _hung_up(call: Call) -> str:
    return f"hung up after {call.duration:.0f} s, the window was {call.window_from:.0f} to {call.window_until:.0f} s"


def _missed(call: Call) -> str:
    """Why hanging up did not take it, for whoever thinks it did."""
    if call.outcome is not Outcome.ANSWERED or None in (call.duration, call.window_from, call.window_until):
        return ""
    window = f"{call.window_from:.0f} to {call.window_until:.0f} s"
    return f"{call.duration:.0f} s on the phone, hanging up after {window} would have taken it"


def _recent(call: Call, now: datetime) -> bool:
    """Whether a corrected outcome still says something of who has it now: days later it does not."""
    return now - (call.requested_at or call.created_at) < LATE_WORD


def _count(ledger: Ledger, call: Call, ended: int) -> None:
    effects, outcome = ledger.effects, call.outcome
    assert outcome is not None
    effects.count("calls_total", outcome.value)
    effects.count("pages_total", outcome.value, by=ended)
    if call.duration is not None:
        effects.observe("call_duration_seconds", call.duration)
    if outcome is Outcome.ANSWERED and call.placed_at is not None and call.answered_at is not None:
        effects.observe("time_to_answer_seconds", (call.answered_at - call.placed_at).total_seconds())
