"""The shift that is under way, whole: a span cut out of time does not show when it really began and will end."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bridge.schedule.rotation import Period
from bridge.schedule.shifts import Schedule, Shift, shifts

# Most shifts end within days; further is only looked where nothing ended nearer, for it costs.
WINDOWS = tuple(timedelta(days=days) for days in (2, 31, 420, 3660))

_LONG = Period(520, "w")
_INSTANT = timedelta(microseconds=1)


def present(schedule: Schedule, now: datetime) -> tuple[Shift, ...]:
    """The shifts that contain `now` (a gap is one too), with their true bounds; one each for people side by side.

    A bound that is ten years off or further (one person alone, for ever) stands there; one that lies beyond what was
    read of a calendar stands where that ends.
    """
    schedule, now = _coarse(schedule), now.astimezone(UTC)
    began = {(one.person, one.because): one.starts for one in _behind(schedule, now)}
    return tuple(replace(one, starts=began[one.person, one.because]) for one in _ahead(schedule, now))


def _coarse(schedule: Schedule) -> Schedule:
    """The same people at every instant; whoever is alone has one long turn, not ten years of hours to go through."""
    rotations = (replace(one, every=_LONG) if len(set(one.people)) == 1 else one for one in schedule.rotations)
    return replace(schedule, rotations=tuple(rotations))


def _ahead(schedule: Schedule, now: datetime) -> list[Shift]:
    found: list[Shift] = []
    for window in WINDOWS:
        found = [one for one in shifts(schedule, now, now + window) if one.starts == now]
        if all(one.ends < now + window for one in found):
            break
    return found


def _behind(schedule: Schedule, now: datetime) -> list[Shift]:
    found: list[Shift] = []
    for window in WINDOWS:
        until = now + _INSTANT
        found = [one for one in shifts(schedule, now - window, until) if one.ends == until]
        if all(one.starts > now - window for one in found):
            break
    return found
