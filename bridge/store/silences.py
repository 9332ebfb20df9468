"""Silences in Alertmanager that have to do with an incident: those that callbridge has set, and those of humans.

A silence is written down before it is asked for; whoever moves its `due_at` ahead has claimed what must be done.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from bridge.database.tables import silences


@dataclass(frozen=True, slots=True)
class Kept:
    """The silence of one alert of one incident. `silence`: what Alertmanager calls it; None: not known (yet).

    `ours`: set by callbridge; else by a human, whose silence acknowledged the incident. `due_at` None: nothing is to
    be done about it.
    """

    incident: str
    fingerprint: str
    silence: str | None = None
    ours: bool = True
    ends_at: datetime | None = None
    due_at: datetime | None = None


def kept(connection: Connection) -> list[Kept]:
    """All that are kept."""
    rows = connection.execute(select(silences).order_by(silences.c.incident, silences.c.fingerprint))
    return [Kept(*row) for row in rows]


def add(connection: Connection, rows: Sequence[Kept]) -> None:
    """Keep new ones. An IntegrityError says that somebody else has just kept one of them."""
    if rows:
        connection.execute(insert(silences), [_values(row) for row in rows])


def claim(connection: Connection, row: Kept, until: datetime) -> bool:
    """Move its due time ahead, so that nobody else does what is due; False: somebody was faster."""
    same = _is(row) & silences.c.due_at.is_not_distinct_from(row.due_at)
    return connection.execute(update(silences).where(same).values(due_at=until)).rowcount == 1


def save(connection: Connection, row: Kept) -> None:
    """Write back what was claimed."""
    connection.execute(update(silences).where(_is(row)).values(_values(row)))


def forget(connection: Connection, row: Kept) -> None:
    """Keep it no longer."""
    connection.execute(delete(silences).where(_is(row)))


def of_incident(connection: Connection, incident: str) -> list[Kept]:
    """Those of one incident."""
    return [Kept(*row) for row in connection.execute(select(silences).where(silences.c.incident == incident))]


def forget_those_of_humans(connection: Connection, incident: str) -> None:
    """No human's silence counts for this incident any more."""
    connection.execute(delete(silences).where(silences.c.incident == incident, silences.c.ours.is_(False)))


def _is(row: Kept) -> ColumnElement[bool]:
    return (silences.c.incident == row.incident) & (silences.c.fingerprint == row.fingerprint)


def _values(row: Kept) -> dict[str, object]:
    return {
        "incident": row.incident,
        "fingerprint": row.fingerprint,
        "silence": row.silence,
        "ours": row.ours,
        "ends_at": row.ends_at,
        "due_at": row.due_at,
    }
