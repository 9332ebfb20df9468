"""Laws of schedules, for any zone, rotation, interval and override."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.intervals import TimeInterval, parse_interval
from bridge.schedule import CalendarShift, Override, Period, Rotation, Schedule, Shift, gaps, instant, on_call, shifts
from bridge.schedule.activity import changes

MINUTE = timedelta(minutes=1)
# Among them: half an hour of summer time, a change at midnight, quarters of an hour, a month without it (Ramadan).
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Asia/Kathmandu",
    "Africa/Casablanca",
    "Pacific/Chatham",
)
NIGHTS = (
    "2026-03-29 00:00",
    "2026-10-25 00:00",
    "2026-03-08 06:00",
    "2026-11-01 05:00",
    "2026-04-04 14:00",
    "2026-10-03 15:00",
    "2026-09-06 04:00",
    "2026-02-15 02:00",
)

zones = st.sampled_from(ZONES).map(ZoneInfo)
walls = st.integers(0, 426 * 1440).map(lambda minutes: datetime.fromisoformat("2025-12-01") + minutes * MINUTE)
periods = st.one_of(
    st.builds(Period, st.integers(1, 60), st.just("h")),
    st.builds(Period, st.integers(1, 20), st.just("d")),
    st.builds(Period, st.integers(1, 4), st.just("w")),
)
# Half of all instants lie in the two days around some change of clocks: elsewhere there is little to go wrong.
near_nights = st.builds(
    lambda night, minutes: datetime.fromisoformat(night).replace(tzinfo=UTC) + minutes * MINUTE,
    st.sampled_from(NIGHTS),
    st.integers(-1440, 1440),
)
instants = st.one_of(near_nights, walls.map(lambda at: at.replace(tzinfo=UTC)))
people = st.lists(st.sampled_from("abcd"), min_size=1, max_size=4).map(tuple)


@st.composite
def intervals(draw: st.DrawFn) -> TimeInterval:
    specs: list[dict[str, object]] = []
    for _ in range(draw(st.integers(1, 2))):
        spec: dict[str, object] = {"location": draw(st.sampled_from(ZONES))}
        if draw(st.booleans()):
            start = draw(st.integers(0, 1438))
            end = draw(st.integers(start + 1, 1440))
            times = {"start_time": f"{start // 60:02}:{start % 60:02}", "end_time": f"{end // 60:02}:{end % 60:02}"}
            spec["times"] = [times]
        if draw(st.booleans()):
            spec["weekdays"] = draw(st.sampled_from([["sunday"], ["monday:friday"], ["saturday", "sunday"]]))
        if draw(st.integers(0, 4)) == 0:
            spec["days_of_month"] = draw(st.sampled_from([["1:8"], ["-7:-1"], ["25", "29"]]))
        specs.append(spec)
    return parse_interval(specs)


def rotations(active: bool = True) -> st.SearchStrategy[Rotation]:
    chosen = st.lists(intervals(), max_size=2).map(tuple) if active else st.just(())
    return st.builds(Rotation, st.sampled_from(["one", "two"]), people, periods, walls, chosen)


overrides = st.builds(
    lambda person, starts, minutes: Override(person, starts, starts + minutes * MINUTE),
    st.sampled_from("xyz"),
    instants,
    st.integers(-60, 4000),
)
entries = st.builds(
    lambda person, starts, minutes: CalendarShift("an event", starts, starts + minutes * MINUTE, person),
    st.sampled_from(["k", "l", None]),
    instants,
    st.integers(1, 4000),
)
schedules = st.builds(
    lambda zone, layers, above, beside: Schedule("s", zone, tuple(layers), tuple(above), tuple(beside)),
    zones,
    st.lists(rotations(), max_size=3),
    st.lists(overrides, max_size=3),
    st.lists(entries, max_size=3),
)
spans = st.builds(lambda starts, minutes: (starts, starts + minutes * MINUTE), instants, st.integers(1, 3 * 1440))
seldom = settings(max_examples=60, deadline=None)


def containing(table: tuple[Shift, ...], at: datetime) -> list[str | None]:
    return sorted((shift.person for shift in table if shift.starts <= at < shift.ends), key=str)


def duty(schedule: Schedule, at: datetime) -> list[str | None]:
    return [*sorted(on_call(schedule, at))] or [None]


@settings(deadline=None)
@given(zones, walls)
def test_an_instant_shows_its_wall_time_or_ends_a_gap(zone: ZoneInfo, local: datetime) -> None:
    """An instant shows the wall time it was made of, the first time that it is shown; or it is the end of a gap."""
    at = instant(local, zone)
    shown = at.astimezone(zone)
    if shown.replace(tzinfo=None) == local:
        assert shown.fold == 0
        return
    before = (at - timedelta(seconds=1)).astimezone(zone)
    assert before.replace(tzinfo=None) < local < shown.replace(tzinfo=None)


@settings(deadline=None)
@given(zones, walls, st.integers(0, 300))
def test_instants_keep_the_order_of_wall_times(zone: ZoneInfo, local: datetime, minutes: int) -> None:
    """A later wall time is never an earlier instant."""
    assert instant(local, zone) <= instant(local + minutes * MINUTE, zone)


@settings(deadline=None)
@given(zones, rotations(active=False), spans)
def test_one_rotation_has_no_hole_and_no_overlap(
    zone: ZoneInfo, rotation: Rotation, span: tuple[datetime, datetime]
) -> None:
    """From its start on a rotation alone tiles any span: each shift begins where the last one ended."""
    table = shifts(Schedule("s", zone, (rotation,)), *span)
    assert (table[0].starts, table[-1].ends) == span
    assert all(left.ends == right.starts for left, right in pairwise(table))
    assert all(shift.starts < shift.ends for shift in table)
    assert all(shift.person is not None for shift in table if shift.starts >= instant(rotation.start, zone))


@seldom
@given(schedules, spans, st.data())
def test_on_call_is_the_shift_that_contains_the_instant(
    schedule: Schedule, span: tuple[datetime, datetime], data: st.DataObject
) -> None:
    """At every instant the shifts that contain it say who is on call: the people `on_call` tells, or one gap."""
    table = shifts(schedule, *span)
    edges = [at + step for shift in table for at in (shift.starts, shift.ends) for step in (-MINUTE, 0 * MINUTE)]
    chosen = data.draw(st.lists(st.datetimes(*(at.replace(tzinfo=None) for at in span)), max_size=20))
    for at in [*edges, *(one.replace(tzinfo=UTC) for one in chosen)]:
        if span[0] <= at < span[1]:
            assert containing(table, at) == duty(schedule, at)
    assert gaps(schedule, *span) == tuple(shift for shift in table if shift.person is None)


@seldom
@given(schedules, overrides, spans)
def test_an_override_restores_what_was_before(
    schedule: Schedule, override: Override, span: tuple[datetime, datetime]
) -> None:
    """Inside the override there is its person alone; outside of it everything is as it was without it."""
    above = replace(schedule, overrides=(*schedule.overrides, override))
    table = shifts(above, *span)
    edges = {at for one in (*table, *shifts(schedule, *span)) for at in (one.starts, one.ends - MINUTE)}
    for at in edges:
        inside = override.starts <= at < override.ends
        assert on_call(above, at) == ((override.person,) if inside else on_call(schedule, at))
        assert containing(table, at) == duty(above, at)


@seldom
@given(intervals(), near_nights, st.integers(1, 2 * 1440))
def test_between_its_changes_an_interval_never_changes(interval: TimeInterval, starts: datetime, minutes: int) -> None:
    """Minute by minute, an interval's answer changes only at the instants that `changes` told."""
    ends = starts + minutes * MINUTE
    told = set(changes(interval, starts, ends))
    walked = [starts + minute * MINUTE for minute in range(minutes)]
    changed = {at for before, at in pairwise(walked) if interval.contains(before) != interval.contains(at)}
    assert changed <= told
    assert all(starts < at < ends for at in told)


@seldom
@given(schedules, spans, st.integers(1, 3000))
def test_a_cut_span_tells_the_same(schedule: Schedule, span: tuple[datetime, datetime], minutes: int) -> None:
    """Told in two parts, a span says the same as in one: where it is cut changes nobody's duty."""
    middle = min(span[0] + minutes * MINUTE, span[1])
    parts = (*shifts(schedule, span[0], middle), *shifts(schedule, middle, span[1]))
    whole = shifts(schedule, *span)
    edges = {at for one in (*parts, *whole) for at in (one.starts, one.ends - MINUTE)}
    for at in edges:
        assert containing(parts, at) == containing(whole, at)
    assert {one.ends for one in whole} <= {one.ends for one in parts}
