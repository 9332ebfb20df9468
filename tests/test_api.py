"""The JSON API: what it answers is what it says of itself, page by page, and whatever is asked."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from bridge.alert import parse_time
from bridge.app import App
from bridge.server.api import api_routes
from bridge.server.oncall import oncall_routes
from bridge.server.openapi import document
from bridge.simulator import Era, answers, presses, sleeps
from tests.serving import BEARER, app_running, eventually, quiet, write_files
from tests.stories.night import ALICE, BOB, DUSK, Night, alert, body, night

Schema = Mapping[str, Any]
UTC_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
NUMBERS = ("1711234567", "171 1234567", "1717654321", "171 7654321")
NOBODY = "0" * 22


# --- what it says of itself


def faults(value: Any, schema: Schema, where: str = "$") -> Iterator[str]:
    """Where `value` is not what `schema` says, and keys that it does not speak of."""
    if "$ref" in schema:
        schema = document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        if all(list(faults(value, one, where)) for one in schema["anyOf"]):
            yield f"{where}: {value!r} is none of {schema['anyOf']}"
        return
    if not isinstance(value, TYPES[schema["type"]]) or (isinstance(value, bool) and schema["type"] != "boolean"):
        yield f"{where}: {value!r} is no {schema['type']}"
        return
    yield from _of_type(value, schema, where)


def _of_type(value: Any, schema: Schema, where: str) -> Iterator[str]:
    kind: str = schema["type"]
    match kind:
        case "object":
            yield from _of_object(value, schema, where)
        case "array":
            for index, member in enumerate(value):
                yield from faults(member, schema["items"], f"{where}[{index}]")
        case "string" if schema.get("format") == "date-time" and not UTC_TIME.fullmatch(value):
            yield f"{where}: {value!r} is no RFC 3339 time in UTC"
        case "string" if value not in schema.get("enum", [value]):
            yield f"{where}: {value!r} is none of {schema['enum']}"
        case "integer" if value < schema.get("minimum", value):
            yield f"{where}: {value!r} is too small"


TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def _of_object(value: dict[str, Any], schema: Schema, where: str) -> Iterator[str]:
    known = schema.get("properties", {})
    for missing in set(schema.get("required", ())) - value.keys():
        yield f"{where}.{missing}: missing"
    for name, member in value.items():
        if name in known:
            yield from faults(member, known[name], f"{where}.{name}")
        elif "additionalProperties" in schema:
            yield from faults(member, schema["additionalProperties"], f"{where}.{name}")
        else:
            yield f"{where}.{name}: the description does not speak of it"


def described(path: str, method: str = "get", code: int = 200) -> Schema:
    """The schema of one answer."""
    answer = document()["paths"][path][method]["responses"][str(code)]
    schema: Schema = answer["content"]["application/json"]["schema"]
    return schema


def test_the_description_covers_exactly_the_routes() -> None:
    """No path or method of the API goes without a description, and none is described that is not there."""
    routes = [*api_routes(), *(route for route in oncall_routes() if route.path.startswith("/api/"))]
    there = {(route.path, route.method.lower()) for route in routes}
    told = {(path, method) for path, methods in document()["paths"].items() for method in methods}
    assert there == told


def test_the_description_is_whole() -> None:
    """Every reference leads somewhere, every schema is used, and every parameter of a path is described."""
    text = json.dumps(document())
    schemas = document()["components"]["schemas"]
    assert set(re.findall(r"#/components/schemas/(\w+)", text)) == set(schemas)
    for path, methods in document()["paths"].items():
        for told in methods.values():
            named = {one["name"] for one in told.get("parameters", ()) if one["in"] == "path"}
            assert named == set(re.findall(r"\{(\w+)\}", path)), path


def test_the_validator_can_fail() -> None:
    """The checks above are worth something: wrong types, missing and unknown keys, words and times are found."""
    schema: Schema = {
        "type": "object",
        "properties": {"at": {"type": "string", "format": "date-time"}, "n": {"type": "integer", "minimum": 0}},
        "required": ["at"],
    }
    assert list(faults({"at": "2026-01-01T00:00:00Z", "n": 1}, schema)) == []
    for wrong in ({}, {"at": None}, {"at": "2026-01-01T00:00:00+01:00"}, {"at": "2026-01-01T00:00:00Z", "n": -1}):
        assert list(faults(wrong, schema)), wrong
    assert list(faults({"at": "2026-01-01T00:00:00Z", "more": 1}, schema))
    assert list(faults(True, {"type": "integer"}))


async def test_real_answers_are_as_described(tmp_path: Path) -> None:
    """Through a whole night, from the first ring over a retry and an acknowledgement to the end."""
    async with night(tmp_path) as it:
        it.phones.script(ALICE, sleeps())
        it.phones.script(BOB, presses("4"))
        await check_all(it)
        odd = {"instance": 'db1 "x" \\ \u2028', "empty": ""}
        await it.fires("DiskFull", **odd)
        await it.fires("Other", group="other", severity="warning")
        for seconds in (0, 1, 5, 30, 60, 60, 300):
            await it.passes(seconds=seconds)
            await check_all(it)
        await it.resolves("DiskFull", **odd)
        await check_all(it)
        assert {one["state"] for one in await it.incidents()} == {"acknowledged", "resolved"}


@pytest.mark.parametrize("era", [Era.SMS77_2021, Era.SEVEN_2023])
async def test_answers_about_the_older_gateways(tmp_path: Path, era: Era) -> None:
    """Calls without an id of the gateway or a cost are described too."""
    async with night(tmp_path, era=era, dialect="sms77") as it:
        it.phones.script(ALICE, answers())
        await it.fires("DiskFull")
        await it.passes(minutes=3)
        await check_all(it)


async def check_all(it: Night) -> None:
    """Every reading path, against its description; no full number is anywhere in it."""
    answers_ = {"/api/v1/incidents": await it.get("/api/v1/incidents"), "/api/v1/calls": await it.get("/api/v1/calls")}
    answers_["/api/v1/status"] = await it.get("/api/v1/status")
    for path, answer in answers_.items():
        assert list(faults(answer, described(path))) == [], path
    for one in answers_["/api/v1/incidents"]["incidents"]:
        story = await it.get(f"/api/v1/incidents/{one['id']}")
        assert list(faults(story, described("/api/v1/incidents/{id}"))) == []
        answers_[one["id"]] = story
    told = json.dumps(answers_)
    assert not any(number in told for number in NUMBERS)


async def test_calls_are_masked_and_know_their_incidents(tmp_path: Path) -> None:
    """A call names its person, shows a masked number, and the incidents that it told."""
    async with night(tmp_path) as it:
        it.phones.script(ALICE, answers(listens=2))
        await it.fires("DiskFull")
        await it.passes(minutes=1)
        (call,) = (await it.get("/api/v1/calls"))["calls"]
        (incident,) = await it.incidents()
        assert (call["person"], call["number"]) == ("alice", "+4917*****67")
        assert call["incidents"] == [incident["id"]]
        assert call["outcome"] == "answered"
        assert parse_time(call["created_at"]) == DUSK


# --- lists


async def test_pages_are_complete(tmp_path: Path) -> None:
    """Page by page, of any size: every incident once, newest first, the last page without a cursor."""
    async with night(tmp_path) as it:
        for number in range(7):
            await it.notify([alert("A", severity="none")], group=f"g{number}")
            await it.passes(seconds=1)
        whole = [one["id"] for one in await it.incidents()]
        assert len(whole) == 7
        assert [one["opened_at"] for one in await it.incidents()] == sorted(
            (one["opened_at"] for one in await it.incidents()), reverse=True
        )
        for size in (1, 2, 3, 7, 8, 1000):
            assert await paged(it, "incidents", size) == whole


async def test_pages_of_calls_are_complete(tmp_path: Path) -> None:
    """The same for calls; one that comes in between moves nothing."""
    async with night(tmp_path) as it:
        it.phones.script(ALICE, answers(listens=1))
        it.phones.script(BOB, sleeps())
        await it.fires("A")
        await it.passes(minutes=20)
        whole = [one["id"] for one in (await it.get("/api/v1/calls"))["calls"]]
        assert len(whole) >= 2
        assert await paged(it, "calls", 1) == whole
        first = await it.get("/api/v1/calls?limit=1")
        await it.resolves("A")
        await it.fires("B", group="b")
        await it.passes(seconds=5)
        rest = await it.get(f"/api/v1/calls?limit=1000&cursor={first['next']}")
        assert [one["id"] for one in rest["calls"]] == whole[1:]


async def paged(it: Night, kind: str, size: int) -> list[str]:
    """The ids of all pages."""
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = await it.get(f"/api/v1/{kind}?limit={size}&cursor={cursor}")
        assert len(answer[kind]) <= size
        found += [one["id"] for one in answer[kind]]
        cursor = answer["next"]
    return found


async def test_filters(tmp_path: Path) -> None:
    """By state (several, repeated, `open`), and from an instant on; together with pages."""
    async with night(tmp_path) as it:
        for number, action in enumerate(("", "acknowledge", "resolve", "")):
            await it.notify([alert("A", severity="none")], group=f"g{number}")
            if action:
                await it.act(action, by="bob")
            await it.passes(seconds=0 if number == 3 else 10)
        ids = [one["id"] for one in await it.incidents()]
        third, second, first, zeroth = ids

        async def asked(query: str) -> list[str]:
            return [one["id"] for one in (await it.get(f"/api/v1/incidents?{query}"))["incidents"]]

        assert await asked("state=resolved") == [second]
        assert await asked("state=open") == [third, first, zeroth]
        assert await asked("state=acknowledged,resolved") == [second, first]
        assert await asked("state=acknowledged&state=resolved") == [second, first]
        assert await asked("state=open&state=resolved") == ids
        assert await asked("state=") == ids
        assert await asked("state=exhausted") == []
        since = (DUSK + timedelta(seconds=10)).isoformat().replace("+00:00", "Z")
        assert await asked(f"since={since}") == ids[:3]
        assert await asked(f"since={since.replace('Z', '.000001Z')}") == ids[:2]
        assert await asked("since=2026-11-23T23:00:10%2B01:00") == ids[:3]
        assert await asked("since=9999-01-01T00:00:00Z") == []
        assert await asked(f"since={since}&state=open&limit=1") == [third]
        assert [one["id"] for one in (await it.get(f"/api/v1/calls?since={since}"))["calls"]] == []


BAD = [
    ("limit=0", "1 to 1000"),
    ("limit=1001", "1 to 1000"),
    ("limit=", "1 to 1000"),
    ("limit=-1", "1 to 1000"),
    ("limit=ten", "1 to 1000"),
    ("limit=1.0", "1 to 1000"),
    ("limit=%D9%A1", "1 to 1000"),
    ("limit=0000000010000", "1 to 1000"),
    ("limit=" + "9" * 5000, "1 to 1000"),
    ("since=yesterday", "2026-01-31T09:00:00Z"),
    ("since=", "2026-01-31T09:00:00Z"),
    ("since=2026-01-01", "2026-01-31T09:00:00Z"),
    ("since=2026-01-01T00:00:00", "2026-01-31T09:00:00Z"),
    ("since=2026-13-01T00:00:00Z", "2026-01-31T09:00:00Z"),
    ("cursor=x", "next"),
    ("cursor=%00", "next"),
    ("cursor=%27%20OR%201=1--", "next"),
]


async def test_bad_values(tmp_path: Path) -> None:
    """400 with the remedy, as JSON; a stranger's text comes back short and on one line."""
    async with app_running(write_files(tmp_path)) as (_, session):
        asked = [(f"{kind}?{query}", remedy) for kind in ("incidents", "calls") for query, remedy in BAD]
        asked += [
            (f"incidents?state={state}", "triggered, acknowledged")
            for state in ("x", "Open", "open,x", "%00", "x" * 999)
        ]
        for path, remedy in asked:
            async with session.get(f"api/v1/{path}") as response:
                answer = await response.json()
            assert response.status == 400, path
            assert list(faults(answer, described("/api/v1/incidents", code=400))) == []
            assert remedy in answer["message"], path
            assert answer["message"].isprintable()
            assert len(answer["message"]) < 300


