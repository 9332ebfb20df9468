"""Who is on call in the coming weeks, by schedule; overrides are made and taken back by a click."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from aiohttp import web

from bridge.rota import WrongOverride, asked_override
from bridge.schedule import CalendarError, Schedule, gaps, instant, on_call
from bridge.schedule.calendars import plain
from bridge.store.ids import ALPHABET
from bridge.store.overrides import KeptOverride, overrides_listed
from bridge.web.site import NotFound, Problem, Visit, shown
from bridge.web.weeks import Day, monday_of, weeks

WEEKS = 4
MOST_WEEKS = 200  # away from today, in either direction
MOST_OVERRIDES = 200
LOCAL = "%Y-%m-%dT%H:%M"
DONE = {"made": "The override is in force.", "back": "The override is taken back."}
_ID = re.compile(f"[{ALPHABET}]{{22}}")


@dataclass(frozen=True, slots=True)
class Roll:
    """One schedule as the calendar shows it; `fault`: why it cannot be shown."""

    schedule: Schedule
    now: tuple[str, ...]
    weeks: list[list[Day]]
    gaps: int
    overrides: tuple[KeptOverride, ...]
    fault: str = ""


def oncall_routes() -> list[web.RouteDef]:
    """The calendar, and its two buttons."""
    return [
        web.get("/oncall", shown(calendar)),
        web.post("/oncall/override", shown(override)),
        web.post("/oncall/take-back", shown(take_back)),
    ]


async def calendar(visit: Visit) -> web.StreamResponse:
    """The weeks from this one on, or from `week` ones later; with a form where an override is wanted."""
    site, week = visit.site, _week(visit)
    kept, _ = await site.database.read(
        lambda connection: overrides_listed(connection, ending_after=visit.now, limit=MOST_OVERRIDES)
    )
    starts = visit.now + timedelta(weeks=week - 1)
    fault = ""
    try:
        schedules = dict(await site.rota.schedules_for(starts, starts + timedelta(weeks=WEEKS + 2)))
    except CalendarError as error:
        schedules, fault = dict(site.rota.schedules), f"A calendar cannot be read for that time: {error}"
    rolls = await asyncio.to_thread(lambda: [_roll(visit, one, week, kept) for one in schedules.values()])
    told = {
        "rolls": rolls,
        "week": week,
        "weeks": WEEKS,
        "most": MOST_WEEKS,
        "fault": fault,
        "wanted": _wanted(visit, schedules),
        "done": DONE.get(visit.request.query.get("done", ""), ""),
        "outside": site.external_url,
        "today": {name: visit.now.astimezone(one.timezone).date() for name, one in schedules.items()},
        "local": LOCAL,
    }
    return await visit.page("oncall.html.j2", told)


def _roll(visit: Visit, schedule: Schedule, week: int, kept: Sequence[KeptOverride]) -> Roll:
    first = monday_of(schedule, visit.now) + timedelta(weeks=week)
    cut = weeks(schedule, first, WEEKS)
    begins = max(visit.now, instant(datetime.combine(first, datetime.min.time()), schedule.timezone))
    missing = gaps(schedule, begins, max(begins, cut[-1][-1].pieces[-1].ends))
    mine = tuple(one for one in reversed(kept) if one.schedule == schedule.name)
    return Roll(schedule, on_call(schedule, visit.now), cut, len(missing), mine)


def _week(visit: Visit) -> int:
    text = visit.request.query.get("week", "0")
    if not re.fullmatch("-?[0-9]{1,3}", text) or abs(int(text)) > MOST_WEEKS:
        raise Problem("That is no week of this calendar.")
    return int(text)


def _wanted(visit: Visit, schedules: dict[str, Schedule]) -> dict[str, str] | None:
    """What stands in the form for an override, as the link that opened it has it; None: no form."""
    query = visit.request.query
    name = query.get("override", "")
    if name not in schedules or not visit.visitor.may_act:
        return None
    zone = schedules[name].timezone
    begins = visit.now.astimezone(zone).replace(second=0, microsecond=0)
    usual = {"from": begins.strftime(LOCAL), "until": (begins + timedelta(hours=12)).strftime(LOCAL)}
    given = {key: query[key] for key in usual if _readable(query.get(key, ""))}
    return {"schedule": name, "zone": zone.key, **usual, **given}


async def override(visit: Visit) -> web.StreamResponse:
    """Make one; in force at once. Raises Problem that says which part is wrong."""
    form = await visit.form()
    name = form.get("schedule", "")
    schedule = visit.site.rota.schedules.get(name)
    if schedule is None:
        raise Problem("There is no such schedule in the config.")
    starts, ends = (_read(form.get(key, ""), key, schedule) for key in ("from", "until"))
    author = plain(visit.visitor.name) or "web"
    try:
        wanted = asked_override(visit.config, name, form.get("person", ""), starts, ends, author, visit.now)
    except WrongOverride as error:
        raise Problem(f"The override was not made: {error}") from None
    await visit.site.rota.override(name, wanted)
    return visit.away("/oncall?done=made")


async def take_back(visit: Visit) -> web.StreamResponse:
    """End one for good. Raises NotFound."""
    form = await visit.form()
    id_ = form.get("id", "")
    if not _ID.fullmatch(id_) or await visit.site.rota.take_back(id_) is None:
        raise NotFound("There is no such override.")
    return visit.away("/oncall?done=back")


def _read(text: str, key: str, schedule: Schedule) -> datetime:
    if not _readable(text):
        raise Problem(f"The override was not made: {key}: write a date and a time, such as 2026-12-24T17:00.")
    return instant(datetime.strptime(text[:16], LOCAL), schedule.timezone)  # noqa: DTZ007 - a wall clock, zone beside it


def _readable(text: str) -> bool:
    """Whether it is what a browser sends for a day and a time of it; seconds are cut off."""
    try:
        at = datetime.strptime(text[:16], LOCAL)  # noqa: DTZ007 - only looked at
    except ValueError:
        return False
    return date(2000, 1, 1) <= at.date() <= date(9000, 1, 1)
