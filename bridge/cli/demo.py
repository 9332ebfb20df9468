"""`callbridge demo`: everything in one go: a telephone company, the server, a real captured webhook, and their story.

Real programs over real HTTP on loopback; only the clock is not: it begins at the instant of the captured alert and
runs fast.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import aiohttp
import bcrypt

from bridge import config, logs
from bridge.alert import Source, parse_group
from bridge.app import App, Options
from bridge.cli.words import PAYLOADS, Commands, add_command
from bridge.clock import FastClock
from bridge.config import Config
from bridge.errors import CallbridgeError
from bridge.schedule import Roster, ical_of
from bridge.simulator import Simulator, presses, sleeps
from bridge.speech import shipped_templates

RATE = 20.0
TOKEN = "demo-report-token"  # noqa: S105 - it guards nothing: all of the demo is on loopback, and ends with it
SIGNING_KEY = "demo-signing-key"
ALERTMANAGER_TOKEN = "demo-alertmanager-token"  # noqa: S105 - nor does this
KEY = "demo-key"
USER = "demo"
PATIENCE = 60.0


def add_to(commands: Commands) -> None:
    """Add the command."""
    command = add_command(
        commands, "demo", "show the whole job on a captured webhook, with a simulated telephone company"
    )
    command.add_argument("--once", action="store_true", help="leave when the story is over")
    command.add_argument("--web.listen-address", dest="listen", metavar="ADDRESS", default="127.0.0.1:0")
    command.add_argument("--web.allow-unauthenticated", dest="allow_unauthenticated", action="store_true",
                         help="listen beyond this machine although the password is shown here")  # fmt: skip
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """0 when the story went as it should."""
    logs.set_up("error", "logfmt")
    with tempfile.TemporaryDirectory(prefix="callbridge-demo-") as folder:
        asyncio.run(_demo(Path(folder), arguments))
    return 0


async def _demo(folder: Path, arguments: argparse.Namespace) -> None:
    firing = (PAYLOADS / "firing.json").read_bytes()
    started = parse_group(firing, Source.ALERTMANAGER).alerts[0].starts_at
    clock = FastClock(started + timedelta(seconds=30), RATE)
    path = _example(folder)
    tell = Teller(clock)
    async with Simulator(clock, key=KEY, signing_key=SIGNING_KEY, tell=tell.phone) as phones:
        loaded = _with(config.load(path), folder, phones.url)
        password = token_urlsafe(9)
        options = Options(
            path,
            listen=(arguments.listen,),
            web_config=_web_config(folder, password),
            allow_unauthenticated=arguments.allow_unauthenticated,
        )
        app = App(options, clock=clock, load=lambda _path: loaded)
        login = {"Authorization": aiohttp.encode_basic_auth(USER, password)}
        async with _running(app), aiohttp.ClientSession(app.addresses[0], headers=login) as session:
            phones.subscribe(f"{app.addresses[0]}/webhook/sms77/{TOKEN}", method="JSON")
            tell.opening(app.addresses[0], phones.url, password)
            await _story(session, phones, loaded, clock, firing, tell)
            if not arguments.once:
                tell.ending(app.addresses[0], password)
                await asyncio.get_running_loop().create_future()


async def _story(
    session: aiohttp.ClientSession, phones: Simulator, loaded: Config, clock: FastClock, firing: bytes, tell: Teller
) -> None:
    sleeper, taker = _cast(loaded, clock.now())
    phones.script(loaded.people[sleeper].phone or "", sleeps())
    phones.script(loaded.people[taker].phone or "", presses("4", after=6, listens=9))
    tell.say("Alertmanager", "posts the captured webhook: TargetDown on db1.example.test, critical")
    await _post(session, firing)
    id_ = (await _until(session, tell, lambda one: bool(one)))["id"]
    await _until(session, tell, lambda one: one["state"] == "acknowledged", id_)
    tell.say("Alertmanager", "posts the captured resolution")
    await _post(session, (PAYLOADS / "resolved.json").read_bytes())
    await _until(session, tell, lambda one: one["state"] == "resolved", id_)
    told = await (await session.get("/metrics")).text()
    print("\nWhat Prometheus sees of it:")
    for line in told.splitlines():
        if line.startswith(("callbridge_calls_total", "callbridge_acknowledgements_total")) and not line.endswith(
            " 0.0"
        ):
            print(f"  {line}")


def _cast(loaded: Config, now: datetime) -> tuple[str, str]:
    """Who is on call sleeps, whoever comes next takes it."""
    roster = Roster(loaded.people, loaded.schedules)
    steps = loaded.policies["default"].steps
    sleeper = roster.on_call(steps[0].targets[0], now)[0]
    return sleeper, next(person for person in loaded.people if person != sleeper and loaded.people[person].phone)


async def _post(session: aiohttp.ClientSession, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {ALERTMANAGER_TOKEN}", "Content-Type": "application/json"}
    async with session.post("/webhook/alertmanager", data=body, headers=headers) as response:
        if response.status != 200:
            raise CallbridgeError(f"the webhook was answered {response.status}: {await response.text()}")


async def _until(session: aiohttp.ClientSession, tell: Teller, true: Any, id_: str = "") -> Any:
    """Tell the incident's story as it grows, until `true` of it."""
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                incident = await _incident(session, id_)
                if incident is not None:
                    tell.journal(incident)
                    if true(incident):
                        return incident
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise CallbridgeError(f"the story got stuck: nothing more happened within {PATIENCE:.0f} s") from None