async def test_there_is_no_such_incident(tmp_path: Path) -> None:
    """404 as JSON, for looking and for acting; short, whatever was asked for."""
    ids = (NOBODY, "x", "%00", "..%2F..", "'%20OR%201=1--", "%E2%98%83", "x" * 5000)
    async with app_running(write_files(tmp_path)) as (app, session):
        base = f"{app.addresses[0]}/api/v1/incidents"
        for id_, (method, path) in product(ids, (("GET", ""), ("POST", "/acknowledge"), ("POST", "/resolve"))):
            async with session.request(method, URL(f"{base}/{id_}{path}", encoded=True)) as response:
                assert (response.status, response.content_type) == (404, "application/json"), id_
                answer = await response.json()
            assert list(faults(answer, described("/api/v1/incidents/{id}", code=404))) == []
            assert len(answer["message"]) < 100


# --- what a human does


async def one_open(session: aiohttp.ClientSession) -> str:
    """An open incident that calls nobody."""
    async with session.post("webhook/alertmanager", json=quiet(), headers=BEARER) as response:
        assert response.status == 200

    async def listed() -> list[dict[str, Any]]:
        async with session.get("api/v1/incidents") as answer:
            return list((await answer.json())["incidents"])

    return str((await eventually(listed))[0]["id"])


