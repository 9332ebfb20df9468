"""`callbridge call`: a real test call to one person."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable
from datetime import timedelta

from bridge import config, logs
from bridge.call import CallStatus
from bridge.cli.serving import add_logging
from bridge.cli.words import Commands, add_command, add_config
from bridge.clock import SystemClock
from bridge.config import Config
from bridge.errors import CallbridgeError, GatewayError
from bridge.gateway import Dialect, Gateway, JournalRow, Request, open_session
from bridge.schedule import Person
from bridge.speech import trial_words
from bridge.store.ids import Ids

ASK_EVERY = timedelta(seconds=2)
FINAL = (CallStatus.COMPLETED, CallStatus.NO_ANSWER, CallStatus.FAILED)


def add_to(commands: Commands) -> None:
    """Add the command."""
    command = add_command(commands, "call", "call one person for real, as a test")
    command.add_argument("person", metavar="PERSON", help="a person's key in the config")
    add_config(command)
    command.add_argument("--yes", action="store_true", help="do not ask whether it is meant")
    add_logging(command, "warn")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """0 only if somebody answered."""
    logs.set_up(arguments.level, arguments.format)
    loaded = config.load(arguments.config)
    person = loaded.people.get(arguments.person)
    if person is None:
        raise CallbridgeError(f"nobody has the key {arguments.person!r}; there is {', '.join(loaded.people)}")
    if person.phone is None:
        raise CallbridgeError(f"people.{person.key} has no phone")
    if not arguments.yes and not _meant(person):
        print("nobody was called")
        return 1
    answered = asyncio.run(_call(loaded, person, lambda line: print(line, flush=True)))
    return 0 if answered else 1


def _meant(person: Person) -> bool:
    print(
        f"Call {person.name} ({logs.mask(person.phone or '')}) for real, at the gateway's price? [y/N] ",
        end="",
        flush=True,
    )
    return sys.stdin.readline().strip().lower() in ("y", "yes", "j", "ja")


async def _call(loaded: Config, person: Person, tell: Callable[[str], None]) -> bool:
    settings, clock = loaded.gateway, SystemClock()
    if settings.api_key is None:
        raise CallbridgeError("gateway.api_key_file: there is none in the config")
    text, _ = trial_words(person.name, person.language or loaded.language)
    async with open_session() as session:
        gateway = Gateway(
            session,
            api_url=settings.api_url,
            dialect=Dialect(settings.dialect),
            key=settings.api_key.read,
            sender=settings.sender,
            ring_time=settings.ring_time,
            timeout=settings.timeout,
            debug=settings.debug,
        )
        asked = clock.now()
        request = Request(number=person.phone or "", text=text, xml=False, foreign_id=Ids().new(asked))
        placed = await gateway.place(request)
        tell(f"{asked:%H:%M:%S}  accepted" + (f" as call {placed.gateway_id}" if placed.gateway_id else ""))
        if placed.debug:
            tell("          the gateway says debug: nobody is called")
            return False
        return await _follow(gateway, placed.gateway_id, person, text, settings.report_timeout, tell)


async def _follow(
    gateway: Gateway,
    gateway_id: str | None,
    person: Person,
    text: str,
    patience: timedelta,
    tell: Callable[[str], None],
) -> bool:
    """Ask the gateway's journal until it knows how the call ended; the webhook's reports go to the server."""
    clock = SystemClock()
    began, said = clock.now(), None
    while clock.now() < began + patience:
        row = None
        try:
            row = await _row(gateway, gateway_id, person, text, clock)
        except GatewayError as error:
            # The phone rings whether we can look or not.
            tell(f"{clock.now():%H:%M:%S}  cannot look it up: {error}")
        if row is not None and row.status is not said:
            said = row.status
            length = f", {row.duration:.0f} s" if row.duration is not None else ""
            tell(f"{clock.now():%H:%M:%S}  {row.status.value}{length}{': ' + row.error if row.error else ''}")
        if said in FINAL:
            return said is CallStatus.COMPLETED
        await clock.wait(clock.now() + ASK_EVERY)
    tell(f"nothing final was heard of the call within {patience}")
    return False


async def _row(
    gateway: Gateway, gateway_id: str | None, person: Person, text: str, clock: SystemClock
) -> JournalRow | None:
    now = clock.now()
    if gateway_id is None:
        return await gateway.find(person.phone or "", text, now - timedelta(minutes=5), now)
    day = timedelta(days=1)
    rows = await gateway.journal(number=None, since=now - day, until=now + day, gateway_id=gateway_id)
    return next((row for row in rows if row.gateway_id == gateway_id), None)
