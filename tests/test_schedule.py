"""Rotations, layers, overrides, shifts, gaps and the roster: who has the night, at every minute of the year."""

from __future__ import annotations

import random
import time
from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from bridge.intervals import TimeInterval, parse_interval
from bridge.schedule import (
    Ical,
    Override,
    Period,
    Person,
    Roster,
    Rotation,
    Schedule,
    Shift,
    gaps,
    instant,
    on_call,
    parse_period,
    shifts,
)
from bridge.schedule.rotation import hand_overs, turn

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def wall(text: str) -> datetime:
    return datetime.fromisoformat(text)


def rotation(
    people: str = "alice bob",
    every: str = "1w",
    start: str = "2026-01-05 09:00",
    name: str = "week",
    active: tuple[TimeInterval, ...] = (),
) -> Rotation:
    return Rotation(name, tuple(people.split()), parse_period(every), wall(start), active)


def schedule(*rotations: Rotation, zone: ZoneInfo = BERLIN, overrides: tuple[Override, ...] = ()) -> Schedule:
    return Schedule("primary", zone, rotations, overrides)


# --- the rule for the nights when clocks change ---------------------------------------------------------------------


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


# --- periods --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "length"),
    [("1w", 7 * DAY), ("2d", 2 * DAY), ("12h", 12 * HOUR), (" 05h ", 5 * HOUR), ("3660d", 3660 * DAY)],
)
def test_a_period_is_read(text: str, length: timedelta) -> None:
    """Whole hours, days and weeks are periods."""
    assert parse_period(text).length == length


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "write whole hours, days or weeks"),
        ("1", "write whole hours, days or weeks"),
        ("1m", "write whole hours, days or weeks"),
        ("1.5d", "write whole hours, days or weeks"),
        ("-1d", "write whole hours, days or weeks"),
        ("1d12h", "write whole hours, days or weeks"),
        ("١d", "write whole hours, days or weeks"),
        ("0h", "at least 1h"),
        ("999999w", "longer than ten years"),
        ("9" * 5000 + "d", "write whole hours, days or weeks"),
    ],
)
def test_no_period(text: str, said: str) -> None:
    """What is no period is refused in a sentence that says what would be right."""
    with pytest.raises(ValueError, match=said) as refused:
        parse_period(text)
    assert len(str(refused.value)) < 200


def test_a_period_prints_as_it_is_written() -> None:
    """A period's text is the file's."""
    assert str(Period(12, "h")) == "12h"


# --- layers ---------------------------------------------------------------------------------------------------------

OFFICE = parse_interval(
    [
        {
            "times": [{"start_time": "09:00", "end_time": "17:00"}],
            "weekdays": ["monday:friday"],
            "location": "Europe/Berlin",
        }
    ]
)
NEVER = parse_interval([{"times": []}])


def test_before_its_start_a_rotation_has_nobody() -> None:
    """A rotation begins at its start, not a second earlier."""
    the = schedule(rotation())
    assert on_call(the, utc("2026-01-05 07:59:59")) == ()
    assert on_call(the, utc("2026-01-05 08:00")) == ("alice",)
    assert gaps(the, utc("2026-01-05 00:00"), utc("2026-01-20 00:00")) == (
        Shift("primary", None, utc("2026-01-05 00:00"), utc("2026-01-05 08:00"), "nobody is on call"),
    )


@pytest.mark.parametrize("at", ["0002-01-01 00:00", "9998-12-31 00:00"])
def test_any_year_has_an_answer(at: str) -> None:
    """Far before the start there is nobody, and far after it still somebody."""
    assert bool(on_call(schedule(rotation()), utc(at))) is (at > "2026")


def test_a_turn_that_no_calendar_can_end_has_its_person() -> None:
    """A last turn that would end after the year 9999 goes on for as long as there are days."""
    the = schedule(rotation("alice bob", "520w", "9995-01-01 00:00"))
    assert on_call(the, utc("9999-01-01 00:00")) == ("alice",)


