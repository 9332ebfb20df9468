"""The doors: what they answer to friends, to strangers, to nonsense, and while the database cannot."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import sqlite3
import threading
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from sqlalchemy import Connection

from bridge.app import App
from bridge.call import sign
from bridge.server.doors import BODY_LIMIT
from tests.serving import AM_TOKEN, BEARER, app_running, counted, eventually, quiet, sample, write_files
from tests.stories.night import TOKEN

Running = tuple[App, aiohttp.ClientSession]
DOOR = "webhook/alertmanager"


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    """The program, with a gateway that nobody can reach."""
    async with app_running(write_files(tmp_path)) as one:
        yield one


async def knock(
    session: aiohttp.ClientSession,
    method: str,
    path: str,
    content: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, str, aiohttp.ClientResponse]:
    """Ask, without following a redirect; status, text, and the response."""
    sent = BEARER if headers is None else headers
    async with session.request(
        method, path, data=None if content is None else io.BytesIO(content), headers=sent, allow_redirects=False
    ) as response:
        return response.status, await response.text(), response


def kept(folder: Path) -> list[tuple[str, bytes]]:
    """The inbox as another program sees it."""
    with sqlite3.connect(f"file:{folder / 'doors.db'}?mode=ro", uri=True) as connection:
        rows = connection.execute("SELECT door, body, packed FROM inbox ORDER BY seq").fetchall()
    connection.close()
    return [(door, zlib.decompress(content) if packed else content) for door, content, packed in rows]


def one_line(text: str) -> bool:
    return text.endswith("\n") and text.count("\n") == 1 and len(text) < 400


# --- Alertmanager


@pytest.mark.parametrize("path", [DOOR, f"{DOOR}/"])
async def test_the_webhook_is_durable_before_the_200(running: Running, tmp_path: Path, path: str) -> None:
    """As soon as the 200 is there, others can read the whole body in the file; a slash at the end is no redirect."""
    sent = json.dumps(quiet()).encode()
    status, text, _ = await knock(running[1], "POST", path, sent)
    assert (status, text) == (200, "OK\n")
    assert ("alertmanager", sent) in kept(tmp_path)
    assert await counted(running[1], "alertmanager", 200) == 1


NEVER = {
    "empty": b"",
    "text": b"hello",
    "cut": b'{"version":"4","alerts":[',
    "array": b"[]",
    "number": b"1",
    "null": b"null",
    "no alerts": b'{"version":"4","groupKey":"k"}',
    "no group": b'{"version":"4","alerts":[]}',
    "alerts no list": b'{"version":"4","groupKey":"k","alerts":{}}',
    "version 5": b'{"version":"5","groupKey":"k","alerts":[]}',
    "no status": b'{"version":"4","groupKey":"k","alerts":[{"labels":{}}]}',
    "bad time": b'{"version":"4","groupKey":"k","alerts":[{"labels":{},"status":"firing","startsAt":"today"}]}',
    "label no text": b'{"version":"4","groupKey":"k","alerts":[{"labels":{"a":1},"status":"firing"}]}',
    "not utf-8": b'{"version":"4","groupKey":"\xff\xfe","alerts":[]}',
    "half a pair": b'{"version":"4","groupKey":"\\ud800","alerts":[]}',
    "line break": b'{"version":"4\\n5\\u001b[2J","groupKey":"k","alerts":[]}',
    "too deep": b'{"version":"4","groupKey":"k","alerts":[],"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "too large a number": b'{"version":"4","groupKey":"k","alerts":[],"truncatedAlerts":1e400}',
    "form": b"payload=%7B%7D",
    "xml": b"<?xml version='1.0'?><alerts/>",
    "nul": b"\0" * 100,
}


async def test_what_can_never_be_a_webhook(running: Running, tmp_path: Path) -> None:
    """400 with one short printable line that names the fault; nothing of it is kept."""
    for name, content in NEVER.items():
        status, text, response = await knock(running[1], "POST", DOOR, content)
        assert status == 400, name
        assert one_line(text), name
        assert text.strip().isprintable(), name
        assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert kept(tmp_path) == []
    assert await counted(running[1], "alertmanager", 400) == len(NEVER)


async def test_a_body_that_is_not_encoded_as_it_says(running: Running) -> None:
    """A broken content encoding is the sender's fault: 400 in one line, no 500."""
    for encoding in ("gzip", "deflate"):
        headers = {**BEARER, "Content-Encoding": encoding, "Connection": "close"}
        status, text, _ = await knock(running[1], "POST", DOOR, b"this is not compressed at all" * 10, headers)
        assert (status, one_line(text)) == (400, True), text


