"""Rotations: people who take turns, handing over at the same wall-clock time all the year (rule: see `wallclock`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, cast
from zoneinfo import ZoneInfo

from bridge.intervals import TimeInterval
from bridge.schedule.wallclock import instant

Unit = Literal["h", "d", "w"]

LONGEST_PERIOD = timedelta(days=3660)

_PERIOD = re.compile(r"([0-9]{1,6})([hdw])")
_LENGTHS: dict[str, timedelta] = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_END_OF_TIME = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Period:
    """How long one turn is on the wall clock: `count` whole hours ("h"), days ("d") or weeks ("w")."""

    count: int
    unit: Unit

    @property
    def length(self) -> timedelta:
        """The length on the naive local time line; not of the instants between, which clock changes stretch."""
        return self.count * _LENGTHS[self.unit]

    def __str__(self) -> str:
        return f"{self.count}{self.unit}"


def parse_period(text: str) -> Period:
    """Read "1w", "2d" or "12h": whole hours, days or weeks, up to ten years. ValueError says what would be right."""
    found = _PERIOD.fullmatch(text.strip())
    if found is None:
        raise ValueError(f'"{text[:20]}" is not a period; write whole hours, days or weeks, such as 12h, 1d or 2w')
    period = Period(int(found[1]), cast(Unit, found[2]))
    if period.count < 1:
        raise ValueError(f'"{text[:20]}" is no time at all; a turn lasts at least 1h')
    if period.length > LONGEST_PERIOD:
        raise ValueError(f'"{text[:20]}" is longer than ten years; write a shorter period')
    return period


@dataclass(frozen=True, slots=True)
class Rotation:
    """People who take turns of one period each, in order, again and again, from `start` on.

    `start` is naive: a wall clock in the schedule's zone. `active`: on duty only while any of these contains the
    instant; empty means always. The turns go on being counted while the rotation is not active.
    """

    name: str
    people: tuple[str, ...]
    every: Period
    start: datetime
    active: tuple[TimeInterval, ...] = ()


def turn(rotation: Rotation, zone: ZoneInfo, now: datetime) -> int:
    """The number of the turn that contains `now`, from 0; -1 before the rotation's start."""
    if now < hand_over(rotation, zone, 0):
        return -1
    local = now.astimezone(zone).replace(tzinfo=None, fold=0)
    number = (local - rotation.start) // rotation.every.length
    # When the wall clock shows an hour for the second time, what was handed over in the first pass stays handed over.
    while hand_over(rotation, zone, number + 1) <= now:
        number += 1
    return number


def hand_over(rotation: Rotation, zone: ZoneInfo, number: int) -> datetime:
    """The instant at which turn `number` starts; the end of time where the calendar has no such day."""
    try:
        return instant(rotation.start + number * rotation.every.length, zone)
    except OverflowError:
        return _END_OF_TIME


def person_at(rotation: Rotation, zone: ZoneInfo, now: datetime) -> str | None:
    """Who has the turn at `now`; None before the start, while the rotation is not active, or with nobody in it."""
    if not rotation.people or not active_at(rotation, now):
        return None
    number = turn(rotation, zone, now)
    return rotation.people[number % len(rotation.people)] if number >= 0 else None


def active_at(rotation: Rotation, now: datetime) -> bool:
    """Whether any of the rotation's active intervals contains `now`; without intervals: always."""
    return not rotation.active or any(interval.contains(now) for interval in rotation.active)


def hand_overs(rotation: Rotation, zone: ZoneInfo, starts: datetime, ends: datetime) -> Iterator[datetime]:
    """The instants in (`starts`, `ends`) at which a turn starts, in order, the rotation's own start among them."""
    number = turn(rotation, zone, starts) + 1
    while (at := hand_over(rotation, zone, number)) < ends:
        yield at
        number += 1
