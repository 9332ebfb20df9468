"""Looking at what is remembered, for the API and the page: lists in pages, newest first, by time-ordered id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, select

from bridge.alert import Alert
from bridge.call import Call, CallState
from bridge.database.tables import alerts, calls, incidents, pages
from bridge.database.tables import texts as sms_table
from bridge.escalation import State
from bridge.sms import Sms
from bridge.store import texts
from bridge.store.calls import read_call
from bridge.store.inbox import count_waiting
from bridge.store.incidents import Policies, Stored, alerts_of, by_ids, chunks, read_alert, read_incident
from bridge.store.journal import story
from bridge.store.pages import pages_of

__all__ = ["Counts", "IncidentView", "Listed", "calls_listed", "counts", "incident_view", "incidents_listed"]


@dataclass(frozen=True, slots=True)
class IncidentView:
    """One incident with everything that is known of it; `pages` and `journal` are rows of their tables."""

    stored: Stored
    alerts: Sequence[Alert]
    pages: Sequence[Any] = ()
    calls: Sequence[Call] = ()
    texts: Sequence[Sms] = ()
    journal: Sequence[Any] = ()


@dataclass(frozen=True, slots=True)
class Listed:
    """One page of a list; `next` is the cursor of the following one, None on the last."""

    rows: Sequence[Any]
    next: str | None


@dataclass(frozen=True, slots=True)
class Counts:
    """What the gauges show; `oldest_due` is the due time of the longest overdue incident or call."""

    incidents: Mapping[str, int]
    calls_in_progress: int
    inbox_waiting: int
    oldest_due: datetime | None


def _cut(
    connection: Connection, query: Select[Any], column: Any, limit: int, cursor: str | None
) -> tuple[list[Any], str | None]:
    if cursor:
        query = query.where(column < cursor)
    rows = list(connection.execute(query.order_by(column.desc()).limit(limit + 1)))
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


def incidents_listed(
    connection: Connection,
    snapshots: Policies,
    *,
    states: Iterable[str] = (),
    since: datetime | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> Listed:
    """Incidents with their alerts, newest first; `states` empty: all, `since`: opened then or later."""
    query = select(incidents)
    wanted = list(states)
    if wanted:
        query = query.where(incidents.c.state.in_(wanted))
    if wanted and State.RESOLVED not in wanted:
        # The few that are open, by their index: else it would look for them among all that ever were.
        query = query.where(incidents.c.id.in_(select(incidents.c.id).where(incidents.c.closed_at.is_(None))))
    if since is not None:
        query = query.where(incidents.c.opened_at >= since)
    rows, following = _cut(connection, query, incidents.c.id, limit, cursor)
    listed = [read_incident(connection, row, snapshots) for row in rows]
    theirs = _alerts_by_incident(connection, [stored.incident.id for stored in listed])
    return Listed([IncidentView(stored, theirs.get(stored.incident.id, [])) for stored in listed], following)


def _alerts_by_incident(connection: Connection, ids: Sequence[str]) -> dict[str, list[Alert]]:
    found: dict[str, list[Alert]] = {}
    for some in chunks(ids):
        for row in connection.execute(select(alerts).where(alerts.c.incident.in_(some)).order_by(alerts.c.fingerprint)):
            found.setdefault(row.incident, []).append(read_alert(row))
    return found


def incident_view(
    connection: Connection, snapshots: Policies, id_: str, *, most_alerts: int = 100_000
) -> IncidentView | None:
    """One incident with its alerts (the worst, at most so many), pages, calls and SMS, and journal."""
    found = by_ids(connection, [id_], snapshots)
    if not found:
        return None
    rows = pages_of(connection, id_)
    call_ids = list(dict.fromkeys(row.call for row in rows if row.call))
    told = [
        read_call(row)
        for some in chunks(call_ids)
        for row in connection.execute(select(calls).where(calls.c.id.in_(some)))
    ]
    return IncidentView(
        stored=found[0],
        alerts=alerts_of(connection, id_, limit=most_alerts),
        pages=rows,
        calls=sorted(told, key=lambda call: call.created_at),
        texts=texts.by_ids(connection, call_ids),
        journal=story(connection, id_, call_ids),
    )


def calls_listed(
    connection: Connection, *, since: datetime | None = None, limit: int = 100, cursor: str | None = None
) -> Listed:
    """Calls, newest first; each row is (Call, the ids of the incidents that it told)."""
    query = select(calls)
    if since is not None:
        query = query.where(calls.c.created_at >= since)
    rows, following = _cut(connection, query, calls.c.id, limit, cursor)
    told: dict[str, list[str]] = {}
    for some in chunks([row.id for row in rows]):
        carried = select(pages.c.call, pages.c.incident).where(pages.c.call.in_(some)).distinct()
        for call, incident in connection.execute(carried):
            told.setdefault(call, []).append(incident)
    return Listed([(read_call(row), told.get(row.id, [])) for row in rows], following)


def counts(connection: Connection) -> Counts:
    """The figures of the gauges."""
    still_open = select(incidents.c.state, func.count()).where(incidents.c.closed_at.is_(None))
    by_state: dict[str, int] = dict(connection.execute(still_open.group_by(incidents.c.state)).all())
    # Those that are over are by far the most: counted in their index, without a look at them.
    closed = int(connection.execute(select(func.count()).where(incidents.c.closed_at.is_not(None))).scalar_one())
    if closed:
        by_state[State.RESOLVED.value] = closed
    engaged = select(func.count()).where(calls.c.ended_at.is_(None), calls.c.state != CallState.QUEUED.value)
    oldest = [
        connection.execute(select(func.min(table.c.due_at)).where(table.c.due_at.is_not(None))).scalar()
        for table in (incidents, calls, sms_table)
    ]
    return Counts(
        incidents=by_state,
        calls_in_progress=int(connection.execute(engaged).scalar_one()),
        inbox_waiting=count_waiting(connection),
        oldest_due=min((due for due in oldest if due is not None), default=None),
    )
