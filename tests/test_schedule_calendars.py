"""Calendars as Google, Outlook and PagerDuty export them; whom a summary names; shifts as a calendar."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.schedule import (
    CalendarError,
    CalendarShift,
    Override,
    Person,
    Rotation,
    Schedule,
    gaps,
    ical_of,
    on_call,
    parse_period,
    person_of,
    read_calendar,
    resolve,
    shifts,
    unknown,
)

CALENDARS = Path(__file__).parent / "data" / "calendars"
BERLIN = ZoneInfo("Europe/Berlin")
SPAN = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
PEOPLE = {
    "alice": Person("alice", "Alice Example", "+491710000001", "de-DE", "alice@example.com"),
    "bob": Person("bob", "Bob Example", "+491710000002", "de-DE", "bob@example.com"),
    "carol": Person("carol", "Carol Ångström-Example", "+491710000003", "sv-SE"),
    "ann": Person("ann", "Ann Lee", "+491710000004", "en-GB"),
    "mary": Person("mary", "Mary Ann Lee", "+491710000005", "en-GB"),
    "twin1": Person("twin1", "Robin Same", "+491710000006", "en-GB"),
    "twin2": Person("twin2", "Robin Same", "+491710000007", "en-GB"),
}
Rows = list[tuple[str, str, str | None]]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def read(name: str, zone: ZoneInfo = BERLIN) -> tuple[CalendarShift, ...]:
    return resolve(read_calendar((CALENDARS / name).read_bytes(), *SPAN, zone), PEOPLE)


def rows(entries: Sequence[CalendarShift]) -> Rows:
    return [(f"{one.starts:%m-%d %H:%M}", f"{one.ends:%m-%d %H:%M}", one.person) for one in entries]


def calendar(*lines: str) -> bytes:
    """One event of these lines, in a calendar."""
    head = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//", "BEGIN:VEVENT", "UID:1", "SUMMARY:alice"]
    return "\r\n".join([*head, *lines, "END:VEVENT", "END:VCALENDAR", ""]).encode()


def test_a_series_as_google_exports_it() -> None:
    """Every other week at nine, winter and summer; one moved, one excluded, one cancelled, one single event in UTC."""
    assert rows(read("google.ics")) == [
        ("03-09 08:00", "03-16 08:00", "alice"),
        ("03-16 08:00", "03-23 08:00", "bob"),
        ("03-23 08:00", "03-30 07:00", "alice"),
        ("04-07 10:00", "04-13 07:00", "alice"),
        ("05-18 07:00", "05-25 07:00", "alice"),
    ]


def test_events_as_outlook_exports_them() -> None:
    """Zones under Windows' and under invented names, days as a whole in the schedule's zone, a cancelled event."""
    assert rows(read("outlook.ics")) == [
        ("03-03 13:00", "03-03 23:00", "bob"),
        ("03-10 12:00", "03-10 22:00", "bob"),
        ("03-17 12:00", "03-17 22:00", "bob"),
        ("03-27 23:00", "03-29 22:00", "carol"),
        ("03-28 20:00", "03-29 07:00", "alice"),
    ]


def test_shifts_as_pagerduty_exports_them() -> None:
    """One event per shift; a name that nobody has is told."""
    found = read("pagerduty.ics")
    assert rows(found) == [
        ("03-16 08:00", "03-23 08:00", "alice"),
        ("03-23 08:00", "03-30 07:00", "bob"),
        ("03-25 22:00", "03-26 22:00", "alice"),
        ("03-30 07:00", "04-06 07:00", None),
    ]
    assert unknown(found) == ("On Call - Mallory Stranger - Primary",)


def test_whole_days_are_days_of_the_schedule() -> None:
    """An event of whole days begins at midnight where the schedule is, not in UTC."""
    found = [one for one in read("outlook.ics", ZoneInfo("Pacific/Auckland")) if one.person == "carol"]
    assert rows(found) == [("03-27 11:00", "03-29 11:00", "carol")]


def test_a_whole_day_is_found_by_any_of_its_hours() -> None:
    """A short span far from UTC still finds the day that it lies in."""
    ics = calendar("DTSTART;VALUE=DATE:20260328")
    span = utc("2026-03-27 12:00"), utc("2026-03-27 13:00")
    assert rows(read_calendar(ics, *span, ZoneInfo("Pacific/Auckland"))) == [("03-27 11:00", "03-28 11:00", None)]


def test_a_calendars_own_zone_does_not_reach_the_next_calendar() -> None:
    """Two files may each define a zone of one name: each is read by its own."""
    outlook = (CALENDARS / "outlook.ics").read_bytes()
    east = outlook.replace(b"TZOFFSETFROM:-0400", b"TZOFFSETFROM:+0900").replace(
        b"TZOFFSETTO:-0400", b"TZOFFSETTO:+0900"
    )
    east = east.replace(b"TZOFFSETFROM:-0500", b"TZOFFSETFROM:+0900").replace(b"TZOFFSETTO:-0500", b"TZOFFSETTO:+0900")
    first = [read_calendar(ics, *SPAN, BERLIN)[0].starts for ics in (outlook, east, outlook)]
    assert first == [utc("2026-03-03 13:00"), utc("2026-03-02 23:00"), utc("2026-03-03 13:00")]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["DTSTART:20260105T090000", "DTEND:20260105T100000"], [("01-05 08:00", "01-05 09:00")]),
        (["DTSTART:20260329T023000", "DTEND:20260329T040000"], [("03-29 01:00", "03-29 02:00")]),
        (["DTSTART;VALUE=DATE:20260329"], [("03-28 23:00", "03-29 22:00")]),
        (["DTSTART:20260105T090000Z", "DURATION:PT8H"], [("01-05 09:00", "01-05 17:00")]),
        (["DTSTART:20260105T090000Z", "DTEND:20260105T090000Z"], []),
        (["DTSTART:20260105T090000Z"], []),
        (["DTSTART:20260105T090000Z", "DURATION:PT1H", "CREATED:long ago"], [("01-05 09:00", "01-05 10:00")]),
        (["DTSTART:20250105T090000Z", "DTEND:20250106T090000Z"], []),
        (["DTSTART:20251201T000000Z", "DTEND:20270101T000000Z"], [("12-01 00:00", "01-01 00:00")]),
        (["DTSTART:20260105T090000Z", "DTEND:20260106T090000Z", "STATUS:cancelled"], []),
        (
            ["DTSTART:20260105T090000Z", "DTEND:20260106T090000Z", "RDATE:20260109T090000Z"],
            [("01-05 09:00", "01-06 09:00"), ("01-09 09:00", "01-10 09:00")],
        ),
        (
            ["DTSTART:20260105T080000Z", "DTEND:20260105T200000Z", "RRULE:FREQ=HOURLY;INTERVAL=24;COUNT=2"],
            [("01-05 08:00", "01-05 20:00"), ("01-06 08:00", "01-06 20:00")],
        ),
        (
            ["DTSTART;TZID=/freeassociation.sourceforge.net/Europe/Berlin:20260105T090000", "DURATION:PT1H"],
            [("01-05 08:00", "01-05 09:00")],
        ),
    ],
)
def test_an_event_is_read(lines: list[str], expected: list[tuple[str, str]]) -> None:
    """Floating times are the schedule's; no length is no shift; what is outside the span, or cancelled, is left out."""
    found = read_calendar(calendar(*lines), *SPAN, BERLIN)
    assert [row[:2] for row in rows(found)] == expected


