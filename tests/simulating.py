"""What the simulator's tests share: a telephone company on an advanced clock, a client, a receiver of reports."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from bridge.clock import ManualClock
from bridge.simulator import Era, PhoneCall, Simulator

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
ALICE = "491711234567"
BOB = "491717654321"
KEY = "simulator-key"
RECORDINGS = Path(__file__).parent / "data" / "gateway"
ERAS = {Era.SMS77_2021: "2021.json", Era.SEVEN_2023: "2023.json"}
ACCEPT_JSON = {"Accept": "application/json"}


def recorded(era: Era, name: str) -> dict[str, str]:
    """The response of that name in the recordings of that era."""
    entries = json.loads((RECORDINGS / ERAS[era]).read_text())
    response: dict[str, str] = next(entry["response"] for entry in entries if entry["name"] == name)
    return response


def shape(value: Any) -> Any:
    """Names and types, with the order of the keys, without the values."""
    if isinstance(value, dict):
        return [(key, shape(member)) for key, member in value.items()]
    if isinstance(value, list):
        return [shape(member) for member in value[:1]]
    if isinstance(value, float | int) and not isinstance(value, bool):
        return "number"
    return type(value).__name__


@dataclass
class Answered:
    """One answer of the simulator."""

    status: int
    content_type: str
    body: str


@dataclass
class Line:
    """A caller's line to a simulator whose clock the test moves."""

    clock: ManualClock
    simulator: Simulator
    session: aiohttp.ClientSession

    async def ask(
        self,
        method: str,
        path: str,
        form: dict[str, str] | None = None,
        *,
        key: str | None = KEY,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> Answered:
        sent = {**({"X-Api-Key": key} if key else {}), **(headers or {})}
        url = self.simulator.url + path
        async with self.session.request(method, url, data=form, headers=sent, **more) as response:
            return Answered(response.status, response.headers.get("Content-Type", ""), await response.text())

    async def call(self, to: str = ALICE, text: str = "Disk full on db1.", **more: str) -> PhoneCall:
        """Place a call and return it; fails the test if it is not accepted."""
        before = len(self.simulator.calls)
        answered = await self.ask("POST", "/voice", {"to": to, "text": text, **more})
        assert answered.body.startswith("100"), answered.body
        return self.simulator.calls[before]

    async def advance(self, seconds: float) -> None:
        """Let that much time go by at once, and all that is due in it happen."""
        await self.simulator.settled()
        self.clock.advance(timedelta(seconds=seconds))
        await self.simulator.settled()


@asynccontextmanager
async def simulated(era: Era = Era.SEVEN_2024, **options: Any) -> AsyncIterator[Line]:
    """A simulator on loopback, its clock at START."""
    clock = ManualClock(START)
    async with Simulator(clock, era=era, **options) as simulator, aiohttp.ClientSession() as session:
        yield Line(clock, simulator, session)


@dataclass
class Letter:
    """One report as it came."""

    method: str
    raw_path: str
    headers: dict[str, str]
    query: dict[str, str]
    form: dict[str, str]
    json: Any
    body: bytes

    @property
    def content_type(self) -> str:
        return self.headers.get("Content-Type", "")

    @property
    def query_string(self) -> str:
        return self.raw_path.partition("?")[2]


@dataclass
class Receiver:
    """Takes reports; `answers` are its next HTTP statuses, 200 after that."""

    url: str = ""
    letters: list[Letter] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    arrivals: asyncio.Queue[Letter] = field(default_factory=asyncio.Queue)

    def statuses(self, read: Callable[[Letter], Any] = lambda letter: letter.form["status"]) -> list[Any]:
        return [read(letter) for letter in self.letters]

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        is_json = request.content_type == "application/json"
        letter = Letter(
            request.method,
            request.raw_path,
            dict(request.headers),
            dict(request.query),
            {} if is_json else {key: str(value) for key, value in (await request.post()).items()},
            await request.json() if is_json else None,
            body,
        )
        self.letters.append(letter)
        self.arrivals.put_nowait(letter)
        return web.Response(status=self.answers.pop(0) if self.answers else 200)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver on loopback."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/reports", receiver.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/reports"
    try:
        yield receiver
    finally:
        await runner.cleanup()
