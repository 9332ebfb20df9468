"""How much ringing is too much: whether a call or an SMS may go out now, and what is said where it must wait.

Pages that are held back stay queued: once the limits allow it, one call tells them all. Nothing is dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from bridge.call import Hold, Rate, Spending, allowed_at, spent, within_budget
from bridge.dispatch.ledger import Ledger
from bridge.escalation import Channel
from bridge.schedule.wallclock import instant
from bridge.store import calls, pages, texts
from bridge.store.journal import Entry

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class HeldBack:
    """Nothing now: not before `until`, unless something happens that lets it through earlier."""

    until: datetime


def hold(ledger: Ledger, person: str, number: str, channel: Channel = Channel.VOICE) -> HeldBack | None:
    """What holds `person` back, with a line in the story of each incident that waits; None: nothing does."""
    found = _rates(ledger, number) if channel is Channel.VOICE else _sms_rates(ledger, number)
    spent_up = not within_budget(_spending(ledger), ledger.world.budget_per_day)
    if spent_up and not pages.urgent_waits(ledger.connection, person, channel):
        found.append((day_of(ledger.now, ledger.world.timezone)[1], Hold.BUDGET))
    limits = [(until, why) for until, why in found if until > ledger.now]
    if not limits:
        return None
    until, why = max(limits)
    _tell(ledger, person, until, why, channel)
    return HeldBack(until)


def hold_again(ledger: Ledger, number: str) -> HeldBack | None:
    """What holds back the next request of a call that no account took; its cost is reckoned with already."""
    until = max((until for until, _ in _rates(ledger, number)), default=ledger.now)
    return HeldBack(until) if until > ledger.now else None


def hold_all(ledger: Ledger, people: Iterable[str], until: datetime) -> None:
    """No account takes calls: those who wait are told of in the story, once for each call that would be placed."""
    for person in people:
        _tell(ledger, person, until, Hold.GATEWAY, Channel.VOICE)


def day_of(now: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """When the calendar day of `now` begins in `zone`, and when the next one does."""
    midnight = datetime.combine(now.astimezone(zone).date(), time.min)
    return instant(midnight, zone), instant(midnight + DAY, zone)


def spending(connection: Connection, now: datetime, zone: ZoneInfo) -> Spending:
    """What calls and SMS since the last local midnight cost."""
    since = day_of(now, zone)[0]
    told = calls.spending(connection, since)
    return replace(told, known=told.known + texts.spent(connection, since))


def _rates(ledger: Ledger, number: str) -> list[tuple[datetime, Hold]]:
    """Until when each limit holds back a call to `number`; those that let it through may be among them."""
    world, now = ledger.world, ledger.now
    found: list[tuple[datetime, Hold]] = []
    if world.calls_per_person:
        placed = calls.started_since(ledger.connection, now - _longest(world.calls_per_person), number)
        found.append((allowed_at(placed, world.calls_per_person, now), Hold.PERSON))
    if world.calls_per_minute:
        placed = calls.started_since(ledger.connection, now - MINUTE)
        found.append((allowed_at(placed, (Rate(world.calls_per_minute, MINUTE),), now), Hold.MINUTE))
    return found


def _sms_rates(ledger: Ledger, number: str) -> list[tuple[datetime, Hold]]:
    rates = ledger.world.sms_per_person
    if not rates:
        return []
    written = texts.requested_since(ledger.connection, ledger.now - _longest(rates), number)
    return [(allowed_at(written, rates, ledger.now), Hold.PERSON)]


def _longest(rates: Sequence[Rate]) -> timedelta:
    return max(rate.span for rate in rates)


def _spending(ledger: Ledger) -> Spending:
    if ledger.world.budget_per_day is None:
        return Spending()
    return spending(ledger.connection, ledger.now, ledger.world.timezone)


def _tell(ledger: Ledger, person: str, until: datetime, why: Hold, channel: Channel) -> None:
    """Once for each call or SMS that would have been made: the worker looks again and again."""
    waiting, first = pages.hold_pages(ledger.connection, person, channel)
    if not waiting:
        return
    until_or_next = "next" if why is Hold.GATEWAY else "until"
    when = f"{until.astimezone(ledger.world.timezone):%Y-%m-%d %H:%M:%S %Z}"
    note = f"{_why(ledger, why, channel)}; {until_or_next} {when}"
    word = "held_back" if channel is Channel.VOICE else "sms_held_back"
    for incident in waiting:
        ledger.line(Entry(ledger.now, word, incident, who=person, note=note))
    if first:
        family = "calls_held_back_total" if channel is Channel.VOICE else "sms_held_back_total"
        ledger.effects.count(family, why.value)
        ledger.effects.held.append((person, note))


def _why(ledger: Ledger, why: Hold, channel: Channel) -> str:
    match why:
        case Hold.BUDGET:
            budget = ledger.world.budget_per_day
            return f"limits.budget_per_day: {spent(_spending(ledger)):.2f} of {budget:.2f} euro are spent"
        case Hold.PERSON if channel is Channel.SMS:
            return "limits.sms_per_person: this phone has got enough SMS"
        case Hold.PERSON:
            return "limits.calls_per_person: this phone has rung often enough"
        case Hold.MINUTE:
            return "limits.calls_per_minute: enough calls were placed in the last minute"
        case Hold.GATEWAY:
            return "no account at the gateway takes calls now; it is asked again and again"