@pytest.mark.parametrize(
    ("ics", "said"),
    [
        (b"", "not a readable calendar"),
        (b"<html><body>please log in</body></html>", "not a readable calendar"),
        (bytes(range(256)), "not a readable calendar"),
        (calendar("DTSTART:20260105T090000Z")[:-30], "not a readable calendar"),
        (b"BEGIN:VEVENT\r\nEND:VEVENT\r\n", "does not begin with BEGIN:VCALENDAR"),
        (calendar("DTEND:20260105T090000Z"), 'event "alice" has no DTSTART'),
        (calendar("DTSTART:sometime", "DTEND:20260105T090000Z"), "alice"),
        (calendar("DTSTART:20260105T090000Z", "DTEND:whenever"), "alice"),
        (calendar("DTSTART:20260105T090000Z", "DTSTART:20260105T090000Z"), "not a readable calendar"),
        (calendar("DTSTART:00010101T000000", "DTEND:99991231T235959"), "not a readable calendar"),
        (
            calendar("DTSTART;TZID=Mars/Base:20260105T090000", "DURATION:PT1H"),
            '"Mars/Base" is neither known nor defined',
        ),
        (calendar("DTSTART:20260105T090000Z", "DURATION:PT1H", "RRULE:FREQ=MINUTELY"), "cannot recur MINUTELY"),
        (calendar("DTSTART:20260105T090000Z", "DURATION:PT1H", "RRULE:FREQ=FORTNIGHTLY"), "alice"),
        (calendar("DTSTART:20260105T090000Z", "DURATION:PT1H", "RRULE:COUNT=3"), "without FREQ"),
        (calendar("DTSTART:20260105T090000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;INTERVAL=0"), "INTERVAL must be 1"),
        (calendar("DTSTART:20260105T090000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;BYMINUTE=0,1"), "too fine a rule"),
        (calendar("DTSTART:20260105T090000Z", "DURATION:PT1H", "RRULE:FREQ=HOURLY;BYMONTH=2"), "too fine a rule"),
        (calendar("DTSTART:19700105T090000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY"), "recurs since 1970"),
        (calendar(*["END:VEVENT", "BEGIN:VEVENT", "DTSTART:20260105T090000Z"] * 20_000), "more than 20000"),
    ],
)
def test_a_calendar_that_cannot_be_trusted_is_refused(ics: bytes, said: str) -> None:
    """Nothing is dropped in silence and nothing is counted for hours: it is refused, in one short line."""
    with pytest.raises(CalendarError, match=said) as refused:
        read_calendar(ics, *SPAN, BERLIN)
    assert len(str(refused.value)) < 500
    assert str(refused.value).isprintable()


