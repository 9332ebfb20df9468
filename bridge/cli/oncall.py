"""`callbridge oncall`: who is on call, now, then, or for days."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from bridge import config
from bridge.cli.words import Commands, add_at, add_command, add_config, now_or
from bridge.config import Config
from bridge.errors import CallbridgeError
from bridge.rota import AHEAD, not_read, with_file_calendars
from bridge.schedule import Person, Schedule, Shift, ical_of, present, shifts

# Where a month before and ten years behind are still dates.
FIRST, LAST = datetime(1900, 1, 1, tzinfo=UTC), datetime(9900, 1, 1, tzinfo=UTC)


def add_to(commands: Commands) -> None:
    """Add the command."""
    command = add_command(commands, "oncall", "tell who is on call")
    add_config(command)
    add_at(command)
    command.add_argument("--schedule", metavar="NAME", help="only this one (default: all)")
    command.add_argument("--days", metavar="N", type=int, help="the shifts of so many days, gaps marked")
    command.add_argument("--output", choices=("table", "json", "ical"), default="table")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print it."""
    now = now_or(arguments.at)
    if arguments.days is not None and not 1 <= arguments.days <= 3660:
        raise CallbridgeError(f"--days={arguments.days}: write 1 to 3660")
    if not FIRST <= now <= LAST:
        raise CallbridgeError(f"--at={now:%Y-%m-%d}: write a day from {FIRST.year} to {LAST.year}")
    ends = now + timedelta(days=arguments.days) if arguments.days else None
    loaded = _loaded(arguments.config, now, ends)
    schedules = _chosen(loaded.schedules, arguments.schedule)
    listed = [shift for schedule in schedules for shift in _listed(schedule, now, ends)]
    match arguments.output:
        case "json":
            print(msgspec.json.encode([_shown(shift) for shift in listed]).decode())
        case "ical":
            sys.stdout.write(ical_of(listed, ", ".join(schedule.name for schedule in schedules)).decode())
        case _:
            _table(listed, schedules, loaded.people)
    return 0


def _loaded(path: Path, now: datetime, ends: datetime | None) -> Config:
    """The config with its calendar files; what cannot be told for a calendar's sake is said on stderr."""
    ahead = AHEAD if ends is None else max(AHEAD, ends - now)
    loaded = with_file_calendars(config.load(path), now, ahead)
    for warning in loaded.warnings:
        if ".ical" in warning.where:
            print(warning, file=sys.stderr)
    for where, what in not_read(loaded):
        print(f"{path}: {where}: {what}", file=sys.stderr)
    return loaded


def _chosen(schedules: Mapping[str, Schedule], name: str | None) -> Sequence[Schedule]:
    if name is None:
        return list(schedules.values())
    if name not in schedules:
        raise CallbridgeError(f"there is no schedule {name!r}; there is {', '.join(schedules) or 'none at all'}")
    return [schedules[name]]


def _listed(schedule: Schedule, now: datetime, ends: datetime | None) -> Sequence[Shift]:
    if ends is not None:
        return shifts(schedule, now, ends)
    return present(schedule, now)


def _shown(shift: Shift) -> dict[str, object]:
    return {"schedule": shift.schedule, "person": shift.person, "from": _utc(shift.starts), "until": _utc(shift.ends)}


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _table(listed: Sequence[Shift], schedules: Sequence[Schedule], people: Mapping[str, Person]) -> None:
    zones = {schedule.name: schedule.timezone for schedule in schedules}
    for shift in listed:
        zone = zones[shift.schedule]
        begins, ends = (at.astimezone(zone).strftime("%a %Y-%m-%d %H:%M") for at in (shift.starts, shift.ends))
        name = "NOBODY" if shift.person is None else people[shift.person].name or shift.person
        print(f"{shift.schedule:16} {begins} – {ends} {zone.key}  {name:24} {shift.because}".rstrip())
