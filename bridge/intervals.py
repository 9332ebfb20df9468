"""Alertmanager's time intervals (its timeinterval/timeinterval.go): when a route is muted or active."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import TypeVar
from zoneinfo import ZoneInfo

WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
KEYS = ("times", "weekdays", "days_of_month", "months", "years", "location")
TIME_KEYS = ("start_time", "end_time")

SHORTEST_MONTH = 28
SHOWN_LENGTH = 60

# What YAML calls nothing: Alertmanager reads `weekdays:` without a value as if the key were not there.
NOTHING = (None, "", "~", "null", "Null", "NULL")

_TIME = re.compile(r"(?:([01][0-9]|2[0-3]):([0-5][0-9]))|24:00")
_INTEGER = re.compile(r"([+-]?)0*([0-9]{1,19})")

Range = tuple[int, int]
Path = tuple[str | int, ...]
Value = TypeVar("Value")
Default = TypeVar("Default")


@dataclass(frozen=True, slots=True)
class IntervalFault:
    """One thing that is wrong in a time interval; `path` leads to it: index of the spec, key, index, key."""

    path: Path
    what: str

    def __str__(self) -> str:
        steps = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.path)
        return f"time_intervals{steps}: {self.what}"


class IntervalError(ValueError):
    """The interval cannot be used; `faults` holds all that is wrong with it, in order."""

    def __init__(self, faults: Sequence[IntervalFault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(map(str, self.faults)))


@dataclass(frozen=True, slots=True)
class Spec:
    """One spec of an interval: all fields that are present (not None) must hold, in each any one range.

    `times` are minutes of the day [from, until); all other ranges include both ends. Weekdays count from Sunday = 0,
    negative days from the month's end. `zone` None is the machine's own zone.
    """

    times: tuple[Range, ...] | None = None
    weekdays: tuple[Range, ...] | None = None
    days_of_month: tuple[Range, ...] | None = None
    months: tuple[Range, ...] | None = None
    years: tuple[Range, ...] | None = None
    zone: tzinfo | None = UTC

    def contains(self, at: datetime) -> bool:
        """Whether the wall clock of the spec's zone lies in all of its fields at the instant `at`."""
        local = at.astimezone(self.zone)
        minute = local.hour * 60 + local.minute
        return (
            (self.times is None or any(start <= minute < end for start, end in self.times))
            and _within(self.weekdays, local.isoweekday() % 7)
            and _within(self.months, local.month)
            and _within(self.years, local.year)
            and (self.days_of_month is None or _on_day(self.days_of_month, local))
        )


@dataclass(frozen=True, slots=True)
class TimeInterval:
    """One named interval: the instants that lie in any of its specs; none, if it has no spec."""

    specs: tuple[Spec, ...]

    def contains(self, at: datetime) -> bool:
        """Whether `at` lies in the interval. Raises ValueError for a time without a zone."""
        if at.tzinfo is None:
            raise ValueError("a time without a zone lies in no interval: give it one")
        return any(spec.contains(at) for spec in self.specs)


def parse_interval(specs: Sequence[Mapping[str, object]]) -> TimeInterval:
    """Read the list under `time_intervals` of one named interval, all scalars being text.

    Raises IntervalError with every fault. What Alertmanager accepts is accepted (month 13 never comes), what it
    refuses is refused: no range may wrap round, neither over midnight nor over the week or the year.
    """
    faults: list[IntervalFault] = []
    found = tuple(_spec(_Place((index,), faults), spec) for index, spec in enumerate(specs))
    if faults:
        raise IntervalError(faults)
    return TimeInterval(found)


def _within(ranges: tuple[Range, ...] | None, number: int) -> bool:
    return ranges is None or any(begin <= number <= end for begin, end in ranges)


def _on_day(ranges: tuple[Range, ...], local: datetime) -> bool:
    days = _days_in_month(local)
    return any(_day(begin, days) <= local.day <= _day(end, days) for begin, end in ranges)


def _day(number: int, days: int) -> int:
    return number if number > 0 else days + number + 1


def _days_in_month(local: datetime) -> int:
    if local.month == 2:
        leap = local.year % 4 == 0 and (local.year % 100 != 0 or local.year % 400 == 0)
        return 29 if leap else 28
    return 30 if local.month in (4, 6, 9, 11) else 31


class _Wrong(Exception):
    """What is wrong with one value; its `_Place` knows where that stands."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the reading is, and the list that takes what is wrong there."""

    path: Path
    faults: list[IntervalFault]

    def below(self, step: str | int) -> _Place:
        return _Place((*self.path, step), self.faults)

    def blame(self, what: str) -> None:
        self.faults.append(IntervalFault(self.path, what))

    def attempt(self, read: Callable[[object], Value], value: object, otherwise: Default) -> Value | Default:
        """`read(value)`, or a fault and `otherwise`."""
        try:
            return read(value)
        except _Wrong as wrong:
            self.blame(str(wrong))
            return otherwise


def _spec(place: _Place, spec: object) -> Spec:
    fields = _fields(place, spec, KEYS)
    return Spec(
        times=_ranges(place.below("times"), fields.get("times"), _time_range),
        weekdays=_ranges(place.below("weekdays"), fields.get("weekdays"), _weekdays),
        days_of_month=_ranges(place.below("days_of_month"), fields.get("days_of_month"), _days_of_month),
        months=_ranges(place.below("months"), fields.get("months"), _months),
        years=_ranges(place.below("years"), fields.get("years"), _years),
        zone=_location(place.below("location"), fields.get("location")),
    )