def test_a_later_rotation_covers_the_earlier_where_it_is_active() -> None:
    """In office hours the later rotation has it, outside of them the earlier."""
    the = schedule(rotation("alice"), rotation("bob", name="office", active=(OFFICE,)))
    found = shifts(the, utc("2026-03-27 00:00"), utc("2026-03-31 00:00"))
    assert [(one.person, one.starts, one.because) for one in found] == [
        ("alice", utc("2026-03-27 00:00"), "rotation week"),
        ("bob", utc("2026-03-27 08:00"), "rotation office"),
        ("alice", utc("2026-03-27 16:00"), "rotation week"),
        ("bob", utc("2026-03-30 07:00"), "rotation office"),
        ("alice", utc("2026-03-30 15:00"), "rotation week"),
    ]


def test_any_of_several_intervals_makes_a_rotation_active() -> None:
    """As for routes, one interval that contains the instant is enough."""
    assert on_call(schedule(rotation("bob", active=(NEVER, OFFICE))), utc("2026-03-30 08:00")) == ("bob",)


def test_outside_its_intervals_a_rotation_alone_leaves_gaps() -> None:
    """What no rotation is active for is told as a gap."""
    found = gaps(schedule(rotation(active=(OFFICE,))), utc("2026-03-30 00:00"), utc("2026-03-31 00:00"))
    assert [(one.starts.hour, one.ends.hour) for one in found] == [(0, 7), (15, 0)]


@pytest.mark.parametrize("the", [schedule(), schedule(rotation("")), schedule(rotation(active=(NEVER,)))])
def test_an_empty_schedule_is_one_gap(the: Schedule) -> None:
    """Without anybody the whole span is one gap, never nothing."""
    span = utc("2026-03-01 00:00"), utc("2026-06-01 00:00")
    assert shifts(the, *span) == gaps(the, *span) == (Shift("primary", None, *span, "nobody is on call"),)


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


def test_before_its_start_a_rotation_hands_over_nothing() -> None:
    """From long before the first hand-over is the start itself, and no turn is counted towards it."""
    hourly = rotation("alice bob", "1h")
    assert turn(hourly, BERLIN, utc("1990-01-01 00:00")) == -1
    found = hand_overs(hourly, BERLIN, utc("1990-01-01 00:00"), utc("2026-01-05 10:00"))
    assert list(found) == [utc("2026-01-05 08:00"), utc("2026-01-05 09:00")]


def test_an_inactive_turn_is_counted() -> None:
    """While a rotation is not active its turns go on: people keep their weeks."""
    the = schedule(rotation("alice bob", "1d", active=(OFFICE,)))
    found = [one.person for one in shifts(the, utc("2026-01-09 08:00"), utc("2026-01-13 08:00")) if one.person]
    assert found == ["alice", "bob"]  # Friday is turn 4, Monday turn 7


def test_one_person_all_the_time_is_one_shift() -> None:
    """Turns that follow each other with the same person are one shift."""
    assert len(shifts(schedule(rotation("alice", "1d")), utc("2026-02-01 00:00"), utc("2026-06-01 00:00"))) == 1


def test_an_empty_span_has_no_shifts() -> None:
    """A span that ends where it begins, or before, has none."""
    at = utc("2026-02-01 00:00")
    assert shifts(schedule(rotation()), at, at) == shifts(schedule(rotation()), at, at - DAY) == ()


def test_a_span_in_another_zone_is_the_same_span() -> None:
    """Shifts are in UTC whatever zone the span was asked in."""
    the = schedule(rotation())
    span = utc("2026-02-01 00:00"), utc("2026-03-01 00:00")
    found = shifts(the, *(at.astimezone(NEW_YORK) for at in span))
    assert found == shifts(the, *span)
    assert all(one.starts.tzinfo is UTC and one.ends.tzinfo is UTC for one in found)


# --- overrides ------------------------------------------------------------------------------------------------------


