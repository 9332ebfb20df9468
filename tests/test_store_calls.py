"""The store: calls and strays, what is shown of it all, and by which index each is found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, event, select

from bridge.alert import EARLIEST, LATEST
from bridge.call import Call, CallState, CallStatus, Outcome, Report
from bridge.database.tables import calls, journal, strays
from bridge.errors import LostRace
from bridge.escalation import State
from bridge.store import calls as store
from bridge.store import inbox, incidents, pages, reading
from bridge.store import journal as story
from bridge.store.incidents import Policies
from bridge.store.journal import Entry
from tests.storing import (
    IDS,
    MINUTE,
    NOW,
    NUMBER,
    a_call,
    a_page,
    a_stream,
    add,
    an_alert,
    an_incident,
    closed,
    in_memory,
    rows_in,
)

pytestmark = pytest.mark.usefixtures("kind")

INSTANTS = st.datetimes(EARLIEST.replace(tzinfo=None), LATEST.replace(tzinfo=None), timezones=st.just(UTC))
MAYBE = st.none() | INSTANTS
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
AMOUNTS = st.floats(0, 10**6)
CALLS = st.builds(
    Call,
    id=st.just("").map(lambda _: IDS.new(NOW)),
    person=TEXT,
    number=TEXT,
    created_at=INSTANTS,
    state=st.sampled_from(CallState),
    gateway_id=st.none() | TEXT,
    language=TEXT,
    template=TEXT,
    text=TEXT,
    speech_seconds=AMOUNTS,
    requested_at=MAYBE,
    placed_at=MAYBE,
    ringing_at=MAYBE,
    answered_at=MAYBE,
    ended_at=MAYBE,
    due_at=MAYBE,
    outcome=st.none() | st.sampled_from(Outcome),
    reason=TEXT,
    duration=st.none() | AMOUNTS,
    cost=st.none() | AMOUNTS,
    tries=st.integers(0, 2**31 - 1),
    asked_again=st.booleans(),
    acknowledged=st.booleans(),
    version=st.integers(0, 2**31 - 2),
)
REPORTS = st.builds(
    Report,
    st.sampled_from(CallStatus),
    gateway_id=st.just("g"),
    foreign_id=st.none() | TEXT,
    recipient=st.none() | TEXT,
    duration=st.none() | AMOUNTS,
    price=st.none() | AMOUNTS,
    cost=st.none() | AMOUNTS,
)


@pytest.fixture
def connection() -> Iterator[Connection]:
    with in_memory() as opened:
        yield opened


def put(connection: Connection, *several: Call) -> list[str]:
    for call in several:
        store.add(connection, call)
    return [call.id for call in several]


def ended(call: Call, after: timedelta = MINUTE) -> Call:
    at = call.created_at + after
    return replace(call, state=CallState.ENDED, outcome=Outcome.NO_ANSWER, ended_at=at, due_at=None)


# --- calls


@given(CALLS, CALLS)
def test_a_call_comes_back_as_it_was(first: Call, later: Call) -> None:
    """Every field survives, when it is added and when it is saved; a save counts the version on."""
    with in_memory() as connection:
        store.add(connection, first)
        assert store.get(connection, first.id) == first
        changed = replace(later, id=first.id, version=first.version)
        store.save(connection, changed)
        assert store.get(connection, first.id) == replace(changed, version=first.version + 1)
        with pytest.raises(LostRace):
            store.save(connection, first)
        assert store.get(connection, first.id) == replace(changed, version=first.version + 1)


def test_of_which_call_a_report_speaks(connection: Connection) -> None:
    """Our own id counts before the gateway's; of two calls with one id it is that to the number, or the newer."""
    first, second, third = put(
        connection,
        a_call(gateway_id="g"),
        a_call(gateway_id="g", created_at=NOW + MINUTE),
        a_call(gateway_id=None, created_at=NOW + 2 * MINUTE),
    )

    def known_as(gateway_id: str | None, foreign_id: str | None, number: str | None = None) -> str | None:
        call = store.known_as(connection, gateway_id, foreign_id, number)
        return None if call is None else call.id

    assert known_as("g", first) == first
    assert known_as(None, third) == third
    assert known_as("g", None) == second
    assert known_as("g", "not ours") == second
    (elsewhere,) = put(connection, a_call(gateway_id="g", number="+33", created_at=NOW - MINUTE))
    assert known_as("g", None, "33") == elsewhere
    assert known_as("g", None, "44") == second
    for nothing in (("unknown", None), (None, None), ("", ""), (None, "g")):
        assert known_as(*nothing) is None