async def test_what_grows_beyond_the_limit_when_it_is_unpacked(running: Running) -> None:
    """The limit holds for the unpacked body: a small bomb is 413."""
    headers = {**BEARER, "Content-Encoding": "deflate"}
    status, text, _ = await knock(running[1], "POST", DOOR, zlib.compress(b" " * (BODY_LIMIT + 1)), headers)
    assert status == 413
    assert one_line(text)


WRONG = [
    None,
    "",
    "Bearer",
    "Bearer ",
    "Bearer wrong",
    f"Bearer {AM_TOKEN}x",
    f"Bearer {AM_TOKEN[:-1]}",
    f"Basic {AM_TOKEN}",
    f"Token {AM_TOKEN}",
    AM_TOKEN,
    f"Bearer {AM_TOKEN.upper()}",
    "Bearer \u00e9\u00e8",
    f"Bearer {AM_TOKEN} {AM_TOKEN}",
]


async def test_wrong_credentials(running: Running, tmp_path: Path) -> None:
    """401 with the remedy and the scheme, in one line without a secret; the body is not even looked at."""
    for header in WRONG:
        headers = {} if header is None else {"Authorization": header}
        for content in (json.dumps(quiet()).encode(), b"nonsense"):
            status, text, response = await knock(running[1], "POST", DOOR, content, headers)
            assert status == 401, header
            assert response.headers["WWW-Authenticate"] == "Bearer"
            assert one_line(text)
            assert AM_TOKEN not in text
    assert kept(tmp_path) == []
    assert await counted(running[1], "alertmanager", 401) == 2 * len(WRONG)


async def test_the_scheme_is_read_in_any_case(running: Running) -> None:
    """RFC 9110: the name of a scheme has no case."""
    for scheme in ("Bearer", "bearer", "BEARER"):
        headers = {"Authorization": f"{scheme} {AM_TOKEN}"}
        assert (await knock(running[1], "POST", DOOR, json.dumps(quiet()).encode(), headers))[0] == 200


async def test_only_post(running: Running) -> None:
    """Anything else is 405 that says what would be right, with or without credentials, and counted."""
    for number, method in enumerate(("GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"), 1):
        status, text, response = await knock(running[1], method, DOOR, headers={})
        assert (status, response.headers["Allow"]) == (405, "POST")
        assert text == ("" if method == "HEAD" else "send POST\n")
        assert await counted(running[1], "alertmanager", 405) == number


def padded(size: int) -> bytes:
    """A right body of exactly so many bytes."""
    made = quiet()
    made["externalURL"] = ""
    made["externalURL"] = "x" * (size - len(json.dumps(made)))
    content = json.dumps(made).encode()
    assert len(content) == size
    return content


async def test_the_largest_body(running: Running) -> None:
    """10 MiB are taken, one byte more is 413 in one line, and nothing else; both are counted."""
    assert (await knock(running[1], "POST", DOOR, padded(BODY_LIMIT)))[0] == 200
    status, text, _ = await knock(running[1], "POST", DOOR, padded(BODY_LIMIT + 1))
    assert (status, text) == (413, f"the body is larger than {BODY_LIMIT} bytes\n")
    assert await counted(running[1], "alertmanager", 413) == 1


