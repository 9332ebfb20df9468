"""Watchdogs: since when each has been silent. The clock of each is kept here, so that no restart begins it anew."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from bridge.database.tables import watchdogs
from bridge.errors import LostRace

# What the group keys of their incidents begin with; one of Alertmanager's begins with a brace.
STREAMS = "watchdog:"


@dataclass(frozen=True, slots=True)
class Watch:
    """One watchdog: `since` is when it was seen last, or, while it was never `seen`, when it was first configured.

    `told_at`: when its silence was told last; None as long as it comes.
    """

    name: str
    since: datetime
    seen: bool = False
    told_at: datetime | None = None


def watches(connection: Connection) -> dict[str, Watch]:
    """All that are kept, by name."""
    rows = connection.execute(select(watchdogs).order_by(watchdogs.c.name))
    return {row.name: Watch(row.name, row.since, row.seen, row.told_at) for row in rows}


def begin(connection: Connection, watch: Watch) -> None:
    """Keep a new one."""
    connection.execute(insert(watchdogs).values(_values(watch)))


def save(connection: Connection, before: Watch, after: Watch) -> None:
    """Write a changed one back. Raises LostRace if somebody else saw it or told its silence meanwhile."""
    told, seen = watchdogs.c.told_at.is_not_distinct_from(before.told_at), watchdogs.c.since == before.since
    same = (watchdogs.c.name == before.name) & told & seen
    if connection.execute(update(watchdogs).where(same).values(_values(after))).rowcount != 1:
        raise LostRace(f"watchdog {before.name} was changed by somebody else meanwhile")


def forget(connection: Connection, name: str) -> None:
    """Keep it no longer."""
    connection.execute(delete(watchdogs).where(watchdogs.c.name == name))


def _values(watch: Watch) -> dict[str, object]:
    return {"name": watch.name, "since": watch.since, "seen": watch.seen, "told_at": watch.told_at}