def test_whose_number_it_is(connection: Connection) -> None:
    """A reply belongs to the newest call to its number that was still alive within the window."""
    over = ended(a_call(created_at=NOW - 90 * MINUTE))
    alive = a_call(created_at=NOW - 120 * MINUTE)
    put(connection, over, a_call(number="+33", created_at=NOW))
    assert store.latest_to(connection, NUMBER, NOW - 60 * MINUTE) is None
    put(connection, alive)
    assert store.latest_to(connection, NUMBER, NOW - 60 * MINUTE) == alive
    assert store.latest_to(connection, NUMBER, over.ended_at or NOW) == over
    put(connection, replace(a_call(created_at=NOW - MINUTE), gateway_id="g1"), replace(alive, id="x", gateway_id="g0"))
    put(connection, replace(a_call(created_at=NOW - MINUTE), gateway_id="g2", account="spare"))
    assert store.gateway_ids_to(connection, NUMBER, NOW - 60 * MINUTE, "") == ["g1"]
    assert store.gateway_ids_to(connection, NUMBER, NOW - 60 * MINUTE, "spare") == ["g2"]


def test_calls_that_are_due_and_alive(connection: Connection) -> None:
    """Due ones, the longest overdue first; live ones; and those whose request a crash cut off are due at once."""
    assert store.next_due(connection) is None
    placing = a_call(due_at=NOW + MINUTE)
    placed = a_call(state=CallState.PLACED, due_at=NOW)
    overdue = a_call(state=CallState.PLACED, due_at=NOW - MINUTE)
    over = ended(a_call())
    put(connection, placing, placed, overdue, over, replace(over, id="odd", state=CallState.PLACING))
    assert store.due(connection, NOW, 10) == [overdue, placed]
    assert store.due(connection, NOW, 1) == [overdue]
    assert store.next_due(connection) == NOW - MINUTE
    assert {call.id for call in store.live(connection)} == {placing.id, placed.id, overdue.id}
    assert store.wake_orphans(connection, NOW) == 1
    assert store.get(connection, placing.id) == replace(placing, due_at=NOW)


def test_a_call_that_no_account_took(connection: Connection) -> None:
    """It waits for an account and is not due by itself; it counts as no call; it can be told to wait no longer."""
    later = a_call(state=CallState.QUEUED, due_at=NOW + MINUTE, requested_at=NOW)
    sooner = a_call(state=CallState.QUEUED, due_at=NOW - MINUTE, requested_at=NOW)
    put(connection, later, sooner, a_call(due_at=NOW + 2 * MINUTE, requested_at=None))
    assert store.due(connection, NOW + 9 * MINUTE, 10) == [
        a for a in store.live(connection) if a.state is CallState.PLACING
    ]
    assert store.next_due(connection) == NOW + 2 * MINUTE
    assert store.started_since(connection, NOW - MINUTE, NUMBER) == []
    assert store.hurry(connection, NOW) == 1
    assert store.get(connection, later.id) == replace(later, due_at=NOW)
    assert store.get(connection, sooner.id) == sooner


def test_how_often_it_was_called(connection: Connection) -> None:
    """When calls were requested since then, of one number or of all, oldest first; the instant itself is past."""
    times = [NOW, NOW - 2 * MINUTE, NOW - MINUTE]
    put(connection, *(a_call(requested_at=at, created_at=NOW - 9 * MINUTE) for at in times), a_call(requested_at=None))
    put(connection, a_call(number="+33", requested_at=NOW - MINUTE))
    assert store.started_since(connection, NOW - 2 * MINUTE, NUMBER) == [NOW - MINUTE, NOW]
    assert store.started_since(connection, NOW - 2 * MINUTE) == [NOW - MINUTE, NOW - MINUTE, NOW]
    assert store.started_since(connection, NOW) == []


