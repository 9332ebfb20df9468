"""The real Alertmanager and callbridge ask each other; the clock of callbridge runs fast, for nobody has a minute."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp

from bridge.alertmanager import Member
from bridge.app import App, Options
from bridge.clock import FastClock, SystemClock
from bridge.simulator import Simulator, sleeps
from tests.real.test_alertmanager import Sender, heard
from tests.requirements import require
from tests.serving import eventually
from tests.stories.night import ALICE, TOKEN, write_config

RATE = 6.0
# What is lost goes to a door that is not there: it is turned away, and Alertmanager does not try again.
ALERTMANAGER = """
route:
  receiver: team.x+phone (eu)
  group_by: [alertname]
  group_wait: 500ms
  group_interval: 5s
  routes: [{receiver: turned away, matchers: ['alertname="Lost"']}]
receivers:
  - {name: team.x+phone (eu), webhook_configs: [{url: '%s/webhook/alertmanager'}]}
  - {name: turned away, webhook_configs: [{url: '%s/nowhere/webhook/alertmanager'}]}
"""


@contextmanager
def alertmanager(folder: Path) -> Iterator[Sender]:
    """Alone, and without a config that leads anywhere yet."""
    program = require("prometheus-alertmanager", "prometheus-alertmanager", "alertmanager")
    folder.mkdir()
    (folder / "alertmanager.yml").write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
    log = folder / "log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={folder / 'alertmanager.yml'}",
                f"--storage.path={folder / 'store'}",
                "--web.listen-address=127.0.0.1:0",
                "--cluster.listen-address=",
            ],
            stdout=stream,
            stderr=stream,
        )
    one = Sender(process, log)
    try:
        one.url = "http://" + heard(one, r"address=(127\.0\.0\.1:\d+)")
        yield one
    finally:
        process.terminate()
        process.wait(10)


async def fires(session: aiohttp.ClientSession, am: Sender, name: str, *, ended: bool = False) -> dict[str, str]:
    """As Prometheus tells it, with labels that are awkward to match; returns them."""
    labels = {
        "alertname": name,
        "instance": "db1.example.test:9100",
        "path": 'C:\\data "x" = ~',
        "severity": "critical",
    }
    told: dict[str, Any] = {"labels": labels, "annotations": {"summary": f"{name} is wrong"}}
    if ended:
        told["endsAt"] = SystemClock().now().isoformat()
    async with session.post(f"{am.url}/api/v2/alerts", json=[told]) as response:
        assert response.status == 200, await response.text()
    return labels


def amtool(am: Sender, *arguments: str) -> str:
    """What amtool says."""
    command = [require("amtool", "prometheus-alertmanager"), f"--alertmanager.url={am.url}", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=20).stdout


def silences(am: Sender) -> list[dict[str, Any]]:
    """The silences that are in force, as amtool shows them."""
    return list(json.loads(amtool(am, "silence", "query", "-o", "json")))


@asynccontextmanager
async def callbridge(folder: Path, am: Sender) -> AsyncIterator[tuple[str, aiohttp.ClientSession, Simulator]]:
    """The program and a telephone company in which everybody sleeps, and a client of the program."""
    clock = FastClock(SystemClock().now(), RATE)
    async with Simulator(clock) as phones, asyncio.TaskGroup() as tasks:
        phones.script(ALICE, sleeps())
        section = f"alertmanagers: [{{url: {am.url!r}, silence_on_acknowledge: 1h, receivers: '.*'}}]\n"
        path = write_config(folder, phones.url, section)
        app = App(Options(path, listen=("127.0.0.1:0",)), clock=clock)
        running = tasks.create_task(app.run())
        await eventually(lambda: _started(app, running))
        phones.subscribe(f"{app.addresses[0]}/webhook/sms77/{TOKEN}")
        try:
            async with aiohttp.ClientSession(app.addresses[0]) as session:
                yield app.addresses[0], session, phones
        finally:
            app.stop.set()


async def _started(app: App, running: asyncio.Task[None]) -> bool:
    if running.done():
        running.result()
    return app.started.is_set()


async def incident(session: aiohttp.ClientSession, name: str, state: str) -> dict[str, Any] | None:
    """The incident of the alert with that name, if it is in that state."""
    async with session.get("/api/v1/incidents") as response:
        listed = (await response.json())["incidents"]
    return next(
        (one for one in listed if one["alerts"][0]["labels"]["alertname"] == name and one["state"] == state), None
    )


async def silenced(am: Sender, count: int) -> list[dict[str, Any]]:
    """The silences, once there are so many."""
    found: list[list[dict[str, Any]]] = []

    async def enough() -> bool:
        found.append(await asyncio.to_thread(silences, am))
        return len(found[-1]) == count

    await eventually(enough)
    return found[-1]


async def extended(am: Sender, id_: str) -> str:
    """The id of a silence after it was made longer, as our client does it."""
    async with aiohttp.ClientSession() as session:
        one = Member(session, url=am.url, timeout=timedelta(seconds=5), observe=lambda *_: None)
        [known] = [silence for silence in await one.silences() if silence.id == id_]
        return await one.silence(
            known.labels,
            starts_at=known.starts_at,
            ends_at=known.ends_at + timedelta(hours=1),
            created_by=known.created_by,
            comment=known.comment,
            known_as=id_,
        )


async def test_two_ways_with_the_real_alertmanager(tmp_path: Path) -> None:
    """An acknowledge silences on all labels until it resolves; a human's silence acknowledges; what was lost rings."""
    with alertmanager(tmp_path / "am") as am:
        async with callbridge(tmp_path, am) as (url, session, phones):
            (tmp_path / "am" / "alertmanager.yml").write_text(ALERTMANAGER % (url, url))
            async with session.post(f"{am.url}/-/reload") as response:
                assert response.status == 200, await response.text()
            labels = await fires(session, am, "Taken")
            await fires(session, am, "Silenced")
            await fires(session, am, "Lost")

            one = await eventually(lambda: incident(session, "Taken", "triggered"))
            async with session.post(f"/api/v1/incidents/{one['id']}/acknowledge", json={"by": "alice"}) as response:
                assert response.status == 200
            [silence] = await silenced(am, 1)
            matched = {matcher["name"]: matcher["value"] for matcher in silence["matchers"]}
            assert matched == labels
            assert all(matcher["isEqual"] and not matcher["isRegex"] for matcher in silence["matchers"])
            assert silence["createdBy"] == "callbridge/alice"
            assert silence["comment"].startswith(f"ACK! callbridge incident {one['id']} alert ")

            assert await extended(am, silence["id"]) == silence["id"]

            await asyncio.to_thread(
                amtool, am, "silence", "add", "alertname=Silenced", "--author=carol", "--comment=I am at it", "-d", "1h"
            )
            taken = await eventually(lambda: incident(session, "Silenced", "acknowledged"))
            assert taken["acknowledged_by"] == "carol"

            await fires(session, am, "Taken", ended=True)
            await eventually(lambda: incident(session, "Taken", "resolved"))
            [left] = await silenced(am, 1)
            assert left["createdBy"] == "carol"

            await eventually(lambda: incident(session, "Lost", "triggered"), 30)
            await eventually(lambda: _told(phones, "Lost"))


async def _told(phones: Simulator, word: str) -> bool:
    return any(word in call.text for call in phones.calls)
