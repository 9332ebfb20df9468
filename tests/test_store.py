"""The store: incidents with their alerts, pages, the journal, and ids."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, event, select
from sqlalchemy.exc import IntegrityError

from bridge.alert import EARLIEST, LATEST, Alert, AlertStatus, Source, Stream
from bridge.call import Outcome
from bridge.database.tables import EPOCH, alerts, incidents, journal, pages, policies
from bridge.errors import LostRace
from bridge.escalation import Incident, Policy, Reach, State, Step, Target
from bridge.store import incidents as store
from bridge.store import journal as story
from bridge.store import pages as paging
from bridge.store.ids import ALPHABET, Ids
from bridge.store.incidents import Known, Origin, Policies, Stored
from bridge.store.journal import Entry
from tests.storing import (
    IDS,
    MINUTE,
    NOW,
    POLICY,
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

# Without NUL, which PostgreSQL keeps in no text; what becomes of it there is a test of its own.
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
INSTANTS = st.datetimes(EARLIEST.replace(tzinfo=None), LATEST.replace(tzinfo=None), timezones=st.just(UTC))
SPANS = st.timedeltas(timedelta(0), timedelta(days=3650))
NUMBERS = st.integers(0, 2**31 - 1)
LABELS = st.dictionaries(TEXT, TEXT, max_size=4)
STREAMS = st.builds(Stream, st.sampled_from(Source), TEXT, TEXT)
STEPS = st.builds(Step, st.lists(TEXT, max_size=3).map(tuple), SPANS, NUMBERS, SPANS)
POLICIES = st.builds(
    Policy, TEXT, st.lists(STEPS, max_size=3).map(tuple), NUMBERS, SPANS, template=TEXT, urgent=st.booleans()
)
TARGETS = st.builds(Target, TEXT, TEXT, NUMBERS, st.sampled_from(Reach), st.none() | INSTANTS)
INCIDENTS = st.builds(
    Incident,
    id=st.just("").map(lambda _: IDS.new(NOW)),
    stream=STREAMS,
    policy=POLICIES,
    opened_at=INSTANTS,
    news_at=INSTANTS,
    state=st.sampled_from(State),
    round=NUMBERS,
    step=NUMBERS,
    targets=st.lists(TARGETS, max_size=3).map(tuple),
    step_ends_at=st.none() | INSTANTS,
    due_at=st.none() | INSTANTS,
    acknowledged_by=st.none() | TEXT,
    acknowledged_at=st.none() | INSTANTS,
    closed_at=st.none() | INSTANTS,
    serial=NUMBERS,
)
ORIGINS = st.builds(Origin, st.integers(0, 99), LABELS, TEXT, NUMBERS)
ALERTS = st.builds(
    Alert, TEXT, st.sampled_from(AlertStatus), LABELS, LABELS, INSTANTS, st.none() | INSTANTS, generator_url=TEXT
)


@pytest.fixture
def connection() -> Iterator[Connection]:
    with in_memory() as opened:
        yield opened


def load(connection: Connection, *ids: str) -> list[Stored]:
    return sorted(store.by_ids(connection, ids, Policies()), key=lambda stored: stored.incident.id)


# --- incidents


def renumbered(stored: Stored) -> Stored:
    """`stored` as the table has it after it was saved: one version on."""
    return replace(stored, incident=replace(stored.incident, version=stored.incident.version + 1))


@given(st.builds(Stored, INCIDENTS, ORIGINS), st.builds(Stored, INCIDENTS, ORIGINS))
def test_an_incident_comes_back_as_it_was(first: Stored, later: Stored) -> None:
    """Every field survives, policy snapshot and targets included: when it is added, and when it is saved."""
    with in_memory() as connection:
        add(connection, first)
        (found,) = load(connection, first.incident.id)
        assert found == renumbered(first)
        kept = {name: getattr(found.incident, name) for name in ("id", "stream", "policy", "opened_at", "version")}
        changed = Stored(replace(later.incident, **kept), later.origin)
        store.save(connection, [changed], Policies())
        assert load(connection, first.incident.id) == [renumbered(changed)]


@given(st.lists(ALERTS, min_size=1, unique_by=lambda alert: alert.fingerprint, max_size=5), st.integers(0, 2**62))
def test_alerts_come_back_as_they_were(several: list[Alert], seq: int) -> None:
    """Every field survives, and so does the number of the message that brought it."""
    with in_memory() as connection:
        store.put_alerts(connection, [("i", alert, seq) for alert in several], fresh=True)
        found = store.alerts_of(connection, "i")
        assert {alert.fingerprint: alert for alert in found} == {alert.fingerprint: alert for alert in several}
        assert len(found) == len(several)
        known = {alert.fingerprint: Known(alert.firing, seq) for alert in several}
        assert store.known_alerts(connection, ["i", "other"]) == {"i": known}


def test_the_second_of_two_writers_loses(connection: Connection) -> None:
    """Compare-and-set: who saves what somebody else changed meanwhile is told, and the first one's change stays."""
    id_, other = add(connection, an_incident(), an_incident())
    mine, theirs = load(connection, id_), load(connection, id_)
    store.save(connection, [replace(one, incident=replace(one.incident, round=7)) for one in theirs], Policies())
    with pytest.raises(LostRace):
        store.save(connection, [*load(connection, other), *mine], Policies())
    assert load(connection, id_)[0].incident.round == 7
    store.save(connection, load(connection, id_, other), Policies())
    store.save(connection, [], Policies())