def test_calls_by_their_ids(connection: Connection) -> None:
    """The calls of an incident, oldest first, as far as they are there."""
    later, first = put(connection, a_call(created_at=NOW + MINUTE), a_call())
    assert [call.id for call in store.of_incident(connection, [later, "gone", first])] == [first, later]
    assert store.of_incident(connection, []) == []


@given(st.lists(REPORTS, max_size=5))
def test_strays_are_kept_and_taken(several: list[Report]) -> None:
    """Reports of a call not known yet come back once, in order and complete; those of another stay."""
    with in_memory() as connection:
        for report in several:
            store.keep_stray(connection, report, NOW)
        store.keep_stray(connection, Report(CallStatus.RINGING, gateway_id="other"), NOW)
        assert store.take_strays(connection, "g") == several
        assert store.take_strays(connection, "g") == []
        assert rows_in(connection, strays) == 1


def test_old_calls_are_forgotten(connection: Connection) -> None:
    """What ended before the day goes with the lines that are only its own; the rest, and live calls, stay."""
    old, live, young = put(connection, ended(a_call()), a_call(), ended(a_call(created_at=NOW + 2 * MINUTE)))
    story.write(connection, [Entry(NOW, "calling", call=id_) for id_ in (old, live, young) for _ in range(2)])
    story.write(connection, [Entry(NOW, "acknowledged", "i", call=old)])
    for minutes in (1, 2, 3):
        store.keep_stray(connection, Report(CallStatus.RINGING), NOW + minutes * MINUTE)
    store.forget_before(connection, NOW + 2 * MINUTE, 100)
    assert set(connection.execute(select(calls.c.id)).scalars()) == {live, young}
    left = [
        tuple(row) for row in connection.execute(select(journal.c.call, journal.c.incident).order_by(journal.c.seq))
    ]
    assert left == [(live, None), (live, None), (young, None), (young, None), (old, "i")]
    assert rows_in(connection, strays) == 2


# --- reading

STATES: tuple[list[str], ...] = (
    [],
    ["triggered"],
    ["resolved"],
    ["triggered", "acknowledged", "exhausted"],
    ["exhausted", "resolved"],
)


def some_of(state: State, minutes: int) -> incidents.Stored:
    at = NOW + minutes * MINUTE
    return closed(at, opened_at=at) if state is State.RESOLVED else an_incident(state=state, opened_at=at)


@given(
    st.lists(st.tuples(st.sampled_from(State), st.integers(0, 5)), max_size=12),
    st.integers(1, 5),
    st.sampled_from(STATES),
    st.none() | st.integers(0, 5),
)
def test_pages_of_a_list_are_complete(
    made: list[tuple[State, int]], limit: int, wanted: list[str], since: int | None
) -> None:
    """Page after page gives everything asked for once, newest first, although more is opened meanwhile."""
    with in_memory() as connection:
        stored = [some_of(*one) for one in made]
        add(connection, *stored)
        started = None if since is None else NOW + since * MINUTE
        cursor, found = None, []
        while True:
            page = reading.incidents_listed(
                connection, Policies(), states=wanted, since=started, limit=limit, cursor=cursor
            )
            assert len(page.rows) == limit or page.next is None
            found += [view.stored.incident.id for view in page.rows]
            assert len(found) == len(set(found))
            add(connection, some_of(State.TRIGGERED, 9))
            if (cursor := page.next) is None:
                break
        expected = [
            one.incident.id
            for one in stored
            if (not wanted or one.incident.state in wanted) and (started is None or one.incident.opened_at >= started)
        ]
        assert found == sorted(expected, reverse=True)


def test_incidents_with_their_alerts(connection: Connection) -> None:
    """Each incident of a list has its own alerts, and no others."""
    ids = add(connection, an_incident(), an_incident(), an_incident())
    several = [(ids[0], an_alert("b"), 1), (ids[0], an_alert("a"), 1), (ids[2], an_alert("c"), 1)]
    incidents.put_alerts(connection, several, fresh=True)
    listed = reading.incidents_listed(connection, Policies(), limit=2)
    assert [[alert.fingerprint for alert in view.alerts] for view in listed.rows] == [["c"], []]
    rest = reading.incidents_listed(connection, Policies(), limit=2, cursor=listed.next)
    assert [[alert.fingerprint for alert in view.alerts] for view in rest.rows] == [["a", "b"]]


