"""Incidents, their alerts, and their policies as they were when they began."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, case, delete, func, insert, select, update

from bridge.alert import Alert, AlertStatus, Source, Stream, severity_rank
from bridge.database.many import Row, insert_many, update_many
from bridge.database.tables import alerts, incidents, journal, microseconds, pages, policies
from bridge.errors import LostRace
from bridge.escalation import Incident, Policy, State, Target
from bridge.store.pages import of_incident

CHUNK = 500
_TARGETS = msgspec.json.Decoder(tuple[Target, ...])
_POLICY = msgspec.json.Decoder(Policy)
_LABELS = msgspec.json.Decoder(dict[str, str])


@dataclass(frozen=True, slots=True)
class Origin:
    """What is told of an incident beside its state: from the newest notification; `rank` 0 is the worst severity."""

    rank: int
    group_labels: Mapping[str, str] = field(default_factory=dict)
    external_url: str = ""
    truncated: int = 0


@dataclass(frozen=True, slots=True)
class Stored:
    """An incident with its origin."""

    incident: Incident
    origin: Origin


@dataclass(frozen=True, slots=True)
class Known:
    """What must be known of an alert to decide: does it fire, and which message said so last."""

    firing: bool
    seq: int


def stream_key(stream: Stream) -> str:
    """A stream as a short, fixed-length key (group keys can be of any length)."""
    text = "\0".join((stream.source, stream.receiver, stream.group_key))
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).hexdigest()


class Policies:
    """Policy snapshots by the hash of their content: written once, decoded once."""

    def __init__(self) -> None:
        self._by_hash: dict[str, Policy] = {}
        # By identity: to hash a policy's content takes longer than to write an incident that has it.
        self._hashes: dict[int, tuple[Policy, str]] = {}

    def hash(self, policy: Policy) -> str:
        """The key of `policy` in the table."""
        known = self._hashes.get(id(policy))
        if known is None:
            key = hashlib.blake2b(msgspec.json.encode(policy), digest_size=12).hexdigest()
            known = self._hashes[id(policy)] = (policy, key)
        return known[1]

    def write(self, connection: Connection, wanted: Iterable[Policy]) -> None:
        """Make sure that the snapshots of `wanted` are in the table."""
        for key, policy in {self.hash(policy): policy for policy in wanted}.items():
            if self._read(connection, key) is None:
                connection.execute(insert(policies).values(hash=key, body=msgspec.json.encode(policy).decode()))

    def get(self, connection: Connection, key: str) -> Policy:
        """The snapshot with this key."""
        if key not in self._by_hash:
            policy = self._read(connection, key)
            if policy is None:
                raise LookupError(f"policy snapshot {key} is missing from the database")
            self._by_hash[key] = policy
        return self._by_hash[key]

    def _read(self, connection: Connection, key: str) -> Policy | None:
        body = connection.execute(select(policies.c.body).where(policies.c.hash == key)).scalar()
        return None if body is None else _POLICY.decode(body)


def read_incident(connection: Connection, row: Any, snapshots: Policies) -> Stored:
    incident = Incident(
        id=row.id,
        stream=Stream(Source(row.source), row.receiver, row.group_key),
        policy=snapshots.get(connection, row.policy_hash),
        opened_at=row.opened_at,
        news_at=row.news_at,
        state=State(row.state),
        round=row.round,
        step=row.step,
        targets=_TARGETS.decode(row.targets),
        step_ends_at=row.step_ends_at,
        due_at=row.due_at,
        acknowledged_by=row.acknowledged_by,
        acknowledged_at=row.acknowledged_at,
        closed_at=row.closed_at,
        serial=row.serial,
        version=row.version,
    )
    return Stored(incident, Origin(row.rank, _LABELS.decode(row.group_labels), row.external_url, row.truncated))


def chunks(values: Iterable[str]) -> Iterable[list[str]]:
    """`values` in lists short enough for one statement."""
    listed = list(values)
    return (listed[start : start + CHUNK] for start in range(0, len(listed), CHUNK))


def by_ids(connection: Connection, ids: Iterable[str], snapshots: Policies) -> list[Stored]:
    """The incidents with these ids, as far as there are any."""
    found: list[Stored] = []
    for some in chunks(ids):
        rows = connection.execute(select(incidents).where(incidents.c.id.in_(some))).all()
        found += [read_incident(connection, row, snapshots) for row in rows]
    return found


def open_in_streams(connection: Connection, keys: Iterable[str], snapshots: Policies) -> list[Stored]:
    """The open incidents of these streams (by `stream_key`)."""
    found: list[Stored] = []
    for some in chunks(keys):
        query = select(incidents).where(incidents.c.stream.in_(some), incidents.c.closed_at.is_(None))
        found += [read_incident(connection, row, snapshots) for row in connection.execute(query).all()]
    return found


def move(connection: Connection, key: str, stream: Stream) -> int:
    """Let the open incidents of one stream (by `stream_key`) be of another, where it has none of their policy."""
    there = select(incidents.c.policy).where(incidents.c.stream == stream_key(stream), incidents.c.closed_at.is_(None))
    here = (incidents.c.stream == key) & incidents.c.closed_at.is_(None) & incidents.c.policy.not_in(there)
    moved = {
        "stream": stream_key(stream),
        "receiver": stream.receiver,
        "group_key": stream.group_key,
        "version": incidents.c.version + 1,
    }
    return connection.execute(update(incidents).where(here).values(moved)).rowcount


def due(connection: Connection, now: datetime, limit: int, *, claim: bool = False) -> list[str]:
    """The ids of the incidents whose time has come, the longest overdue first.

    `claim`: they are nobody else's until the transaction ends, and those in other hands are left out.
    """
    query = select(incidents.c.id).where(incidents.c.due_at <= now).order_by(incidents.c.due_at).limit(limit)
    if claim:
        query = query.with_for_update(skip_locked=True)
    return list(connection.execute(query).scalars())


def postpone(connection: Connection, id_: str, until: datetime) -> None:
    """Let an incident be due later, as it is."""
    connection.execute(update(incidents).where(incidents.c.id == id_).values(due_at=until))


def next_due(connection: Connection) -> datetime | None:
    """When the next incident is due."""
    found: datetime | None = connection.execute(
        select(func.min(incidents.c.due_at)).where(incidents.c.due_at.is_not(None))
    ).scalar()
    return found


def known_alerts(connection: Connection, ids: Iterable[str]) -> dict[str, dict[str, Known]]:
    """By incident and fingerprint: what is known of every alert, without its labels."""
    found: dict[str, dict[str, Known]] = {}
    for some in chunks(ids):
        query = select(alerts.c.incident, alerts.c.fingerprint, alerts.c.firing, alerts.c.seq)
        for incident, fingerprint, firing, seq in connection.execute(query.where(alerts.c.incident.in_(some))):
            found.setdefault(incident, {})[fingerprint] = Known(firing, seq)
    return found


# As the table has them; what changes stands behind what does not.
_FIXED = ("id", "stream", "source", "receiver", "group_key", "policy", "policy_hash", "opened_at")
_CHANGING = (
    "state", "rank", "round", "step", "targets", "news_at", "step_ends_at", "due_at", "acknowledged_by",
    "acknowledged_at", "closed_at", "group_labels", "external_url", "truncated", "serial", "version",
)  # fmt: skip


def _fixed(stored: Stored, snapshots: Policies) -> Row:
    incident = stored.incident
    return (
        incident.id,
        stream_key(incident.stream),
        incident.stream.source.value,
        incident.stream.receiver,
        incident.stream.group_key,
        incident.policy.name,
        snapshots.hash(incident.policy),
        microseconds(incident.opened_at),
    )


def _changing(stored: Stored) -> Row:
    incident, origin = stored.incident, stored.origin
    return (
        incident.state.value,
        origin.rank,
        incident.round,
        incident.step,
        msgspec.json.encode(incident.targets).decode(),
        microseconds(incident.news_at),
        microseconds(incident.step_ends_at),
        microseconds(incident.due_at),
        incident.acknowledged_by,
        microseconds(incident.acknowledged_at),
        microseconds(incident.closed_at),
        msgspec.json.encode(origin.group_labels).decode(),
        origin.external_url,
        origin.truncated,
        incident.serial,
        incident.version + 1,
    )


def add(connection: Connection, fresh: Sequence[Stored], snapshots: Policies) -> None:
    """Insert new incidents, one version on."""
    snapshots.write(connection, (stored.incident.policy for stored in fresh))
    rows = [_fixed(stored, snapshots) + _changing(stored) for stored in fresh]
    insert_many(connection, incidents, _FIXED + _CHANGING, rows)


def save(connection: Connection, changed: Sequence[Stored], snapshots: Policies) -> None:
    """Write back changed incidents (compare-and-set on `version`). Raises LostRace if somebody else was first."""
    rows = [(*_changing(stored), stored.incident.id, stored.incident.version) for stored in changed]
    lost = len(rows) - update_many(connection, incidents, _CHANGING, ("id", "version"), rows)
    if lost:
        raise LostRace(f"{lost} of {len(rows)} incidents were changed by somebody else meanwhile")


_ALERT = (
    "incident",
    "fingerprint",
    "firing",
    "rank",
    "labels",
    "annotations",
    "starts_at",
    "ends_at",
    "generator_url",
    "seq",
)


def newer_word(connection: Connection, stream: str, fingerprint: str, seq: int) -> bool:
    """Whether a message later than `seq` has spoken of this alert of the stream (a `stream_key`), in any incident."""
    of_alert = (incidents.c.stream == stream) & (alerts.c.fingerprint == fingerprint) & (alerts.c.seq > seq)
    query = select(alerts.c.seq).join(incidents, incidents.c.id == alerts.c.incident).where(of_alert).limit(1)
    return connection.execute(query).first() is not None


def put_alerts(connection: Connection, rows: Sequence[tuple[str, Alert, int]], fresh: bool) -> None:
    """Write alerts of incidents, each with the number of the message that brought it; `fresh`: none is there yet."""
    if not rows:
        return
    if not fresh:
        keys = [{"i": incident, "f": alert.fingerprint} for incident, alert, _ in rows]
        old = delete(alerts).where(alerts.c.incident == bindparam("i"), alerts.c.fingerprint == bindparam("f"))
        connection.execute(old, keys)
    insert_many(connection, alerts, _ALERT, [_alert_row(*row) for row in rows])


def _alert_row(incident: str, alert: Alert, seq: int) -> Row:
    return (
        incident,
        alert.fingerprint,
        alert.firing,
        severity_rank(alert.labels),
        msgspec.json.encode(alert.labels).decode(),
        msgspec.json.encode(alert.annotations).decode(),
        microseconds(alert.starts_at),
        microseconds(alert.ends_at),
        alert.generator_url,
        seq,
    )


def alerts_of(
    connection: Connection, incident: str, *, firing: bool | None = None, limit: int = 100_000
) -> list[Alert]:
    """The alerts of an incident, firing ones first, the worst first, then by start; at most `limit`."""
    query = select(alerts).where(alerts.c.incident == incident)
    if firing is not None:
        query = query.where(alerts.c.firing == firing)
    order = (case((alerts.c.firing, 0), else_=1), alerts.c.rank, alerts.c.starts_at, alerts.c.fingerprint)
    return [read_alert(row) for row in connection.execute(query.order_by(*order).limit(limit))]


def read_alert(row: Any) -> Alert:
    return Alert(
        fingerprint=row.fingerprint,
        status=AlertStatus.FIRING if row.firing else AlertStatus.RESOLVED,
        labels=_LABELS.decode(row.labels),
        annotations=_LABELS.decode(row.annotations),
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        generator_url=row.generator_url,
    )


def count_alerts(connection: Connection, incident: str, *, firing: bool) -> int:
    """How many of an incident's alerts fire (or do not)."""
    query = select(func.count()).where(alerts.c.incident == incident, alerts.c.firing == firing)
    return int(connection.execute(query).scalar_one())