def test_what_is_gone_is_a_lost_race_too(connection: Connection) -> None:
    """An incident that is not in the table (any more) cannot be saved."""
    with pytest.raises(LostRace):
        store.save(connection, [an_incident()], Policies())


def test_one_open_incident_per_stream_and_policy(connection: Connection) -> None:
    """A second open one is refused; one of another policy, or after the first is over, is not."""
    stream = a_stream("same")
    first = an_incident(stream=stream)
    add(connection, first, an_incident(stream=stream, policy=replace(POLICY, name="day")), closed(stream=stream))
    with pytest.raises(IntegrityError), connection.begin_nested():
        add(connection, an_incident(stream=stream))
    over = replace(first.incident, version=1, state=State.RESOLVED, closed_at=NOW)
    store.save(connection, [replace(first, incident=over)], Policies())
    add(connection, an_incident(stream=stream))


def test_the_open_ones_of_streams(connection: Connection) -> None:
    """Only those that are open, only of the streams asked for, of however many."""
    here = [an_incident() for _ in range(1203)]
    add(connection, *here, closed(stream=here[0].incident.stream), an_incident())
    keys = [store.stream_key(one.incident.stream) for one in here]
    found = store.open_in_streams(connection, keys, Policies())
    assert sorted(one.incident.id for one in found) == [one.incident.id for one in here]
    assert store.open_in_streams(connection, [], Policies()) == []
    assert len({len(key) for key in keys}) == 1
    assert store.stream_key(Stream(Source.GRAFANA, "a", "b")) != store.stream_key(Stream(Source.GRAFANA, "a\0b", ""))


def test_what_is_due(connection: Connection) -> None:
    """Everything whose time has come, to the very microsecond, the longest overdue first."""
    assert store.next_due(connection) is None
    times = [NOW, NOW - MINUTE, None, NOW + timedelta(microseconds=1), NOW - 2 * MINUTE]
    ids = add(connection, *(an_incident(due_at=at) for at in times))
    assert store.due(connection, NOW, 10) == [ids[4], ids[1], ids[0]]
    assert store.due(connection, NOW, 2) == [ids[4], ids[1]]
    assert store.next_due(connection) == NOW - 2 * MINUTE
    store.postpone(connection, ids[4], NOW + MINUTE)
    assert store.due(connection, NOW, 10) == [ids[1], ids[0]]


def test_alerts_in_their_order(connection: Connection) -> None:
    """What fires comes first, then what began first; it can be narrowed, cut and counted."""
    several = [
        an_alert("d", firing=False),
        an_alert("c"),
        an_alert("b", starts_at=NOW + MINUTE),
        an_alert("a", starts_at=NOW - MINUTE),
    ]
    store.put_alerts(connection, [("i", one, 1) for one in several] + [("j", an_alert("z"), 1)], fresh=True)
    assert [one.fingerprint for one in store.alerts_of(connection, "i")] == ["a", "c", "b", "d"]
    assert [one.fingerprint for one in store.alerts_of(connection, "i", firing=True, limit=2)] == ["a", "c"]
    assert store.count_alerts(connection, "i", firing=True) == 3
    assert store.count_alerts(connection, "i", firing=False) == 1


def test_later_news_of_an_alert(connection: Connection) -> None:
    """What is said of a known alert takes the place of what was said before; what is new goes beside it."""
    store.put_alerts(connection, [("i", an_alert("a", x="1"), 1), ("j", an_alert("a"), 1)], fresh=True)
    store.put_alerts(connection, [("i", an_alert("a", firing=False, x="2"), 5), ("i", an_alert("b"), 5)], fresh=False)
    store.put_alerts(connection, [], fresh=False)
    assert store.known_alerts(connection, ["i"]) == {"i": {"a": Known(False, 5), "b": Known(True, 5)}}
    assert store.alerts_of(connection, "i", firing=False)[0].labels == {"x": "2"}
    assert store.known_alerts(connection, ["j"]) == {"j": {"a": Known(True, 1)}}