async def act(
    session: aiohttp.ClientSession, id_: str, action: str, content: bytes = b""
) -> tuple[int, dict[str, Any]]:
    async with session.post(f"api/v1/incidents/{id_}/{action}", data=content) as response:
        return response.status, await response.json()


async def test_actions_are_idempotent(tmp_path: Path) -> None:
    """Twice is as once: the same answer, the first name stays, one journal line; what is over stays over."""
    story: dict[str, Any] = {}
    async with app_running(write_files(tmp_path)) as (_, session):
        id_ = await one_open(session)
        for by in (b'{"by": "bob", "comment": "on it"}', b'{"by": "bob"}', b'{"by": "bob"}'):
            status, story = await act(session, id_, "acknowledge", by)
            assert status == 200
            assert list(faults(story, described("/api/v1/incidents/{id}/acknowledge", "post"))) == []
            assert (story["state"], story["acknowledged_by"]) == ("acknowledged", "bob")
        assert "on it" in json.dumps(story["journal"])
        for _ in range(2):
            status, story = await act(session, id_, "resolve", b"{}")
            assert (status, story["state"]) == (200, "resolved")
        closed = story["closed_at"]
        for action in ("acknowledge", "escalate", "resolve"):
            status, story = await act(session, id_, action)
            assert (status, story["state"], story["closed_at"]) == (200, "resolved", closed)
        metrics = await (await session.get("metrics")).text()
        assert 'callbridge_acknowledgements_total{by="api"} 1.0' in metrics
        assert 'callbridge_incidents_closed_total{reason="resolved_by_hand"} 1.0' in metrics