def _fields(place: _Place, value: object, known: Sequence[str]) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        place.blame(f"expected a mapping with any of {', '.join(known)}")
        return {}
    for key in value:
        if key not in known:
            place.below(str(key)).blame(f"unknown key; known are {', '.join(known)}")
    return value


def _ranges(place: _Place, value: object, read: Callable[[_Place, object], Range | None]) -> tuple[Range, ...] | None:
    if value in NOTHING:
        return None
    if isinstance(value, str) or not isinstance(value, Sequence):
        place.blame("expected a list")
        return None
    found = [read(place.below(index), one) for index, one in enumerate(value)]
    return tuple(one for one in found if one is not None)


def _location(place: _Place, value: object) -> tzinfo | None:
    return UTC if value in NOTHING else place.attempt(_zone, value, UTC)


def _time_range(place: _Place, value: object) -> Range | None:
    fields = _fields(place, value, TIME_KEYS)
    if not isinstance(value, Mapping):
        return None
    if any(fields.get(key) in NOTHING for key in TIME_KEYS):
        place.blame("start_time and end_time are both needed")
        return None
    start, end = (place.below(key).attempt(_minutes, fields[key], None) for key in TIME_KEYS)
    if start is None or end is None:
        return None
    if start >= end:
        place.blame("start_time must be before end_time; for a span over midnight list two, the first until 24:00")
        return None
    return start, end


def _weekdays(place: _Place, value: object) -> Range | None:
    return place.attempt(_read_weekdays, value, None)


def _days_of_month(place: _Place, value: object) -> Range | None:
    return place.attempt(_read_days_of_month, value, None)


def _months(place: _Place, value: object) -> Range | None:
    return place.attempt(_read_months, value, None)


def _years(place: _Place, value: object) -> Range | None:
    return place.attempt(_read_years, value, None)


def _read_weekdays(value: object) -> Range:
    begin, end = _range(value, _weekday)
    if begin > end:
        raise _Wrong(f"{_shown(value)} runs backwards: the week goes from sunday to saturday, so list two ranges")
    return begin, end


def _read_days_of_month(value: object) -> Range:
    begin, end = _range(value, _integer)
    for day in (begin, end):
        if day == 0 or not -31 <= day <= 31:
            raise _Wrong(f"{day} is no day of the month: write 1 to 31, or -1 (the last day) to -31")
    if begin < 0 < end:
        raise _Wrong(f"{_shown(value)} begins at the month's end, so it must end there too: write a negative end")
    # Alertmanager's own check, which is a day stricter than February is.
    if _in_shortest_month(begin) > _in_shortest_month(end):
        raise _Wrong(f"{_shown(value)} ends before it begins, at least in February")
    return begin, end


def _read_months(value: object) -> Range:
    begin, end = _range(value, _month)
    if begin > end:
        raise _Wrong(f"{_shown(value)} runs backwards: list two ranges, one until december and one from january")
    return begin, end


def _read_years(value: object) -> Range:
    begin, end = _range(value, _integer)
    if begin > end:
        raise _Wrong(f"{_shown(value)} ends before it begins")
    return begin, end


def _in_shortest_month(day: int) -> int:
    return SHORTEST_MONTH + day if day < 0 else day


def _range(value: object, member: Callable[[str], int]) -> Range:
    """`a` or `a:b`, in any case of letters, with no space in it."""
    text = _text(value).lower()
    ends = text.split(":")
    if len(ends) > 2:
        raise _Wrong(f"{_shown(value)} is no range: write one value or begin:end")
    return member(ends[0]), member(ends[-1])


def _weekday(text: str) -> int:
    if text not in WEEKDAYS:
        raise _Wrong(f'{_shown(text)} is no weekday: write its full English name, such as monday or "monday:friday"')
    return WEEKDAYS.index(text)


def _month(text: str) -> int:
    if text in MONTHS:
        return MONTHS.index(text) + 1
    if not _INTEGER.fullmatch(text):
        raise _Wrong(f"{_shown(text)} is no month: write its full English name or a number from 1 to 12")
    return _integer(text)


def _integer(text: str) -> int:
    # Go's Atoi, 64 bits wide; int() alone also takes spaces, underscores and the digits of other scripts.
    found = _INTEGER.fullmatch(text)
    number = int(found[1] + found[2]) if found else None
    if number is None or not -(2**63) <= number < 2**63:
        raise _Wrong(f"{_shown(text)} is no whole number")
    return number


def _minutes(value: object) -> int:
    """`HH:MM` as minutes of the day, 24:00 being its end."""
    text = _text(value)
    if not _TIME.fullmatch(text):
        raise _Wrong(f"{_shown(text)} is no time: write HH:MM, from 00:00 to 24:00")
    return int(text[:2]) * 60 + int(text[3:])


def _zone(value: object) -> tzinfo | None:
    name = _text(value)
    if name in ("UTC", "Local"):
        return UTC if name == "UTC" else None
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):  # no such file, a name that leads astray, a folder
        raise _Wrong(f"unknown time zone {_shown(name)}: write an IANA name such as Europe/Berlin") from None


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise _Wrong("expected text")


def _shown(value: object) -> str:
    text = str(value)
    return f'"{text if len(text) <= SHOWN_LENGTH else text[:SHOWN_LENGTH] + "…"}"'
