"""Calls, and the reports that came before we knew what call they speak of."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, delete, func, insert, or_, select, update

from bridge.call import Call, CallState, Outcome, Report, Spending, started_minutes
from bridge.database.many import update_many
from bridge.database.tables import calls, journal, microseconds, strays
from bridge.errors import LostRace
from bridge.store.incidents import chunks

# So many calls are looked through for the one that a report means.
SAME_ID = 10

_NAMES = tuple(field.name for field in fields(Call))
_REPORT = msgspec.json.Decoder(Report)


def read_call(row: Any) -> Call:
    values = {name: getattr(row, name) for name in _NAMES}
    values["state"] = CallState(row.state)
    values["outcome"] = None if row.outcome is None else Outcome(row.outcome)
    return Call(**values)


def _values(call: Call) -> dict[str, Any]:
    values = {name: getattr(call, name) for name in _NAMES}
    values["state"] = call.state.value
    values["outcome"] = None if call.outcome is None else call.outcome.value
    return values


def add(connection: Connection, call: Call) -> None:
    """Insert a new call: before it is requested."""
    connection.execute(insert(calls).values(_values(call)))


def save(connection: Connection, call: Call) -> None:
    """Write a changed call back (compare-and-set on `version`). Raises LostRace if somebody else was first."""
    values = _values(call) | {"version": call.version + 1}
    mine = (calls.c.id == call.id) & (calls.c.version == call.version)
    if connection.execute(update(calls).where(mine).values(values)).rowcount != 1:
        raise LostRace(f"call {call.id} was changed by somebody else meanwhile")


def get(connection: Connection, id_: str) -> Call | None:
    """The call with our id."""
    row = connection.execute(select(calls).where(calls.c.id == id_)).first()
    return None if row is None else read_call(row)


def known_as(
    connection: Connection, gateway_id: str | None, foreign_id: str | None, number: str | None = None
) -> Call | None:
    """The call that a report speaks of: by our own id where the report carries it, else by the gateway's.

    Two gateways may give the same id: of several calls the newest to `number` (digits) is meant, else the newest.
    """
    if foreign_id and (call := get(connection, foreign_id)) is not None:
        return call
    if not gateway_id:
        return None
    query = select(calls).where(calls.c.gateway_id == gateway_id).order_by(calls.c.created_at.desc())
    found = [read_call(row) for row in connection.execute(query.limit(SAME_ID))]
    return next((call for call in found if number and call.number == f"+{number}"), found[0] if found else None)


def latest_to(connection: Connection, number: str, since: datetime) -> Call | None:
    """The newest call to `number` (E.164) that was still alive at `since` or later."""
    alive = (calls.c.number == number) & or_(calls.c.ended_at.is_(None), calls.c.ended_at >= since)
    row = connection.execute(select(calls).where(alive).order_by(calls.c.created_at.desc()).limit(1)).first()
    return None if row is None else read_call(row)


def gateway_ids_to(connection: Connection, number: str, since: datetime, account: str) -> list[str]:
    """The ids of the calls to `number` that `account` took since `since`: those that another call there cannot have."""
    made = (calls.c.number == number) & (calls.c.created_at >= since) & calls.c.gateway_id.is_not(None)
    made &= calls.c.account == account
    return [id_ for id_ in connection.execute(select(calls.c.gateway_id).where(made)).scalars() if id_ is not None]


# One that waits for its next request is begun like a page that waits: when an account has a line free for it.
_REQUESTED = calls.c.state != CallState.QUEUED.value


def due(connection: Connection, now: datetime, limit: int) -> list[Call]:
    """The calls that were requested and about which something must be done now."""
    return [read_call(row) for row in connection.execute(_due(now, limit))]


def _due(now: datetime, limit: int) -> Select[Any]:
    return select(calls).where(calls.c.due_at <= now, _REQUESTED).order_by(calls.c.due_at).limit(limit)


def claim(connection: Connection, now: datetime, until: datetime, limit: int, but: Collection[str]) -> list[Call]:
    """Those of the calls that are due (`but` for these) that nobody else looks after; ours `until` then.

    A claim is a lease: who dies with it leaves a call that is due again when it ends.
    """
    found = [read_call(row) for row in connection.execute(_due(now, limit).with_for_update(skip_locked=True))]
    mine = [replace(call, due_at=until) for call in found if call.id not in but]
    for call in mine:
        save(connection, call)
    return [replace(call, version=call.version + 1) for call in mine]


def renew(connection: Connection, claimed: Mapping[str, int], until: datetime) -> None:
    """Keep the claims on these calls, by id and version, `until` then; one that has moved on is none of ours."""
    names, keys = ("due_at",), ("id", "version")
    update_many(connection, calls, names, keys, [(microseconds(until), *one) for one in claimed.items()])


def next_due(connection: Connection) -> datetime | None:
    """When something must be done next about a call that was requested."""
    found: datetime | None = connection.execute(
        select(func.min(calls.c.due_at)).where(calls.c.due_at.is_not(None), _REQUESTED)
    ).scalar()
    return found


def live(connection: Connection) -> list[Call]:
    """The calls that are not over."""
    return [read_call(row) for row in connection.execute(select(calls).where(calls.c.ended_at.is_(None)))]


def wake_orphans(connection: Connection, now: datetime) -> int:
    """At start: a call whose request was under way when the process died is looked up at once; returns how many."""
    orphan = (calls.c.state == CallState.PLACING.value) & calls.c.ended_at.is_(None)
    return connection.execute(update(calls).where(orphan).values(due_at=now)).rowcount


def hurry(connection: Connection, now: datetime) -> int:
    """Calls that wait for their next request need not wait any longer; returns how many."""
    waits = (calls.c.state == CallState.QUEUED.value) & calls.c.ended_at.is_(None) & (calls.c.due_at > now)
    return connection.execute(update(calls).where(waits).values(due_at=now)).rowcount


def last_unconfirmed(connection: Connection) -> datetime | None:
    """When the newest call ended of which no report came; None: of the newest that the gateway took one came."""
    taken = select(calls).where(calls.c.requested_at.is_not(None)).order_by(calls.c.requested_at.desc())
    for row in connection.execute(taken.limit(LAST_FEW)):
        if row.ended_at is not None and row.placed_at is not None:
            return row.ended_at if row.outcome == Outcome.UNCONFIRMED.value else None
    return None


def started_since(connection: Connection, since: datetime, number: str | None = None) -> list[datetime]:
    """When the calls (to `number`) placed since `since` were requested, oldest first; not those that nobody took."""
    query = select(calls.c.requested_at).where(calls.c.requested_at > since, _REQUESTED)
    if number is not None:
        query = query.where(calls.c.number == number)
    return [at for at in connection.execute(query.order_by(calls.c.requested_at)).scalars() if at is not None]


def measured(connection: Connection, language: str, limit: int) -> list[tuple[float, float]]:
    """Estimated and real seconds of the newest calls in `language` that were answered, but for those hung up in time.

    Of the newest ten times `limit` calls, by the index of their requests: never a walk through the whole table.
    """
    requested = select(calls).where(calls.c.requested_at.is_not(None))
    newest = requested.order_by(calls.c.requested_at.desc()).limit(10 * limit).subquery()
    told = (newest.c.outcome == Outcome.ANSWERED.value) & (newest.c.language == language)
    heard = or_(newest.c.window_until.is_(None), newest.c.duration > newest.c.window_until)
    query = select(newest.c.speech_seconds, newest.c.duration).where(told, heard, newest.c.duration.is_not(None))
    rows = connection.execute(query.order_by(newest.c.requested_at.desc()).limit(limit))
    return [(row.speech_seconds, row.duration) for row in rows]


# Among so many of the newest calls one is looked for that is over.
LAST_FEW = 50
_TO_BE_CHARGED = (Outcome.ANSWERED.value, Outcome.UNCONFIRMED.value)
# So many calls are looked through for the newest price.
PRICED_AMONG = 500


def spending(connection: Connection, since: datetime) -> Spending:
    """What the calls cost that were requested at `since` or later; one that nobody answered is expected to be free."""
    today = calls.c.requested_at >= since
    known = connection.execute(select(func.sum(calls.c.cost)).where(today)).scalar()
    charged = or_(calls.c.outcome.is_(None), calls.c.outcome.in_(_TO_BE_CHARGED))
    seconds = select(func.coalesce(calls.c.duration, calls.c.speech_seconds))
    unknown = connection.execute(seconds.where(today, calls.c.cost.is_(None), charged)).scalars()
    return Spending(float(known or 0.0), tuple(unknown), _newest_price(connection))


def _newest_price(connection: Connection) -> float | None:
    """Euro per started minute of the newest call that cost something; by the index of their requests."""
    requested = select(calls).where(calls.c.requested_at.is_not(None))
    newest = requested.order_by(calls.c.requested_at.desc()).limit(PRICED_AMONG).subquery()
    told = select(newest.c.cost, newest.c.duration).where(newest.c.cost > 0, newest.c.duration > 0)
    row = connection.execute(told.order_by(newest.c.requested_at.desc()).limit(1)).first()
    return None if row is None else row.cost / started_minutes(row.duration)


def of_incident(connection: Connection, ids: Iterable[str]) -> list[Call]:
    """The calls with these ids, oldest first."""
    rows = connection.execute(select(calls).where(calls.c.id.in_(list(ids))).order_by(calls.c.created_at))
    return [read_call(row) for row in rows]


def keep_stray(connection: Connection, report: Report, now: datetime) -> None:
    """Keep a report of a call that we do not know (yet): our own reply may still be on its way."""
    body = msgspec.json.encode(report).decode()
    connection.execute(
        insert(strays).values(gateway_id=report.gateway_id, foreign_id=report.foreign_id, received_at=now, report=body)
    )


def take_strays(connection: Connection, gateway_id: str) -> list[Report]:
    """The reports that came for `gateway_id` before it was known, in order; they are not kept any longer."""
    rows = connection.execute(select(strays).where(strays.c.gateway_id == gateway_id).order_by(strays.c.seq)).all()
    if rows:
        connection.execute(delete(strays).where(strays.c.gateway_id == gateway_id))
    return [_REPORT.decode(row.report) for row in rows]


def forget_before(connection: Connection, before: datetime, limit: int) -> None:
    """Delete at most `limit` calls that ended before `before`, with the lines that are only theirs, and old strays."""
    old = select(calls.c.id).where(calls.c.ended_at < before).limit(limit)
    for some in chunks(connection.execute(old).scalars()):
        connection.execute(delete(journal).where(journal.c.call.in_(some), journal.c.incident.is_(None)))
        connection.execute(delete(calls).where(calls.c.id.in_(some)))
    connection.execute(delete(strays).where(strays.c.received_at < before))
