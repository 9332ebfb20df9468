"""`callbridge call`: a real test call to one person."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable

from bridge import config, logs
from bridge.accounts import open_gateway
from bridge.cli.lines import accounts_of, add_gateway, follow, person_of
from bridge.cli.serving import add_logging
from bridge.cli.words import Commands, add_command, add_config
from bridge.clock import SystemClock
from bridge.config import Config, GatewaySettings
from bridge.gateway import Request, open_session
from bridge.schedule import Person
from bridge.speech import trial_words
from bridge.store.ids import Ids


def add_to(commands: Commands) -> None:
    """Add the command."""
    command = add_command(commands, "call", "call one person for real, as a test")
    command.add_argument("person", metavar="PERSON", help="a person's key in the config")
    add_config(command)
    add_gateway(command)
    command.add_argument("--yes", action="store_true", help="do not ask whether it is meant")
    add_logging(command, "warn")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """0 only if somebody answered."""
    logs.set_up(arguments.level, arguments.format)
    loaded = config.load(arguments.config)
    person = person_of(loaded, arguments.person)
    (settings,) = accounts_of(loaded, arguments.gateway)
    if not arguments.yes and not _meant(person):
        print("nobody was called")
        return 1
    answered = asyncio.run(_call(loaded, settings, person, lambda line: print(line, flush=True)))
    return 0 if answered else 1


def _meant(person: Person) -> bool:
    print(
        f"Call {person.name} ({logs.mask(person.phone or '')}) for real, at the gateway's price? [y/N] ",
        end="",
        flush=True,
    )
    return sys.stdin.readline().strip().lower() in ("y", "yes", "j", "ja")


async def _call(loaded: Config, settings: GatewaySettings, person: Person, tell: Callable[[str], None]) -> bool:
    text, _ = trial_words(person.name, person.language or loaded.language)
    async with open_session() as session:
        gateway = open_gateway(session, settings)
        asked = SystemClock().now()
        request = Request(number=person.phone or "", text=text, xml=False, foreign_id=Ids().new(asked))
        placed = await gateway.place(request)
        tell(f"{asked:%H:%M:%S}  accepted" + (f" as call {placed.gateway_id}" if placed.gateway_id else ""))
        if placed.debug:
            tell("          the gateway says debug: nobody is called")
            return False
        return await follow(gateway, placed.gateway_id, person, text, settings.report_timeout, tell)
