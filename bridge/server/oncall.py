"""Who is on call: the questions about schedules, the overrides that people make, and shifts as a calendar."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import msgspec
from aiohttp import web

from bridge.alert import parse_time
from bridge.errors import StoreUnavailable
from bridge.rota import WrongOverride, asked_override, there_is_none
from bridge.schedule import CalendarError, Override, Schedule, Shift, ical_of, on_call, present, shifts
from bridge.schedule.calendars import plain
from bridge.server.api import BadRequest, NotFound, paging, safely
from bridge.server.doors import DOORS, Doors
from bridge.store.ids import ALPHABET
from bridge.store.overrides import KeptOverride, overrides_listed

LONGEST_SPAN = timedelta(days=420)
USUAL_SPAN = timedelta(days=28)
CALENDAR_BEHIND, CALENDAR_AHEAD = timedelta(days=30), timedelta(days=90)
# Far enough from the ends of the calendar for everything that is reckoned from there.
FIRST, LAST = datetime(1900, 1, 1, tzinfo=UTC), datetime(9900, 1, 1, tzinfo=UTC)

_BLANK_PLUS = re.compile(r" (?=\d\d:\d\d$)")
_ID = re.compile(f"[{ALPHABET}]{{22}}")


def oncall_routes() -> list[web.RouteDef]:
    """Every path that is about schedules."""
    return [
        web.get("/api/v1/oncall", safely(oncall)),
        web.get("/api/v1/schedules/{name}/shifts", safely(schedule_shifts)),
        web.get("/api/v1/overrides", safely(overrides)),
        web.post("/api/v1/overrides", safely(override)),
        web.delete("/api/v1/overrides/{id}", safely(take_back)),
        web.get("/oncall/{schedule}.ics", calendar),
    ]


# --- the questions


async def oncall(request: web.Request, doors: Doors) -> object:
    """Everybody who is on call at one instant, with the span in which it is exactly they."""
    at = _time(request, "at") or doors.clock.now()
    # Around it too, for the bounds of the shifts.
    schedules = await _schedules(doors, at - timedelta(days=2), at + timedelta(days=31))
    found = await asyncio.to_thread(lambda: [_present(one, at) for one in schedules.values()])
    return {"at": at, "oncall": found}


def _present(schedule: Schedule, at: datetime) -> dict[str, object]:
    under_way = present(schedule, at)
    return {
        "schedule": schedule.name,
        # In the order in which they are called.
        "people": list(on_call(schedule, at)),
        "from": max(one.starts for one in under_way),
        "until": min(one.ends for one in under_way),
        "because": "; ".join(dict.fromkeys(one.because for one in under_way)),
    }


async def schedule_shifts(request: web.Request, doors: Doors) -> object:
    """The shifts of a span, gaps among them."""
    name = request.match_info["name"]
    _known(doors, name)
    starts = _time(request, "from") or doors.clock.now()
    ends = _time(request, "until") or min(starts + USUAL_SPAN, LAST)
    if not starts < ends <= starts + LONGEST_SPAN:
        raise BadRequest(f"until: write a time after `from`, at most {LONGEST_SPAN.days} days")
    schedule = (await _schedules(doors, starts, ends))[name]
    found = await asyncio.to_thread(shifts, schedule, starts, ends)
    return {"shifts": [_shift(one) for one in found]}


def _shift(one: Shift) -> dict[str, object]:
    return {
        "schedule": one.schedule,
        "person": one.person,
        "from": one.starts,
        "until": one.ends,
        "because": one.because,
    }


async def calendar(request: web.Request) -> web.Response:
    """The shifts of a month behind and three ahead, for people's own calendars."""
    doors = request.app[DOORS]
    name, now = request.match_info["schedule"], doors.clock.now()
    if name not in doors.rota.schedules:
        return web.Response(status=404, text="there is no such schedule\n")
    starts, ends = now - CALENDAR_BEHIND, now + CALENDAR_AHEAD
    try:
        schedule = (await doors.rota.schedules_for(starts, ends))[name]
    except CalendarError as error:
        return web.Response(status=503, text=f"{error}\n")
    body = await asyncio.to_thread(_calendar, schedule, starts, ends, doors)
    headers = {"Content-Type": "text/calendar; charset=utf-8", "X-Content-Type-Options": "nosniff"}
    return web.Response(body=body, headers=headers)


