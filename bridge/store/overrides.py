"""Overrides made through the API: kept with who made them and when; what is taken back is marked, never deleted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from bridge.database.tables import overrides
from bridge.schedule import Override


@dataclass(frozen=True, slots=True)
class KeptOverride:
    """An override of one schedule, when it was made, and when it was taken back (None: it stands)."""

    schedule: str
    override: Override
    created_at: datetime
    deleted_at: datetime | None = None


def add(connection: Connection, kept: KeptOverride) -> None:
    """Keep one; its id must be new."""
    one = kept.override
    connection.execute(
        insert(overrides).values(
            id=one.id,
            schedule=kept.schedule,
            person=one.person,
            starts_at=one.starts,
            ends_at=one.ends,
            author=one.author,
            created_at=kept.created_at,
            deleted_at=kept.deleted_at,
        )
    )


def take_back(connection: Connection, id_: str, now: datetime) -> KeptOverride | None:
    """Mark one as taken back at `now` (the first time counts) and return it as it is then; None for an unknown id."""
    stands = (overrides.c.id == id_) & overrides.c.deleted_at.is_(None)
    connection.execute(update(overrides).where(stands).values(deleted_at=now))
    row = connection.execute(select(overrides).where(overrides.c.id == id_)).first()
    return None if row is None else _read(row)


def standing(connection: Connection, since: datetime) -> tuple[KeptOverride, ...]:
    """Those that nobody took back and that end after `since`, in the order in which they were made."""
    wanted = overrides.c.deleted_at.is_(None) & (overrides.c.ends_at > since)
    return tuple(_read(row) for row in connection.execute(select(overrides).where(wanted).order_by(overrides.c.id)))


def overrides_listed(
    connection: Connection,
    *,
    schedule: str | None = None,
    ending_after: datetime | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> tuple[Sequence[KeptOverride], str | None]:
    """One page, newest first, and the cursor of the next. `ending_after`: only those that stand and end after it."""
    query = select(overrides)
    if schedule is not None:
        query = query.where(overrides.c.schedule == schedule)
    if ending_after is not None:
        query = query.where(overrides.c.deleted_at.is_(None), overrides.c.ends_at > ending_after)
    if cursor:
        query = query.where(overrides.c.id < cursor)
    rows = connection.execute(query.order_by(overrides.c.id.desc()).limit(limit + 1)).all()
    return [_read(row) for row in rows[:limit]], rows[limit - 1].id if len(rows) > limit else None


def _read(row: Any) -> KeptOverride:
    override = Override(row.person, row.starts_at, row.ends_at, row.id, row.author)
    return KeptOverride(row.schedule, override, row.created_at, row.deleted_at)
