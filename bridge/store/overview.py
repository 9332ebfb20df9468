"""What the page shows of many incidents at once: a few statements, however many there are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, case, func, select

from bridge.alert import Alert
from bridge.call import Call
from bridge.database.tables import alerts, inbox, incidents, journal, overrides
from bridge.escalation import State
from bridge.store import calls
from bridge.store.inbox import Door
from bridge.store.incidents import Policies, Stored, chunks, read_alert, read_incident
from bridge.store.pages import people_held

# A report is looked for among so many of the newest messages; further back it would be a walk through the table.
NEWEST_MESSAGES = 20_000


@dataclass(frozen=True, slots=True)
class Glance:
    """An incident with the worst of its alerts; `firing` and `known` count all of them."""

    stored: Stored
    worst: Alert | None
    firing: int
    known: int


@dataclass(frozen=True, slots=True)
class Overview:
    """The open incidents, as far as they are shown; and the newest that are over.

    First those that nobody has, the worst and oldest first. `waiting`: how many nobody has; `taken`: how many somebody
    has; `recorded`: those whose policy calls nobody, and that nobody has. `live`: the calls that are not over;
    `held`: the people whose calls a limit holds back.
    """

    open: Sequence[Glance]
    over: Sequence[Glance]
    live: Sequence[Call]
    held: frozenset[str] = frozenset()
    waiting: int = 0
    taken: int = 0
    recorded: int = 0

    @property
    def total(self) -> int:
        """How many are open."""
        return self.waiting + self.taken + self.recorded

    @property
    def hidden(self) -> int:
        """How many open ones are not shown."""
        return max(self.total - len(self.open), 0)


def overview(connection: Connection, snapshots: Policies, *, most_open: int, most_over: int) -> Overview:
    """What there is now."""
    still_open = incidents.c.closed_at.is_(None)
    taken = case((incidents.c.state == State.ACKNOWLEDGED.value, 1), else_=0)
    order = (taken, incidents.c.rank, incidents.c.opened_at, incidents.c.id)
    worst_first = select(incidents).where(still_open).order_by(*order)
    newest_over = select(incidents).where(incidents.c.closed_at.is_not(None)).order_by(incidents.c.closed_at.desc())
    waiting, had, recorded = _counted(connection, snapshots)
    return Overview(
        open=_glances(connection, worst_first.limit(most_open), snapshots),
        over=_glances(connection, newest_over.limit(most_over), snapshots),
        live=calls.live(connection),
        held=people_held(connection),
        waiting=waiting,
        taken=had,
        recorded=recorded,
    )


def _counted(connection: Connection, snapshots: Policies) -> tuple[int, int, int]:
    """Of all that are open: those that nobody has, those that somebody has, and those that call nobody."""
    by = (incidents.c.state, incidents.c.policy_hash)
    query = select(*by, func.count()).where(incidents.c.closed_at.is_(None)).group_by(*by)
    waiting = taken = recorded = 0
    for state, policy, count in connection.execute(query):
        if state == State.ACKNOWLEDGED:
            taken += count
        elif snapshots.get(connection, policy).steps:
            waiting += count
        else:
            recorded += count
    return waiting, taken, recorded


def _glances(connection: Connection, query: Select[Any], snapshots: Policies) -> list[Glance]:
    listed = [read_incident(connection, row, snapshots) for row in connection.execute(query).all()]
    ids = [stored.incident.id for stored in listed]
    worst, counted = worst_alerts(connection, ids), _counts(connection, ids)
    return [
        Glance(stored, worst.get(stored.incident.id), *counted.get(stored.incident.id, (0, 0))) for stored in listed
    ]


def worst_alerts(connection: Connection, ids: Iterable[str]) -> dict[str, Alert]:
    """By incident: the alert that says best what is wrong."""
    order = (case((alerts.c.firing, 0), else_=1), alerts.c.rank, alerts.c.starts_at, alerts.c.fingerprint)
    place = func.row_number().over(partition_by=alerts.c.incident, order_by=order).label("place")
    found: dict[str, Alert] = {}
    for some in chunks(ids):
        numbered = select(alerts, place).where(alerts.c.incident.in_(some)).subquery()
        for row in connection.execute(select(numbered).where(numbered.c.place == 1)):
            found[row.incident] = read_alert(row)
    return found


def _counts(connection: Connection, ids: Sequence[str]) -> dict[str, tuple[int, int]]:
    firing = func.sum(case((alerts.c.firing, 1), else_=0))
    found: dict[str, tuple[int, int]] = {}
    for some in chunks(ids):
        query = select(alerts.c.incident, firing, func.count()).where(alerts.c.incident.in_(some))
        for incident, fires, known in connection.execute(query.group_by(alerts.c.incident)):
            found[incident] = (int(fires), int(known))
    return found


def last_report(connection: Connection) -> datetime | None:
    """When the gateway's webhook brought something last; None: not among the newest messages."""
    newest = select(inbox.c.door, inbox.c.received_at, inbox.c.seq).order_by(inbox.c.seq.desc()).limit(NEWEST_MESSAGES)
    recent = newest.subquery()
    query = select(recent.c.received_at).where(recent.c.door == Door.SMS77.value).order_by(recent.c.seq.desc()).limit(1)
    found: datetime | None = connection.execute(query).scalar()
    return found


def mark(connection: Connection) -> tuple[object, ...]:
    """Something that is another whenever anything changed that the page shows: cheap, for it is asked often."""
    asked = (
        select(func.max(journal.c.seq)),
        select(func.max(overrides.c.id)),
        select(func.max(overrides.c.deleted_at)),
        select(func.max(incidents.c.id)),
    )
    return tuple(connection.execute(query).scalar() for query in asked)
