"""How much ringing is too much: whether a call may be placed now, and what is said where it must wait.

Pages that are held back stay queued: once the limits allow it, one call tells them all. Nothing is dropped.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from bridge.call import Hold, Rate, Spending, allowed_at, spent, within_budget
from bridge.dispatch.ledger import Ledger
from bridge.schedule.wallclock import instant
from bridge.store import calls, pages
from bridge.store.journal import Entry

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class HeldBack:
    """No call now: not before `until`, unless something happens that lets it through earlier."""

    until: datetime


def hold(ledger: Ledger, person: str, number: str) -> HeldBack | None:
    """What holds a call to `person` back, with a line in the story of each incident that waits; None: nothing does."""
    limits = [(until, why) for until, why in _limits(ledger, person, number) if until > ledger.now]
    if not limits:
        return None
    until, why = max(limits)
    _tell(ledger, person, until, why)
    return HeldBack(until)


def hold_again(ledger: Ledger, number: str) -> HeldBack | None:
    """What holds back the next request of a call that no account took; its cost is reckoned with already."""
    until = max((until for until, _ in _rates(ledger, number)), default=ledger.now)
    return HeldBack(until) if until > ledger.now else None


def hold_all(ledger: Ledger, people: Iterable[str], until: datetime) -> None:
    """No account takes calls: those who wait are told of in the story, once for each call that would be placed."""
    for person in people:
        _tell(ledger, person, until, Hold.GATEWAY)


def day_of(now: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """When the calendar day of `now` begins in `zone`, and when the next one does."""
    midnight = datetime.combine(now.astimezone(zone).date(), time.min)
    return instant(midnight, zone), instant(midnight + DAY, zone)


def spending(ledger: Ledger) -> Spending:
    """What the calls since the last local midnight cost."""
    return calls.spending(ledger.connection, day_of(ledger.now, ledger.world.timezone)[0])


def _limits(ledger: Ledger, person: str, number: str) -> list[tuple[datetime, Hold]]:
    """Until when each limit holds back a call to `number`; those that let it through may be among them."""
    found = _rates(ledger, number)
    world, now = ledger.world, ledger.now
    if not within_budget(_spending(ledger), world.budget_per_day) and not pages.urgent_waits(ledger.connection, person):
        found.append((day_of(now, world.timezone)[1], Hold.BUDGET))
    return found


def _rates(ledger: Ledger, number: str) -> list[tuple[datetime, Hold]]:
    world, now = ledger.world, ledger.now
    found: list[tuple[datetime, Hold]] = []
    if world.calls_per_person:
        longest = max(rate.span for rate in world.calls_per_person)
        placed = calls.started_since(ledger.connection, now - longest, number)
        found.append((allowed_at(placed, world.calls_per_person, now), Hold.PERSON))
    if world.calls_per_minute:
        placed = calls.started_since(ledger.connection, now - MINUTE)
        found.append((allowed_at(placed, (Rate(world.calls_per_minute, MINUTE),), now), Hold.MINUTE))
    return found


def _spending(ledger: Ledger) -> Spending:
    return Spending() if ledger.world.budget_per_day is None else spending(ledger)


def _tell(ledger: Ledger, person: str, until: datetime, why: Hold) -> None:
    """Once for each call that would have been placed: the worker looks again and again."""
    waiting, first = pages.hold_pages(ledger.connection, person)
    if not waiting:
        return
    word = "next" if why is Hold.GATEWAY else "until"
    note = f"{_why(ledger, why)}; {word} {until.astimezone(ledger.world.timezone):%Y-%m-%d %H:%M:%S %Z}"
    for incident in waiting:
        ledger.line(Entry(ledger.now, "held_back", incident, who=person, note=note))
    if first:
        ledger.effects.count("calls_held_back_total", why.value)
        ledger.effects.held.append((person, note))


def _why(ledger: Ledger, why: Hold) -> str:
    match why:
        case Hold.BUDGET:
            budget = ledger.world.budget_per_day
            return f"limits.budget_per_day: {spent(_spending(ledger)):.2f} of {budget:.2f} euro are spent"
        case Hold.PERSON:
            return "limits.calls_per_person: this phone has rung often enough"
        case Hold.MINUTE:
            return "limits.calls_per_minute: enough calls were placed in the last minute"
        case Hold.GATEWAY:
            return "no account at the gateway takes calls now; it is asked again and again"
