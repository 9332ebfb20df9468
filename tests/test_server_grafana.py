"""Grafana's door: what it takes, from whom, and that it answers as Alertmanager's does."""

from __future__ import annotations

import io
import sqlite3
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bridge.app import App
from bridge.config import check
from bridge.server.doors import BODY_LIMIT
from tests.configuring import SMALL, write
from tests.grafana import encoded, grafana_alert, grafana_body, no_data, signed
from tests.serving import BEARER, app_running, counted, sample, write_files

Running = tuple[App, aiohttp.ClientSession]
SECRET = "what-grafana-signs-with"
DOOR = "webhook/grafana"
OPEN = "  alertmanager: {credentials_file: am_token}\n"
BODY = encoded(grafana_body(grafana_alert("DiskFull")))


def with_secret(folder: Path) -> Path:
    (folder / "grafana_hmac").write_text(SECRET + "\n")
    (folder / "grafana_hmac").chmod(0o600)
    path = write_files(folder)
    path.write_text(path.read_text().replace(OPEN, OPEN + "  grafana: {hmac_secret_file: grafana_hmac}\n"))
    return path


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    """The program, which wants Grafana's notifications signed."""
    async with app_running(with_secret(tmp_path)) as one:
        yield one


async def knock(
    session: aiohttp.ClientSession, body: bytes, headers: dict[str, str], method: str = "POST", path: str = DOOR
) -> tuple[int, str, aiohttp.ClientResponse]:
    """Status, text and the response; a redirect is not followed."""
    async with session.request(method, path, data=io.BytesIO(body), headers=headers, allow_redirects=False) as response:
        return response.status, await response.text(), response


def kept(folder: Path) -> list[str]:
    """The doors of what is in the inbox."""
    with sqlite3.connect(f"file:{folder / 'doors.db'}?mode=ro", uri=True) as connection:
        rows = connection.execute("SELECT door FROM inbox ORDER BY seq").fetchall()
    connection.close()
    return [door for (door,) in rows]


def stamp(late: float = 0) -> str:
    return str(int(time.time() - late))  # noqa: TID251 - as Grafana's clock has it


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("path", [DOOR, f"{DOOR}/"])
async def test_signed_notifications_are_kept(running: Running, tmp_path: Path, method: str, path: str) -> None:
    """By POST and PUT, with a slash at the end or without, with a timestamp or without: on disk at the 200."""
    for number, headers in enumerate((signed(SECRET, BODY), signed(SECRET, BODY, stamp())), 1):
        assert (await knock(running[1], BODY, headers, method, path))[:2] == (200, "OK\n")
        assert kept(tmp_path) == ["grafana"] * number
        assert await counted(running[1], "grafana", 200) == number


BODIES: dict[str, dict[str, Any]] = {
    "as documented": grafana_body(grafana_alert("A"), grafana_alert("B", status="resolved")),
    "no data": grafana_body(no_data()),
    "values null": grafana_body(grafana_alert("A", values=None)),
    "values of any kind": grafana_body(grafana_alert("A", values={"A": None, "B": "NaN", "C": [1]})),
    "nulls": grafana_body(grafana_alert("A", annotations=None, generatorURL=None), groupLabels=None),
    "images": grafana_body(grafana_alert("A", imageURL="https://x.test/1.png", embeddedImage="aGVsbG8=")),
    "key of everything": grafana_body(grafana_alert("A"), groupKey="{}:{}"),
    "no alerts": grafana_body(),
    "far offset": grafana_body(grafana_alert("A", startsAt="2026-11-23T22:59:00.123456789-11:30")),
    "tomorrow's keys": grafana_body(grafana_alert("A", enrichments={"x": [1]}), extra={"a": None}),
    "an old version": grafana_body(grafana_alert("A"), version=""),
}


async def test_bodies_of_every_kind(running: Running) -> None:
    """Whatever Grafana adds to its alerts is taken, and understood without a failure."""
    for name, body in BODIES.items():
        content = encoded(body)
        assert (await knock(running[1], content, signed(SECRET, content)))[0] == 200, name
    await running[0].dispatch.digest()
    async with running[1].get("metrics") as response:
        assert sample(await response.text(), "callbridge_inbox_failures_total") == 0


async def test_what_can_never_be_a_notification(running: Running, tmp_path: Path) -> None:
    """400 in one line that speaks of Grafana; nothing is kept."""
    for content in (b"", b"hello", b"[]", b'{"alerts":[', b'{"version":"1","groupKey":"k"}', b"null"):
        status, text, _ = await knock(running[1], content, signed(SECRET, content))
        assert (status, text.count("\n")) == (400, 1)
        assert text.startswith("not a Grafana webhook")
    assert kept(tmp_path) == []
    assert await counted(running[1], "grafana", 400) == 6