async def _incident(session: aiohttp.ClientSession, id_: str) -> Any:
    if not id_:
        listed = await (await session.get("/api/v1/incidents")).json()
        if not listed["incidents"]:
            return None
        id_ = listed["incidents"][0]["id"]
    return await (await session.get(f"/api/v1/incidents/{id_}")).json()


@dataclass
class Teller:
    """Prints what happens, line by line, in the time of the story."""

    clock: FastClock
    told: int = 0
    said: set[str] = field(default_factory=set)

    def opening(self, url: str, api: str, password: str) -> None:
        """What there is."""
        print(f"callbridge listens on {url}, the simulated telephone company on {api} (it never dials).")
        print(f"The page, to watch it: {_with_login(url, password)}/ (user {USER}, password {password})")
        print(f"The time is that of the captured alert, and runs {RATE:.0f} times as fast.\n")

    def ending(self, url: str, password: str) -> None:
        """What is there to look at, once the story is over."""
        print(f"\nStill running (Ctrl-C ends it). The page: {_with_login(url, password)}/")
        print(f"Its user is {USER}, its password {password}; {url}/api/v1/incidents and {url}/metrics want them too.")
        print("Let something else fire, and see who is called:", flush=True)
        print(f"  curl -H 'Authorization: Bearer {ALERTMANAGER_TOKEN}' {url}/webhook/alertmanager \\")
        print(f"    --data @{PAYLOADS / 'firing.json'}", flush=True)

    def say(self, who: str, what: str) -> None:
        """One line."""
        print(f"{self.clock.now():%H:%M:%S}  {who:13} {what}", flush=True)

    def phone(self, line: str) -> None:
        """What the telephone company tells."""
        print(line, flush=True)

    def journal(self, incident: Any) -> None:
        """The lines of the incident's journal that are new, and what a call says when it is first heard of."""
        lines = incident["journal"]
        for line in lines[self.told :]:
            parts = (line["word"].replace("_", " "), line["who"], line["note"])
            print(f"{line['at'][11:19]}  {'callbridge':13} {'  '.join(part for part in parts if part)}", flush=True)
        self.told = max(self.told, len(lines))
        for call in incident["calls"]:
            if call["text"] not in self.said:
                self.said.add(call["text"])
                print(f"          {'the phone says':13} “{call['text'].strip()}”", flush=True)


def _example(folder: Path) -> Path:
    """The example config with its secrets beside it; the same file that an operator starts from."""
    example = Path(__file__).parents[2] / "config.example.yaml"
    if not example.exists():
        example = Path(__file__).parents[1] / "config.example.yaml"
    path = folder / "callbridge.yaml"
    shutil.copy(example, path)
    shutil.copytree(shipped_templates(), folder / "templates")
    (folder / "holidays.ics").write_bytes(ical_of((), "holidays"))
    secrets = folder / "secrets"
    secrets.mkdir()
    contents = {
        "api_key": KEY,
        "report_token": TOKEN,
        "seven_signing_key": SIGNING_KEY,
        "alertmanager_token": ALERTMANAGER_TOKEN,
        "grafana_hmac": "demo-grafana-secret",
    }
    for name, secret in contents.items():
        (secrets / name).write_text(secret)
        (secrets / name).chmod(0o600)
    return path


def _with(loaded: Config, folder: Path, api: str) -> Config:
    # One account at the telephone company of the demo, however many the file may have.
    gateways = (replace(loaded.gateway, api_url=api, debug=False),)
    storage = replace(loaded.storage, url=f"sqlite:///{folder / 'demo.db'}")
    # Nobody sends their alerts here: half a minute after the story, the demo would ring for each that is missing.
    return replace(loaded, gateways=gateways, storage=storage, watchdogs=(), alertmanagers=(), heartbeat=None)


def _web_config(folder: Path, password: str) -> Path:
    """The page with a password, as everywhere: without one it would have no button."""
    path = folder / "web.yaml"
    # The dearest that still costs nothing: the password is on the screen, and ends with the demo.
    hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
    path.write_text(f"basic_auth_users: {{{USER}: {hashed}}}\n")
    return path


def _with_login(url: str, password: str) -> str:
    return url.replace("://", f"://{USER}:{password}@", 1)


@asynccontextmanager
async def _running(app: App) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(app.run())
        started = tasks.create_task(app.started.wait())
        await asyncio.wait([serving, started], return_when=asyncio.FIRST_COMPLETED)
        started.cancel()
        try:
            yield
        finally:
            app.stop.set()
