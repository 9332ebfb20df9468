"""Rotations, layers, overrides, shifts, gaps and the roster: who has the night, at every minute of the year."""

from __future__ import annotations

import time
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
    on_call,
    parse_period,
    shifts,
)
from bridge.schedule.rotation import hand_overs, turn

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
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
    begin = utc("2026-02-20 00:00")
    layers = [rotation(name=f"{n}", every="12h", active=(OFFICE, NEVER)) for n in range(4)]
    overrides = tuple(Override("dora", begin + n * 3 * DAY, begin + n * 3 * DAY + HOUR) for n in range(140))
    before = time.process_time()
    found = shifts(schedule(rotation(), *layers, overrides=overrides), begin, begin + 420 * DAY)
    assert time.process_time() - before < 1.0
    assert len(found) > 500
