"""What becomes of an SMS, from its claim to its receipt. No incident waits for it: only a reply changes one.

Runs in the database's thread, inside the ledger's transaction.
"""

from __future__ import annotations

from dataclasses import replace

from bridge.call import pause_after
from bridge.database.speaking import alone
from bridge.dispatch.claims import LOOK_UP_AFTER
from bridge.dispatch.ledger import Ledger
from bridge.dispatch.limits import HeldBack, hold
from bridge.dispatch.lookup import LOOK_UP_EVERY, LOOK_UP_FOR
from bridge.dispatch.outcome import TOLD_INCIDENTS, subject_of
from bridge.errors import GatewayError, Reason
from bridge.escalation import Channel
from bridge.sms import TEMPLATE, Delivery, Sms, SmsOutcome, SmsState, end, parts, settle
from bridge.speech import Speech
from bridge.store import incidents, pages, texts
from bridge.store.incidents import Policies
from bridge.store.journal import Entry


def begin(ledger: Ledger, person: str, snapshots: Policies, account: str) -> Sms | HeldBack | None:
    """Write down one SMS to `person` with every page that waits for them, to be requested by `account`.

    None: there is nothing to send now.
    """
    who = ledger.world.people.get(person)
    if who is None or who.phone is None:
        _nobody(ledger, person)
        return None
    # One at a time, where several processes share the work: what the limits allow must stay true until it is begun.
    alone(ledger.connection, "beginning an SMS")
    if texts.unsent_to(ledger.connection, who.phone):
        return None
    held = hold(ledger, person, who.phone, Channel.SMS)
    if held is not None:
        return held
    sms = Sms(ledger.new_id(), person, who.phone, ledger.now, requested_at=ledger.now, account=account)
    if not pages.claim_pages(ledger.connection, person, sms.id, Channel.SMS):
        return None
    worded = _worded(ledger, sms, snapshots)
    texts.add(ledger.connection, worded)
    _line(ledger, worded, "texting")
    return worded


def begin_again(ledger: Ledger, sms: Sms, snapshots: Policies, account: str) -> Sms | None:
    """Request an SMS once more, by `account`, with whatever waits by now; cancelled when nothing is left to tell."""
    pages.claim_pages(ledger.connection, sms.person, sms.id, Channel.SMS)
    if sms.person not in ledger.world.people:
        finish(ledger, sms, SmsOutcome.REFUSED, "nobody of that name is in the config any more")
        return None
    if not any(state == "calling" for _, _, state in pages.pages_in(ledger.connection, sms.id)):
        finish(ledger, sms, SmsOutcome.CANCELLED, "not needed any more")
        return None
    again = replace(sms, state=SmsState.SENDING, requested_at=ledger.now, reason="", account=account)
    return _saved(ledger, _worded(ledger, again, snapshots))


def _nobody(ledger: Ledger, person: str) -> None:
    """Pages wait for somebody who has no number (any more): they end as refused."""
    sms = Sms(ledger.new_id(), person, "", ledger.now)
    if pages.claim_pages(ledger.connection, person, sms.id, Channel.SMS):
        texts.add(ledger.connection, sms)
        finish(ledger, sms, SmsOutcome.REFUSED, "nobody of that name with a number is in the config")


def _worded(ledger: Ledger, sms: Sms, snapshots: Policies) -> Sms:
    """The SMS with its words, and until when its request may be under way before it is looked up."""
    speech = _words(ledger, sms, snapshots)
    if speech.fallback:
        ledger.effects.count("speech_fallbacks_total")
        _line(ledger, sms, "speech_fallback", speech.problem)
    return replace(
        sms,
        text=speech.text,
        language=speech.language,
        template=speech.template,
        parts=parts(speech.text),
        due_at=ledger.now + 2 * ledger.world.terms(sms.account).request_timeout + LOOK_UP_AFTER,
    )


def _words(ledger: Ledger, sms: Sms, snapshots: Policies) -> Speech:
    told, total = incidents.told_in(ledger.connection, sms.id, TOLD_INCIDENTS, snapshots)
    world, who = ledger.world, ledger.world.people[sms.person]
    link = world.link(sms.id)
    return world.sms_speaker.speak(
        template=TEMPLATE,
        language=who.language or world.language,
        timezone=world.timezone,
        person=who.name,
        subjects=[subject_of(ledger, stored) for stored in told],
        total=total,
        now=ledger.now,
        # Phones fetch what is linked to show it beforehand, so the link of an SMS asks first.
        acknowledge_url=f"{link}?ask" if link else "",
        reply=world.answerable,
    )


