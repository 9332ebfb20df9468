"""The journal: the story of an incident, line by line, as it was decided and as it happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, or_, select

from bridge.database.many import insert_many
from bridge.database.tables import journal, microseconds


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


_NAMES = ("incident", "call", "at", "word", "who", "round", "step", "attempt", "note")


def write(connection: Connection, entries: Sequence[Entry]) -> None:
    """Add lines."""
    rows = [
        (one.incident, one.call, microseconds(one.at), one.word, one.who, one.round, one.step, one.attempt, one.note)
        for one in entries
    ]
    insert_many(connection, journal, _NAMES, rows)


def story(connection: Connection, incident: str, calls: Sequence[str] = ()) -> list[Any]:
    """All lines of an incident and of the calls that told it, oldest first."""
    lines = journal.c.incident == incident
    if calls:
        lines = or_(lines, journal.c.call.in_(list(calls)) & journal.c.incident.is_(None))
    return list(connection.execute(select(journal).where(lines).order_by(journal.c.at, journal.c.seq)))
