"""The nights when clocks change: wall times and instants, 420 days against a wall clock, intervals."""

from __future__ import annotations

import random
from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from bridge.intervals import TimeInterval, parse_interval
from bridge.schedule import (
    Override,
    Rotation,
    Schedule,
    instant,
    on_call,
    parse_period,
    shifts,
)

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
HOUR = timedelta(hours=1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def wall(text: str) -> datetime:
    return datetime.fromisoformat(text)


def rotation(
    people: str, every: str = "1w", start: str = "2026-01-05 09:00", active: tuple[TimeInterval, ...] = ()
) -> Rotation:
    return Rotation("week", tuple(people.split()), parse_period(every), wall(start), active)


def schedule(*rotations: Rotation, zone: ZoneInfo = BERLIN, overrides: tuple[Override, ...] = ()) -> Schedule:
    return Schedule("primary", zone, rotations, overrides)


@pytest.mark.parametrize(
    ("zone", "local", "expected"),
    [
        ("Europe/Berlin", "2026-01-05 09:00", "2026-01-05 08:00"),
        ("Europe/Berlin", "2026-07-05 09:00", "2026-07-05 07:00"),
        ("Europe/Berlin", "2026-03-29 01:59", "2026-03-29 00:59"),
        ("Europe/Berlin", "2026-03-29 02:00", "2026-03-29 01:00"),
        ("Europe/Berlin", "2026-03-29 02:30", "2026-03-29 01:00"),
        ("Europe/Berlin", "2026-03-29 02:59:59.5", "2026-03-29 01:00"),
        ("Europe/Berlin", "2026-03-29 03:00", "2026-03-29 01:00"),
        ("Europe/Berlin", "2026-10-25 02:00", "2026-10-25 00:00"),
        ("Europe/Berlin", "2026-10-25 02:30", "2026-10-25 00:30"),
        ("Europe/Berlin", "2026-10-25 03:00", "2026-10-25 02:00"),
        ("America/New_York", "2026-03-08 02:30", "2026-03-08 07:00"),
        ("America/New_York", "2026-11-01 01:30", "2026-11-01 05:30"),
        ("Australia/Lord_Howe", "2026-10-04 02:15", "2026-10-03 15:30"),
        ("Australia/Lord_Howe", "2026-04-05 01:45", "2026-04-04 14:45"),
        ("America/Santiago", "2026-09-06 00:00", "2026-09-06 04:00"),
        ("Pacific/Apia", "2011-12-30 12:00", "2011-12-30 10:00"),
        ("UTC", "2026-03-29 02:30", "2026-03-29 02:30"),
    ],
)
def test_a_wall_time_is_one_instant(zone: str, local: str, expected: str) -> None:
    """A time in a gap is the first instant after it, also where a whole day is missing; of two the first is meant."""
    assert instant(wall(local), ZoneInfo(zone)) == utc(expected)


# Written down from the zones' published rules: where, on the wall clock, the repeated hour (or half hour) ends.
END_OF_REPEATED = {
    "Europe/Berlin": {2026: "2026-10-25 03:00", 2027: "2027-10-31 03:00"},
    "America/New_York": {2026: "2026-11-01 02:00", 2027: "2027-11-07 02:00"},
    "Australia/Lord_Howe": {2026: "2026-04-05 02:00", 2027: "2027-04-04 02:00"},
    "UTC": {},
}
SPAN = utc("2026-02-20 00:00"), utc("2026-02-20 00:00") + timedelta(days=420)
CHANGES = {
    "Europe/Berlin": ("2026-03-29 01:00", "2026-10-25 01:00", "2027-03-28 01:00"),
    "America/New_York": ("2026-03-08 07:00", "2026-11-01 06:00", "2027-03-14 07:00"),
    "Australia/Lord_Howe": ("2026-04-04 15:00", "2026-10-03 15:30", "2027-04-03 15:00"),
    "UTC": ("2026-06-01 00:00",),
}
FOUR = [
    ("Europe/Berlin", "1w", "2026-01-05 09:00", "2026-10-24 20:00", "2026-10-25 08:00"),
    ("America/New_York", "1d", "2026-01-05 02:30", "2026-03-08 03:00", "2026-03-08 14:00"),
    ("Australia/Lord_Howe", "12h", "2026-01-05 02:15", "2026-10-03 09:00", "2026-10-03 21:30"),
    ("UTC", "2w", "2026-01-05 09:00", "2026-03-28 20:00", "2026-03-29 08:00"),
    # And hand-overs inside the very times that are left out or come twice.
    ("Europe/Berlin", "1d", "2026-01-05 02:30", "2026-10-24 20:00", "2026-10-25 00:45"),
    ("America/New_York", "6h", "2026-01-05 01:30", "2026-11-01 00:00", "2026-11-01 06:15"),
    ("Australia/Lord_Howe", "1h", "2026-01-05 00:45", "2026-04-04 14:00", "2026-04-04 14:50"),
    ("Europe/Berlin", "5h", "2026-01-05 00:30", "2026-03-29 00:00", "2026-03-29 01:00"),
]


def wall_clock_oracle(zone: str, people: list[str], start: str, length: timedelta, now: datetime) -> str:
    """Another way: look at the wall clock, and count the periods that it has seen come.

    In the second pass of a repeated hour it has already seen everything up to that hour's end.
    """
    local = now.astimezone(ZoneInfo(zone))
    seen = local.replace(tzinfo=None, fold=0)
    if local.fold:
        seen = wall(END_OF_REPEATED[zone][local.year]) - timedelta(microseconds=1)
    return people[(seen - wall(start)) // length % len(people)]


@pytest.mark.parametrize(("zone", "every", "start", "from_", "until"), FOUR)
def test_420_days_agree_with_a_wall_clock(zone: str, every: str, start: str, from_: str, until: str) -> None:
    """For 420 days, an override across a night of change among them, 2,000 instants agree with a wall-clock oracle."""
    people = ["alice", "bob", "carol"]
    override = Override("dora", utc(from_), utc(until))
    the = schedule(rotation(" ".join(people), every, start), zone=ZoneInfo(zone), overrides=(override,))
    table = shifts(the, *SPAN)
    begins = [shift.starts for shift in table]
    chance = random.Random(zone)
    seconds = int((SPAN[1] - SPAN[0]).total_seconds())
    instants = [SPAN[0] + timedelta(seconds=chance.randrange(seconds)) for _ in range(1_400)]
    # Most of a year is easy: six hundred of them lie within four hours of a change of clocks, on whole minutes.
    near = [utc(chance.choice(CHANGES[zone])) + timedelta(minutes=chance.randrange(-240, 241)) for _ in range(600)]
    for now in [*instants, *near]:
        expected = wall_clock_oracle(zone, people, start, parse_period(every).length, now)
        if override.starts <= now < override.ends:
            expected = "dora"
        assert on_call(the, now) == (expected,), now
        shift = table[bisect_right(begins, now) - 1]
        assert now < shift.ends, now
        assert shift.person == expected, now


def test_a_hand_over_in_the_gap_comes_at_its_end() -> None:
    """A day that is handed over at 02:30 is, in the night without 02:30, handed over at 03:00."""
    the = schedule(rotation("alice bob", "1d", "2026-03-06 02:30"), zone=NEW_YORK)
    found = [(one.person, one.starts) for one in shifts(the, utc("2026-03-07 07:30"), utc("2026-03-10 00:00"))]
    assert found == [
        ("bob", utc("2026-03-07 07:30")),
        ("alice", utc("2026-03-08 07:00")),
        ("bob", utc("2026-03-09 06:30")),
    ]


def test_a_turn_inside_a_gap_vanishes() -> None:
    """An hour that does not exist is nobody's turn, and the turns after it keep their people."""
    the = schedule(rotation("a b c d", "1h", "2026-03-29 00:00"))
    found = [(one.person, one.starts.hour) for one in shifts(the, utc("2026-03-28 23:00"), utc("2026-03-29 03:00"))]
    assert found == [("a", 23), ("b", 0), ("d", 1), ("a", 2)]


def test_a_repeated_hour_belongs_to_the_one_turn() -> None:
    """The turn of the hour that comes twice lasts two hours."""
    the = schedule(rotation("a b c d", "1h", "2026-10-25 01:00"))
    found = [
        (one.person, one.ends - one.starts) for one in shifts(the, utc("2026-10-24 23:00"), utc("2026-10-25 03:00"))
    ]
    assert found == [("a", HOUR), ("b", 2 * HOUR), ("c", HOUR)]


@pytest.mark.parametrize(
    ("location", "start", "end", "night", "expected"),
    [
        ("Europe/Berlin", "01:00", "02:30", "2026-03-29 00:00", [("00:00", "01:00")]),
        ("Europe/Berlin", "02:30", "04:00", "2026-03-29 00:00", [("01:00", "02:00")]),
        ("Europe/Berlin", "02:15", "02:45", "2026-03-29 00:00", []),
        ("Europe/Berlin", "01:30", "02:30", "2026-10-24 23:00", [("23:30", "00:30"), ("01:00", "01:30")]),
        ("Europe/Berlin", "02:30", "03:00", "2026-10-24 23:00", [("00:30", "01:00"), ("01:30", "02:00")]),
        ("Australia/Lord_Howe", "01:45", "02:15", "2026-04-04 14:00", [("14:45", "15:00"), ("15:15", "15:45")]),
        ("Australia/Lord_Howe", "02:15", "03:00", "2026-10-03 15:00", [("15:30", "16:00")]),
        ("America/Santiago", "00:00", "01:30", "2026-09-06 03:00", [("04:00", "04:30")]),
        ("America/Santiago", "23:30", "24:00", "2026-04-05 02:00", [("02:30", "03:00"), ("03:30", "04:00")]),
    ],
)
def test_intervals_in_the_nights_of_change(
    location: str, start: str, end: str, night: str, expected: list[tuple[str, str]]
) -> None:
    """An interval follows the wall clock: what is left out is never active, what comes twice is active twice."""
    interval = parse_interval([{"times": [{"start_time": start, "end_time": end}], "location": location}])
    found = shifts(schedule(rotation("alice", active=(interval,))), utc(night), utc(night) + 4 * HOUR)
    assert [(f"{one.starts:%H:%M}", f"{one.ends:%H:%M}") for one in found if one.person] == expected
