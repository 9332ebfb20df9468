"""Calendars: iCalendar files (RFC 5545) in, as on-call entries; shifts out."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import icalendar
import recurring_ical_events
from icalendar.timezone import tzp

from bridge.schedule.people import Names, Person
from bridge.schedule.wallclock import instant

LONGEST_SUMMARY = 200
# Bounds for what a file may ask of us; beyond them it is refused with a reason, not read for hours.
MOST_EVENTS = 20_000
MOST_SERIES = 1_000
LONGEST_HISTORY = 30  # years; a series is unfolded from its very start
FREQUENCIES = frozenset({"YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY"})

# Zones stretch an event's day to at most this far from the same day in UTC; what was too much is cut off afterwards.
_MARGIN = timedelta(days=2)
_DECISIVE = frozenset(
    {"DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID", "STATUS", "SUMMARY"}
)
# The library keeps the zones that a file defines in one place for the whole process, the first of a name for ever.
_ZONES = threading.Lock()


class CalendarError(ValueError):
    """The calendar cannot be used; the text says why, fit for an operator's eyes."""


@dataclass(frozen=True, slots=True)
class CalendarShift:
    """One occurrence of an event from `starts` (inclusive) to `ends` (exclusive), in UTC; `person` is whom it names.

    `person` is None while nobody has looked yet, and when the summary names nobody known.
    """

    summary: str
    starts: datetime
    ends: datetime
    person: str | None = None


def read_calendar(ics: bytes, span_start: datetime, span_end: datetime, zone: ZoneInfo) -> tuple[CalendarShift, ...]:
    """The occurrences, whole ones, that overlap the span (aware instants), in order of their start.

    Series are unfolded with their exceptions (RRULE, RDATE, EXDATE, RECURRENCE-ID); cancelled events and those without
    any length are left out. All-day events and times without a zone are in `zone`, by the rule of `wallclock`; times
    with a zone are what RFC 5545 (3.3.5) says they are. Raises CalendarError if any event cannot be read: an event that
    is silently dropped is a night without anybody. How many bytes it is given is the caller's to bound.
    """
    try:
        calendar = _parse(ics)
        _check(calendar, span_end)
        found = list(_occurrences(calendar, span_start, span_end, zone))
    except CalendarError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        # What the libraries raise of a broken file is not one family; all of it means the same to the operator.
        raise CalendarError(f"not a readable calendar: {plain(str(error))}") from None
    return tuple(sorted(found, key=lambda one: (one.starts, one.ends, one.summary)))


def resolve(entries: Iterable[CalendarShift], people: Mapping[str, Person]) -> tuple[CalendarShift, ...]:
    """The entries with the key of the person whom each names, or None; see `person_of`."""
    names = Names(people)
    return tuple(replace(one, person=names.person_of(one.summary)) for one in entries)


def unknown(entries: Iterable[CalendarShift]) -> tuple[str, ...]:
    """The summaries of resolved entries that name nobody known, each once: to be said aloud."""
    return tuple(dict.fromkeys(one.summary for one in entries if one.person is None))


def _parse(ics: bytes) -> icalendar.Component:
    if (events := ics.upper().count(b"BEGIN:VEVENT")) > MOST_EVENTS:
        raise CalendarError(f"the calendar has {events} events, more than {MOST_EVENTS}")
    with _ZONES, warnings.catch_warnings():
        # It guesses what "/vendor/Europe/Berlin" means, rightly, and says so on standard error.
        warnings.simplefilter("ignore")
        tzp.use_default()
        calendar = icalendar.Calendar.from_ical(ics)
    if calendar.name != "VCALENDAR":
        raise CalendarError("not a calendar: it does not begin with BEGIN:VCALENDAR")
    return calendar


def _check(calendar: icalendar.Component, span_end: datetime) -> None:
    """Refuse what the libraries would pass over in silence or never come to an end with."""
    events = calendar.walk("VEVENT")
    if sum("RRULE" in event for event in events) > MOST_SERIES:
        raise CalendarError(f"the calendar has more than {MOST_SERIES} events that recur")
    for event in events:
        _check_event(event, f'event "{_summary(event)}"', span_end)


def _check_event(event: icalendar.Component, name: str, span_end: datetime) -> None:
    for prop, what in event.errors:
        if prop is None or prop.upper() in _DECISIVE:
            raise CalendarError(f"{name}: {prop or 'a line'} cannot be read: {plain(str(what))}")
    start = event.get("DTSTART")
    if start is None:
        raise CalendarError(f"{name} has no DTSTART")
    for time in (start, event.get("DTEND")):
        _check_zone(name, time)
    for rule in _listed(event.get("RRULE")):
        _check_rule(name, rule)
        if span_end.year - start.dt.year > LONGEST_HISTORY:
            raise CalendarError(f"{name} recurs since {start.dt.year}: give the series a later start")


def _check_zone(name: str, time: Any) -> None:
    if time is None or not isinstance(time.dt, datetime) or time.dt.tzinfo is not None:
        return
    if zone := time.params.get("TZID"):
        raise CalendarError(f'{name}: the time zone "{plain(zone)}" is neither known nor defined in the file')


def _check_rule(name: str, rule: Mapping[str, Any]) -> None:
    parts = {part.upper(): _listed(value) for part, value in rule.items()}
    frequency = ",".join(str(one).upper() for one in parts.get("FREQ", ()))
    if frequency not in FREQUENCIES:
        raise CalendarError(f"{name}: a shift cannot recur {plain(frequency) or 'without FREQ'}; hourly is the least")
    if any(int(one) < 1 for one in parts.get("INTERVAL", ())):
        raise CalendarError(f"{name}: INTERVAL must be 1 or more")
    crowded = any(len(parts.get(part, ())) > 1 for part in ("BYMINUTE", "BYSECOND"))
    if crowded or (frequency == "HOURLY" and any(part.startswith("BY") for part in parts)):
        raise CalendarError(f"{name} recurs by too fine a rule; hourly is the least")


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _occurrences(
    calendar: icalendar.Component, span_start: datetime, span_end: datetime, zone: ZoneInfo
) -> Iterator[CalendarShift]:
    for event in recurring_ical_events.of(calendar).between(span_start - _MARGIN, span_end + _MARGIN):
        if str(event.get("STATUS", "")).strip().upper() == "CANCELLED":
            continue
        starts, ends = _instant(event["DTSTART"].dt, zone), _instant(event["DTEND"].dt, zone)
        if starts < ends and starts < span_end and ends > span_start:
            yield CalendarShift(_summary(event), starts, ends)


def _instant(when: date, zone: ZoneInfo) -> datetime:
    if not isinstance(when, datetime):
        return instant(datetime(when.year, when.month, when.day), zone)  # noqa: DTZ001 - a wall clock, by `instant`
    return instant(when, zone) if when.tzinfo is None else when.astimezone(UTC)


def _summary(event: icalendar.Component) -> str:
    summary = _listed(event.get("SUMMARY"))
    return plain(str(summary[0])) if summary else ""


def plain(text: str) -> str:
    """A stranger's text as one printable line of at most 200 characters."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(shown.split())[:LONGEST_SUMMARY]