GOOD = [
    b"",
    b" \n",
    b"{}",
    b'{"by": ""}',
    b'{"more": [1]}',
    '{"by": "Zoë \u202e"}'.encode(),
    b'{"by": "' + b"x" * 10_000 + b'"}',
]
NONSENSE = [
    b"nonsense",
    b"[]",
    b"null",
    b'"bob"',
    b'{"by": 1}',
    b'{"by": null}',
    b'{"by": "bob"',
    b'{"by": "\xff"}',
    b'{"by": "\\ud800"}',
    b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b"by=bob",
]


async def test_bodies_of_actions(tmp_path: Path) -> None:
    """No body is needed; one that cannot be understood is 400 with an example, and changes nothing."""
    async with app_running(write_files(tmp_path)) as (_, session):
        id_ = await one_open(session)
        for content in NONSENSE:
            status, answer = await act(session, id_, "acknowledge", content)
            assert status == 400, content[:40]
            assert '{"by": "who", "comment": "why"}' in answer["message"]
            assert answer["message"].isprintable()
        async with session.get(f"api/v1/incidents/{id_}") as response:
            assert (await response.json())["state"] == "triggered"
        for content in GOOD:
            status, story = await act(session, id_, "acknowledge", content)
            assert (status, story["state"]) == (200, "acknowledged"), content[:40]