def sent(ledger: Ledger, sms: Sms, gateway_id: str | None, cost: float | None, note: str = "") -> None:
    """The gateway took it: the pages are told. What became of it on its way is heard, or asked for, later."""
    if sms.state is not SmsState.SENDING:
        return
    due_at = ledger.now + ledger.world.terms(sms.account).report_timeout
    known = gateway_id or sms.gateway_id
    moved = replace(sms, state=SmsState.SENT, gateway_id=known, sent_at=ledger.now, due_at=due_at, cost=cost, reason="")
    texts.save(ledger.connection, moved)
    pages.end_pages(ledger.connection, sms.id, SmsOutcome.SENT, ledger.now)
    _line(ledger, moved, "sms_sent", note)
    if cost:
        ledger.effects.count("sms_cost_euros_total", by=cost)


def failed(ledger: Ledger, sms: Sms, error: GatewayError) -> None:
    """Nobody knows whether the gateway took it: it is looked up before anything else."""
    if sms.state is not SmsState.SENDING:
        return
    if error.reason is Reason.DUPLICATE:
        # Our own request that was lost, or the same words for another incident: the phone has them.
        sent(ledger, sms, None, None, "the gateway took the same text a moment ago")
        return
    texts.save(ledger.connection, replace(sms, due_at=ledger.now + LOOK_UP_AFTER, reason=str(error)))
    _line(ledger, sms, "sms_uncertain", str(error))


def unavailable(ledger: Ledger, sms: Sms, error: GatewayError) -> None:
    """Again: nothing was sent; the pages keep waiting in this SMS, and later ones join it."""
    if sms.state is not SmsState.SENDING:
        return
    tries = sms.tries + 1
    due_at = ledger.now + pause_after(tries)
    queued = replace(sms, state=SmsState.QUEUED, tries=tries, due_at=due_at, requested_at=None, reason=str(error))
    texts.save(ledger.connection, queued)
    if tries == 1:
        _line(ledger, sms, "sms_unavailable", str(error))


def not_found(ledger: Ledger, sms: Sms, sure: bool) -> None:
    """A looked-up SMS of which the gateway knows nothing (`sure`), or which could not be looked up.

    It is requested once more; when that was uncertain too, it counts as unconfirmed.
    """
    if sms.state is not SmsState.SENDING:
        return
    asked_at = sms.requested_at or sms.created_at
    if not sure and ledger.now < asked_at + LOOK_UP_FOR:
        texts.save(ledger.connection, replace(sms, due_at=ledger.now + LOOK_UP_EVERY))
        return
    if sms.asked_again:
        finish(ledger, sms, SmsOutcome.UNCONFIRMED, "two requests, and nothing is known of either")
        return
    _line(ledger, sms, "sms_asked_again")
    again = replace(sms, state=SmsState.QUEUED, asked_again=True, due_at=ledger.now, requested_at=None)
    texts.save(ledger.connection, again)
    ledger.effects.write = True


def give_up(ledger: Ledger, sms: Sms) -> None:
    """No receipt came in time, and the gateway's journal has none either: it was sent, more is not known."""
    if sms.state is SmsState.SENT and sms.due_at is not None and sms.due_at <= ledger.now:
        finish(ledger, sms, SmsOutcome.SENT, "no receipt came")


def apply_receipt(ledger: Ledger, sms: Sms, status: Delivery) -> None:
    """What the network says: in any order, any number of times, days late. It also proves that the gateway took it."""
    settled = settle(sms, status, ledger.now)
    if settled is sms:
        return
    texts.save(ledger.connection, settled)
    pages.end_pages(ledger.connection, sms.id, SmsOutcome.SENT, ledger.now)
    _ended(ledger, settled, first=sms.live)


def finish(ledger: Ledger, sms: Sms, outcome: SmsOutcome, reason: str) -> None:
    """The SMS ends by other means than a receipt."""
    if not sms.live:
        return
    ended = end(sms, outcome, ledger.now, reason)
    texts.save(ledger.connection, ended)
    pages.end_pages(ledger.connection, sms.id, outcome, ledger.now)
    _ended(ledger, ended, first=True)


def _ended(ledger: Ledger, sms: Sms, *, first: bool) -> None:
    """`first`: not a late correction of its outcome, which is not counted again."""
    assert sms.outcome is not None
    pages.correct_pages(ledger.connection, sms.id, sms.outcome)
    # That it was sent has been told when it was.
    if sms.outcome is not SmsOutcome.SENT:
        _line(ledger, sms, f"sms_{sms.outcome.value}", sms.reason)
    if first:
        ledger.effects.count("sms_total", sms.outcome.value)
    # Pages may have come for the same person meanwhile.
    ledger.effects.write = True


def _line(ledger: Ledger, sms: Sms, word: str, note: str = "") -> None:
    ledger.line(Entry(ledger.now, word, call=sms.id, who=sms.person, note=note))


def _saved(ledger: Ledger, sms: Sms) -> Sms:
    texts.save(ledger.connection, sms)
    return replace(sms, version=sms.version + 1)
