"""Grafana OnCall's shifts as rotations, overrides and hours.

Source: docs/sources/oncall-api-reference/on_call_shifts.md and CustomOnCallShift, v1.16. A shift's `start` is local to
its own time zone, or to that of its schedule. Levels are layers: a higher one covers a lower.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from bridge.config.scalars import shown, zone
from bridge.config.spot import Spot
from bridge.importing.draft import Draft, Hours, Override, Rotation, text_at
from bridge.importing.names import key_of, printable

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
CODES = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
DAY = timedelta(days=1)
WEEK = timedelta(days=7)
UNITS = {"hourly": ("h", timedelta(hours=1)), "daily": ("d", DAY), "weekly": ("w", WEEK)}
LONGEST = timedelta(days=366)
LOCAL = "%Y-%m-%d %H:%M"


@dataclass(frozen=True, slots=True)
class Shift:
    """One shift as it was: `zone` is its own, `start` local to it, `turns` its groups of people by our keys."""

    spot: Spot
    name: str
    kind: str
    level: int
    zone: ZoneInfo
    start: datetime
    duration: timedelta
    turns: tuple[tuple[str, ...], ...]


def carry(
    found: Sequence[Spot], home: ZoneInfo, people: Mapping[str, str], draft: Draft, now: datetime
) -> tuple[tuple[Rotation, ...], tuple[Override, ...]]:
    """Rotations, lower levels first, and overrides of the shifts of one schedule in the zone `home`; `people` by id."""
    shifts = [shift for spot in found if (shift := _read(spot, home, people, draft))]
    overrides: list[Override] = []
    rotations: list[Rotation] = []
    for shift in sorted(shifts, key=lambda one: one.level):
        if shift.kind in ("single_event", "override"):
            overrides += _override(shift, home, draft, now)
        elif (rotation := _rotation(shift, home, draft)) is not None:
            rotations.append(rotation)
    return tuple(rotations), tuple(overrides)


def _read(spot: Spot, home: ZoneInfo, people: Mapping[str, str], draft: Draft) -> Shift | None:
    own = zone_of(text_at(spot, "time_zone"), home, spot, draft)
    try:
        start: datetime | None = datetime.fromisoformat(text_at(spot, "start")).replace(tzinfo=None)
        seconds = int(text_at(spot, "duration"))
    except ValueError:
        seconds, start = 0, None
    if start is None or not 0 < seconds <= LONGEST.total_seconds() or not 1970 <= start.year < 2200:
        draft.lost(spot, "has no start and duration that can be read, and is left out; write a rotation by hand")
        return None
    groups = [list(row.texts or ()) for row in spot.each("rolling_users")] or [[one] for one in _texts(spot, "users")]
    turns = tuple(tuple(people[one] for one in group if one in people) for group in groups)
    if missing := sum(one not in people for group in groups for one in group):
        draft.lost(spot, f"names {missing} who are not among the users; they are left out, add them by hand")
    if not any(turns):
        draft.lost(spot, "names nobody who is among the users, and is left out; write a rotation by hand")
        return None
    level = text_at(spot, "level")
    return Shift(
        spot,
        printable(text_at(spot, "name")) or "shift",
        text_at(spot, "type"),
        int(level) if level.isdecimal() and len(level) < 6 else 0,
        own,
        start,
        timedelta(seconds=seconds),
        turns,
    )


def zone_of(text: str, otherwise: ZoneInfo, spot: Spot, draft: Draft) -> ZoneInfo:
    """The time zone called `text`; `otherwise`, said aloud, where there is none of that name."""
    if not text:
        return otherwise
    try:
        return zone(text)
    except ValueError:
        draft.lost(spot, f"the time zone {shown(text)} is not known; {otherwise.key} is taken, set the right one")
        return otherwise


def _texts(spot: Spot, key: str) -> tuple[str, ...]:
    found = spot.at(key)
    return (found.texts if found else None) or ()


def _at(shift: Shift, local: datetime, home: ZoneInfo) -> str:
    return local.replace(tzinfo=shift.zone).astimezone(home).strftime(LOCAL)


def _override(shift: Shift, home: ZoneInfo, draft: Draft, now: datetime) -> Iterator[Override]:
    until = shift.start + shift.duration
    if until.replace(tzinfo=shift.zone) <= now:
        draft.lost(shift.spot, "is over, and left out")
        return
    person = _one_each(shift, (_all(shift),), draft)
    yield Override(person[0], _at(shift, shift.start, home), _at(shift, until, home))


def _all(shift: Shift) -> tuple[str, ...]:
    return tuple(dict.fromkeys(person for turn in shift.turns for person in turn))


def _one_each(shift: Shift, turns: Sequence[tuple[str, ...]], draft: Draft) -> tuple[str, ...]:
    """The first of each turn: a rotation has one person on call at a time."""
    more = sorted({person for turn in turns for person in turn[1:]})
    if more:
        told = ", ".join(more)
        draft.lost(shift.spot, f"has several people on call at once; {told} came second, add a schedule for them")
    return tuple(turn[0] for turn in turns if turn)


def _rotation(shift: Shift, home: ZoneInfo, draft: Draft) -> Rotation | None:
    frequency, interval = text_at(shift.spot, "frequency"), text_at(shift.spot, "interval") or "1"
    if shift.kind not in ("recurrent_event", "rolling_users"):
        draft.lost(shift.spot, f"the type {shown(shift.kind)} is not known, and left out; write a rotation by hand")
        return None
    if frequency not in UNITS or not interval.isdecimal() or not 0 < int(interval[:4]) < 1000 or len(interval) > 3:
        what = f"{frequency or 'no frequency'} every {interval[:8]}"
        draft.lost(shift.spot, f"{what} is no whole number of hours, days or weeks, and left out; write it by hand")
        return None
    for key in ("by_month", "by_monthday", "until"):
        if (found := shift.spot.at(key)) is not None and found.node.rows != []:
            draft.lost(found, f"{key} is not carried over; the rotation goes on all the time, mute or end it by hand")
    people = _one_each(shift, shift.turns if shift.kind == "rolling_users" else (_all(shift),), draft)
    unit, length = UNITS[frequency]
    start, intervals = _hours(shift, frequency, int(interval) * length, draft)
    return Rotation(shift.name, _turned(shift, people), f"{int(interval)}{unit}", _at(shift, start, home), intervals)


def _turned(shift: Shift, people: tuple[str, ...]) -> tuple[str, ...]:
    first = text_at(shift.spot, "start_rotation_from_user_index")
    index = int(first) % len(people) if first.isdecimal() and len(first) < 6 else 0
    return people[index:] + people[:index]


def _hours(shift: Shift, frequency: str, period: timedelta, draft: Draft) -> tuple[datetime, tuple[str, ...]]:
    """When the first turn begins, and the name of the hours that the shift is limited to, if it is to any."""
    days = [CODES.index(day) for day in _texts(shift.spot, "by_day") if day in CODES]
    start = shift.start
    if days and frequency == "weekly":
        begins = text_at(shift.spot, "week_start")
        start -= timedelta((start.weekday() - CODES.index(begins if begins in CODES else "SU")) % 7)
    if days and frequency == "daily":
        draft.lost(shift.spot, "turns pass on the days that by_day leaves out, too; look at callbridge oncall")
    if not days and shift.duration >= period:
        return start, ()
    if shift.duration > (DAY if days else WEEK) or (not days and period not in (DAY, WEEK)):
        draft.lost(shift.spot, "is on duty for a part of each turn; here it is on duty for all of it")
        return start, ()
    weekly = days or ([shift.start.weekday()] if period == WEEK else [])
    name = key_of(shift.name, draft.intervals, "hours")
    draft.intervals[name] = tuple(_spans(shift, weekly))
    return start, (name,)


def _spans(shift: Shift, weekdays: Sequence[int]) -> Iterator[Hours]:
    """The shift's hours, cut at midnight, for a shift that begins on these weekdays (none: every day)."""
    found: dict[tuple[str, str], set[int]] = {}
    at, until = shift.start, shift.start + shift.duration
    while at < until:
        midnight = at.replace(hour=0, minute=0, second=0) + DAY
        end = min(until, midnight)
        key = (f"{at:%H:%M}", "24:00" if end == midnight else f"{end:%H:%M}")
        later = (at.date() - shift.start.date()).days
        if key[0] < key[1]:
            found.setdefault(key, set()).update((day + later) % 7 for day in weekdays)
        at = end
    for (first, last), on in found.items():
        yield Hours(tuple(DAYS[day] for day in sorted(on)) if len(on) < 7 else (), first, last, shift.zone.key)
