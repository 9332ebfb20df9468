"""Shifts cut into the days of a calendar, in the schedule's own zone. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from bridge.schedule import Schedule, Shift, instant, shifts

DAY = timedelta(days=1)
MIDNIGHT = time.min


@dataclass(frozen=True, slots=True)
class Piece:
    """What of one shift lies in one day: `starts` and `ends` as instants, `begins` and `over` as that day's clock."""

    person: str | None
    starts: datetime
    ends: datetime
    begins: str
    over: str
    because: str


@dataclass(frozen=True, slots=True)
class Day:
    """One day of the calendar."""

    date: date
    pieces: tuple[Piece, ...]

    @property
    def gap(self) -> bool:
        """Whether nobody is on call at some time of it."""
        return any(piece.person is None for piece in self.pieces)


def weeks(schedule: Schedule, first: date, count: int) -> list[list[Day]]:
    """So many weeks from the Monday `first` on, each of seven days."""
    days = [first + number * DAY for number in range(7 * count)]
    edges = [_midnight(schedule, day) for day in [*days, days[-1] + DAY]]
    told = shifts(schedule, edges[0], edges[-1])
    cut = [
        Day(day, tuple(_pieces(schedule, told, begins, ends)))
        for day, begins, ends in zip(days, edges, edges[1:], strict=False)
    ]
    return [cut[start : start + 7] for start in range(0, len(cut), 7)]


def monday_of(schedule: Schedule, now: datetime) -> date:
    """The Monday of the week of `now`, where the schedule is."""
    day = now.astimezone(schedule.timezone).date()
    return day - timedelta(days=day.weekday())


def _midnight(schedule: Schedule, day: date) -> datetime:
    return instant(datetime.combine(day, MIDNIGHT), schedule.timezone)


def _pieces(schedule: Schedule, told: Sequence[Shift], begins: datetime, ends: datetime) -> Iterator[Piece]:
    for one in told:
        starts, until = max(one.starts, begins), min(one.ends, ends)
        if starts < until:
            over = "24:00" if until == ends else _clock(schedule, until)
            yield Piece(one.person, starts, until, _clock(schedule, starts), over, one.because)


def _clock(schedule: Schedule, at: datetime) -> str:
    return f"{at.astimezone(schedule.timezone):%H:%M}"
