"""The store as the page looks at it: many incidents at once, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Connection, event

from bridge.escalation import Policy, State
from bridge.schedule import Override
from bridge.store import calls, incidents, journal, overrides
from bridge.store.inbox import Door, Message, _put
from bridge.store.incidents import Policies
from bridge.store.journal import Entry
from bridge.store.overrides import KeptOverride
from bridge.store.overview import last_report, mark, overview, worst_alerts
from tests.storing import IDS, MINUTE, NOW, a_call, add, an_alert, an_incident, closed, in_memory

pytestmark = pytest.mark.usefixtures("kind")

RECORD = Policy("record", ())


@pytest.fixture
def connection() -> Iterator[Connection]:
    with in_memory() as opened:
        yield opened


def look(connection: Connection, most_open: int = 10, most_over: int = 10) -> list[str]:
    """The ids that are shown, the open ones first."""
    found = overview(connection, Policies(), most_open=most_open, most_over=most_over)
    return [glance.stored.incident.id for glance in (*found.open, *found.over)]


def test_what_nobody_has_and_what_is_worst_comes_first(connection: Connection) -> None:
    """Taken ones last; the rest by severity, then by age; and of those that are over the newest end first."""
    taken = an_incident(0, state=State.ACKNOWLEDGED)
    young = an_incident(1, opened_at=NOW + MINUTE)
    old = an_incident(1, state=State.EXHAUSTED)
    small = an_incident(3)
    earlier, later = closed(NOW), closed(NOW + MINUTE)
    add(connection, taken, young, small, old, earlier, later)
    assert look(connection) == [one.incident.id for one in (old, young, small, taken, later, earlier)]
    assert look(connection, 1, 1) == [old.incident.id, later.incident.id]


def test_what_is_counted(connection: Connection) -> None:
    """Those that wait, those that are taken, those whose policy calls nobody; and how many are not shown."""
    record = an_incident(policy=RECORD)
    add(connection, an_incident(), an_incident(state=State.EXHAUSTED), an_incident(state=State.ACKNOWLEDGED), record)
    calls.add(connection, a_call())
    found = overview(connection, Policies(), most_open=1, most_over=1)
    assert (found.waiting, found.taken, found.recorded) == (2, 1, 1)
    assert (found.total, found.hidden, len(found.live)) == (4, 3, 1)


def test_the_alert_that_says_what_is_wrong(connection: Connection) -> None:
    """The worst that fires, else what there is; all of them are counted, the firing ones apart."""
    one, other, bare = an_incident(), an_incident(), an_incident()
    add(connection, one, other, bare)
    rows = [
        (one.incident.id, an_alert("a", severity="warning"), 1),
        (one.incident.id, an_alert("b", severity="critical"), 1),
        (one.incident.id, an_alert("c", severity="page", firing=False), 1),
        (other.incident.id, an_alert("d", firing=False), 1),
    ]
    incidents.put_alerts(connection, rows, fresh=True)
    found = worst_alerts(connection, [one.incident.id, other.incident.id, bare.incident.id])
    assert {id_: alert.fingerprint for id_, alert in found.items()} == {one.incident.id: "b", other.incident.id: "d"}
    glances = {
        glance.stored.incident.id: (glance.firing, glance.known)
        for glance in overview(connection, Policies(), most_open=9, most_over=0).open
    }
    assert glances == {one.incident.id: (2, 3), other.incident.id: (0, 1), bare.incident.id: (0, 0)}


def test_it_takes_a_few_statements_however_many_there_are(connection: Connection) -> None:
    """A hundred incidents of three thousand are shown with no statement more than one of them."""

    def statements(most: int) -> int:
        seen: list[str] = []

        def count(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
            seen.append(statement)

        event.listen(connection, "before_cursor_execute", count)
        try:
            overview(connection, snapshots, most_open=most, most_over=10)
        finally:
            event.remove(connection, "before_cursor_execute", count)
        return len(seen)

    snapshots = Policies()
    add(connection, *(an_incident(number % 4) for number in range(3000)))
    overview(connection, snapshots, most_open=1, most_over=1)
    assert statements(100) == statements(1) < 12


def test_the_last_report(connection: Connection) -> None:
    """When the gateway said something last, whatever else came since; nothing where it never did."""
    assert last_report(connection) is None
    messages = [Message(Door.SMS77, NOW, b"x"), Message(Door.SMS77, NOW + MINUTE, b"x"),
                Message(Door.ALERTMANAGER, NOW + 2 * MINUTE, b"x")]  # fmt: skip
    _put(connection, [(one, "{}") for one in messages])
    assert last_report(connection) == NOW + MINUTE


def test_a_mark_of_every_change(connection: Connection) -> None:
    """It is another after each line of the journal, each new incident, each override made and taken back."""
    kept = KeptOverride("s", Override("anna", NOW, NOW + timedelta(days=1), IDS.new(NOW)), NOW)
    changes = (
        lambda: add(connection, an_incident()),
        lambda: journal.write(connection, [Entry(NOW, "placed")]),
        lambda: overrides.add(connection, kept),
        lambda: overrides.take_back(connection, kept.override.id, NOW),
    )
    marks = [mark(connection)]
    for change in changes:
        change()
        marks.append(mark(connection))
    assert len(set(marks)) == len(marks)
    assert mark(connection) == marks[-1]
