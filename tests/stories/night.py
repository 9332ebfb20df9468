"""A night on a time line: the whole program and a telephone company on one clock that only moves when it is told to."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bridge.app import App, Options
from bridge.clock import ManualClock
from bridge.simulator import Era, PhoneCall, Simulator
from tests.storing import url_in

DUSK = datetime(2026, 11, 23, 22, 0, tzinfo=UTC)
ALICE, BOB, CAROL = "+491711234567", "+491717654321", "+436641234567"
TOKEN = "report-token-of-the-stories"
# Turns of the event loop in which nobody is busy: what one sets off is seen in the next, a few more for good measure.
QUIET_TURNS = 8

WAITING = {"Inbox.run", "Dispatch.run", "Worker.run", "Rota.run", "Inquiry.run", "Heartbeat.run", "Writer.run"}

# Every story is told on SQLite; those that bear this mark, one or more of each kind of trouble, on PostgreSQL too.
both = pytest.mark.usefixtures("kind")

SQLITE = "sqlite:///night.db"
CONFIG = """
global: {{timezone: Europe/Berlin, region: DE, language: en-US}}
storage: {{url: "sqlite:///night.db"}}
gateway:
  api_url: {api}
  dialect: {dialect}
  api_key_file: key
  from: "+49 30 1234567"
  timeout: 2s
  report_timeout: 3m
webhooks: {{sms77: {{token_file: token}}}}
people:
  alice: {{name: Alice, phone: "+49 171 1234567"}}
  bob: {{name: Bob, phone: 0171 7654321, language: de-DE}}
  carol: {{name: Carol, phone: "+43 664 1234567"}}
  dave: {{name: Dave}}
policies:
  default:
    steps:
      - {{call: [alice], wait: 5m, attempts: 2, retry_after: 1m}}
      - {{call: [bob]}}
  both: {{steps: [{{call: [alice, bob]}}]}}
  nobody: {{steps: []}}
route: {{policy: default}}
"""


@dataclass
class Night:
    """What a story may do: let alerts fire, let time pass, look at what became of it.

    `lag`: the real seconds within which one program hears of another.
    """

    clock: ManualClock
    phones: Simulator
    app: App
    session: aiohttp.ClientSession
    folder: Path
    task: asyncio.Task[None]
    baseline: set[asyncio.Task[Any]] = field(default_factory=set)
    lag: float = 0.0

    @property
    def url(self) -> str:
        return self.app.addresses[0]

    # --- Alertmanager

    async def fires(self, *names: str, group: str = "g", **more: Any) -> int:
        """A notification in which alerts of these names fire; returns the answer's status."""
        return await self.notify([alert(name, **more) for name in names], group=group)

    async def resolves(self, *names: str, group: str = "g", **more: Any) -> int:
        """A notification in which alerts of these names have resolved."""
        ended = (self.clock.now()).isoformat()
        return await self.notify([alert(name, status="resolved", ends=ended, **more) for name in names], group=group)

    async def notify(self, alerts: Sequence[dict[str, Any]], *, group: str = "g", **more: Any) -> int:
        """A notification with these alerts."""
        return await self.post("/webhook/alertmanager", body(alerts, group=group, **more))

    async def post(self, path: str, json_body: object) -> int:
        async with self.session.post(self.url + path, data=json.dumps(json_body)) as response:
            await response.read()
        await self.settle()
        return response.status

    # --- time

    async def passes(self, **length: float) -> None:
        """Let time pass, from deadline to deadline, each with everything that it brings."""
        target = self.clock.now() + timedelta(**length)
        await self.settle()
        while self.clock.now() < target:
            deadline = self.clock.next_deadline()
            step = (
                target if deadline is None else max(min(deadline, target), self.clock.now() + timedelta(milliseconds=1))
            )
            self.clock.advance(step - self.clock.now())
            await self.settle()

    async def settle(self, patience: float = 20.0) -> None:
        """Return once everybody waits for the clock, and nothing is under way."""
        await self._settled(patience)
        if self.lag:
            await asyncio.sleep(self.lag)
            await self._settled(patience)

    async def _settled(self, patience: float) -> None:
        give_up, quiet = time.monotonic() + patience, 0
        while quiet < QUIET_TURNS:
            busy = self._busy()
            quiet = 0 if busy else quiet + 1
            await asyncio.sleep(0.0005 if busy else 0)
            if time.monotonic() > give_up:
                raise TimeoutError(f"still busy: {self._busy()}")

    def _busy(self) -> set[asyncio.Task[Any]]:
        rest = asyncio.all_tasks() - self.baseline - self.clock.parked() - {asyncio.current_task()}
        return {task for task in rest if not _idle(task)}

    async def dies(self) -> None:
        """The program is gone, in the middle of whatever it does."""
        self.task.cancel()
        await asyncio.wait([self.task])

    # --- looking

    def calls(self, number: str | None = None) -> list[PhoneCall]:
        """The calls that the telephone company was asked for."""
        return self.phones.calls if number is None else self.phones.calls_to(number)

    async def get(self, path: str) -> Any:
        async with self.session.get(self.url + path) as response:
            return await response.json()

    async def incidents(self, **query: str) -> list[dict[str, Any]]:
        async with self.session.get(self.url + "/api/v1/incidents", params=query) as response:
            return list((await response.json())["incidents"])

    async def story(self, index: int = 0) -> dict[str, Any]:
        """The newest incident (or an older one), whole."""
        listed = await self.incidents()
        return dict(await self.get(f"/api/v1/incidents/{listed[index]['id']}"))

    async def words(self, index: int = 0) -> list[str]:
        """The words of its journal."""
        return [line["word"] for line in (await self.story(index))["journal"]]

    async def act(self, action: str, by: str = "", index: int = 0) -> int:
        """Acknowledge, escalate or resolve the newest incident (or an older one) over the API."""
        listed = await self.incidents()
        return await self.post(f"/api/v1/incidents/{listed[index]['id']}/{action}", {"by": by})

    async def metric(self, name: str, **labels: str) -> float:
        """A sample's value; 0 for one that is not there would hide a wrong name, so that raises."""
        async with self.session.get(self.url + "/metrics") as response:
            text = await response.text()
        wanted = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
        sample = f"{name}{{{wanted}}} " if wanted else f"{name} "
        for line in text.splitlines():
            if line.startswith(sample):
                return float(line.removeprefix(sample))
        raise LookupError(f"no sample {sample}")