def test_many_series_are_refused() -> None:
    """More recurring events than any rota has are not unfolded."""
    more = ["DTSTART:20260105T090000Z", "RRULE:FREQ=DAILY", "END:VEVENT", "BEGIN:VEVENT"] * 1_001
    with pytest.raises(CalendarError, match="more than 1000 events that recur"):
        read_calendar(calendar(*more, "DTSTART:20260105T090000Z"), *SPAN, BERLIN)


@pytest.mark.parametrize(
    ("summary", "key"),
    [
        ("alice", "alice"),
        ("  ALICE ", "alice"),
        ("Alice Example", "alice"),
        ("alice example", "alice"),
        ("BOB@example.com", "bob"),
        ("On call - Alice Example", "alice"),
        ("On Call - Alice Example - Primary", "alice"),
        ("On-Call: Alice Example", "alice"),
        ("On call: bob", "bob"),
        ("oncall bob", "bob"),
        ("bob is on call", "bob"),
        ("Bob Example on-call", "bob"),
        ("Alice Example (primary)", "alice"),
        ("Alice Example <alice@example.com>", "alice"),
        ("[on call] bob", "bob"),
        ("Bereitschaft: carol ångström-example", "carol"),
        ("CAROL A\u030angstro\u0308m-Example", "carol"),
        ("Shift of Alice Example this week", "alice"),
        ("Shift of Alice Example.", "alice"),
        ("week of alice@example.com.", "alice"),
        ("covered by Mary Ann Lee today", "mary"),
        ("covered by Ann Lee today", "ann"),
        ("Alice / Bob", None),
        ("Alice Example swaps with Bob Example", None),
        ("Robin Same", None),
        ("twin1", "twin1"),
        ("ask alice", None),
        ("malice", None),
        ("notalice@example.com", None),
        ("write to alice@example.com.au", None),
        ("Alice Exampleton", None),
        ("Nobody on call", None),
        ("", None),
        ("on call", None),
    ],
)
def test_whom_a_summary_names(summary: str, key: str | None) -> None:
    """A key, a name or an address, alone or as on-call systems write it; never a guess between two."""
    assert person_of(summary, PEOPLE) == key


def test_a_strangers_summary_is_one_printable_line() -> None:
    """Control characters do not get into a log by a calendar, nor pages of text."""
    ics = calendar("DTSTART:20260105T090000Z", "DURATION:PT1H").replace(b":alice", b":a\x1b[31m\\nlice" + b"x" * 900)
    (found,) = read_calendar(ics, *SPAN, BERLIN)
    assert found.summary.startswith("a [31m lice")
    assert len(found.summary) == 200


def in_schedule(name: str, *rotations: Rotation, overrides: tuple[Override, ...] = ()) -> Schedule:
    return Schedule("holidays", BERLIN, rotations, overrides, read(name))


def test_people_whose_events_overlap_are_on_call_side_by_side() -> None:
    """While two entries overlap both people are on call, each with a shift of their own."""
    the = in_schedule("pagerduty.ics")
    assert on_call(the, utc("2026-03-26 00:00")) == ("bob", "alice")
    found = [
        (one.person, one.starts, one.ends, one.because)
        for one in shifts(the, utc("2026-03-25 00:00"), utc("2026-03-27 00:00"))
    ]
    assert found == [
        ("bob", utc("2026-03-25 00:00"), utc("2026-03-27 00:00"), "calendar"),
        ("alice", utc("2026-03-25 22:00"), utc("2026-03-26 22:00"), "calendar"),
    ]