async def test_a_wrong_signature(running: Running, tmp_path: Path) -> None:
    """401 with the remedy and no secret: another body, another secret, another time, none at all."""
    right, now = signed(SECRET, BODY), stamp()
    timed = signed(SECRET, BODY, now)
    signature = "X-Grafana-Alerting-Signature"
    without_stamp = {key: value for key, value in timed.items() if not key.endswith("Timestamp")}
    wrong = [
        {},
        dict(BEARER),
        right | {signature: ""},
        right | {signature: "0" * 64},
        right | {signature: f"sha256={right[signature]}"},
        right | {signature: "\u00e9"},
        right | {"X-Grafana-Alerting-Timestamp": now},
        timed | {"X-Grafana-Alerting-Timestamp": str(int(now) + 1)},
        without_stamp,
        signed("another", BODY),
        signed(SECRET, BODY + b" "),
        signed(SECRET, BODY, "now"),
        signed(SECRET, BODY, ""),
        signed(SECRET, BODY, "9" * 400),
    ]
    for headers in wrong:
        status, text, response = await knock(running[1], BODY, headers)
        assert (status, text.count("\n")) == (401, 1), headers
        assert "webhooks.grafana.hmac_secret_file" in text
        assert SECRET not in text
        assert response.headers["WWW-Authenticate"]
    assert kept(tmp_path) == []
    assert await counted(running[1], "grafana", 401) == len(wrong)


@pytest.mark.parametrize(("late", "status"), [(290, 200), (-290, 200), (310, 401), (-310, 401), (3 * 86400, 401)])
async def test_the_window(running: Running, late: float, status: int) -> None:
    """Five minutes on either side; beyond it the answer names the clocks, for Grafana signs its next one anew."""
    found, text, _ = await knock(running[1], BODY, signed(SECRET, BODY, stamp(late)))
    assert found == status
    assert ("clocks is wrong" in text) is (status == 401)


async def test_a_secret_that_cannot_be_read_is_our_fault(running: Running, tmp_path: Path) -> None:
    """503, without the file's name; the next notification after it is mended is taken."""
    (tmp_path / "grafana_hmac").unlink()
    status, text, _ = await knock(running[1], BODY, signed(SECRET, BODY))
    assert (status, str(tmp_path) in text) == (503, False)
    (tmp_path / "grafana_hmac").write_text(SECRET)
    assert (await knock(running[1], BODY, signed(SECRET, BODY)))[0] == 200


async def test_the_other_answers(running: Running) -> None:
    """405 that says what would be right, 413 beyond the limit, 503 while it stops."""
    app, session = running
    for number, method in enumerate(("GET", "HEAD", "DELETE", "PATCH", "OPTIONS"), 1):
        status, _, response = await knock(session, b"", {}, method)
        assert (status, response.headers["Allow"]) == (405, "POST, PUT")
        assert await counted(session, "grafana", 405) == number
    large = b" " * (BODY_LIMIT + 1)
    assert (await knock(session, large, {}))[0] == 413
    app.doors.ready = False
    assert (await knock(session, BODY, signed(SECRET, BODY)))[0] == 503


async def test_without_any_secret_the_door_is_open(tmp_path: Path) -> None:
    """As Alertmanager's is: whoever reaches it may use it."""
    path = write_files(tmp_path)
    path.write_text(path.read_text().replace(OPEN, ""))
    async with app_running(path) as (_, session):
        assert (await knock(session, BODY, {}))[0] == 200


async def test_it_is_no_way_around_a_locked_door(tmp_path: Path) -> None:
    """Alertmanager's credentials are set and Grafana's are not: then they are asked for here too."""
    async with app_running(write_files(tmp_path)) as (_, session):
        status, text, _ = await knock(session, BODY, {})
        assert (status, "webhooks.alertmanager" in text) == (401, True)
        assert (await knock(session, BODY, dict(BEARER)))[0] == 200


def test_the_config_needs_no_grafana(tmp_path: Path) -> None:
    """Left out, empty, or with its file: nothing is told of it."""
    (tmp_path / "key").write_text("x")
    (tmp_path / "key").chmod(0o600)
    for text in ("", "webhooks: {grafana: }\n", "webhooks: {grafana: {hmac_secret_file: key}}\n"):
        assert not [fault for fault in check(write(tmp_path, SMALL + text)) if "grafana" in str(fault).lower()]
