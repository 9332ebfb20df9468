"""Stories of the heartbeat: it comes while callbridge could call, and stays away when it could not."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bridge.clock import ManualClock
from bridge.dispatch import Door, Message
from bridge.errors import StoreUnavailable
from bridge.simulator import Simulator, silent
from tests.stories.night import ALICE, BOB, DUSK, Night, both, running

PRIVATE = "/ping/7f3a-private-4711"


@dataclass
class Listener:
    """Who awaits the heartbeat; `status` is what it answers, `hangs` that it does not."""

    url: str = ""
    beats: list[str] = field(default_factory=list)
    status: int = 200

    async def beat(self, request: web.Request) -> web.Response:
        self.beats.append(request.method)
        return web.Response(status=self.status)

    def since(self) -> int:
        """How many came since it was asked last."""
        count, self.beats = len(self.beats), []
        return count


@asynccontextmanager
async def listening() -> AsyncIterator[Listener]:
    listener = Listener()
    application = web.Application()
    application.router.add_route("*", PRIVATE, listener.beat)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        listener.url = f"http://127.0.0.1:{runner.addresses[0][1]}{PRIVATE}"
        yield listener
    finally:
        await runner.cleanup()


@asynccontextmanager
async def beating(folder: Path, extra: str = "") -> AsyncIterator[tuple[Night, Listener]]:
    """The night, with somebody who awaits the heartbeat; its address is in a file."""
    clock = ManualClock(DUSK)
    async with Simulator(clock) as phones, listening() as listener:
        (folder / "beat").write_text(listener.url + "\n")
        (folder / "beat").chmod(0o600)
        section = "heartbeat: {url_file: beat, every: 1m}\n" + extra
        async with running(folder, phones, clock, section) as it:
            yield it, listener


async def withheld(it: Night, listener: Listener, caplog: pytest.LogCaptureFixture, why: str) -> None:
    """Nothing comes for two beats, which one line of the log explains, and the metrics show."""
    listener.since()
    await it.passes(minutes=2, seconds=20)
    assert listener.since() == 0
    told = [record.getMessage() for record in caplog.records if record.getMessage().startswith("the heartbeat is with")]
    assert sum(why in line for line in told) == 1, told
    assert await it.metric("callbridge_heartbeat_ok") == 0


async def test_it_beats_while_all_is_well(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Soon after the start, and then every minute; its address is in no line of the log."""
    async with beating(tmp_path) as (it, listener):
        await it.passes(seconds=11)
        assert listener.beats == ["GET"]
        await it.passes(minutes=5)
        assert listener.since() == 6
        assert await it.metric("callbridge_heartbeat_ok") == 1
        assert await it.metric("callbridge_heartbeats_total", result="sent") == 6
        assert "7f3a-private" not in caplog.text


@pytest.mark.parametrize(("asked", "why"), [("balance", "gateway does not answer"), ("any", "gateway takes no calls")])
async def test_a_gateway_that_is_away_withholds_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, asked: str, why: str
) -> None:
    """A gateway that does not answer, or takes no calls, is as good as none; when it is back, so is the heartbeat."""
    async with beating(tmp_path) as (it, listener):
        await it.passes(seconds=30)
        it.phones.faults.set(on=asked, code=600)
        if asked == "any":
            await it.fires("Down")
        await it.passes(minutes=5)
        await withheld(it, listener, caplog, why)
        it.phones.faults.clear()
        await it.passes(minutes=6)
        assert listener.since() > 0
        assert await it.metric("callbridge_heartbeat_ok") == 1


async def test_a_low_balance_withholds_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Below min_balance somebody must top it up before nobody can be called."""
    async with beating(tmp_path) as (it, listener):
        path = tmp_path / "callbridge.yaml"
        path.write_text(path.read_text().replace("timeout: 2s", "timeout: 2s\n  min_balance: 100000"))
        await it.app.reload()
        await it.settle()
        await withheld(it, listener, caplog, "min_balance")


async def test_what_is_stuck_withholds_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A message that our own code cannot digest may be the alert that nobody is called for."""
    async with beating(tmp_path) as (it, listener):
        await it.passes(minutes=1)
        await it.app.dispatch.submit(Message(Door.API, it.clock.now(), b"not a command"))
        await it.settle()
        await it.passes(minutes=2)
        await withheld(it, listener, caplog, "is not understood yet")


@both
async def test_a_call_without_reports_withholds_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody reports of a call, and the journal does not know how it ended: reports are lost, for an hour at least."""
    async with beating(tmp_path) as (it, listener):
        it.phones.script(ALICE, silent())
        it.phones.script(BOB, silent())
        await it.fires("Down")
        await it.passes(minutes=4)
        [call, *_] = (await it.story())["calls"]
        assert call["outcome"] == "unconfirmed"
        await withheld(it, listener, caplog, "no report came")


class Shut:
    """A database that takes nothing."""

    def __init__(self, database: Any) -> None:
        self._database = database

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    async def probe(self) -> None:
        raise StoreUnavailable("disk full")


async def test_trouble_inside_withholds_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A full disk, a worker that hangs, and a fault of our own in finding out are no reason to say that all is well."""
    async with beating(tmp_path) as (it, listener):
        await it.passes(seconds=30)
        heart: Any = it.app.heartbeat
        whole = heart._database
        heart._database = Shut(whole)
        await withheld(it, listener, caplog, "disk full")
        heart._database = None
        await withheld(it, listener, caplog, "a fault of callbridge itself: AttributeError")
        heart._database = whole
        last, heart._last_pass = heart._last_pass, lambda: None
        await withheld(it, listener, caplog, "the worker does not look")
        heart._last_pass = last
        await it.passes(minutes=1)
        assert listener.since() == 1


async def test_a_listener_that_is_away_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What cannot be sent is counted and said once, without its address; callbridge itself is well."""
    async with beating(tmp_path) as (it, listener):
        listener.status = 503
        await it.passes(minutes=3)
        told = [record.getMessage() for record in caplog.records if "heartbeat" in record.getMessage()]
        assert told == ["the heartbeat cannot be sent: its server answers 503"]
        assert await it.metric("callbridge_heartbeats_total", result="failed") >= 3
        assert await it.metric("callbridge_heartbeat_ok") == 1
        for address, why in (
            ("http://127.0.0.1:9/x-private", "cannot be reached"),
            ("no address at all", "its address is none"),
            ("", "the file is empty"),
        ):
            (tmp_path / "beat").write_text(address)
            caplog.clear()
            await it.passes(minutes=2)
            assert why in caplog.text
            assert "x-private" not in caplog.text


async def test_a_reload_starts_and_ends_it(tmp_path: Path) -> None:
    """One that a reload takes out is sent no more, and its gauge says nothing; the same one goes on undisturbed."""
    async with beating(tmp_path) as (it, listener):
        await it.passes(seconds=30)
        assert listener.since() == 1
        path = tmp_path / "callbridge.yaml"
        text = path.read_text()
        await it.app.reload()
        await it.passes(seconds=30)
        assert listener.since() == 0
        path.write_text(text.replace("heartbeat:", "# heartbeat:"))
        await it.app.reload()
        await it.passes(minutes=3)
        assert listener.since() == 0
        assert math.isnan(await it.metric("callbridge_heartbeat_ok"))
        path.write_text(text)
        await it.app.reload()
        await it.passes(seconds=15)
        assert listener.since() == 1
