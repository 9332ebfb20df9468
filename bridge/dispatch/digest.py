"""Understanding what came in: message, alert, route, policy, incident; report, call, page, incident.

Runs in the database's thread, inside the ledger's transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec

from bridge.alert import Alert, Group, Source, parse_group
from bridge.call import By, Call, Report
from bridge.dispatch.claims import alone_with
from bridge.dispatch.found import FOUND, adopt, tell
from bridge.dispatch.ledger import Held, Ledger
from bridge.dispatch.outcome import apply_report
from bridge.dispatch.texting import apply_receipt
from bridge.dispatch.trial import begin_test
from bridge.dispatch.watchdogs import saw, seen_in
from bridge.escalation import Acknowledged, Cleared, Escalated, Fired, State, Verdict
from bridge.gateway import Ignored, Keypress, Reply, read_reports
from bridge.route import match, muted
from bridge.sms import Receipt, Sms, says_yes
from bridge.store import calls, pages, texts
from bridge.store.inbox import Door, Message, came_before
from bridge.store.journal import Entry

log = logging.getLogger(__name__)

# A key or a reply belongs to the newest call to its number that was alive this recently.
REPLY_WINDOW = timedelta(hours=1)
# An SMS stays on the phone and is read when there is time: as long as nobody else has it, a late yes is one.
SMS_REPLY_WINDOW = timedelta(hours=12)
KEYPRESS_WINDOW = timedelta(minutes=10)
# A signature is right for five minutes on either side of its time.
REPLAY_WINDOW = timedelta(minutes=10)
# The other replica of an HA pair sends the same notification within Alertmanager's peer time-out: that is no repeat.
TWIN_WINDOW = timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class Command:
    """What a human asked for over the API, the page or the command line; `by` is a person's key or a free name.

    `incident` may be empty for a `test_call`, which goes to `person` (a key of people).
    """

    incident: str
    action: str
    by: str
    comment: str = ""
    way: By = By.API
    person: str = ""


_COMMAND = msgspec.json.Decoder(Command)


def digest(ledger: Ledger, messages: Sequence[Message]) -> None:
    """Digest `messages` in their order. Raises what our own code raises; the caller rolls back."""
    groups = {
        one.seq: parse_group(one.body, Source(one.door.value))
        for one in messages
        if one.door in (Door.ALERTMANAGER, Door.GRAFANA)
    }
    if ledger.world.searches:
        adopt(ledger, groups.values())
    ledger.load_streams(group.stream for group in groups.values())
    seen: dict[str, datetime] = {}
    for message in messages:
        match message.door:
            case Door.ALERTMANAGER | Door.GRAFANA:
                _notification(ledger, message, groups[message.seq])
                # What was found says that Alertmanager lives, not that its notifications come in.
                if FOUND not in message.meta:
                    seen |= dict.fromkeys(seen_in(ledger.world, groups[message.seq].alerts), message.received_at)
            case Door.SMS77:
                _reports(ledger, message)
            case Door.KEYPRESS:
                _link(ledger, message)
            case Door.API:
                _command(ledger, _COMMAND.decode(message.body), message.received_at)
    saw(ledger, seen)


# --- alerts


def _notification(ledger: Ledger, message: Message, group: Group) -> None:
    """Route each alert by its own labels; one that is missing says nothing, and neither does the top-level status."""
    told: dict[str, tuple[Held, list[Alert], bool]] = {}
    fresh: list[Held] = []
    for alert in group.alerts:
        for held in _belongs_to(ledger, message, group, alert, fresh):
            news = ledger.put_alert(held, alert, message.seq)
            _, listed, before = told.setdefault(held.incident.id, (held, [], False))
            listed.append(alert)
            told[held.incident.id] = (held, listed, before or news)
    for held, listed, news in told.values():
        ledger.describe(held, group, listed)
        if held in fresh:
            ledger.begin(held)
        else:
            _told_again(ledger, held, listed, news)
        if news and FOUND in message.meta:
            tell(ledger, held, listed)


def _belongs_to(ledger: Ledger, message: Message, group: Group, alert: Alert, fresh: list[Held]) -> list[Held]:
    """The incidents that `alert` is part of; a firing one opens those that its policies lack."""
    present = ledger.open_in(group.stream)
    if not alert.firing:
        return [held for held in present.values() if held.known and alert.fingerprint in held.known]
    if message.failures and ledger.newer_word(group.stream, alert.fingerprint, message.seq):
        # Tried again, hours late perhaps: what came since has said more of this alert.
        return []
    found: dict[str, Held] = {}
    for route in match(ledger.world.route, alert.labels):
        if route.policy in found:
            continue
        held = present.get(route.policy)
        if held is None:
            if muted(route, ledger.world.intervals, ledger.now):
                continue
            held = ledger.open(group, ledger.world.policies[route.policy], message.received_at)
            fresh.append(held)
        found[route.policy] = held
    return list(found.values())


def _told_again(ledger: Ledger, held: Held, listed: Sequence[Alert], news: bool) -> None:
    """A notification about an incident that is open: it clears when every alert it knows has resolved."""
    assert held.known is not None
    if not any(known.firing for known in held.known.values()):
        ledger.happen(held, Cleared())
        return
    if not any(alert.firing for alert in listed) and not news:
        return
    if not news and held.incident.state is State.EXHAUSTED and ledger.now - held.incident.news_at < TWIN_WINDOW:
        ledger.effects.count("duplicates_suppressed_total", "notification")
        return
    decision = ledger.happen(held, Fired())
    if not news and decision.verdict is Verdict.REFRESHED:
        ledger.effects.count("duplicates_suppressed_total", "notification")


# --- reports


def _reports(ledger: Ledger, message: Message) -> None:
    meta = message.meta
    for report in read_reports(
        content_type=meta.get("content_type", ""), query=meta.get("query", ""), body=message.body
    ):
        match report:
            case Report():
                _report(ledger, report)
            case Keypress() | Reply() if _replayed(ledger, message):
                ledger.effects.count("duplicates_suppressed_total", "acknowledgement")
            case Keypress():
                _keypress(ledger, report, late="late" in meta)
            case Receipt():
                _receipt(ledger, report)
            case Reply():
                _reply(ledger, report)
            case Ignored():
                log.debug("report of no concern", extra={"fields": {"event": report.event}})


def _replayed(ledger: Ledger, message: Message) -> bool:
    """Whether this very request came before, by another process or before we were started: its door could not know."""
    return "nonce" in message.meta and came_before(ledger.connection, message, REPLAY_WINDOW)


def _report(ledger: Ledger, report: Report) -> None:
    ledger.effects.count("reports_total", report.status.value)
    call = calls.known_as(ledger.connection, report.gateway_id, report.foreign_id, report.recipient)
    if call is None and report.gateway_id:
        # Another process may be about to note that id: then it is known now, or finds what we keep.
        alone_with(ledger, report.gateway_id)
        call = calls.known_as(ledger.connection, report.gateway_id, report.foreign_id, report.recipient)
    if call is None:
        # Our own reply may still be on its way, or it is a call of another installation on the same account.
        calls.keep_stray(ledger.connection, report, ledger.now)
        ledger.effects.count("reports_unmatched_total")
        return
    apply_report(ledger, call, report)


# --- people who take it


def _keypress(ledger: Ledger, pressed: Keypress, *, late: bool = False) -> None:
    """`late`: signed so long ago that it may be a replay; it counts where nothing has been taken by that call yet."""
    if not ledger.world.keypress:
        return
    call = calls.known_as(ledger.connection, pressed.gateway_id, pressed.foreign_id, pressed.number)
    if late and (call is None or call.acknowledged):
        ledger.effects.count("duplicates_suppressed_total", "acknowledgement")
        return
    if call is None and pressed.number:
        call = calls.latest_to(ledger.connection, f"+{pressed.number}", ledger.now - KEYPRESS_WINDOW)
    if call is not None:
        take(ledger, call, By.KEYPRESS, f"key {pressed.digit}")


def _reply(ledger: Ledger, reply: Reply) -> None:
    """It answers whatever its sender was told last: a call, or an SMS, which must be answered with a yes."""
    if not ledger.world.reply:
        return
    number, now = f"+{reply.sender}", ledger.now
    call = calls.latest_to(ledger.connection, number, now - REPLY_WINDOW)
    sms = texts.latest_to(ledger.connection, number, now - SMS_REPLY_WINDOW)
    if sms is not None and (call is None or sms.created_at >= now - REPLY_WINDOW) and not says_yes(reply.text):
        # A phone may answer an SMS by itself, and nobody has read it then.
        ledger.line(Entry(now, "reply_unclear", call=sms.id, who=sms.person, note="an SMS that begins with no yes"))
        ledger.effects.count("sms_replies_unclear_total")
        return
    if sms is not None and (call is None or sms.created_at >= call.created_at):
        take_by_sms(ledger, sms, By.REPLY, "SMS reply")
    elif call is not None:
        take(ledger, call, By.REPLY, "SMS reply")


def _receipt(ledger: Ledger, receipt: Receipt) -> None:
    sms = texts.known_as(ledger.connection, receipt.gateway_id, receipt.foreign_id)
    if sms is not None:
        apply_receipt(ledger, sms, receipt.status)


def _link(ledger: Ledger, message: Message) -> None:
    id_ = message.body.decode()
    call = calls.get(ledger.connection, id_)
    if call is not None:
        take(ledger, call, By.KEYPRESS, "signed link")
        return
    sms = texts.get(ledger.connection, id_)
    if sms is not None:
        take_by_sms(ledger, sms, By.REPLY, "signed link of an SMS")


def take_by_sms(ledger: Ledger, sms: Sms, by: By, note: str) -> None:
    """One acknowledgement takes every incident that the SMS told of."""
    _take_all(ledger, sms.id, sms.person, by, note)
    present = texts.get(ledger.connection, sms.id)
    if present is not None and not present.acknowledged:
        texts.save(ledger.connection, replace(present, acknowledged=True))


def _take_all(ledger: Ledger, carrier: str, person: str, by: By, note: str) -> None:
    for held in ledger.load(incident for _, incident, _ in pages.pages_in(ledger.connection, carrier)):
        acknowledge(ledger, held, by, person, note)


def take(ledger: Ledger, call: Call, by: By, note: str) -> None:
    """One acknowledgement takes every incident that the call told of."""
    _take_all(ledger, call.id, call.person, by, note)
    # Read again: a call that was still to be tried has ended by this very acknowledgement.
    present = calls.get(ledger.connection, call.id)
    if present is not None and not present.acknowledged:
        calls.save(ledger.connection, replace(present, acknowledged=True))


def acknowledge(ledger: Ledger, held: Held, by: By, who: str, note: str) -> None:
    """Somebody takes an incident, by whatever way that is no call's own end; the second time counts as a duplicate."""
    before = held.incident.state
    decision = ledger.happen(held, Acknowledged(by, who), note)
    if decision.verdict is Verdict.ACKNOWLEDGED and before is not State.ACKNOWLEDGED:
        ledger.acknowledged(held, by)
    else:
        ledger.effects.count("duplicates_suppressed_total", "acknowledgement")


def _command(ledger: Ledger, command: Command, asked_at: datetime) -> None:
    if command.action == "test_call":
        begin_test(ledger, command.person, command.by, asked_at)
        return
    for held in ledger.load([command.incident]):
        note = " ".join(part for part in (f"by {command.by}" if command.by else "", command.comment) if part)
        match command.action:
            case "acknowledge":
                acknowledge(ledger, held, command.way, command.by, note)
            case "escalate":
                ledger.happen(held, Escalated(command.by), note)
            case "call_again":
                ledger.happen(held, Escalated(command.by, again=True), note)
            case "resolve":
                ledger.happen(held, Cleared(by_hand=True), note)
            case other:
                raise ValueError(f"there is no action {other!r}")