def test_an_override_covers_everything_and_gives_it_back() -> None:
    """For its time the override has it, says whose it is, and afterwards the same turn goes on."""
    override = Override("carol", utc("2026-01-07 00:00"), utc("2026-01-08 00:00"), "7", "bob")
    found = shifts(schedule(rotation(), overrides=(override,)), utc("2026-01-05 08:00"), utc("2026-01-12 08:00"))
    assert [(one.person, one.starts.day, one.because) for one in found] == [
        ("alice", 5, "rotation week"),
        ("carol", 7, "override by bob"),
        ("alice", 8, "rotation week"),
    ]


def test_the_later_of_two_overrides_wins() -> None:
    """The later in the list counts, also when it began first; when it ends the earlier comes back."""
    first = Override("carol", utc("2026-01-07 00:00"), utc("2026-01-09 00:00"))
    second = Override("dora", utc("2026-01-06 00:00"), utc("2026-01-08 00:00"))
    the = schedule(rotation(), overrides=(first, second))
    found = shifts(the, utc("2026-01-06 00:00"), utc("2026-01-10 00:00"))
    assert [(one.person, one.starts.day) for one in found] == [("dora", 6), ("carol", 8), ("alice", 9)]


def test_an_override_fills_a_gap() -> None:
    """Where nobody is, an override is somebody."""
    override = Override("carol", utc("2026-01-07 00:00"), utc("2026-01-08 00:00"))
    assert gaps(schedule(overrides=(override,)), override.starts, override.ends) == ()


def test_an_override_that_ends_before_it_begins_never_holds() -> None:
    """Turned round or without length it changes nothing."""
    turned = Override("carol", utc("2026-01-08 00:00"), utc("2026-01-07 00:00"))
    empty = Override("dora", utc("2026-01-08 00:00"), utc("2026-01-08 00:00"))
    span = utc("2026-01-06 00:00"), utc("2026-01-10 00:00")
    assert shifts(schedule(rotation(), overrides=(turned, empty)), *span) == shifts(schedule(rotation()), *span)


def test_a_calendars_address_is_secret() -> None:
    """The URL of a calendar opens it to anybody: it stays out of repr."""
    assert "secret-path" not in repr(Ical(None, "https://calendar.example/secret-path/basic.ics", HOUR))


# --- roster ---------------------------------------------------------------------------------------------------------

PEOPLE = {
    "alice": Person("alice", "Alice Example", "+491710000001", "de-DE"),
    "bob": Person("bob", "Bob Example", None, "de-DE"),
}


@pytest.mark.parametrize(
    ("target", "at", "expected"),
    [
        ("alice", "2026-01-06 00:00", ("alice",)),
        ("bob", "2026-01-06 00:00", ()),
        ("primary", "2026-01-06 00:00", ("alice",)),
        ("primary", "2026-01-13 00:00", ()),
        ("primary", "2026-01-01 00:00", ()),
        ("strangers", "2026-01-06 00:00", ()),
        ("nowhere", "2026-01-06 00:00", ()),
    ],
)
def test_the_roster_knows_whom_a_call_can_reach(target: str, at: str, expected: tuple[str, ...]) -> None:
    """A person or a schedule's people, only those with a number; an unknown name, or an unknown person, is nobody."""
    strangers = Schedule("strangers", BERLIN, (rotation("mallory"),))
    roster = Roster(PEOPLE, {"primary": schedule(rotation()), "strangers": strangers})
    assert roster.on_call(target, utc(at)) == expected


def test_a_long_span_with_all_layers_is_quick() -> None:
    """420 days with five rotations, four of them with intervals, and 140 overrides take well under a second of CPU."""
    layers = [rotation(name=f"{n}", every="12h", active=(OFFICE, NEVER)) for n in range(4)]
    overrides = tuple(Override("dora", SPAN[0] + n * 3 * DAY, SPAN[0] + n * 3 * DAY + HOUR) for n in range(140))
    before = time.process_time()
    found = shifts(schedule(rotation(), *layers, overrides=overrides), *SPAN)
    assert time.process_time() - before < 1.0
    assert len(found) > 500