async def _turn() -> None:
    await asyncio.sleep(0.001)


def _idle(task: asyncio.Task[Any]) -> bool:
    return _name(task) in ("Event.wait", "RequestHandler.start", "RequestHandler._handle_request")


def _name(task: asyncio.Task[Any] | None) -> str:
    return "" if task is None else getattr(task.get_coro(), "__qualname__", "")


def alert(name: str, *, status: str = "firing", severity: str = "critical", starts: str = "2026-11-23T21:59:00Z",
          ends: str = "0001-01-01T00:00:00Z", **labels: str) -> dict[str, Any]:  # fmt: skip
    """An alert as Alertmanager sends it (without a fingerprint: it follows from the labels)."""
    return {
        "status": status,
        "labels": {"alertname": name, "severity": severity, **labels},
        "annotations": {"summary": f"{name} is wrong"},
        "startsAt": starts,
        "endsAt": ends,
        "generatorURL": "",
    }


def body(alerts: Sequence[dict[str, Any]], *, group: str = "g", receiver: str = "pager") -> dict[str, Any]:
    """A webhook body."""
    firing = any(one["status"] == "firing" for one in alerts)
    return {
        "receiver": receiver,
        "status": "firing" if firing else "resolved",
        "alerts": list(alerts),
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://am.example.test",
        "version": "4",
        "groupKey": f'{{}}:{{g="{group}"}}',
        "truncatedAlerts": 0,
    }


def write_config(folder: Path, api: str, extra: str = "", dialect: str = "seven", text: str = CONFIG) -> Path:
    """The stories' config, with secrets beside it."""
    (folder / "key").write_text("simulator-key")
    (folder / "token").write_text(TOKEN)
    for name in ("key", "token"):
        (folder / name).chmod(0o600)
    path = folder / "callbridge.yaml"
    written = text.format(api=api, dialect=dialect) + extra
    path.write_text(written.replace(SQLITE, url_in(folder) or SQLITE))
    return path


@asynccontextmanager
async def night(folder: Path, extra: str = "", *, era: Era = Era.SEVEN_2024, dialect: str = "seven",
                text: str = CONFIG, clock: ManualClock | None = None) -> AsyncIterator[Night]:  # fmt: skip
    """The program and the telephone company, running, at dusk."""
    clock = clock or ManualClock(DUSK)
    async with (
        Simulator(clock, era=era) as phones,
        running(folder, phones, clock, extra, dialect=dialect, text=text) as one,
    ):
        yield one


@asynccontextmanager
async def running(folder: Path, phones: Simulator, clock: ManualClock, extra: str = "", *, dialect: str = "seven",
                  text: str = CONFIG, external_url: str = "", others: int = 0,
                  **options: Any) -> AsyncIterator[Night]:  # fmt: skip
    """The program alone, on a telephone company that is there already; `options` as the command line has them.

    `others`: as many run beside it. What the telephone company reports goes to the one that was started last.
    """
    path = write_config(folder, phones.url, extra, dialect, text)
    app = App(Options(path, listen=("127.0.0.1:0",), external_url=external_url, **options), clock=clock)
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as tasks:
        running_app = tasks.create_task(app.run())
        await _started(app, running_app)
        for hook in list(phones.hooks):
            del phones.hooks[hook]  # type: ignore[attr-defined]  # a list, told as a sequence
        phones.subscribe(f"{app.addresses[0]}/webhook/sms77/{TOKEN}")
        one = Night(clock, phones, app, session, folder, running_app)
        # Who waits for the clock sets no event: it is looked at until all of them do.
        while not _all_wait(clock, others + 1):
            await _turn()
        one.baseline = {task for task in asyncio.all_tasks() if task not in clock.parked()}
        try:
            yield one
        finally:
            app.stop.set()


def _all_wait(clock: ManualClock, programs: int) -> bool:
    waiting = Counter(_name(task) for task in clock.parked())
    return all(waiting[name] >= programs for name in WAITING)


async def _started(app: App, task: asyncio.Task[None]) -> None:
    waiting = asyncio.ensure_future(app.started.wait())
    await asyncio.wait([waiting, task], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if task.done():
        task.result()


def with_policies(policies: str) -> str:
    """The stories' config with other policies."""
    head, _, rest = CONFIG.partition("policies:")
    return head + policies.replace("{", "{{").replace("}", "}}") + rest[rest.index("route:") :]
