"""What this process looks after; where others share the work, each call of it is a lease, renewed until it is done."""

from __future__ import annotations

import asyncio
import logging

from bridge.call import Call
from bridge.clock import Clock
from bridge.dispatch import Dispatch
from bridge.dispatch.claims import RENEW_EVERY
from bridge.errors import StoreUnavailable
from bridge.logs import fields

log = logging.getLogger(__name__)


class Leases:
    """By id of the call, or by the person. Where nobody else is there, it only says which these are."""

    def __init__(self, dispatch: Dispatch, clock: Clock) -> None:
        self._dispatch = dispatch
        self._clock = clock
        # Each with its version when it became ours: one that has moved on meanwhile needs no lease any more.
        self._held: dict[str, int | None] = {}
        self._moved = asyncio.Event()

    def __contains__(self, name: object) -> bool:
        return name in self._held

    def __bool__(self) -> bool:
        return bool(self._held)

    def ids(self) -> frozenset[str]:
        """All names."""
        return frozenset(self._held)

    def take(self, what: Call | str) -> None:
        """A call is ours as it is now; a person has no lease, but one call at a time anyway."""
        name, version = (what, None) if isinstance(what, str) else (what.id, what.version)
        self._held[name] = version
        self._moved.set()

    def drop(self, name: str) -> None:
        """What there was to do is done."""
        self._held.pop(name, None)
        self._moved.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Renew until `stop` and until nothing is held any more."""
        while self._dispatch.shared and (self._held or not stop.is_set()):
            if not self._held:
                self._moved.clear()
                await self._clock.wait(None, self._moved, stop)
                continue
            await self._pause()
            held = {name: version for name, version in self._held.items() if version is not None}
            try:
                await self._dispatch.renew(held)
            except StoreUnavailable as error:
                log.error("the calls that are looked after could not be claimed again", extra=fields(err=str(error)))

    async def _pause(self) -> None:
        until = self._clock.now() + RENEW_EVERY
        while self._held and self._clock.now() < until:
            self._moved.clear()
            await self._clock.wait(until, self._moved)
