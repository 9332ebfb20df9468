"""When nobody will be on call: for who checks a config before the night does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from bridge.config import Config
from bridge.rota.calendars import place
from bridge.schedule import Schedule, Shift, gaps

LOOK_AHEAD = timedelta(days=90)
MOST_GAPS = 5


def doubts(config: Config, now: datetime) -> Iterator[tuple[str, str]]:
    """Where and what: the gaps of each schedule in the 90 days from `now`, of which five are told.

    A schedule that no policy calls gets one line, and one whose calendar only the server can read gets none.
    """
    called = called_by_policies(config)
    for name, schedule in config.schedules.items():
        if schedule.ical is not None and schedule.ical.file is None:
            continue
        found = _merged(gaps(schedule, now, now + LOOK_AHEAD))
        lines = _each(found, schedule) if name in called else _uncalled(found, schedule)
        yield from ((place(name), line) for line in lines)


def called_by_policies(config: Config) -> set[str]:
    """The people and schedules that a step of any policy calls."""
    return {
        target for policy in config.policies.values() for step in policy.steps for target in step.targets + step.sms
    }


def _merged(found: tuple[Shift, ...]) -> list[Shift]:
    """Gaps that touch are one, whatever the reason of each."""
    merged: list[Shift] = []
    for gap in found:
        if merged and merged[-1].ends == gap.starts:
            merged[-1] = replace(merged[-1], ends=gap.ends)
        else:
            merged.append(gap)
    return merged


def _each(found: list[Shift], schedule: Schedule) -> Iterator[str]:
    for gap in found[:MOST_GAPS]:
        why = f" ({gap.because})" if gap.because.startswith("calendar") else ""
        yield f"nobody is on call from {_span(gap, schedule)}{why}; the next step is called at once"
    if len(found) > MOST_GAPS:
        yield f"nobody is on call, and {len(found) - MOST_GAPS} more such gaps within {LOOK_AHEAD.days} days"


def _uncalled(found: list[Shift], schedule: Schedule) -> Iterator[str]:
    if found:
        times = "once" if len(found) == 1 else f"{len(found)} times"
        yield (
            f"nobody is on call {times} within {LOOK_AHEAD.days} days, first from {_span(found[0], schedule)};"
            " no policy calls this schedule"
        )


def _span(gap: Shift, schedule: Schedule) -> str:
    starts, ends = (at.astimezone(schedule.timezone).strftime("%a %Y-%m-%d %H:%M") for at in (gap.starts, gap.ends))
    return f"{starts} to {ends} {schedule.timezone.key}"