def told(connection: Connection, incident: str, person: str, number: int, call: Call) -> None:
    store.add(connection, call)
    pages.add_pages(connection, [(a_page(incident, number, person), "queued", NOW)])
    pages.claim_pages(connection, person, call.id)


def test_one_incident_with_everything(connection: Connection) -> None:
    """Alerts, pages, calls and journal of one incident; of a strange id there is nothing."""
    first, other = add(connection, an_incident(), an_incident())
    early, late, strange = a_call(), a_call("bert", created_at=NOW + MINUTE), a_call("carl")
    told(connection, first, "bert", 1, late)
    told(connection, first, "anna", 2, early)
    told(connection, other, "carl", 1, strange)
    incidents.put_alerts(connection, [(first, an_alert("a"), 1)], fresh=True)
    story.write(connection, [Entry(NOW, "opened", first), Entry(NOW, "calling", call=late.id)])
    story.write(connection, [Entry(NOW, "calling", call=strange.id), Entry(NOW, "opened", other)])
    view = reading.incident_view(connection, Policies(), first)
    assert view is not None
    assert view.stored.incident.id == first
    assert [alert.fingerprint for alert in view.alerts] == ["a"]
    assert [row.person for row in view.pages] == ["bert", "anna"]
    assert view.calls == [early, late]
    assert [row.word for row in view.journal] == ["opened", "calling"]
    assert reading.incident_view(connection, Policies(), "none") is None


def test_calls_with_what_they_told(connection: Connection) -> None:
    """Calls are listed newest first, from a time on, page by page, each with its incidents, each once."""
    ids = add(connection, an_incident(), an_incident())
    call, other = a_call(), a_call("bert", created_at=NOW + MINUTE)
    pages.add_pages(connection, [(a_page(id_, n), "queued", NOW) for id_ in ids for n in (1, 2)])
    put(connection, call, other)
    pages.claim_pages(connection, "anna", call.id)
    first = reading.calls_listed(connection, limit=1)
    assert list(first.rows) == [(other, [])]
    assert first.next == other.id
    ((found, incidents_told),) = reading.calls_listed(connection, limit=1, cursor=first.next).rows
    assert (found, sorted(incidents_told)) == (call, ids)
    assert [one.id for one, _ in reading.calls_listed(connection, since=NOW + MINUTE).rows] == [other.id]
    assert reading.calls_listed(connection, limit=2).next is None


def test_the_figures(connection: Connection) -> None:
    """What the gauges show: incidents by state, calls under way, messages that wait, the longest overdue."""
    assert reading.counts(connection) == reading.Counts({}, 0, 0, None)
    add(connection, *(some_of(state, 0) for state in (*State, State.RESOLVED, State.TRIGGERED)))
    add(connection, an_incident(due_at=NOW))
    put(connection, a_call(due_at=NOW - MINUTE), a_call(state=CallState.QUEUED), ended(a_call()))
    inbox._put(connection, [(inbox.Message(inbox.Door.API, NOW, b""), "{}")])
    by_state = {"triggered": 3, "acknowledged": 1, "exhausted": 1, "resolved": 2}
    assert reading.counts(connection) == reading.Counts(by_state, 1, 1, NOW - MINUTE)


# --- by which index

