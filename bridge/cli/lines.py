"""Which account a command means, and a call that is followed to its end."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from datetime import timedelta

from bridge.call import CallStatus
from bridge.clock import SystemClock
from bridge.config import Config, GatewaySettings
from bridge.errors import CallbridgeError, GatewayError
from bridge.gateway import Gateway, JournalRow
from bridge.schedule import Person

ASK_EVERY = timedelta(seconds=2)
FINAL = (CallStatus.COMPLETED, CallStatus.NO_ANSWER, CallStatus.FAILED)


def add_gateway(command: argparse.ArgumentParser, default: str = "the first") -> None:
    """The flag --gateway."""
    command.add_argument("--gateway", metavar="NAME", default="", help=f"one of gateways: (default: {default})")


def accounts_of(loaded: Config, name: str, *, every: bool = False) -> Sequence[GatewaySettings]:
    """The account of that name; without one the first, or `every` one. Raises CallbridgeError."""
    if not name:
        return loaded.gateways if every else loaded.gateways[:1]
    found = [one for one in loaded.gateways if one.name == name]
    if not found:
        there = ", ".join(one.name for one in loaded.gateways)
        raise CallbridgeError(f"--gateway={name}: the config has no account of that name; there is {there}")
    return found


def person_of(loaded: Config, key: str) -> Person:
    """The person of that key, who can be called. Raises CallbridgeError."""
    person = loaded.people.get(key)
    if person is None:
        raise CallbridgeError(f"nobody has the key {key!r}; there is {', '.join(loaded.people)}")
    if person.phone is None:
        raise CallbridgeError(f"people.{person.key} has no phone")
    return person


async def follow(
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
