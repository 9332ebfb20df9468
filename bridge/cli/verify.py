"""`callbridge gateway verify`: everything that callbridge relies on is asked once, and what comes is said and recorded.

Nobody is called: the one call that is asked for says `debug`, and goes to a number that no phone can have. Only
`--call=PERSON` makes a real one.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import aiohttp

from bridge.accounts import open_gateway
from bridge.cli.lines import follow, person_of
from bridge.clock import SystemClock
from bridge.config import Config, GatewaySettings, Secret
from bridge.errors import CallbridgeError, GatewayError
from bridge.gateway import Exchange, Gateway, Recording, Request
from bridge.speech import trial_words
from bridge.store.ids import Ids

# Kept free for films by the Federal Network Agency: nobody is called even where `debug` is not known any more.
NOBODY = "+493023125000"
SINCE = timedelta(days=2)


@dataclass
class Check:
    """One account under examination: what was said of it, and what went over the wire."""

    settings: GatewaySettings
    session: aiohttp.ClientSession
    tell: Callable[[str], None]
    recording: Recording
    clock: SystemClock = field(default_factory=SystemClock)
    failures: int = 0

    def gateway(self, name: str, *, debug: bool = False) -> Gateway:
        """A client whose exchanges are recorded under `name`."""

        def overhear(exchange: Exchange) -> None:
            self.recording.add(name, exchange)

        return open_gateway(self.session, replace(self.settings, debug=debug), overhear=overhear)

    async def ask(self, name: str, question: Callable[[Gateway], Awaitable[str]], *, debug: bool = False) -> None:
        """Ask one thing and say what came of it."""
        try:
            self.tell(f"{name:9} ok      {await question(self.gateway(name, debug=debug))}")
        except GatewayError as error:
            self.failures += 1
            self.tell(f"{name:9} FAILED  {error}")


async def verify(
    arguments: argparse.Namespace, loaded: Config, settings: GatewaySettings, session: aiohttp.ClientSession
) -> int:
    """0 where everything that callbridge needs was answered."""
    quiet = arguments.record == Path("-")
    check = Check(
        settings,
        session,
        tell=lambda line: print(line, file=sys.stderr if quiet else sys.stdout, flush=True),
        recording=Recording(_secrets(loaded)),
    )
    check.tell(f"account   {settings.name}, dialect {settings.dialect}, {settings.api_url}")
    await check.ask("balance", _balance)
    await check.ask("hooks", _hooks)
    await check.ask("journal", lambda gateway: _journal(gateway, check.clock))
    await check.ask("call", lambda gateway: _rehearsed(gateway, check), debug=True)
    if arguments.call:
        await _real(arguments.call, loaded, check)
    _write(arguments.record, check)
    return min(check.failures, 1)


async def _balance(gateway: Gateway) -> str:
    return f"{await gateway.balance():.2f} euro"


async def _hooks(gateway: Gateway) -> str:
    events = sorted({hook.event_type for hook in await gateway.hooks() if hook.enabled})
    return f"reported to somebody: {', '.join(events)}" if events else "nothing is reported to anybody"


async def _journal(gateway: Gateway, clock: SystemClock) -> str:
    now = clock.now()
    rows = await gateway.journal(number=None, since=now - SINCE, until=now + timedelta(hours=1))
    words = sorted({row.status.value for row in rows})
    return f"{len(rows)} calls in two days" + (f": {', '.join(words)}" if words else "")


async def _rehearsed(gateway: Gateway, check: Check) -> str:
    """A call with debug=1; where the gateway takes no notice of it, the call is cut off if that can be."""
    placed = await gateway.place(Request(NOBODY, "Test.", foreign_id=Ids().new(check.clock.now())))
    if placed.debug:
        return "with debug: 1 it answers and calls nobody"
    check.failures += 1
    if placed.gateway_id is not None:
        await gateway.hang_up(placed.gateway_id)
    return "but it takes no notice of debug: 1, so that gateway.debug does not keep it from calling"


async def _real(name: str, loaded: Config, check: Check) -> None:
    """A real call to one person, until the gateway's journal knows how it ended."""
    person = person_of(loaded, name)
    text, _ = trial_words(person.name, person.language or loaded.language)

    async def call(gateway: Gateway) -> str:
        placed = await gateway.place(Request(person.phone or "", text, foreign_id=Ids().new(check.clock.now())))
        check.tell(f"          accepted{f' as call {placed.gateway_id}' if placed.gateway_id else ''}")
        looking, patience = check.gateway("journal of the call"), check.settings.report_timeout
        answered = await follow(looking, placed.gateway_id, person, text, patience, check.tell)
        return "answered" if answered else "not answered"

    await check.ask("real call", call)


def _secrets(loaded: Config) -> list[str]:
    """Whatever must not be in a recording, however it came into it."""
    webhooks = loaded.webhooks
    files = [*(one.api_key for one in loaded.gateways), webhooks.alertmanager, webhooks.grafana, webhooks.report_token]
    return [secret for one in (*files, webhooks.signing_key) if (secret := _read(one))]


def _read(secret: Secret | None) -> str:
    try:
        return "" if secret is None else secret.read()
    except CallbridgeError:
        return ""  # what cannot be read cannot have been sent


def _write(target: Path | None, check: Check) -> None:
    if target is None:
        return
    if target == Path("-"):
        sys.stdout.write(check.recording.as_json())
        return
    try:
        target.write_text(check.recording.as_json(), encoding="utf-8")
    except OSError as error:
        raise CallbridgeError(f"--record={target}: {error.strerror}") from None
    check.tell(f"recorded  {len(check.recording.entries)} exchanges in {target}, without numbers, texts and secrets")