async def test_a_missing_secret_is_our_fault_not_theirs(running: Running, tmp_path: Path) -> None:
    """Alertmanager gives up after a 401: while our own secret cannot be read it is told to come again."""
    (tmp_path / "am_token").unlink()
    (tmp_path / "report_token").write_text("")
    status, text, _ = await knock(running[1], "POST", DOOR, json.dumps(quiet()).encode())
    assert status == 503
    assert one_line(text)
    assert str(tmp_path) not in text
    assert (await knock(running[1], "POST", f"webhook/sms77/{TOKEN}", b"id=1&status=completed"))[0] == 503
    assert await counted(running[1], "alertmanager", 503) == 1


async def test_a_rotated_secret_is_used_at_once(running: Running, tmp_path: Path) -> None:
    """The file is read when it is used: no reload, and the old secret is worth nothing any more."""
    (tmp_path / "am_token").write_text("the-next-token-of-alertmanager")
    sent = json.dumps(quiet()).encode()
    assert (await knock(running[1], "POST", DOOR, sent))[0] == 401
    assert (await knock(running[1], "POST", DOOR, sent, {"Authorization": "Bearer the-next-token-of-alertmanager"}))[
        0
    ] == 200


def test_secrets_are_compared_in_constant_time() -> None:
    """How long a refusal takes must not tell how much of a guess was right: only `compare_digest` compares."""
    source = (Path(__file__).parents[1] / "bridge" / "server" / "doors.py").read_text()
    assert source.count(".read())") + source.count(".read()):") >= 2
    for line in source.splitlines():
        assert not (".read()" in line and "==" in line), line
    assert 'hmac.compare_digest(given.encode(errors="replace"), secret.encode())' in source


async def test_without_credentials_in_the_config_the_door_is_open(tmp_path: Path) -> None:
    """`webhooks.alertmanager` left out: whoever reaches the door may use it."""
    path = write_files(tmp_path)
    path.write_text(path.read_text().replace("  alertmanager: {credentials_file: am_token}\n", ""))
    async with app_running(path) as (_, session):
        assert (await knock(session, "POST", DOOR, json.dumps(quiet()).encode(), {}))[0] == 200


# --- the database cannot


def bulky() -> bytes:
    """A body that no packing makes small."""
    made = quiet("Bulky")
    made["alerts"][0]["annotations"] = {"noise": os.urandom(200_000).hex()}
    return json.dumps(made).encode()


def run_sql(connection: Connection, statement: str) -> None:
    connection.exec_driver_sql(statement)


async def fill_up(app: App) -> None:
    """As a full disk: the file may not grow any more, and has no page left."""

    def stuff(connection: Connection) -> None:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    await app.database.write(stuff)


async def make_room(app: App) -> None:
    await app.database.write(lambda connection: run_sql(connection, "PRAGMA max_page_count = 1000000"))


async def test_a_full_disk_and_its_recovery(running: Running) -> None:
    """Full: 503 in one line, ready 503, alive, metrics are still told. Room again: by itself all is well."""
    app, session = running
    sent = bulky()
    await fill_up(app)
    statuses = [await knock(session, "POST", DOOR, sent) for _ in range(3)]
    assert {status for status, _, _ in statuses} == {503}
    assert all(one_line(text) and "come again" in text for _, text, _ in statuses)
    status, text, _ = await knock(session, "GET", "-/ready", headers={})
    assert (status, one_line(text)) == (503, True)
    assert (await knock(session, "HEAD", "-/ready", headers={}))[0] == 503
    assert (await knock(session, "GET", "-/healthy", headers={}))[:2] == (200, "OK\n")
    assert await counted(session, "alertmanager", 503) == 3
    await make_room(app)
    assert (await knock(session, "GET", "-/ready", headers={}))[:2] == (200, "OK\n")
    assert (await knock(session, "POST", DOOR, sent))[0] == 200


async def test_room_again_shows_without_anybody_asking(running: Running) -> None:
    """The next message that can be kept is kept, whether anybody looked at /-/ready or not."""
    app, session = running
    await fill_up(app)
    assert (await knock(session, "POST", DOOR, bulky()))[0] == 503
    await make_room(app)
    assert (await knock(session, "POST", DOOR, bulky()))[0] == 200


