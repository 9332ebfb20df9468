"""Shifts as an iCalendar file: what people subscribe to."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import icalendar

from bridge.schedule.people import Person
from bridge.schedule.shifts import Shift

NOBODY = "Nobody on call"


def ical_of(shifts: Sequence[Shift], name: str, people: Mapping[str, Person] | None = None) -> bytes:
    """The shifts as one calendar called `name`; gaps stand in it as "Nobody on call", so that they are seen.

    `people` give their names where known, the key stands otherwise; no number, no address. A shift has the same UID in
    every export that contains its start: begin the span on a fixed instant (a midnight), not on "now". The same shifts
    give the same bytes.
    """
    calendar = icalendar.Calendar()
    calendar.add("prodid", "-//callbridge//on call//EN")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", icalendar.vText(name))
    for shift in shifts:
        calendar.add_component(_event(shift, people or {}))
    return bytes(calendar.to_ical())


def _event(shift: Shift, people: Mapping[str, Person]) -> icalendar.Event:
    person = people.get(shift.person) if shift.person is not None else None
    event = icalendar.Event()
    event.add("uid", _uid(shift))
    # Required; no clock is asked here, and what stands still needs no later stamp.
    event.add("dtstamp", shift.starts)
    event.add("dtstart", shift.starts)
    event.add("dtend", shift.ends)
    event.add("summary", person.name if person and person.name else shift.person or NOBODY)
    event.add("description", f"{shift.schedule}: {shift.because}")
    return event


def _uid(shift: Shift) -> str:
    told = "\0".join((shift.schedule, shift.person or "", shift.starts.isoformat()))
    return hashlib.sha256(told.encode()).hexdigest()[:32] + "@callbridge"
