"""The real Alertmanager, our server as a process, and a gateway that knows nothing but the original page of the API.

The gateway is written here, from that page alone, so that it shares no mistake with our client or our simulator.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from bridge.clock import SystemClock
from tests.requirements import require
from tests.serving import AM_TOKEN, KEY, Served, eventually, sample, served, write_files
from tests.stories.night import TOKEN

PARAMETERS = {"to", "text", "from", "xml", "debug"}
ALICE, BOB = "491711234567", "491717654321"
CHAIN = """
storage: {url: "sqlite:///real.db"}
gateway: {api_url: "%s", dialect: sms77, api_key_file: key, from: "+49 30 1234567", timeout: 3s}
webhooks:
  alertmanager: {credentials_file: am_token}
  sms77: {token_file: report_token}
people: {alice: {phone: "+49 171 1234567"}, bob: {phone: "+49 171 7654321"}}
policies: {default: {steps: [{call: [alice], wait: 1m}, {call: [bob]}]}}
acknowledgement: {answer: 5s}
route: {policy: default}
"""


@dataclass
class Telephone:
    """The gateway of the original page: POST form, key in a header, three lines of text; reports as form fields."""

    hook: str = ""
    requests: list[dict[str, str]] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)
    reports: list[dict[str, str]] = field(default_factory=list)
    sleepers: frozenset[str] = frozenset()

    async def voice(self, request: web.Request) -> web.Response:
        """Place a call."""
        form = {str(key): str(value) for key, value in (await request.post()).items()}
        if request.headers.get("X-Api-Key") != KEY:
            return web.Response(text="900")
        if request.query_string or KEY in str(request.url):
            self.odd.append(str(request.rel_url))
        if form.keys() - PARAMETERS:
            return web.Response(text="308")
        if not re.fullmatch(r"(00|\+)?49\d{9,11}|0\d{9,11}", form.get("to", "")):
            return web.Response(text="202")
        if not form.get("text") or len(form["text"]) > 10_000:
            return web.Response(text="301")
        self.requests.append(form)
        number = len(self.requests)
        request.app[LIVES].create_task(self.live(f"{770 + number}", form))
        return web.Response(text=f"100\n{770 + number}\n0.035")

    async def live(self, id_: str, form: dict[str, str]) -> None:
        """Ring, and be answered or not; each step is reported."""
        sleeps = form["to"].lstrip("+0") in self.sleepers
        for status, pause in (("initiated", 0.0), ("ringing", 0.1), *((("no-answer", 1.0),) if sleeps else TALK)):
            await asyncio.sleep(pause)
            told = {"id": id_, "callerId": form["from"], "recipient": form["to"], "status": status}
            told |= {"duration": "6" if status == "completed" else "0", "pricePerMinute": "0.045"}
            self.reports.append(told)
            async with aiohttp.ClientSession() as session, session.post(self.hook, data=told) as response:
                assert response.status == 200, await response.text()


TALK = (("in-progress", 0.3), ("completed", 0.5))
LIVES = web.AppKey("lives", asyncio.TaskGroup)


@asynccontextmanager
async def telephone(*sleepers: str) -> AsyncIterator[tuple[Telephone, str]]:
    """The gateway on loopback, and its address."""
    phones = Telephone(sleepers=frozenset(sleepers))
    async with asyncio.TaskGroup() as lives:
        application = web.Application()
        application[LIVES] = lives
        application.router.add_post("/api/voice", phones.voice)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield phones, f"http://127.0.0.1:{runner.addresses[0][1]}/api"
        await runner.cleanup()


ALERTMANAGER = """
route: {receiver: 'team.x+phone (eu)', group_by: [alertname], group_wait: 1s, group_interval: 5s, repeat_interval: 1h}
receivers:
  - name: 'team.x+phone (eu)'
    webhook_configs:
      - url: %s/webhook/alertmanager
        send_resolved: true
        http_config: {authorization: {credentials: %s}}
