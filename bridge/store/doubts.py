"""What Alertmanager may be asked about: the open incidents that it has told of, and their alerts that fire.

The incidents of watchdogs are not among them: it is their alert's absence that they are about.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import ColumnElement, Connection, func, literal_column, or_, select

from bridge.alert import Alert, Source
from bridge.database.tables import QUEUED, alerts, inbox, incidents, pages
from bridge.escalation import Channel, State
from bridge.store.incidents import chunks, read_alert
from bridge.store.watchdogs import STREAMS

# So many of a receiver's newest incidents are looked through for a group.
LOOKED_THROUGH = 1000
# Of more than that nobody hears in one call; the rest rings without having been asked about.
MOST_LATE = 500
_LABELS = msgspec.json.Decoder(dict[str, str])


@dataclass(frozen=True, slots=True)
class Firing:
    """An alert that fires, by the store, in an open incident; `truncated`: the last notification did not list all."""

    incident: str
    state: State
    receiver: str
    truncated: bool
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Doubt:
    """One open incident as it was when Alertmanager is asked: the alerts that fire by the store.

    `news_at`: when it was last heard of. `seq`: the last message that the store may have understood by then.
    """

    incident: str
    state: State
    news_at: datetime
    alerts: tuple[Alert, ...]
    seq: int


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """An alert that fires in an incident that somebody has taken, and who."""

    incident: str
    by: str
    alert: Alert


@dataclass(frozen=True, slots=True)
class Told:
    """The last that was told of an alert, in the newest incident of its receiver.

    `fired_on`: it still fired, as far as is known, when that incident was closed (or does now). `over_at`: when it
    resolved, or its incident was closed; None: neither.
    """

    fired_on: bool
    over_at: datetime | None


def _asked() -> ColumnElement[bool]:
    return (incidents.c.source == Source.ALERTMANAGER.value) & incidents.c.group_key.not_like(f"{STREAMS}%")


def firing(connection: Connection) -> list[Firing]:
    """Every alert that fires in an open incident."""
    columns = (incidents.c.id, incidents.c.state, incidents.c.receiver, incidents.c.truncated, alerts.c.fingerprint)
    query = select(*columns).join(alerts, alerts.c.incident == incidents.c.id)
    query = query.where(incidents.c.closed_at.is_(None), alerts.c.firing.is_(True), _asked())
    rows = connection.execute(query)
    return [Firing(row.id, State(row.state), row.receiver, row.truncated > 0, row.fingerprint) for row in rows]


def acknowledged(connection: Connection) -> dict[tuple[str, str], Acknowledged]:
    """The alerts that fire in acknowledged incidents, by incident and fingerprint."""
    query = select(alerts, incidents.c.acknowledged_by).join(incidents, incidents.c.id == alerts.c.incident)
    taken = incidents.c.closed_at.is_(None) & (incidents.c.state == State.ACKNOWLEDGED.value)
    rows = connection.execute(query.where(taken, alerts.c.firing.is_(True), _asked()))
    return {
        (row.incident, row.fingerprint): Acknowledged(row.incident, row.acknowledged_by or "", read_alert(row))
        for row in rows
    }


def receivers(connection: Connection, after: str = "") -> tuple[set[str], str]:
    """The receivers of the incidents that are remembered, of those opened after `after`; and which was the last."""
    newer = incidents.c.id > after
    found = set(connection.execute(select(incidents.c.receiver).where(newer, _asked()).distinct()).scalars())
    return found, connection.execute(select(func.max(incidents.c.id))).scalar() or after


def late(
    connection: Connection, person: str, *, before: datetime, started_at: datetime, call: str | None = None
) -> list[str]:
    """The incidents that `person` is to be told of, and of which more than the moment has passed; MOST_LATE at most.

    All but a first page by this very process (since `started_at`) of what was heard of after `before`: what is tried
    again (that of `call` too), a later step, and what was held back.
    """
    # Both channels by name, for the index begins with it.
    waits = (pages.c.person == person) & QUEUED & pages.c.channel.in_(list(Channel))
    again = or_(pages.c.attempt > 1, pages.c.step > 0, pages.c.round > 1, pages.c.held)
    old = or_(again, pages.c.queued_at <= before, pages.c.queued_at < started_at, incidents.c.news_at <= before)
    wanted: ColumnElement[bool] = waits & old
    if call is not None:
        wanted = or_(wanted, (pages.c.call == call) & (pages.c.state == literal_column("'calling'")))
    query = select(incidents.c.id).join(pages, pages.c.incident == incidents.c.id).where(wanted, _asked())
    return list(connection.execute(query.distinct().order_by(incidents.c.id).limit(MOST_LATE)).scalars())


def doubts(connection: Connection, ids: Iterable[str]) -> list[Doubt]:
    """The incidents with these ids, as far as they are open and something of theirs fires."""
    last = int(connection.execute(select(func.max(inbox.c.seq))).scalar() or 0)
    found: list[Doubt] = []
    for some in chunks(ids):
        still_open = select(incidents).where(incidents.c.id.in_(some), incidents.c.closed_at.is_(None), _asked())
        present = connection.execute(still_open).all()
        fire = select(alerts).where(alerts.c.incident.in_([row.id for row in present]), alerts.c.firing.is_(True))
        known: dict[str, list[tuple[Alert, int]]] = {}
        for row in connection.execute(fire):
            known.setdefault(row.incident, []).append((read_alert(row), row.seq))
        for row in present:
            listed = known.get(row.id, [])
            seq = max([last, *(seq for _, seq in listed)])
            found.append(Doubt(row.id, State(row.state), row.news_at, tuple(alert for alert, _ in listed), seq))
    return [doubt for doubt in found if doubt.alerts]


def told_of(connection: Connection, receiver: str, fingerprints: Iterable[str]) -> dict[str, Told]:
    """What was last told of each of these alerts to `receiver`, be its incident open or closed."""
    found: dict[str, Told] = {}
    for some in chunks(fingerprints):
        query = (
            select(alerts.c.fingerprint, alerts.c.firing, alerts.c.ends_at, incidents.c.closed_at)
            .join(incidents, incidents.c.id == alerts.c.incident)
            .where(alerts.c.fingerprint.in_(some), incidents.c.receiver == receiver, _asked())
            .order_by(incidents.c.id)
        )
        for row in connection.execute(query):
            found[row.fingerprint] = Told(row.firing, row.closed_at if row.firing else row.ends_at)
    return found


@dataclass(frozen=True, slots=True)
class KnownGroup:
    """A group of a receiver as the last notification told of it; `truncated`: it did not list all alerts."""

    key: str
    external_url: str
    heard_at: datetime
    truncated: bool
    open: bool


def known_group(connection: Connection, receiver: str, labels: Mapping[str, str]) -> KnownGroup | None:
    """The group of `receiver` with these labels, by its newest incident; None: nobody has ever told of it."""
    query = select(incidents).where(incidents.c.receiver == receiver, _asked())
    for row in connection.execute(query.order_by(incidents.c.id.desc()).limit(LOOKED_THROUGH)):
        if _LABELS.decode(row.group_labels) == dict(labels):
            return KnownGroup(row.group_key, row.external_url, row.news_at, row.truncated > 0, row.closed_at is None)
    return None
