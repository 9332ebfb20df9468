"""Schedules: rotations in layers, a calendar, overrides; who is on call at an instant, the shifts of a span, the gaps.

The layers, the higher covers the lower: rotations in the order of the file, the calendar's entries that name a known
person, overrides in their order. What a layer covered comes back when it ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from pathlib import Path
from typing import Protocol, TypeVar
from zoneinfo import ZoneInfo

from bridge.schedule.activity import changes
from bridge.schedule.calendars import CalendarShift
from bridge.schedule.rotation import Rotation, hand_overs, person_at


@dataclass(frozen=True, slots=True)
class Override:
    """One person instead of everybody else from `starts` (inclusive) to `ends` (exclusive), aware instants in UTC.

    `id` and `author` are of overrides made through the API or the page; those of the file have none.
    """

    person: str
    starts: datetime
    ends: datetime
    id: str = ""
    author: str = ""


@dataclass(frozen=True, slots=True)
class Ical:
    """Where a calendar comes from: a file or a URL (whose path is often a secret: it stays out of repr)."""

    file: Path | None
    url: str | None = field(repr=False)
    refresh: timedelta


@dataclass(frozen=True, slots=True)
class Schedule:
    """Who is on call when. Of two overrides at one instant the later in `overrides` wins.

    `calendar` holds the entries read from `ical`, resolved to people; what reads it builds a new Schedule.
    """

    name: str
    timezone: ZoneInfo
    rotations: tuple[Rotation, ...] = ()
    overrides: tuple[Override, ...] = ()
    calendar: tuple[CalendarShift, ...] = ()
    ical: Ical | None = None


@dataclass(frozen=True, slots=True)
class Shift:
    """One person on call (None: a gap, nobody is) from `starts` (inclusive) to `ends` (exclusive), in UTC; and why."""

    schedule: str
    person: str | None
    starts: datetime
    ends: datetime
    because: str


# Who, None for a known absence, and why: the last word of the layers at one instant.
_Holder = tuple[str | None, str]
_NOBODY: tuple[_Holder, ...] = ((None, "nobody is on call"),)


def on_call(schedule: Schedule, now: datetime) -> tuple[str, ...]:
    """The keys of the people on call at `now`; empty in a gap. More than one only where calendar entries overlap."""
    overrides = [one for one in schedule.overrides if one.starts <= now < one.ends]
    entries = [one for one in schedule.calendar if one.starts <= now < one.ends]
    return tuple(person for person, _ in _holders(schedule, now, overrides, entries) if person is not None)


def shifts(schedule: Schedule, starts: datetime, ends: datetime) -> tuple[Shift, ...]:
    """Everything from `starts` to `ends` (aware), in order, cut to that span, without a hole: gaps have person None.

    Shifts that touch and have the same person for the same reason are one. People on call side by side (calendar
    entries that overlap) have a shift each.
    """
    if ends <= starts:
        return ()
    edges = _edges(schedule, starts.astimezone(UTC), ends.astimezone(UTC))
    overrides = _under_way(schedule.overrides, edges)
    entries = _under_way(schedule.calendar, edges)
    story = [
        (edge, _holders(schedule, edge, above, beside))
        for edge, above, beside in zip(edges, overrides, entries, strict=True)
    ]
    return tuple(_merged(schedule.name, story, ends.astimezone(UTC)))


def gaps(schedule: Schedule, starts: datetime, ends: datetime) -> tuple[Shift, ...]:
    """The shifts of the span in which nobody is on call; `because` says why."""
    return tuple(shift for shift in shifts(schedule, starts, ends) if shift.person is None)


def _holders(
    schedule: Schedule, now: datetime, overrides: Sequence[Override], entries: Sequence[CalendarShift]
) -> tuple[_Holder, ...]:
    """Whoever the highest layer that says anything names, of the overrides and entries under way at `now`."""
    if overrides:
        return (_overriding(overrides[-1]),)
    known = dict.fromkeys(one.person for one in entries if one.person is not None)
    if known:
        return tuple((person, "calendar") for person in known)
    for rotation in reversed(schedule.rotations):
        person = person_at(rotation, schedule.timezone, now)
        if person is not None:
            return ((person, f"rotation {rotation.name}"),)
    # An entry that names nobody known covers nothing: rather the rotation's person than a spelling mistake.
    return ((None, f'calendar: "{entries[-1].summary}" names nobody known'),) if entries else _NOBODY


def _overriding(override: Override) -> _Holder:
    return override.person, f"override by {override.author}" if override.author else "override"


def _edges(schedule: Schedule, starts: datetime, ends: datetime) -> list[datetime]:
    """Every instant from `starts` (itself included) to before `ends` at which somebody's duty may change, in order."""
    found = {starts}
    for rotation in schedule.rotations:
        found.update(hand_overs(rotation, schedule.timezone, starts, ends))
        for interval in rotation.active:
            found.update(changes(interval, starts, ends))
    timed: tuple[_Timed, ...] = (*schedule.overrides, *schedule.calendar)
    found.update(edge for one in timed for edge in (one.starts, one.ends) if starts < edge < ends)
    return sorted(found)


class _Timed(Protocol):
    @property
    def starts(self) -> datetime: ...

    @property
    def ends(self) -> datetime: ...


T = TypeVar("T", bound=_Timed)


def _under_way(timed: Sequence[T], edges: Sequence[datetime]) -> Iterator[list[T]]:
    """For each of `edges`: those of `timed` that it lies in, in their own order. One sweep, for calendars are long."""
    coming = sorted(enumerate(timed), key=lambda one: one[1].starts, reverse=True)
    running: list[tuple[int, T]] = []
    for edge in edges:
        while coming and coming[-1][1].starts <= edge:
            running.append(coming.pop())
        running = sorted((one for one in running if one[1].ends > edge), key=itemgetter(0))
        yield [one for _, one in running]


def _merged(name: str, story: Sequence[tuple[datetime, tuple[_Holder, ...]]], ends: datetime) -> list[Shift]:
    began: dict[_Holder, datetime] = {}
    told: list[Shift] = []
    for edge, holders in (*story, (ends, ())):
        over = [holder for holder in began if holder not in holders]
        told.extend(Shift(name, person, began.pop((person, because)), edge, because) for person, because in over)
        for holder in holders:
            began.setdefault(holder, edge)
    return sorted(told, key=lambda shift: (shift.starts, shift.ends))
