"""SMS that were written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from bridge.database.tables import journal, texts
from bridge.errors import LostRace
from bridge.sms import Sms, SmsOutcome, SmsState, expected_cost
from bridge.store.incidents import chunks

_NAMES = tuple(field.name for field in fields(Sms))
# Nothing was sent, so nothing is charged.
_FREE = (SmsOutcome.REFUSED.value, SmsOutcome.CANCELLED.value)


def read_sms(row: Any) -> Sms:
    values = {name: getattr(row, name) for name in _NAMES}
    values["state"] = SmsState(row.state)
    values["outcome"] = None if row.outcome is None else SmsOutcome(row.outcome)
    return Sms(**values)


def _values(sms: Sms) -> dict[str, Any]:
    values = {name: getattr(sms, name) for name in _NAMES}
    values["state"] = sms.state.value
    values["outcome"] = None if sms.outcome is None else sms.outcome.value
    return values


def add(connection: Connection, sms: Sms) -> None:
    """Insert a new SMS: before it is requested."""
    connection.execute(insert(texts).values(_values(sms)))


def save(connection: Connection, sms: Sms) -> None:
    """Write a changed SMS back (compare-and-set on `version`). Raises LostRace if somebody else was first."""
    values = _values(sms) | {"version": sms.version + 1}
    mine = (texts.c.id == sms.id) & (texts.c.version == sms.version)
    if connection.execute(update(texts).where(mine).values(values)).rowcount != 1:
        raise LostRace(f"SMS {sms.id} was changed by somebody else meanwhile")


def get(connection: Connection, id_: str) -> Sms | None:
    """The SMS with our id."""
    row = connection.execute(select(texts).where(texts.c.id == id_)).first()
    return None if row is None else read_sms(row)


def known_as(connection: Connection, gateway_id: str | None, foreign_id: str | None) -> Sms | None:
    """The SMS that a receipt speaks of: by our own id where it carries that, else by the gateway's."""
    if foreign_id and (sms := get(connection, foreign_id)) is not None:
        return sms
    if not gateway_id:
        return None
    query = select(texts).where(texts.c.gateway_id == gateway_id).order_by(texts.c.created_at.desc()).limit(1)
    row = connection.execute(query).first()
    return None if row is None else read_sms(row)


def latest_to(connection: Connection, number: str, since: datetime) -> Sms | None:
    """The newest SMS to `number` (E.164) that was written at `since` or later and may have arrived."""
    written = (texts.c.number == number) & (texts.c.created_at >= since) & texts.c.requested_at.is_not(None)
    row = connection.execute(select(texts).where(written).order_by(texts.c.created_at.desc()).limit(1)).first()
    return None if row is None else read_sms(row)


def unsent_to(connection: Connection, number: str) -> bool:
    """Whether an SMS to `number` is still to be sent, or nobody knows yet whether it was."""
    waiting = (SmsState.QUEUED.value, SmsState.SENDING.value)
    query = select(texts.c.id).where(texts.c.number == number, texts.c.state.in_(waiting)).limit(1)
    return connection.execute(query).first() is not None


def gateway_ids_to(connection: Connection, number: str, since: datetime, account: str) -> list[str]:
    """The ids of the SMS to `number` that `account` took since `since`: those that another one there cannot have."""
    made = (texts.c.number == number) & (texts.c.created_at >= since) & texts.c.gateway_id.is_not(None)
    made &= texts.c.account == account
    return [id_ for id_ in connection.execute(select(texts.c.gateway_id).where(made)).scalars() if id_ is not None]


def due(connection: Connection, now: datetime, limit: int) -> list[Sms]:
    """The SMS about which something must be done now."""
    query = select(texts).where(texts.c.due_at <= now).order_by(texts.c.due_at).limit(limit)
    return [read_sms(row) for row in connection.execute(query)]


def next_due(connection: Connection) -> datetime | None:
    """When something must be done about an SMS next."""
    found: datetime | None = connection.execute(
        select(func.min(texts.c.due_at)).where(texts.c.due_at.is_not(None))
    ).scalar()
    return found


def requested_since(connection: Connection, since: datetime, number: str) -> list[datetime]:
    """When the SMS to `number` were requested since `since`, oldest first."""
    query = select(texts.c.requested_at).where(texts.c.number == number, texts.c.requested_at > since)
    return [at for at in connection.execute(query.order_by(texts.c.requested_at)).scalars() if at is not None]


def spent(connection: Connection, since: datetime) -> float:
    """Euro for the SMS that were requested at `since` or later: as the gateway told it, else as can be expected."""
    today = texts.c.requested_at >= since
    known = connection.execute(select(func.sum(texts.c.cost)).where(today)).scalar()
    charged = texts.c.outcome.is_(None) | texts.c.outcome.not_in(_FREE)
    unknown = connection.execute(select(func.sum(texts.c.parts)).where(today, texts.c.cost.is_(None), charged)).scalar()
    return float(known or 0.0) + expected_cost(int(unknown or 0))


def by_ids(connection: Connection, ids: Iterable[str]) -> list[Sms]:
    """The SMS with these ids, oldest first."""
    found: list[Sms] = []
    for some in chunks(ids):
        found += [read_sms(row) for row in connection.execute(select(texts).where(texts.c.id.in_(some)))]
    return sorted(found, key=lambda sms: sms.created_at)


def forget_before(connection: Connection, before: datetime, limit: int) -> None:
    """Delete at most `limit` SMS that ended before `before`, with the lines that are only theirs."""
    old = select(texts.c.id).where(texts.c.ended_at < before).limit(limit)
    for some in chunks(connection.execute(old).scalars()):
        connection.execute(delete(journal).where(journal.c.call.in_(some), journal.c.incident.is_(None)))
        connection.execute(delete(texts).where(texts.c.id.in_(some)))