def _calendar(schedule: Schedule, starts: datetime, ends: datetime, doors: Doors) -> bytes:
    # From a true start on: a shift cut at another instant each day would be another event each day.
    whole = min(one.starts for one in present(schedule, starts))
    return ical_of(shifts(schedule, whole, ends), schedule.name, doors.config.people)


async def _schedules(doors: Doors, starts: datetime, ends: datetime) -> dict[str, Schedule]:
    try:
        return dict(await doors.rota.schedules_for(starts, ends))
    except CalendarError as error:
        raise BadRequest(f"the calendars cannot be read for that time: {error}") from None


# --- overrides


class _Asked(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    schedule: str
    person: str
    from_: str
    until: str
    by: str = ""


_ASKED = msgspec.json.Decoder(_Asked)
_EXAMPLE = (
    '{"schedule": "primary", "person": "bob", "from": "2026-12-24T17:00:00Z", "until": "2026-12-25T08:00:00Z",'
    ' "by": "alice"}'
)


async def override(request: web.Request, doors: Doors) -> object:
    """One person instead of everybody else for a while, in force at once."""
    try:
        asked = _ASKED.decode(await request.read())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"{error}; send {_EXAMPLE}") from None
    wanted = _checked(asked, doors)
    _working(doors)
    kept = await doors.rota.override(asked.schedule, wanted)
    return _override(kept, doors)


def _checked(asked: _Asked, doors: Doors) -> Override:
    starts, ends, now = _read_time("from", asked.from_), _read_time("until", asked.until), doors.clock.now()
    author = plain(asked.by) or "api"
    try:
        return asked_override(doors.config, asked.schedule, asked.person, starts, ends, author, now)
    except WrongOverride as error:
        raise BadRequest(str(error)) from None


async def take_back(request: web.Request, doors: Doors) -> object:
    """End an override for good; it stays in the list of all."""
    id_ = request.match_info["id"]
    _working(doors)
    kept = await doors.rota.take_back(id_) if _ID.fullmatch(id_) else None
    if kept is None:
        raise NotFound(f"there is no override {id_[:40]}")
    return _override(kept, doors)


async def overrides(request: web.Request, doors: Doors) -> object:
    """A list of those that stand and are not over, newest first; `all=true`: of all that were ever made."""
    page, query = paging(request), request.query
    limit, cursor, schedule = page["limit"], page["cursor"], query.get("schedule")
    if query.get("all", "false") not in ("true", "false"):
        raise BadRequest("all: write true or false")
    since = None if query.get("all") == "true" else doors.clock.now()
    listed, following = await doors.database.read(
        lambda connection: overrides_listed(
            connection, schedule=schedule, ending_after=since, limit=limit, cursor=cursor
        )
    )
    return {"overrides": [_override(one, doors) for one in listed], "next": following}


def _override(kept: KeptOverride, doors: Doors) -> dict[str, object]:
    return {
        "id": kept.override.id,
        "schedule": kept.schedule,
        "person": kept.override.person,
        "from": kept.override.starts,
        "until": kept.override.ends,
        "by": kept.override.author,
        "created_at": kept.created_at,
        "deleted_at": kept.deleted_at,
        "warnings": list(_doubts(kept, doors)),
    }


def _doubts(kept: KeptOverride, doors: Doors) -> Iterable[str]:
    person = doors.config.people.get(kept.override.person)
    if kept.schedule not in doors.config.schedules:
        yield "without effect: the config has no such schedule any more"
    elif person is None:
        yield "without effect: the config has no such person any more"
    elif not person.phone:
        yield f"{person.key} has no phone: while this lasts nobody is called by this schedule"


# --- what is asked


def _working(doors: Doors) -> None:
    if not doors.ready:
        raise StoreUnavailable("starting or stopping")


def _known(doors: Doors, name: str) -> None:
    if name not in doors.rota.schedules:
        raise NotFound(there_is_none(name, doors.rota.schedules))


def _time(request: web.Request, name: str) -> datetime | None:
    text = request.query.get(name)
    # A plus that was not escaped arrives as a blank.
    return None if text is None else _read_time(name, _BLANK_PLUS.sub("+", text))


def _read_time(name: str, text: str) -> datetime:
    try:
        at = parse_time(text)
    except ValueError as error:
        raise BadRequest(f"{name}: {error}; write 2026-12-24T17:00:00Z") from None
    if not FIRST <= at <= LAST:
        raise BadRequest(f"{name}: write a time from {FIRST.year} to {LAST.year}")
    return at
