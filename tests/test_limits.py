"""How much ringing is too much: what a day has cost, which day it is, and what is held back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from bridge.call import USUAL_PRICE, CallState, Outcome, Spending, spent, started_minutes, within_budget
from bridge.dispatch.limits import day_of
from bridge.escalation import Page
from bridge.store import calls, pages
from tests.storing import MINUTE, NOW, a_call, in_memory

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def connection() -> Iterator[Connection]:
    with in_memory() as one:
        yield one


# --- what a day has cost


@pytest.mark.parametrize(("seconds", "minutes"), [(0, 1), (0.4, 1), (59, 1), (60, 1), (60.1, 2), (120, 2), (600, 10)])
def test_a_call_is_charged_by_started_minutes(seconds: float, minutes: int) -> None:
    """A minute that has begun is charged whole, and the first one always."""
    assert started_minutes(seconds) == minutes


@pytest.mark.parametrize(
    ("day", "euro"),
    [
        (Spending(), 0.0),
        (Spending(known=1.25), 1.25),
        (Spending(unknown=(20.0,)), USUAL_PRICE),
        (Spending(unknown=(20.0,), price=0.045), 0.045),
        (Spending(known=1.0, unknown=(20.0, 61.0), price=0.05), 1.15),
        (Spending(known=1.0, unknown=(20.0,), price=0.0), 1.0),
    ],
)
def test_what_is_not_known_yet_is_expected(day: Spending, euro: float) -> None:
    """A call whose cost is not known counts with the newest price of a minute, else with the usual one."""
    assert spent(day) == euro


def test_the_budget_ends_where_it_is_reached() -> None:
    """Less than the budget lets a call through, the budget itself does not; without one everything goes."""
    assert within_budget(Spending(known=4.99), 5)
    assert not within_budget(Spending(known=5.0), 5)
    assert not within_budget(Spending(), 0)
    assert within_budget(Spending(known=1e9), None)


@given(
    st.floats(0, 1000),
    st.lists(st.floats(0, 4000), max_size=20),
    st.floats(0, 5),
    st.floats(0, 1000),
    st.floats(0, 4000),
)
def test_another_call_never_makes_room(
    known: float, unknown: list[float], price: float, budget: float, more: float
) -> None:
    """Whatever was spent before: one call more costs no less, and never lets through what was held back."""
    before, after = Spending(known, tuple(unknown), price), Spending(known, (*unknown, more), price)
    assert spent(after) >= spent(before)
    assert within_budget(before, budget) or not within_budget(after, budget)


def test_what_the_calls_of_a_day_cost(connection: Connection) -> None:
    """Known costs are summed; live, answered and unconfirmed calls without one are open; all others cost nothing."""

    def put(**changes: Any) -> None:
        calls.add(connection, a_call(**{"speech_seconds": 30.0, **changes}))

    over: dict[str, Any] = {"state": CallState.ENDED, "ended_at": NOW}
    put(created_at=NOW - MINUTE, cost=7.0, duration=61.0, outcome=Outcome.ANSWERED, **over)
    put(cost=0.09, duration=61.0, outcome=Outcome.ANSWERED, created_at=NOW, **over)
    put(created_at=NOW + MINUTE, cost=0.0, duration=0.0, outcome=Outcome.FAILED, **over)
    put()
    put(outcome=Outcome.ANSWERED, duration=90.0, **over)
    put(outcome=Outcome.UNCONFIRMED, **over)
    for outcome in (Outcome.NO_ANSWER, Outcome.FAILED, Outcome.REFUSED, Outcome.CANCELLED):
        put(outcome=outcome, **over)

    day = calls.spending(connection, NOW)

    assert (day.known, sorted(day.unknown), day.price) == (0.09, [30.0, 30.0, 90.0], 0.045)
    assert calls.spending(connection, NOW - MINUTE).known == pytest.approx(7.09)
    assert calls.spending(connection, NOW + timedelta(hours=1)) == Spending(price=0.045)


# --- which day it is


@pytest.mark.parametrize(
    ("zone", "now", "since", "until"),
    [
        ("Europe/Berlin", "2026-11-23T22:59:59Z", "2026-11-22T23:00Z", "2026-11-23T23:00Z"),
        ("Europe/Berlin", "2026-11-23T23:00:00Z", "2026-11-23T23:00Z", "2026-11-24T23:00Z"),
        ("Europe/Berlin", "2026-03-29T12:00:00Z", "2026-03-28T23:00Z", "2026-03-29T22:00Z"),
        ("Europe/Berlin", "2026-10-25T12:00:00Z", "2026-10-24T22:00Z", "2026-10-25T23:00Z"),
        ("America/Santiago", "2026-09-06T12:00:00Z", "2026-09-06T04:00Z", "2026-09-07T03:00Z"),
        ("America/Havana", "2026-11-01T04:30:00Z", "2026-11-01T04:00Z", "2026-11-02T05:00Z"),
    ],
    ids=["before midnight", "midnight", "23 hours", "25 hours", "no midnight", "two midnights"],
)
def test_a_day_goes_from_midnight_to_midnight(zone: str, now: str, since: str, until: str) -> None:
    """A day is one of the calendar, on the wall clock: of 23 hours, of 25, and where midnight is missing or twice."""
    assert day_of(instant(now), ZoneInfo(zone)) == (instant(since), instant(until))


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


@given(st.integers(0, 315_360_000).map(lambda seconds: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)))
def test_every_moment_is_of_one_day(now: datetime) -> None:
    """The day of a moment holds it, and the next day begins where it ends."""
    since, until = day_of(now, BERLIN)
    assert since <= now < until
    assert day_of(until, BERLIN)[0] == until
    assert day_of(since, BERLIN) == (since, until)


# --- what is held back


def queue(connection: Connection, *incidents: str, person: str = "anna", urgent: bool = False) -> None:
    waiting = [(Page(f"{one}-1", one, person, 1, 0, 1, urgent), "queued", NOW) for one in incidents]
    pages.add_pages(connection, waiting)


def test_a_hold_is_news_once(connection: Connection) -> None:
    """What is held back is told once for each incident, and counted once until a call took it all."""
    queue(connection, "a", "b")
    queue(connection, "z", person="bert")
    assert pages.people_held(connection) == frozenset()
    assert pages.hold_pages(connection, "anna") == (["a", "b"], True)
    assert pages.people_held(connection) == {"anna"}
    assert pages.hold_pages(connection, "anna") == ([], False)
    queue(connection, "c")
    assert pages.hold_pages(connection, "anna") == (["c"], False)
    assert pages.claim_pages(connection, "anna", "call") == 3
    assert pages.hold_pages(connection, "anna") == ([], False)
    queue(connection, "d")
    assert pages.hold_pages(connection, "anna") == (["d"], True)


def test_urgent_is_who_has_an_urgent_page_waiting(connection: Connection) -> None:
    """An urgent page makes its own person's call urgent, as long as it waits."""
    queue(connection, "a")
    queue(connection, "b", person="bert", urgent=True)
    assert [pages.urgent_waits(connection, one) for one in ("anna", "bert", "carla")] == [False, True, False]
    pages.claim_pages(connection, "bert", "call")
    assert not pages.urgent_waits(connection, "bert")