def test_what_a_call_tells(connection: Connection) -> None:
    """The worst first, then the oldest; each once, the limit cuts, the total counts all; dropped pages do not."""
    several = [
        an_incident(rank=3),
        an_incident(rank=0, opened_at=NOW + MINUTE),
        an_incident(rank=0),
        an_incident(rank=1),
        an_incident(rank=0),
    ]
    ids = add(connection, *several)
    paging.add_pages(connection, [(a_page(id_), "queued", NOW) for id_ in ids] + [(a_page(ids[0], 2), "queued", NOW)])
    paging.claim_pages(connection, "anna", "call")
    paging.cancel_pages(connection, ids[3], NOW)
    found, total = store.told_in(connection, "call", 3, Policies())
    assert [one.incident.id for one in found] == [ids[2], ids[4], ids[1]]
    assert total == 4
    assert store.told_in(connection, "another", 3, Policies()) == ([], 0)


def test_a_missing_snapshot_is_named(connection: Connection) -> None:
    """A database from which a policy is gone says which one."""
    (id_,) = add(connection, an_incident())
    connection.execute(policies.delete())
    with pytest.raises(LookupError, match=r"policy snapshot [0-9a-f]{24} is missing"):
        load(connection, id_)


def test_snapshots_are_kept_once(connection: Connection) -> None:
    """Policies of the same content share one row, whoever writes them; others have their own."""
    again = Policy("night", (Step(("anna",)), Step(("ops", "bert"), attempts=2)), rounds=2)
    add(connection, an_incident(), an_incident(policy=again))
    add(connection, an_incident(policy=again), an_incident(policy=replace(again, rounds=3)))
    assert rows_in(connection, policies) == 2


def test_the_old_are_forgotten_as_a_whole(connection: Connection) -> None:
    """Of what closed before the day everything goes, the oldest first; of what is open or younger, nothing does."""
    old = [closed(NOW - 2 * MINUTE), closed(NOW - 3 * MINUTE), closed(NOW - MINUTE)]
    kept = [an_incident(opened_at=NOW - 9 * MINUTE), closed(NOW), closed(NOW + MINUTE)]
    ids = add(connection, *old, *kept)
    store.put_alerts(connection, [(id_, an_alert(f"{n}"), 1) for id_ in ids for n in range(3)], fresh=True)
    paging.add_pages(connection, [(a_page(id_, n), "queued", NOW) for id_ in ids for n in (1, 2, 10)])
    story.write(connection, [Entry(NOW, "opened", id_) for id_ in ids for _ in range(2)])
    assert store.forget_before(connection, NOW, 2) == 2
    left = sorted([ids[2], *ids[3:]])
    for table, column in ((alerts, "incident"), (pages, "incident"), (journal, "incident"), (incidents, "id")):
        found = connection.execute(select(table.c[column]).distinct().order_by(table.c[column])).scalars()
        assert list(found) == left, table.name
    assert store.forget_before(connection, NOW, 2) == 1
    assert store.forget_before(connection, NOW, 2) == 0
    assert [rows_in(connection, table) for table in (incidents, alerts, pages, journal)] == [3, 9, 9, 6]


# --- pages


def states(connection: Connection) -> list[tuple[Any, ...]]:
    columns = (pages.c.id, pages.c.state, pages.c.call, pages.c.outcome, pages.c.ended_at)
    return [tuple(row)[1:] for row in connection.execute(select(*columns).order_by(pages.c.id))]


def test_the_life_of_pages(connection: Connection) -> None:
    """Queued, in a call, over; each step takes only those of that person or call, and what is over stays over."""
    ids = ["a", "b", "c", "d"]
    people = ["anna", "anna", "bert", "anna"]
    fresh = [(a_page(id_, 1, person), "queued", NOW) for id_, person in zip(ids, people, strict=True)]
    paging.add_pages(connection, [*fresh[:3], (fresh[3][0], "cancelled", NOW)])
    paging.add_pages(connection, [])
    assert paging.people_waiting(connection) == ["anna", "bert"]
    assert paging.claim_pages(connection, "anna", "call") == 2
    assert paging.claim_pages(connection, "anna", "later") == 0
    assert paging.people_waiting(connection) == ["bert"]
    assert paging.pages_in(connection, "call") == [("a-1", "a", "calling"), ("b-1", "b", "calling")]
    dropped = [page for id_ in ("b", "c", "d") for page in paging.cancel_pages(connection, id_, NOW)]
    assert [(page.id, page.incident, page.call) for page in dropped] == [("b-1", "b", "call"), ("c-1", "c", None)]
    assert paging.end_pages(connection, "call", Outcome.NO_ANSWER, NOW + MINUTE) == 1
    assert paging.end_pages(connection, "call", Outcome.ANSWERED, NOW + 2 * MINUTE) == 0
    assert paging.cancel_pages(connection, "a", NOW) == []
    assert states(connection) == [
        ("ended", "call", "no_answer", NOW + MINUTE),
        ("cancelled", "call", "cancelled", NOW),
        ("cancelled", None, "cancelled", NOW),
        ("cancelled", None, None, None),
    ]


