"""When the answer of a time interval may change: what a span of many days needs, minute by minute would be too slow."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo

from bridge.intervals import Spec, TimeInterval
from bridge.schedule.wallclock import change_between

DAY = timedelta(days=1)


def changes(interval: TimeInterval, starts: datetime, ends: datetime) -> Iterator[datetime]:
    """Instants in (`starts`, `ends`), without order, between which `interval.contains` never changes.

    More than it needs, but few: all fields of a spec look at the wall clock, so they change only when that comes past a
    midnight or an edge of its times (both times, where clocks go back over it), and when clocks are changed.
    """
    for spec in interval.specs:
        for at in _changes(spec, starts, ends):
            if starts < at < ends:
                yield at


def _changes(spec: Spec, starts: datetime, ends: datetime) -> Iterator[datetime]:
    minutes = sorted({0, *(minute for times in spec.times or () for minute in times)})
    day = starts.astimezone(spec.zone).replace(tzinfo=None, fold=0, hour=0, minute=0, second=0, microsecond=0)
    last = ends.astimezone(spec.zone).replace(tzinfo=None, fold=0)
    while day <= last:
        for minute in minutes:
            wall = day + timedelta(minutes=minute)
            yield from {_on(wall, spec.zone, fold=0), _on(wall, spec.zone, fold=1)}
        yield from _clock_changes(day, spec.zone)
        day += DAY


def _clock_changes(day: datetime, zone: tzinfo | None) -> Iterator[datetime]:
    """The instant of the local `day` at which the clocks of `zone` are changed, if they are."""
    early, late = _on(day, zone, fold=0), _on(day + DAY, zone, fold=1)
    if early.astimezone(zone).utcoffset() != late.astimezone(zone).utcoffset():
        yield change_between(early, late, zone)


def _on(wall: datetime, zone: tzinfo | None, *, fold: int) -> datetime:
    # Zone None is the machine's own; astimezone() of a naive time reads it so.
    return wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)