async def test_metrics_while_the_database_hangs(running: Running) -> None:
    """A database that never answers costs the gauges, not the scrape."""
    app, session = running
    let_go = threading.Event()
    hanging = asyncio.ensure_future(app.database.read(lambda _: let_go.wait(30)))
    try:
        async with asyncio.timeout(10):
            status, text, _ = await knock(session, "GET", "metrics", headers={})
        assert status == 200
        assert "callbridge_webhooks_total" in text
    finally:
        let_go.set()
        await hanging


async def test_metrics_while_the_database_fails(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    """A database that cannot be read costs the gauges, not the scrape, and the log says so."""
    app, session = running
    await app.database.write(lambda connection: run_sql(connection, "DROP TABLE incidents"))
    with caplog.at_level(logging.ERROR):
        status, text, _ = await knock(session, "GET", "metrics", headers={})
    assert status == 200
    assert "callbridge_build_info" in text
    assert any("gauges are stale" in record.message for record in caplog.records)


async def test_a_fault_of_our_own_loses_nothing(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    """A door that breaks asks the sender to come again, in one line; the traceback is the log's."""
    app, session = running
    app.doors.dispatch = None  # type: ignore[assignment] # as broken as it can be
    with caplog.at_level(logging.ERROR):
        status, text, _ = await knock(session, "POST", DOOR, json.dumps(quiet()).encode())
    assert (status, text) == (503, "cannot take it now, come again\n")
    assert any(record.exc_info for record in caplog.records)


# --- the gateway's reports

REPORT = {"webhook_event": "voice_status", "data": {"id": "77", "status": "completed", "duration": "12"}}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}


SHAPES: list[tuple[str, str, bytes | None, dict[str, str]]] = [
    ("POST", "", b"id=77&status=completed&duration=12&pricePerMinute=0.03", FORM),
    ("POST", "", b"webhook_event=voice_status&data[id]=77&data[status]=completed", FORM),
    ("POST", "", b"webhook_event=voice_status&data%5Bid%5D=77&data%5Bstatus%5D=completed", FORM),
    ("POST", "", json.dumps(REPORT).encode(), JSON),
    ("POST", "", b'{"id": 77, "status": "ringing"}', JSON),
    ("POST", "", b'{"id": 77, "status": "ringing"}', FORM),
    ("POST", "", b'{"id": 77, "status": "ringing"}', {}),
    ("POST", "?id=77&status=failed", b"", {}),
    ("GET", "?id=77&status=no-answer&recipient=491711234567", None, {}),
    ("GET", "?webhook_event=voice_status&data%5Bid%5D=77&data%5Bstatus%5D=completed", None, {}),
    ("POST", "", b'{"webhook_event":"something_new","data":{"x":1}}', JSON),
    ("POST", "", b'{"webhook_event":"sms_mo","data":{"sender":"491711234567","text":"OK"}}', JSON),
    ("POST", "", b'{"webhook_event":"voice_dtmf","data":{"id":"77","dtmf_digit":"1"}}', JSON),
]


async def test_reports_in_every_shape(running: Running) -> None:
    """Form, query or JSON, nested or flat, known or not: kept, 200, and digested without a failure."""
    _, session = running
    for number, (method, query, content, headers) in enumerate(SHAPES, 1):
        status, text, _ = await knock(session, method, f"webhook/sms77/{TOKEN}{query}", content, headers)
        assert (status, text) == (200, "OK\n"), (method, query, content)
        assert await counted(session, "sms77", 200) == number

    async def all_digested() -> bool:
        return sample(await (await session.get("metrics")).text(), "callbridge_inbox_waiting") == 0

    await eventually(all_digested)
    told = await (await session.get("metrics")).text()
    assert sample(told, "callbridge_inbox_failures_total") == 0
    assert sample(told, "callbridge_reports_total", status="no-answer") == 1


async def test_a_wrong_report_token(running: Running, tmp_path: Path) -> None:
    """404, as if there were nothing; nothing is kept."""
    tokens = ("wrong", TOKEN + "x", TOKEN[:-1], TOKEN.upper(), "%00", "%C3%A9", "..%2F..")
    for number, token in enumerate(tokens, 1):
        assert (await knock(running[1], "POST", f"webhook/sms77/{token}", b"id=1&status=completed", FORM))[0] == 404
        assert await counted(running[1], "sms77", 404) == number
    assert kept(tmp_path) == []


async def test_without_a_report_token_the_door_is_shut(tmp_path: Path) -> None:
    """A stranger's report could end a call or take an incident: no token in the config, no door."""
    path = write_files(tmp_path)
    path.write_text(path.read_text().replace("  sms77: {token_file: report_token}\n", ""))
    async with app_running(path) as (_, session):
        for token in ("", "x", "None", TOKEN):
            assert (await knock(session, "POST", f"webhook/sms77/{token}", b"id=1&status=completed", FORM))[0] == 404


async def test_other_methods_of_the_gateway(running: Running) -> None:
    """POST and GET are taken; a HEAD, as link previews send, takes nothing."""
    for door in ("sms77", "keypress"):
        for number, method in enumerate(("PUT", "DELETE", "HEAD"), 1):
            status, _, response = await knock(running[1], method, f"webhook/{door}/{TOKEN}")
            assert (status, response.headers["Allow"]) == (405, "POST, GET")
            assert await counted(running[1], door, 405) == number


async def test_the_token_is_never_logged(running: Running, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the right one, nor a wrong one, nor that of a broken request."""
    app, session = running
    with caplog.at_level(logging.DEBUG):
        await knock(session, "POST", f"webhook/sms77/{TOKEN}", b"nonsense", FORM)
        await knock(session, "POST", f"webhook/sms77/{TOKEN}", b"{", JSON)
        await knock(session, "PUT", f"webhook/sms77/{TOKEN}", b"", FORM)
        await knock(session, "GET", f"webhook/sms77/{TOKEN[:-1]}", None, FORM)
        host, port = app.addresses[0].removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"POST /webhook/sms77/{TOKEN[:-2]} HTTP/1.1\r\nContent-Length: x\r\n\r\n".encode())
        await reader.read()
        writer.close()
        await writer.wait_closed()
    from_us = [record for record in caplog.records if not record.name.startswith("asyncio")]
    assert from_us
    said = "\n".join(f"{record.getMessage()} {getattr(record, 'fields', '')} {record.exc_info}" for record in from_us)
    assert TOKEN[:-2] not in said, said


# --- the signed link


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_a_signed_link(running: Running, tmp_path: Path, method: str) -> None:
    """A link that we signed is kept, also for a call that nobody knows; one that we did not is 404."""
    session = running[1]
    assert (await knock(session, method, f"webhook/keypress/{sign(TOKEN, 'abc')}"))[:2] == (200, "OK\n")
    assert kept(tmp_path) == [("keypress", b"abc")]
    for token in ("abc", "abc.", f"abd.{sign(TOKEN, 'abc').partition('.')[2]}", sign("other", "abc"), "%C3%A9"):
        assert (await knock(session, method, f"webhook/keypress/{token}"))[0] == 404
    assert await counted(session, "keypress", 200) == 1
    assert await counted(session, "keypress", 404) == 5


# --- for those who run it


async def test_health(running: Running) -> None:
    """GET and HEAD without credentials: OK."""
    for path in ("-/healthy", "-/ready"):
        assert (await knock(running[1], "GET", path, headers={}))[:2] == (200, "OK\n")
        assert (await knock(running[1], "HEAD", path, headers={}))[:2] == (200, "")


async def test_ready_while_it_stops(running: Running) -> None:
    """Stopping: not ready, and a webhook is told to come again instead of being left to hang."""
    app, session = running
    app.doors.ready = False
    status, text, _ = await knock(session, "GET", "-/ready", headers={})
    assert (status, text) == (503, "starting or stopping\n")
    assert (await knock(session, "POST", DOOR, json.dumps(quiet()).encode()))[0] == 503
    assert (await knock(session, "GET", "-/healthy", headers={}))[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_reload(running: Running, tmp_path: Path, method: str) -> None:
    """200 without a body, and the new file is in force."""
    app, session = running
    before = app.doors.config.hash
    write_files(tmp_path, first="bob")
    assert (await knock(session, method, "-/reload", headers={}))[:2] == (200, "")
    assert app.doors.config.hash != before


async def test_reload_of_a_bad_file(running: Running, tmp_path: Path) -> None:
    """500 with every fault; the old config stays in force, and the metrics say so."""
    app, session = running
    before = app.doors.config
    (tmp_path / "callbridge.yaml").write_text(
        "gateway: {dialect: x, from: nobody}\npeople: {a: {phone: '+1'}}\nroute: {policy: p}\n"
    )
    status, text, _ = await knock(session, "POST", "-/reload", headers={})
    assert status == 500
    assert text.startswith("failed to reload config: ")
    assert len(text.splitlines()) > 2
    assert app.doors.config is before
    told = await (await session.get("metrics")).text()
    assert "callbridge_config_last_reload_successful 0.0" in told
    assert sample(told, "callbridge_config_hash") == before.hash


async def test_reload_takes_no_get(running: Running) -> None:
    """GET is 405 that says what would be right."""
    status, _, response = await knock(running[1], "GET", "-/reload", headers={})
    assert status == 405
    assert set(response.headers["Allow"].split(",")) == {"POST", "PUT"}


async def test_metrics_in_both_forms(running: Running) -> None:
    """As `Accept` asks for."""
    openmetrics = "application/openmetrics-text"
    for accept, expected in (("", "text/plain"), ("*/*", "text/plain"), (f"{openmetrics};version=1.0.0", openmetrics)):
        _, text, response = await knock(running[1], "GET", "metrics", headers={"Accept": accept})
        assert response.headers["Content-Type"].startswith(expected)
        assert text.endswith("# EOF\n") is (expected == openmetrics)


async def test_below_a_prefix(tmp_path: Path) -> None:
    """With a route prefix every door stands below it, and none beside it; there is no redirect."""
    async with app_running(write_files(tmp_path), route_prefix="/pager") as (app, session):
        base = app.addresses[0]
        assert base.endswith("/pager")
        bare = base.removesuffix("/pager")
        for path in ("/-/healthy", "/-/ready", "/metrics", "/api/v1/status", "/api/v1/openapi.json"):
            assert (await knock(session, "GET", base + path, headers={}))[0] == 200
            assert (await knock(session, "GET", bare + path, headers={}))[0] == 404
        assert (await knock(session, "POST", f"{base}/webhook/alertmanager/", json.dumps(quiet()).encode()))[0] == 200


async def test_the_signed_link_leads_to_the_external_url(tmp_path: Path) -> None:
    """The link that a template is given is the door as others reach it; without an external URL there is none."""
    async with app_running(write_files(tmp_path), external_url="https://calls.example.test/pager") as (app, session):
        link = app.dispatch.world.link("abc")
        assert link == f"https://calls.example.test/pager/webhook/keypress/{sign(TOKEN, 'abc')}"
        path = link.removeprefix("https://calls.example.test/pager/")
        assert (await knock(session, "GET", path))[0] == 200


async def test_no_link_without_an_external_url(running: Running) -> None:
    """Nobody outside could reach it."""
    assert running[0].dispatch.world.link("abc") == ""


async def test_nobody_is_ever_redirected(running: Running) -> None:
    """A redirect turns a POST into a GET, and the alert is lost: no path answers with one."""
    paths = [
        "",
        "webhook",
        "webhook/",
        DOOR,
        f"{DOOR}/",
        f"{DOOR}//",
        "webhook/sms77",
        "-/reload",
        "-/ready/",
        "metrics/",
    ]
    for path in [*paths, "api", "api/v1", "api/v1/", "api/v1/incidents/", "//webhook/alertmanager"]:
        status, _, _ = await knock(running[1], "POST", f"{running[0].addresses[0]}/{path}", b"{}")
        assert not 300 <= status < 400, path
        assert status != 429