def told_in(connection: Connection, call: str, limit: int, snapshots: Policies) -> tuple[list[Stored], int]:
    """The incidents that `call` is to tell, the worst first, at most `limit`; and how many there are in all."""
    rides = select(pages.c.incident).where(pages.c.call == call, pages.c.state == "calling").distinct()
    total = int(connection.execute(select(func.count()).select_from(rides.subquery())).scalar_one())
    query = (
        select(incidents)
        .where(incidents.c.id.in_(rides))
        .order_by(incidents.c.rank, incidents.c.opened_at, incidents.c.id)
        .limit(limit)
    )
    return [read_incident(connection, row, snapshots) for row in connection.execute(query).all()], total


def policies_in(connection: Connection, call: str) -> list[str]:
    """The names of the policies whose incidents `call` tells, or was to tell."""
    rides = select(pages.c.incident).where(pages.c.call == call)
    return list(connection.execute(select(incidents.c.policy).where(incidents.c.id.in_(rides)).distinct()).scalars())


def forget_before(connection: Connection, before: datetime, limit: int) -> int:
    """Delete at most `limit` incidents closed before `before`, with all that hangs on them; returns how many."""
    old = select(incidents.c.id).where(incidents.c.closed_at < before).order_by(incidents.c.closed_at).limit(limit)
    ids = list(connection.execute(old).scalars())
    for some in chunks(ids):
        connection.execute(delete(alerts).where(alerts.c.incident.in_(some)))
        connection.execute(delete(journal).where(journal.c.incident.in_(some)))
        connection.execute(delete(incidents).where(incidents.c.id.in_(some)))
    for one in ids:
        connection.execute(delete(pages).where(of_incident(one)))
    return len(ids)
