"""People, rotations, overrides, calendars: who is on call at `now`; the shifts of a span; gaps."""

from __future__ import annotations

from bridge.schedule.calendars import CalendarShift
from bridge.schedule.people import Person
from bridge.schedule.roster import Roster
from bridge.schedule.rotation import Period, Rotation, instant, parse_period
from bridge.schedule.shifts import Ical, Override, Schedule, Shift

__all__ = [
    "CalendarShift",
    "Ical",
    "Override",
    "Period",
    "Person",
    "Roster",
    "Rotation",
    "Schedule",
    "Shift",
    "instant",
    "parse_period",
]