async def test_only_these_methods(tmp_path: Path) -> None:
    """Looking is GET (and HEAD), acting is POST: a link that somebody follows changes nothing."""
    async with app_running(write_files(tmp_path)) as (_, session):
        id_ = await one_open(session)
        for method, path in (
            ("POST", "incidents"),
            ("DELETE", f"incidents/{id_}"),
            ("GET", f"incidents/{id_}/resolve"),
        ):
            async with session.request(method, f"api/v1/{path}") as response:
                assert response.status == 405
        async with session.post(f"api/v1/incidents/{id_}/explode") as response:
            assert response.status == 404


async def test_a_person_of_the_config_may_be_named(tmp_path: Path) -> None:
    """Acknowledging stops the chain and hangs up; who did it is told."""
    async with night(tmp_path) as it:
        it.phones.script(ALICE, sleeps())
        await it.fires("A")
        await it.passes(seconds=5)
        assert await it.act("acknowledge", by="bob") == 200
        await it.passes(minutes=10)
        assert len(it.calls()) == 1
        assert (await it.story())["acknowledged_by"] == "bob"


# --- while it cannot


async def test_without_the_database(tmp_path: Path) -> None:
    """503 as JSON, for looking and for acting."""
    async with app_running(write_files(tmp_path)) as (app, session):
        id_ = await one_open(session)
        await broken(app)
        asked = [("GET", "incidents"), ("GET", f"incidents/{id_}"), ("POST", f"incidents/{id_}/resolve")]
        for method, path in asked:
            async with session.request(method, f"api/v1/{path}") as response:
                answer = await response.json()
            assert response.status == 503, path
            assert list(faults(answer, described("/api/v1/incidents", code=503))) == []
            assert "SELECT" not in answer["message"]


async def broken(app: App) -> None:
    """Take a table away."""

    def drop(connection: Any) -> None:
        connection.exec_driver_sql("DROP TABLE incidents")

    await app.database.write(drop)


async def test_while_it_stops(tmp_path: Path) -> None:
    """Who acts while the server stops is told at once, not after a time-out."""
    async with app_running(write_files(tmp_path)) as (app, session):
        id_ = await one_open(session)
        app.doors.ready = False
        async with asyncio.timeout(5):
            status, _ = await act(session, id_, "resolve")
        assert status == 503


async def test_the_description_is_served(tmp_path: Path) -> None:
    """As JSON, with the prefix that the paths stand below."""
    async with app_running(write_files(tmp_path), route_prefix="/pager") as (_, session):
        async with session.get("api/v1/openapi.json") as response:
            assert response.content_type == "application/json"
            told = await response.json()
        assert told["servers"] == [{"url": "/pager"}]
        assert told["paths"] == json.loads(json.dumps(document()["paths"]))
        assert told["openapi"].startswith("3.1")


async def test_labels_of_strangers_come_as_they_are(tmp_path: Path) -> None:
    """Odd labels and keys pass through the list unharmed."""
    odd = {"a": "\u202e\u0000\u2028<script>", "ключ": "値", "emoji": "🔥", "long": "x" * 20_000}
    async with app_running(write_files(tmp_path)) as (_, session):
        sent = body([{**alert("A", severity="none"), "labels": {"alertname": "A", "severity": "none", **odd}}])
        async with session.post("webhook/alertmanager", json=sent, headers=BEARER) as response:
            assert response.status == 200

        async def listed() -> list[dict[str, Any]]:
            async with session.get("api/v1/incidents") as answer:
                return list((await answer.json())["incidents"])

        (incident,) = await eventually(listed)
        (told,) = incident["alerts"]
        assert odd.items() <= told["labels"].items()


async def test_a_page_of_another_site_cannot_act(tmp_path: Path) -> None:
    """A browser tells who made it ask: another site's page may not acknowledge; our own and a command line may."""
    async with night(tmp_path) as it:
        await it.fires("DiskFull")
        id_ = (await it.incidents())[0]["id"]
        codes = {}
        for site in ("cross-site", "same-site", "same-origin", "none"):
            url = f"{it.url}/api/v1/incidents/{id_}/acknowledge"
            async with it.session.post(url, headers={"Sec-Fetch-Site": site}) as response:
                codes[site] = response.status
            await it.settle()

        assert codes == {"cross-site": 403, "same-site": 403, "same-origin": 200, "none": 200}