def test_a_gap_says_which_entry_names_nobody() -> None:
    """An entry with a name that nobody has leaves a gap, and the gap says so."""
    found = gaps(in_schedule("pagerduty.ics"), utc("2026-03-20 00:00"), utc("2026-04-07 00:00"))
    assert [(one.starts, one.because) for one in found] == [
        (utc("2026-03-30 07:00"), 'calendar: "On Call - Mallory Stranger - Primary" names nobody known'),
        (utc("2026-04-06 07:00"), "nobody is on call"),
    ]


def test_a_calendar_lies_between_rotations_and_overrides() -> None:
    """An entry covers a rotation, a misspelt one does not, and an override covers both."""
    rotation = Rotation("week", ("carol",), parse_period("1w"), datetime.fromisoformat("2026-01-05 09:00"))
    override = Override("dora", utc("2026-03-26 00:00"), utc("2026-03-26 01:00"))
    the = in_schedule("pagerduty.ics", rotation, overrides=(override,))
    at = ["2026-03-15 00:00", "2026-03-24 00:00", "2026-03-26 00:30", "2026-03-31 00:00"]
    assert [on_call(the, utc(one)) for one in at] == [("carol",), ("bob",), ("dora",), ("carol",)]


def test_one_person_in_two_overlapping_events_is_called_once() -> None:
    """Two entries of one person at one time are one duty."""
    entries = tuple(
        CalendarShift("a", utc(f"2026-03-0{day} 00:00"), utc("2026-03-09 00:00"), "alice") for day in (1, 2)
    )
    the = Schedule("holidays", BERLIN, calendar=entries)
    assert on_call(the, utc("2026-03-03 00:00")) == ("alice",)
    assert len(shifts(the, utc("2026-03-01 00:00"), utc("2026-03-09 00:00"))) == 1


ROTATION = Rotation("week", ("alice", "bob"), parse_period("1w"), datetime.fromisoformat("2026-01-05 09:00"))
PRIMARY = Schedule("primary", BERLIN, (ROTATION,))


def test_shifts_come_back_from_their_calendar() -> None:
    """What is exported is read back as the same shifts, across the changes of clocks."""
    told = shifts(PRIMARY, utc("2026-02-02 08:00"), utc("2026-11-30 08:00"))
    read_back = resolve(read_calendar(ical_of(told, "primary", PEOPLE), told[0].starts, told[-1].ends, BERLIN), PEOPLE)
    assert [(one.person, one.starts, one.ends) for one in read_back] == [
        (one.person, one.starts, one.ends) for one in told
    ]


def test_an_exported_calendar_shows_names_and_gaps_but_no_number() -> None:
    """A gap is seen in the calendar, a person by name, or by key where the name is not known; numbers are not."""
    told = shifts(PRIMARY, utc("2026-01-01 00:00"), utc("2026-01-20 00:00"))
    ics = ical_of(told, "On call, primary", {"alice": PEOPLE["alice"]}).decode()
    assert [line for line in ics.splitlines() if line.startswith(("SUMMARY", "X-WR-CALNAME"))] == [
        "X-WR-CALNAME:On call\\, primary",
        "SUMMARY:Nobody on call",
        "SUMMARY:Alice Example",
        "SUMMARY:bob",
        "SUMMARY:Alice Example",
    ]
    assert "+49" not in ics
    assert "@example.com" not in ics


def test_a_shift_keeps_its_uid() -> None:
    """Exported again, with another end and an override in its midst, a shift that began the same is the same event."""

    def uids(the: Schedule, days: int) -> list[str]:
        told = shifts(the, utc("2026-01-05 08:00"), utc("2026-01-05 08:00") + timedelta(days=days))
        return [line for line in ical_of(told, "x").decode().splitlines() if line.startswith("UID")]

    override = Override("carol", utc("2026-01-07 00:00"), utc("2026-01-08 00:00"))
    first, later = uids(PRIMARY, 20), uids(Schedule("primary", BERLIN, (ROTATION,), (override,)), 28)
    assert set(first) <= set(later)
    assert len(set(later)) == len(later) == 6
    assert uids(Schedule("other", BERLIN, (ROTATION,)), 21) != first


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(CALENDARS.glob("*.ics"))), st.lists(st.tuples(st.floats(0, 0.999), st.binary(max_size=3)))
)
def test_a_damaged_calendar_is_read_or_refused(path: Path, damage: list[tuple[float, bytes]]) -> None:
    """Whatever bytes are changed in a file, it is read, or refused with a CalendarError: nothing else comes out."""
    ics = bytearray(path.read_bytes())
    for where, bytes_ in damage:
        at = int(where * len(ics))
        ics[at : at + len(bytes_)] = bytes_
    with contextlib.suppress(CalendarError):
        assert all(one.starts < one.ends for one in read_calendar(bytes(ics), *SPAN, BERLIN))
