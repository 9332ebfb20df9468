"""The JSON API: incidents and calls to look at, and what a human may do with an incident.

Described by /api/v1/openapi.json. Times are RFC 3339 in UTC; numbers are masked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from aiohttp import web

from bridge import __version__
from bridge.alert import Alert, parse_time
from bridge.call import Call
from bridge.dispatch import Command
from bridge.errors import StoreUnavailable
from bridge.escalation import State
from bridge.logs import mask
from bridge.origin import for_another_site
from bridge.server.doors import DOORS, Doors
from bridge.server.openapi import document
from bridge.sms import Sms
from bridge.store.ids import ALPHABET
from bridge.store.reading import IncidentView, calls_listed, incident_view, incidents_listed

LIMIT = 100
MOST = 1000
ACTIONS = ("acknowledge", "escalate", "resolve")
OPEN = "open"
_NUMBER = re.compile("[0-9]{1,9}")
_CURSOR = re.compile(f"[{ALPHABET}]{{22}}")


class BadRequest(Exception):
    """The request cannot be understood; the text says what would be right."""


class NotFound(Exception):
    """There is nothing of that name."""


def api_routes(prefix: str = "") -> list[web.RouteDef]:
    """Every path of the API, which others find below `prefix`."""

    async def openapi(request: web.Request, doors: Doors) -> object:
        """What this API is."""
        return document() | {"servers": [{"url": prefix or "/"}]}

    return [
        web.get("/api/v1/openapi.json", safely(openapi)),
        web.get("/api/v1/incidents", safely(incidents)),
        web.get("/api/v1/incidents/{id}", safely(incident)),
        *(web.post(f"/api/v1/incidents/{{id}}/{action}", safely(_acting(action))) for action in ACTIONS),
        web.get("/api/v1/calls", safely(calls)),
        web.get("/api/v1/status", safely(status)),
    ]


def safely(answer: Callable[[web.Request, Doors], Any]) -> Callable[[web.Request], Any]:
    """The answer as JSON; what it raises as JSON with its code."""

    async def safe(request: web.Request) -> web.Response:
        if for_another_site(request.method, request.headers):
            return _json({"code": 403, "message": "a page of another site may not act here"}, 403)
        try:
            return _json(await answer(request, request.app[DOORS]))
        except BadRequest as error:
            return _json({"code": 400, "message": str(error)}, 400)
        except NotFound as error:
            return _json({"code": 404, "message": str(error)}, 404)
        except StoreUnavailable:
            return _json({"code": 503, "message": "the database cannot do this now, come again"}, 503)
        except TimeoutError:
            return _json({"code": 202, "message": "it is kept, and will be done as soon as possible"}, 202)

    return safe


def _json(body: object, code: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), status=code, content_type="application/json")


async def incidents(request: web.Request, doors: Doors) -> object:
    """A list of incidents, newest first."""
    page = paging(request)
    states = _states(request)
    listed = await doors.database.read(
        lambda connection: incidents_listed(connection, doors.dispatch.snapshots, states=states, **page)
    )
    return {"incidents": [_brief(view) for view in listed.rows], "next": listed.next}


async def incident(request: web.Request, doors: Doors) -> object:
    """One incident with everything that is known of it."""
    return _whole(await _found(request.match_info["id"], doors))


async def calls(request: web.Request, doors: Doors) -> object:
    """A list of calls, newest first."""
    page = paging(request)
    listed = await doors.database.read(lambda connection: calls_listed(connection, **page))
    return {"calls": [_call(call) | {"incidents": told} for call, told in listed.rows], "next": listed.next}


async def status(request: web.Request, doors: Doors) -> object:
    """Version, config and health in a few words."""
    return {
        "version": __version__,
        "started_at": doors.started_at,
        "ready": doors.ready and not doors.database.failing,
        "config": {
            "path": str(doors.config.path.name),
            "hash": doors.config.hash,
            "warnings": [str(one) for one in doors.config.warnings],
        },
    }


@dataclass(frozen=True, slots=True)
class _Wish:
    by: str = ""
    comment: str = ""


_WISH = msgspec.json.Decoder(_Wish)


def _acting(action: str) -> Callable[[web.Request, Doors], Any]:
    async def act(request: web.Request, doors: Doors) -> object:
        """Do it, and show the incident as it is then."""
        body = await request.read()
        try:
            wish = _WISH.decode(body) if body.strip() else _Wish()
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadRequest(f'{error}; send {{"by": "who", "comment": "why"}}') from None
        if not doors.ready:
            raise StoreUnavailable("starting or stopping")
        id_ = (await _found(request.match_info["id"], doors)).stored.incident.id
        if not await doors.dispatch.ask(Command(id_, action, wish.by[:200], wish.comment[:1000])):
            raise TimeoutError
        return _whole(await _found(id_, doors))

    return act


async def _found(id_: str, doors: Doors) -> IncidentView:
    view = await doors.database.read(lambda connection: incident_view(connection, doors.dispatch.snapshots, id_))
    if view is None:
        raise NotFound(f"there is no incident {id_[:40]}")
    return view


# --- what is asked


def paging(request: web.Request) -> dict[str, Any]:
    """Which page of a list is asked for. Raises BadRequest."""
    query = request.query
    text = query.get("limit", str(LIMIT))
    if not _NUMBER.fullmatch(text) or not 1 <= int(text) <= MOST:
        raise BadRequest(f"limit: write a number from 1 to {MOST}")
    cursor = query.get("cursor")
    if cursor and not _CURSOR.fullmatch(cursor):
        raise BadRequest("cursor: write `next` of the page before, as it is")
    since = query.get("since")
    try:
        at = None if since is None else parse_time(since)
    except ValueError as error:
        raise BadRequest(f"since: {error}; write 2026-01-31T09:00:00Z") from None
    return {"limit": int(text), "cursor": cursor, "since": at}


def _states(request: web.Request) -> list[str]:
    asked = [state for text in request.query.getall("state", []) for state in text.split(",") if state]
    known = [*State, OPEN]
    for state in asked:
        if state not in known:
            raise BadRequest(f"state: {state[:40]!r} is none of {', '.join(known)}")
    still_open = [state.value for state in State if state is not State.RESOLVED]
    return [one for state in asked for one in (still_open if state == OPEN else [state])]


# --- what is shown


def _brief(view: IncidentView) -> dict[str, object]:
    incident, origin = view.stored.incident, view.stored.origin
    return {
        "id": incident.id,
        "state": incident.state.value,
        "policy": incident.policy.name,
        "source": incident.stream.source.value,
        "receiver": incident.stream.receiver,
        "group_key": incident.stream.group_key,
        "group_labels": origin.group_labels,
        "external_url": origin.external_url,
        "truncated": origin.truncated,
        "opened_at": incident.opened_at,
        "news_at": incident.news_at,
        "due_at": incident.due_at,
        "closed_at": incident.closed_at,
        "round": incident.round,
        "step": incident.step + 1,
        "acknowledged_by": incident.acknowledged_by,
        "acknowledged_at": incident.acknowledged_at,
        "targets": [
            {"person": one.person, "reach": one.reach.value, "attempt": one.attempt, "retry_at": one.retry_at}
            for one in incident.targets
        ],
        "alerts": [_alert(alert) for alert in view.alerts],
    }


def _alert(alert: Alert) -> dict[str, object]:
    return {
        "fingerprint": alert.fingerprint,
        "status": alert.status.value,
        "labels": alert.labels,
        "annotations": alert.annotations,
        "starts_at": alert.starts_at,
        "ends_at": alert.ends_at,
        "generator_url": alert.generator_url,
    }


def _whole(view: IncidentView) -> dict[str, object]:
    return _brief(view) | {
        "pages": [_page(row) for row in view.pages],
        "calls": [_call(call) for call in view.calls],
        "sms": [_sms(sms) for sms in view.texts],
        "journal": [_line(row) for row in view.journal],
    }


def _page(row: Any) -> dict[str, object]:
    names = (
        "id", "person", "channel", "round", "step", "attempt", "queued_at", "state", "call", "outcome", "ended_at",
    )  # fmt: skip
    return {name: getattr(row, name) for name in names} | {"step": row.step + 1}


def _call(call: Call) -> dict[str, object]:
    names = (
        "id", "gateway_id", "person", "reason", "language", "template", "text", "speech_seconds", "window_from",
        "window_until", "created_at", "requested_at", "placed_at", "ringing_at", "answered_at", "ended_at", "due_at",
        "duration", "cost", "account", "tries", "acknowledged",
    )  # fmt: skip
    shown: dict[str, object] = {name: getattr(call, name) for name in names}
    return shown | {
        "number": mask(call.number),
        "state": call.state.value,
        "outcome": None if call.outcome is None else call.outcome.value,
    }


def _sms(sms: Sms) -> dict[str, object]:
    names = (
        "id", "gateway_id", "person", "reason", "language", "template", "text", "parts", "created_at", "requested_at",
        "sent_at", "ended_at", "due_at", "cost", "tries", "acknowledged",
    )  # fmt: skip
    shown: dict[str, object] = {name: getattr(sms, name) for name in names}
    return shown | {
        "number": mask(sms.number),
        "state": sms.state.value,
        "outcome": None if sms.outcome is None else sms.outcome.value,
    }


def _line(row: Any) -> Mapping[str, object]:
    return {
        "at": row.at,
        "word": row.word,
        "who": row.who,
        "call": row.call,
        "round": row.round,
        "step": row.step + 1,
        "attempt": row.attempt,
        "note": row.note,
    }
