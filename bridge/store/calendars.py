"""The last good copy of each schedule's calendar, for the time after a restart with its source gone."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from bridge.database.tables import calendars


@dataclass(frozen=True, slots=True)
class Copy:
    """A calendar as it came, and when its source last said that it is so."""

    body: bytes = field(repr=False)
    fetched_at: datetime


def copies(connection: Connection) -> dict[str, Copy]:
    """The copies by schedule."""
    return {row.schedule: Copy(row.body, row.fetched_at) for row in connection.execute(select(calendars))}


def keep(connection: Connection, schedule: str, copy: Copy) -> None:
    """Keep `copy` in place of the one before."""
    connection.execute(delete(calendars).where(calendars.c.schedule == schedule))
    connection.execute(insert(calendars).values(schedule=schedule, fetched_at=copy.fetched_at, body=copy.body))


def confirm(connection: Connection, schedule: str, at: datetime) -> None:
    """The source said at `at` that the copy is still what it has."""
    connection.execute(update(calendars).where(calendars.c.schedule == schedule).values(fetched_at=at))
