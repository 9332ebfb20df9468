"""The description of the JSON API, OpenAPI 3.1. A test holds it against the routes and against real answers."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from bridge import __version__
from bridge.call import CallState, Outcome
from bridge.escalation import Channel, Reach, State
from bridge.sms import SmsOutcome, SmsState
from bridge.store.ids import ALPHABET

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
NUMBER: Schema = {"type": "number"}
TIME: Schema = {"type": "string", "format": "date-time"}
LABELS: Schema = {"type": "object", "additionalProperties": TEXT}


def _maybe(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _one_of(words: Iterable[object]) -> Schema:
    return {"type": "string", "enum": [str(word) for word in words]}


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": sorted(properties)}


def _list(of: str) -> Schema:
    return {"type": "array", "items": {"$ref": f"#/components/schemas/{of}"}}


def _schemas() -> dict[str, Schema]:
    incident = _incident()
    whole = {**incident, "properties": incident["properties"] | {name: _list(of) for name, of in _PARTS.items()}}
    whole["required"] = sorted(whole["properties"])
    return {
        "Incident": incident,
        "IncidentStory": whole,
        "Alert": _alert(),
        "Target": _object(person=TEXT, reach=_one_of(Reach), attempt=COUNT, retry_at=_maybe(TIME)),
        "Page": _page(),
        "Call": _call(),
        "Sms": _sms(),
        "Line": _line(),
        "Wish": {"type": "object", "properties": {"by": TEXT, "comment": TEXT}},
        "Error": _object(code={"type": "integer"}, message=TEXT),
        "Incidents": _object(incidents=_list("Incident"), next=_maybe(TEXT)),
        "Calls": _object(calls=_list("Call"), next=_maybe(TEXT)),
        "Status": _status(),
        **_oncall_schemas(),
    }


_PARTS = {"pages": "Page", "calls": "Call", "sms": "Sms", "journal": "Line"}


def _incident() -> Schema:
    return _object(
        id=TEXT,
        state=_one_of(State),
        policy=TEXT,
        source=TEXT,
        receiver=TEXT,
        group_key=TEXT,
        group_labels=LABELS,
        external_url=TEXT,
        truncated=COUNT,
        opened_at=TIME,
        news_at=TIME,
        due_at=_maybe(TIME),
        closed_at=_maybe(TIME),
        round=COUNT,
        step=COUNT,
        acknowledged_by=_maybe(TEXT),
        acknowledged_at=_maybe(TIME),
        targets=_list("Target"),
        alerts=_list("Alert"),
    )


def _alert() -> Schema:
    return _object(
        fingerprint=TEXT,
        status=_one_of(("firing", "resolved")),
        labels=LABELS,
        annotations=LABELS,
        starts_at=TIME,
        ends_at=_maybe(TIME),
        generator_url=TEXT,
    )


def _page() -> Schema:
    return _object(
        id=TEXT,
        person=TEXT,
        round=COUNT,
        step=COUNT,
        attempt=COUNT,
        queued_at=TIME,
        channel=_one_of(Channel),
        state=_one_of(("queued", "suppressed", "calling", "ended", "cancelled")),
        call=_maybe(TEXT),
        outcome=_maybe(_one_of(dict.fromkeys([*Outcome, *SmsOutcome]))),
        ended_at=_maybe(TIME),
    )


def _call() -> Schema:
    schema = _object(
        id=TEXT,
        gateway_id=_maybe(TEXT),
        account={"type": "string", "description": "that took it or may have, by its name in the config"},
        person=TEXT,
        number={"type": "string", "description": "masked"},
        state=_one_of(CallState),
        outcome=_maybe(_one_of(Outcome)),
        reason=TEXT,
        language=TEXT,
        template=TEXT,
        text=TEXT,
        speech_seconds=NUMBER,
        window_from=_maybe(NUMBER),
        window_until=_maybe(NUMBER),
        created_at=TIME,
        requested_at=_maybe(TIME),
        placed_at=_maybe(TIME),
        ringing_at=_maybe(TIME),
        answered_at=_maybe(TIME),
        ended_at=_maybe(TIME),
        due_at=_maybe(TIME),
        duration=_maybe(NUMBER),
        cost=_maybe(NUMBER),
        tries=COUNT,
        acknowledged={"type": "boolean"},
    )
    # In a list, with the ids of the incidents that the call told; within an incident's story they are known.
    schema["properties"]["incidents"] = {"type": "array", "items": TEXT}
    return schema


def _sms() -> Schema:
    return _object(
        id=TEXT,
        gateway_id=_maybe(TEXT),
        person=TEXT,
        number={"type": "string", "description": "masked"},
        state=_one_of(SmsState),
        outcome=_maybe(_one_of(SmsOutcome)),
        reason=TEXT,
        language=TEXT,
        template=TEXT,
        text=TEXT,
        parts=COUNT,
        created_at=TIME,
        requested_at=_maybe(TIME),
        sent_at=_maybe(TIME),
        ended_at=_maybe(TIME),
        due_at=_maybe(TIME),
        cost=_maybe(NUMBER),
        tries=COUNT,
        acknowledged={"type": "boolean"},
    )


def _line() -> Schema:
    return _object(at=TIME, word=TEXT, who=TEXT, call=_maybe(TEXT), round=COUNT, step=COUNT, attempt=COUNT, note=TEXT)


def _status() -> Schema:
    config = _object(path=TEXT, hash={"type": "integer"}, warnings={"type": "array", "items": TEXT})
    return _object(version=TEXT, started_at=TIME, ready={"type": "boolean"}, config=config)


def _oncall_schemas() -> dict[str, Schema]:
    at: dict[str, Schema] = {"from": TIME, "until": TIME}
    on_call = _object(schedule=TEXT, people={"type": "array", "items": TEXT}, because=TEXT, **at)
    asked = _object(schedule=TEXT, person=TEXT, **at)
    asked["properties"]["by"] = {"type": "string", "description": "who made it", "default": "api"}
    return {
        "OnCall": on_call,
        "OnCallNow": _object(at=TIME, oncall=_list("OnCall")),
        "Shift": _object(schedule=TEXT, person=_maybe(TEXT), because=TEXT, **at),
        "Shifts": _object(shifts=_list("Shift")),
        "OverrideAsked": asked,
        "Override": _object(
            id=TEXT,
            schedule=TEXT,
            person=TEXT,
            by=TEXT,
            created_at=TIME,
            deleted_at=_maybe(TIME),
            warnings={"type": "array", "items": TEXT},
            **at,
        ),
        "Overrides": _object(overrides=_list("Override"), next=_maybe(TEXT)),
    }


def _query(name: str, schema: Schema, description: str) -> Schema:
    return {"name": name, "in": "query", "schema": schema, "description": description}


PAGING = (
    _query("limit", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}, "how many at most"),
    _query("cursor", {"type": "string", "pattern": f"^[{ALPHABET}]{{22}}$"}, "`next` of the page before"),
    _query("since", TIME, "opened or made then or later"),
)
ID: Schema = {"name": "id", "in": "path", "required": True, "schema": TEXT}
NAME: Schema = {"name": "name", "in": "path", "required": True, "schema": TEXT}


def _answers(schema: str, *errors: int) -> Schema:
    def body(name: str) -> Schema:
        return {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}

    told = {"200": {"description": "as asked", "content": body(schema)}}
    names = {
        202: "kept, not done yet",
        400: "cannot be understood",
        403: "a page of another site made the browser ask",
        404: "there is none",
        503: "no database now",
    }
    return told | {str(code): {"description": names[code], "content": body("Error")} for code in (*errors, 503)}


def _get(summary: str, schema: str, *errors: int, parameters: tuple[Schema, ...] = ()) -> Schema:
    return {"get": {"summary": summary, "parameters": list(parameters), "responses": _answers(schema, *errors)}}


def _act(action: str) -> Schema:
    wish = {"application/json": {"schema": {"$ref": "#/components/schemas/Wish"}}}
    return {
        "post": {
            "summary": f"{action} the incident; answers with its story",
            "parameters": [ID],
            "requestBody": {"required": False, "content": wish},
            "responses": _answers("IncidentStory", 202, 400, 403, 404),
        }
    }


def _oncall_paths() -> dict[str, Schema]:
    span = (
        _query("from", TIME, "the beginning (default: now)"),
        _query("until", TIME, "the end, at most 420 days later (default: 28)"),
    )
    these = (
        _query("schedule", TEXT, "only of this one"),
        _query("all", {"type": "boolean", "default": False}, "also what is over or was taken back"),
        *PAGING[:2],
    )
    asked = {"application/json": {"schema": {"$ref": "#/components/schemas/OverrideAsked"}}}
    make = {
        "summary": "one person instead of everybody else for a while; in force at once",
        "requestBody": {"required": True, "content": asked},
        "responses": _answers("Override", 400, 403),
    }
    end = {"summary": "end an override for good", "parameters": [ID], "responses": _answers("Override", 403, 404)}
    at = _query("at", TIME, "at that time (default: now)")
    return {
        "/api/v1/oncall": _get("who is on call", "OnCallNow", 400, parameters=(at,)),
        "/api/v1/schedules/{name}/shifts": _get(
            "the shifts of a span; a gap is one of nobody", "Shifts", 400, 404, parameters=(NAME, *span)
        ),
        "/api/v1/overrides": _get("overrides, newest first", "Overrides", 400, parameters=these) | {"post": make},
        "/api/v1/overrides/{id}": {"delete": end},
    }


def _paths() -> dict[str, Schema]:
    state = _query(
        "state", {"type": "array", "items": _one_of([*State, "open"])}, "only these; `open`: all but resolved"
    )
    return {
        "/api/v1/openapi.json": {"get": {"summary": "this page", "responses": {"200": {"description": "OpenAPI 3.1"}}}},
        "/api/v1/incidents": _get("incidents, newest first", "Incidents", 400, parameters=(state, *PAGING)),
        "/api/v1/incidents/{id}": _get("one incident and its story", "IncidentStory", 404, parameters=(ID,)),
        **{f"/api/v1/incidents/{{id}}/{action}": _act(action) for action in ("acknowledge", "escalate", "resolve")},
        "/api/v1/calls": _get("calls, newest first", "Calls", 400, parameters=PAGING),
        "/api/v1/status": _get("version, config, health", "Status"),
        **_oncall_paths(),
    }


@cache
def document() -> dict[str, Any]:
    """The whole description."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "callbridge", "version": __version__, "license": {"name": "Apache-2.0"}},
        "paths": _paths(),
        "components": {"schemas": _schemas()},
    }