"""


@dataclass
class Sender:
    """A running Alertmanager: the address of its API and its cluster's."""

    process: subprocess.Popen[bytes]
    log: Path
    url: str = ""
    peer: str = ""

    def said(self) -> str:
        return self.log.read_text(errors="replace")


@contextmanager
def alertmanager(program: str, folder: Path, target: str, *peers: str) -> Iterator[Sender]:
    """Started on free ports, as one of a pair where `peers` are given."""
    folder.mkdir()
    (folder / "alertmanager.yml").write_text(ALERTMANAGER % (target, AM_TOKEN))
    log = folder / "log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={folder / 'alertmanager.yml'}",
                f"--storage.path={folder / 'store'}",
                "--web.listen-address=127.0.0.1:0",
                "--cluster.listen-address=127.0.0.1:0",
                "--cluster.settle-timeout=2s",
                "--cluster.gossip-interval=100ms",
                "--cluster.peer-timeout=2s",
                "--log.level=debug",
                *(f"--cluster.peer={peer}" for peer in peers),
            ],
            stdout=stream,
            stderr=stream,
            cwd=folder,
        )
    one = Sender(process, log)
    try:
        one.url = "http://" + heard(one, r"address=(127\.0\.0\.1:\d+)")
        one.peer = cluster_address(one)
        yield one
    finally:
        process.terminate()
        process.wait(10)