PLANS: dict[str, tuple[Callable[[Connection], object], str]] = {
    "incidents due": (lambda c: incidents.due(c, NOW, 5), "incidents_due"),
    "next incident due": (incidents.next_due, "incidents_due"),
    "open in streams": (lambda c: incidents.open_in_streams(c, ["a", "b"], Policies()), "incidents_open"),
    "incidents to forget": (lambda c: incidents.forget_before(c, NOW, 5), "incidents_closed"),
    "known alerts": (lambda c: incidents.known_alerts(c, ["a", "b"]), "sqlite_autoindex_alerts_1"),
    "people waiting": (pages.people_waiting, "pages_waiting"),
    "pages to claim": (lambda c: pages.claim_pages(c, "anna", "call"), "pages_waiting"),
    "urgent pages": (lambda c: pages.urgent_waits(c, "anna"), "pages_waiting"),
    "pages held back": (lambda c: pages.hold_pages(c, "anna"), "pages_waiting"),
    "what calls cost": (lambda c: store.spending(c, NOW), "calls_requested"),
    "pages of a call": (lambda c: pages.pages_in(c, "call"), "pages_call"),
    "pages to end": (lambda c: pages.end_pages(c, "call", Outcome.ANSWERED, NOW), "pages_call"),
    "pages to cancel": (lambda c: pages.cancel_pages(c, "i", NOW), "PRIMARY KEY"),
    "told in a call": (lambda c: incidents.told_in(c, "call", 5, Policies()), "pages_call"),
    "policies in a call": (lambda c: incidents.policies_in(c, "call"), "pages_call"),
    "calls due": (lambda c: store.due(c, NOW, 5), "calls_due"),
    "next call due": (store.next_due, "calls_due"),
    "live calls": (store.live, "calls_live"),
    "orphans": (lambda c: store.wake_orphans(c, NOW), "calls_live"),
    "the gateway's id": (lambda c: store.known_as(c, "g", None), "calls_gateway"),
    "started, of a number": (lambda c: store.started_since(c, NOW, NUMBER), "calls_number"),
    "started, of all": (lambda c: store.started_since(c, NOW), "calls_requested"),
    "latest to a number": (lambda c: store.latest_to(c, NUMBER, NOW), "calls_number"),
    "ids to a number": (lambda c: store.gateway_ids_to(c, NUMBER, NOW, ""), "calls_number"),
    "strays": (lambda c: store.take_strays(c, "g"), "strays_gateway"),
    "story": (lambda c: story.story(c, "i", ["a", "b"]), "journal_call"),
    "inbox waiting": (lambda c: inbox.waiting(c, NOW, 5), "inbox_waiting"),
    "inbox count": (inbox.count_waiting, "inbox_waiting"),
    "next retry": (inbox.next_retry, "inbox_waiting"),
    "open incidents listed": (
        lambda c: reading.incidents_listed(c, Policies(), states=["triggered", "acknowledged"]),
        "incidents_open",
    ),
    "figures, open": (reading.counts, "incidents_open"),
    "figures, closed": (reading.counts, "COVERING INDEX incidents_closed"),
}


# What SQLite makes by itself, and how PostgreSQL calls it.
NAMED = {
    "sqlite_autoindex_alerts_1": "alerts_pkey",
    "PRIMARY KEY": "pages_pkey",
    "COVERING INDEX incidents_closed": "incidents_closed",
}


def plan_of(connection: Connection, cursor: Any, statement: str, parameters: Any) -> list[str]:
    """How the database goes about it, line by line; a walk through a whole table as `SCAN table`."""
    if connection.dialect.name == "sqlite":
        return [row[3] for row in cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]
    other = connection.connection.cursor()
    other.execute(f"EXPLAIN {statement}", parameters)
    return [str(row[0]).strip(" ->").replace("Seq Scan on", "SCAN").partition("  (")[0] for row in other.fetchall()]


@pytest.mark.parametrize("name", PLANS)
def test_nothing_is_searched_from_end_to_end(connection: Connection, name: str) -> None:
    """What is asked all the time goes by an index of its own, and never through a whole table."""
    query, index = PLANS[name]
    add(connection, an_incident(stream=a_stream()))
    plan: list[str] = []
    if connection.dialect.name == "postgresql":
        # The tables are as good as empty, and PostgreSQL would go through such a one: it shall not where it can.
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        index = NAMED.get(index, index)

    def explain(connection: Connection, cursor: object, statement: str, parameters: object, *_: object) -> None:
        if not statement.startswith("EXPLAIN"):
            plan.extend(plan_of(connection, cursor, statement, parameters))

    event.listen(connection, "before_cursor_execute", explain)
    query(connection)
    tables = ("inbox", "incidents", "alerts", "pages", "calls", "strays", "journal")
    assert not [line for line in plan if line in {f"SCAN {table}" for table in tables}]
    assert any(index in line for line in plan), plan
