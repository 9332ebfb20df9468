"""People, rotations, overrides, calendars: who is on call at `now`; the shifts of a span; gaps.

wallclock   the rule for the nights when clocks change
rotation    people who take turns
calendars   iCalendar files in;   export   shifts as iCalendar out
shifts      the layers of a schedule: who is on call, the shifts, the gaps;   present   the one under way, whole
people      who can be called, and whom a calendar's text means;   roster   both for a policy's targets
"""

from __future__ import annotations

from bridge.schedule.calendars import CalendarError, CalendarShift, read_calendar, resolve, unknown
from bridge.schedule.export import ical_of
from bridge.schedule.people import Person, person_of
from bridge.schedule.present import present
from bridge.schedule.roster import Roster
from bridge.schedule.rotation import Period, Rotation, parse_period
from bridge.schedule.shifts import Ical, Override, Schedule, Shift, gaps, on_call, shifts
from bridge.schedule.wallclock import instant

__all__ = [
    "CalendarError",
    "CalendarShift",
    "Ical",
    "Override",
    "Period",
    "Person",
    "Roster",
    "Rotation",
    "Schedule",
    "Shift",
    "gaps",
    "ical_of",
    "instant",
    "on_call",
    "parse_period",
    "person_of",
    "present",
    "read_calendar",
    "resolve",
    "shifts",
    "unknown",
]