def heard(one: Sender, pattern: str, patience: float = 15.0) -> str:
    """What the log says of `pattern`."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        found = re.search(pattern, one.said())
        if found:
            return found[1]
        assert one.process.poll() is None, one.said()
        time.sleep(0.05)
    raise AssertionError(f"{pattern}: {one.said()}")


def cluster_address(one: Sender) -> str:
    """Where its peers reach it: it joins itself first."""
    return heard(one, r"NotifyJoin node=\S+ addr=(127\.0\.0\.1:\d+)")


async def post_alert(sender: Sender, *, ended: bool = False) -> None:
    """As Prometheus does, over API v2."""
    told: dict[str, Any] = {
        "labels": {"alertname": "DiskFull", "instance": "db1.example.test:9100", "severity": "critical"},
        "annotations": {"summary": "The disk of db1 is full"},
        "generatorURL": "http://prometheus.example.test/graph",
    }
    if ended:
        told["endsAt"] = SystemClock().now().isoformat()
    async with aiohttp.ClientSession() as session, session.post(f"{sender.url}/api/v2/alerts", json=[told]) as response:
        assert response.status == 200, await response.text()


async def incidents(it: Served) -> list[dict[str, Any]]:
    async with aiohttp.ClientSession() as session, session.get(f"{it.url}/api/v1/incidents") as response:
        return list((await response.json())["incidents"])


async def exposition(it: Served) -> str:
    async with aiohttp.ClientSession() as session, session.get(f"{it.url}/metrics") as response:
        return await response.text()


async def in_state(it: Served, state: str) -> dict[str, Any] | None:
    return next((one for one in await incidents(it) if one["state"] == state), None)


def linted(promtool: str, told: str) -> subprocess.CompletedProcess[bytes]:
    """What `promtool check metrics` says."""
    return subprocess.run([promtool, "check", "metrics"], input=told.encode(), capture_output=True, check=False)


def configured(folder: Path, api: str) -> Path:
    """The chain of these tests, on the gateway of these tests."""
    path = write_files(folder)
    path.write_text(CHAIN % api)
    return path


async def test_from_the_real_alertmanager_to_the_phone(tmp_path: Path) -> None:
    """Alert, no answer, the next one, answered, resolved: words, numbers and counts are right; promtool is silent."""
    program = require("prometheus-alertmanager", "prometheus-alertmanager", "alertmanager")
    promtool = require("promtool", "prometheus")
    async with telephone(ALICE) as (phones, api):
        with (
            served(configured(tmp_path, api), "--log.level=debug") as it,
            alertmanager(program, tmp_path / "am", it.url) as am,
        ):
            phones.hook = f"{it.url}/webhook/sms77/{TOKEN}"
            await post_alert(am)
            taken = await eventually(lambda: in_state(it, "acknowledged"), 30)
            assert taken["acknowledged_by"] == "bob"
            assert taken["receiver"] == "team.x+phone (eu)"
            await post_alert(am, ended=True)
            await eventually(lambda: in_state(it, "resolved"), 20)
            told = await exposition(it)
            checked = linted(promtool, told)
            assert it.stop() == 0

        assert [form["to"].lstrip("+0") for form in phones.requests] == [ALICE, BOB]
        assert {form["from"] for form in phones.requests} == {"49301234567"}
        assert {form.get("xml", "0") for form in phones.requests} == {"0"}
        assert {form.get("debug", "0") for form in phones.requests} == {"0"}
        assert all("disk of D B 1" in form["text"] or "disk of DB 1" in form["text"] for form in phones.requests), (
            phones.requests
        )
        assert phones.odd == []
        assert sample(told, "callbridge_calls_total", outcome="no_answer") == 1
        assert sample(told, "callbridge_calls_total", outcome="answered") == 1
        assert sample(told, "callbridge_incidents_closed_total", reason="resolved") == 1
        assert sample(told, "callbridge_webhooks_total", source="alertmanager", code="200") == 2
        assert sample(told, "callbridge_reports_unmatched_total") == 0
        assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
        for secret in (KEY, AM_TOKEN, TOKEN, "1711234567", "1717654321", "171 1234567"):
            assert secret not in it.said()


async def test_a_pair_of_alertmanagers_rings_once(tmp_path: Path) -> None:
    """Both replicas have the alert, and whatever both send: one incident, one call."""
    program = require("prometheus-alertmanager", "prometheus-alertmanager", "alertmanager")
    async with telephone() as (phones, api):
        with (
            served(configured(tmp_path, api)) as it,
            alertmanager(program, tmp_path / "a", it.url) as one,
            alertmanager(program, tmp_path / "b", it.url, one.peer) as other,
        ):
            phones.hook = f"{it.url}/webhook/sms77/{TOKEN}"
            await eventually(lambda: paired(one))
            await asyncio.gather(post_alert(one), post_alert(other))
            await eventually(lambda: in_state(it, "acknowledged"), 30)
            # Longer than the second of the pair waits for the first, and than a group's interval.
            await asyncio.sleep(6)
            assert len(phones.requests) == 1
            assert len(await incidents(it)) == 1
            await asyncio.gather(post_alert(one, ended=True), post_alert(other, ended=True))
            await eventually(lambda: in_state(it, "resolved"), 20)
            assert len(phones.requests) == 1
            assert it.stop() == 0


async def paired(one: Sender) -> bool:
    """Whether it sees the other."""
    async with aiohttp.ClientSession() as session, session.get(f"{one.url}/api/v2/status") as response:
        status = json.loads(await response.text())
    return len(status["cluster"].get("peers", ())) == 2


@pytest.mark.parametrize("form", [{}, {"to": "x", "text": "y"}, {"to": ALICE, "text": "y", "json": "1"}])
async def test_the_telephone_refuses_what_the_page_does_not_know(form: dict[str, str]) -> None:
    """The gateway of these tests is as strict as it says: a wrong number, no text, an unknown parameter."""
    async with telephone() as (phones, api), aiohttp.ClientSession() as session:
        async with session.post(f"{api}/voice", data=form, headers={"X-Api-Key": KEY}) as response:
            assert await response.text() in ("202", "301", "308")
        async with session.post(f"{api}/voice", data={"to": ALICE, "text": "y"}) as response:
            assert await response.text() == "900"
        assert phones.requests == []
