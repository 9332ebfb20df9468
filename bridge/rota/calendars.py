"""What is made of a calendar's bytes: entries, resolved to people; and what is known of each schedule's calendar."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from bridge.config import Config
from bridge.errors import Fault
from bridge.rota.sources import Fetched, SourceUnreadable, read_file
from bridge.schedule import (
    CalendarError,
    CalendarShift,
    Ical,
    Override,
    Person,
    Schedule,
    read_calendar,
    resolve,
    unknown,
)
from bridge.store.overrides import KeptOverride

# Series without an end are unfolded from so long ago until so far ahead; what is asked beyond is unfolded for that.
BEHIND = timedelta(days=31)
AHEAD = timedelta(days=400)
UNFOLD_AGAIN = timedelta(days=1)

RETRY_FIRST = timedelta(minutes=1)
MOST_NAMES = 5

Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Calendar:
    """What is known of one schedule's calendar; without `fetched` nothing is, and nobody is on call by it.

    `entries` (resolved) are those of `span`, unfolded at `unfolded_at`; `fault`: why the last look failed, the
    `failures`th in a row; at `due` it is looked at again.
    """

    ical: Ical
    due: datetime
    fetched: Fetched | None = None
    fetched_at: datetime | None = None
    unfolded_at: datetime | None = None
    span: Span | None = None
    entries: tuple[CalendarShift, ...] = field(default=(), repr=False)
    fault: str = ""
    failures: int = 0

    def strangers(self, now: datetime) -> tuple[str, ...]:
        """The summaries from `now` on that name nobody known."""
        return unknown(one for one in self.entries if one.ends > now)

    def holds(self, starts: datetime, ends: datetime) -> bool:
        """Whether its entries are all that there are from `starts` to `ends`."""
        return self.span is not None and self.span[0] <= starts and ends <= self.span[1]


def around(now: datetime, ahead: timedelta = AHEAD) -> Span:
    """The span that calendars are unfolded for at `now`."""
    return now - BEHIND, now + ahead


def unfold(body: bytes, span: Span, schedule: Schedule, people: Mapping[str, Person]) -> tuple[CalendarShift, ...]:
    """The entries of `span`, resolved to people. Takes seconds for a large one. Raises CalendarError."""
    return resolve(read_calendar(body, *span, schedule.timezone), people)


def failed(known: Calendar, why: str, now: datetime) -> Calendar:
    """The last good one stays; it is looked at again soon, then ever less often, at its own pace in the end."""
    pause = min(RETRY_FIRST * 2 ** min(known.failures, 20), known.ical.refresh)
    return replace(known, due=now + pause, fault=why, failures=known.failures + 1)


def in_force(
    config: Config, calendars: Mapping[str, Calendar], overrides: Sequence[KeptOverride]
) -> Mapping[str, Schedule]:
    """The file's schedules with their calendars; the overrides of the file come first, those that people made later.

    One of somebody who is no longer in the file has no effect: rather the rotation's person than nobody.
    """
    made: dict[str, list[Override]] = {}
    for kept in overrides:
        if kept.override.person in config.people:
            made.setdefault(kept.schedule, []).append(kept.override)
    return MappingProxyType(
        {
            name: replace(
                schedule,
                calendar=calendars[name].entries if name in calendars else schedule.calendar,
                overrides=(*schedule.overrides, *made.get(name, ())),
            )
            for name, schedule in config.schedules.items()
        }
    )


# --- for the commands, which have no server behind them


def with_file_calendars(config: Config, now: datetime, ahead: timedelta = AHEAD) -> Config:
    """The config with the calendars that are files read, from BEHIND `now` to `ahead` of it.

    Its warnings tell (at line 1: only who has the text knows the place) what could not be read, and which summaries
    name nobody known. Calendars at URLs are left out, see `not_read`.
    """
    schedules, warnings = dict(config.schedules), list(config.warnings)
    told = {warning.where for warning in config.warnings}
    for name, schedule in config.schedules.items():
        if schedule.ical is None or schedule.ical.file is None:
            continue
        where = f"{place(name)}.ical"
        try:
            body = read_file(schedule.ical.file)
            entries = unfold(body, around(now, ahead), schedule, config.people)
        except (SourceUnreadable, CalendarError) as error:
            if f"{where}.file" not in told:
                what = f"the calendar cannot be read, nobody is on call by it: {error}"
                warnings.append(Fault(str(config.path), 1, 1, where, what, warning=True))
            continue
        schedules[name] = replace(schedule, calendar=entries)
        if strangers := unknown(one for one in entries if one.ends > now):
            what = f"names nobody known: {listed(strangers)}; write a key, name or e-mail of people as the summary"
            warnings.append(Fault(str(config.path), 1, 1, where, what, warning=True))
    return replace(config, schedules=MappingProxyType(schedules), warnings=tuple(warnings))


def not_read(config: Config) -> Iterator[tuple[str, str]]:
    """Where and what `with_file_calendars` does not read, each in a sentence."""
    for name, schedule in config.schedules.items():
        if schedule.ical is not None and schedule.ical.file is None:
            what = "the calendar at its URL is only read by the server; what is told here is without it"
            yield f"{place(name)}.ical", what


def place(name: str) -> str:
    """Where a schedule stands in the file."""
    plain = name.replace("-", "").replace("_", "").isalnum()
    return f"schedules.{name}" if plain else f'schedules["{name}"]'


def listed(summaries: Sequence[str]) -> str:
    """A few of them, fit for a line."""
    more = f" and {len(summaries) - MOST_NAMES} more" if len(summaries) > MOST_NAMES else ""
    return ", ".join(f'"{one}"' for one in summaries[:MOST_NAMES]) + more
