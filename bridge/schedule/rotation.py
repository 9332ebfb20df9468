"""Rotations: people who take turns, handing over at the same wall-clock time all the year.

The rule for the nights when clocks change, decided here before the code and nowhere else:

* A turn starts at its local wall-clock time. Turns are counted on the naive local time line (start + n times the period),
  and only then made instants: "every day at 09:00" is 09:00 in winter and in summer, though one of those days has 23 hours
  and another 25.
* A wall time that does not exist (clocks go forward over it) is the first instant after the gap.
* A wall time that exists twice (clocks go back over it) is the first of the two.
* A turn that both ends of fall into one gap has no length and vanishes.
* Before its start a rotation has nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, cast
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from bridge.intervals import TimeInterval

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
    """Read "1w", "2d" or "12h": whole hours, days or weeks, from 1h to ten years. ValueError with a sentence otherwise."""
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

    `start` is naive: a wall clock in the schedule's zone. `active`: on duty only while any of these contains the instant;
    empty means always. The turns go on being counted while the rotation is not active.
    """

    name: str
    people: tuple[str, ...]
    every: Period
    start: datetime
    active: tuple[TimeInterval, ...] = ()


def instant(local: datetime, zone: ZoneInfo) -> datetime:
    """The instant, in UTC, of the naive wall clock `local` in `zone`, by the rule at the head of this module.

    Config, overrides and calendars use it too: there is one rule.
    """
    first = local.replace(tzinfo=zone, fold=0)
    second = local.replace(tzinfo=zone, fold=1)
    before, after = first.utcoffset(), second.utcoffset()
    if before is None or after is None or before >= after:
        return first.astimezone(UTC)
    return change_between(second.astimezone(UTC), first.astimezone(UTC), zone)


def change_between(low: datetime, high: datetime, zone: ZoneInfo) -> datetime:
    """The first whole second in (`low`, `high`] at which `zone` no longer has the offset it has at `low` (both in UTC)."""
    offset = low.astimezone(zone).utcoffset()
    late = int((high - low).total_seconds())
    early = 0
    while late - early > 1:
        middle = (early + late) // 2
        if (low + timedelta(seconds=middle)).astimezone(zone).utcoffset() == offset:
            early = middle
        else:
            late = middle
    return low + timedelta(seconds=late)


def turn(rotation: Rotation, zone: ZoneInfo, now: datetime) -> int:
    """The number of the turn that contains `now`, from 0; below 0 before the rotation's start."""
    local = now.astimezone(zone).replace(tzinfo=None, fold=0)
    number = (local - rotation.start) // rotation.every.length
    while hand_over(rotation, zone, number + 1) <= now:
        number += 1
    while hand_over(rotation, zone, number) > now:
        number -= 1
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
    number = max(turn(rotation, zone, starts) + 1, 0)
    while (at := hand_over(rotation, zone, number)) < ends:
        yield at
        number += 1
