"""The journal: the story of an incident, line by line, as it was decided and as it happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, or_, select

from bridge.database.tables import journal


@dataclass(frozen=True, slots=True)
class Entry:
    """One line; `word` is from a closed list, `note` is free text for a human."""

    at: datetime
    word: str
    incident: str | None = None
    call: str | None = None
    who: str = ""
    round: int = 0
    step: int = 0
    attempt: int = 0
    note: str = ""


def write(connection: Connection, entries: Sequence[Entry]) -> None:
    """Add lines."""
    if not entries:
        return
    names = ("at", "word", "incident", "call", "who", "round", "step", "attempt", "note")
    connection.execute(insert(journal), [{name: getattr(entry, name) for name in names} for entry in entries])


def story(connection: Connection, incident: str, calls: Sequence[str] = ()) -> list[Any]:
    """All lines of an incident and of the calls that told it, oldest first."""
    lines = journal.c.incident == incident
    if calls:
        lines = or_(lines, journal.c.call.in_(list(calls)) & journal.c.incident.is_(None))
    return list(connection.execute(select(journal).where(lines).order_by(journal.c.at, journal.c.seq)))
