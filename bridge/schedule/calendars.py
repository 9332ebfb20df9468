"""Calendars: iCalendar files (RFC 5545) in, as on-call entries; shifts out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class CalendarShift:
    """One occurrence of an event from `starts` (inclusive) to `ends` (exclusive), in UTC; `person` is whom it names.

    `person` is None while nobody has looked yet, and when the summary names nobody known.
    """

    summary: str
    starts: datetime
    ends: datetime
    person: str | None = None