def test_pages_in_the_order_they_were_made(connection: Connection) -> None:
    """The tenth comes after the ninth, in the incident and in the call."""
    paging.add_pages(connection, [(a_page("i", number), "queued", NOW) for number in range(1, 13)])
    paging.claim_pages(connection, "anna", "call")
    wanted = [f"i-{number}" for number in range(1, 13)]
    assert [row.id for row in paging.pages_of(connection, "i")] == wanted
    assert [page for page, _, _ in paging.pages_in(connection, "call")] == wanted


@given(st.lists(st.text(ALPHABET, min_size=1, max_size=3), min_size=2, max_size=20, unique=True), st.integers(1, 10**6))
def test_an_incident_has_its_own_pages_only(ids: list[str], most: int) -> None:
    """However near the ids of two incidents lie together, the range of one holds no page of the other."""
    with in_memory() as connection:
        numbers = sorted({1, 9, 10, most})
        paging.add_pages(connection, [(a_page(id_, number), "queued", NOW) for id_ in ids for number in numbers])
        for id_ in ids:
            found = connection.execute(select(pages.c.incident).where(paging.of_incident(id_))).scalars().all()
            assert found == [id_] * len(numbers)


def test_who_is_waited_for_costs_a_step_each(connection: Connection) -> None:
    """The people are found in as many steps as there are people, however many pages wait for each."""
    people = [f"p{number}" for number in range(7)]
    fresh = [(a_page(f"i{n:04}", 1, people[n % 7]), "queued", NOW) for n in range(2000)]
    paging.add_pages(connection, fresh)
    asked: list[str] = []
    event.listen(connection, "before_cursor_execute", lambda *args: asked.append(args[2]))
    assert paging.people_waiting(connection) == people
    assert len(asked) == len(people) + 1


# --- the journal


def test_a_story_in_its_order(connection: Connection) -> None:
    """By time, then as written; the calls' own lines are told too, those about other incidents are not."""
    lines = [
        Entry(NOW + MINUTE, "calling", call="call", who="anna"),
        Entry(NOW, "opened", "i", round=1, note="first"),
        Entry(NOW, "nobody_there", "i", who="bert", step=1, attempt=2),
        Entry(NOW + MINUTE, "answered", call="call"),
        Entry(NOW + MINUTE, "acknowledged", "j", call="call"),
        Entry(NOW + MINUTE, "placed", call="strange"),
        Entry(NOW + MINUTE, "acknowledged", "i", call="call"),
    ]
    story.write(connection, lines)
    story.write(connection, [])
    found = story.story(connection, "i", ["call"])
    assert [row.word for row in found] == ["opened", "nobody_there", "calling", "answered", "acknowledged"]
    assert [row.word for row in story.story(connection, "i")] == ["opened", "nobody_there", "acknowledged"]
    names = ("at", "word", "incident", "call", "who", "round", "step", "attempt", "note")
    assert [Entry(*(getattr(row, name) for name in names)) for row in found[:2]] == lines[1:3]


# --- ids


def test_ids_are_many_and_in_order() -> None:
    """A hundred thousand of one instant: all different, ascending, 22 characters that are safe everywhere."""
    ids = Ids()
    made = [ids.new(NOW) for _ in range(100_000)]
    assert len(set(made)) == len(made)
    assert made == sorted(made)
    assert {len(one) for one in made} == {22}
    assert set("".join(made)) <= set(ALPHABET)


def test_ids_go_on_when_the_clock_steps_back() -> None:
    """A clock that is set back makes no later id sort before an earlier one."""
    ids = Ids()
    times = [NOW, NOW - timedelta(days=400), NOW + MINUTE, NOW - MINUTE, NOW + 2 * MINUTE]
    made = [ids.new(at) for at in times for _ in range(10)]
    assert made == sorted(made)


@given(st.lists(st.timedeltas(timedelta(0), timedelta(days=142 * 365)), min_size=2))
def test_ids_of_all_processes_sort_by_time(ages: list[timedelta]) -> None:
    """Ids made by different processes sort by their time, in this century and the last."""
    made = [(age, Ids().new(EPOCH + age)) for age in ages]
    for (before, first), (after, second) in pairwise(made):
        if before != after:
            assert (before < after) == (first < second)


def test_ids_of_threads_differ() -> None:
    """Several threads may share one maker."""
    ids = Ids()
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: [ids.new(NOW) for _ in range(2000)], range(8)))
    assert len({one for some in made for one in some}) == 16_000
    assert all(some == sorted(some) for some in made)
