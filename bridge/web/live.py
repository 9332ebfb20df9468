"""Says to every open page that something changed, by server-sent events; what it is, each page asks for itself.

One broadcaster for all of them. It is woken after each commit of this process; what another process changed in the
same database it finds by looking, every few seconds, as long as anybody listens.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from aiohttp import web

from bridge.clock import Clock, wait_any
from bridge.database import Database
from bridge.dispatch import Dispatch
from bridge.errors import StoreUnavailable
from bridge.logs import fields
from bridge.store.overview import mark
from bridge.web.site import HEADERS, SITE

log = logging.getLogger(__name__)

LOOK_EVERY = timedelta(seconds=2)
# Seconds. In a storm there are thousands of commits, and nobody reads that fast.
BREATH = 0.4
# Seconds. A proxy cuts what is silent for a minute.
HEARTBEAT = 15.0
MOST_LISTENERS = 200


class Live:
    """The broadcaster. `run` it in the program's task group; `shut` ends every open stream."""

    def __init__(self, database: Database, dispatch: Dispatch, clock: Clock) -> None:
        self.stopping = asyncio.Event()
        self._database = database
        self._dispatch = dispatch
        self._clock = clock
        self._ears: set[asyncio.Event] = set()
        self._joined = asyncio.Event()

    @property
    def full(self) -> bool:
        """Whether as many listen as may."""
        return len(self._ears) >= MOST_LISTENERS

    @contextmanager
    def listening(self) -> Iterator[asyncio.Event]:
        """An event that is set whenever something changed; who waits for it clears it."""
        heard = asyncio.Event()
        self._ears.add(heard)
        self._joined.set()
        try:
            yield heard
        finally:
            self._ears.discard(heard)

    async def run(self, halt: asyncio.Event) -> None:
        """Tell those who listen, until `halt`."""
        changed, known = self._dispatch.changed, await self._mark()
        while not halt.is_set():
            self._joined.clear()
            until = self._clock.now() + LOOK_EVERY if self._ears else None
            await self._clock.wait(until, changed, self._joined, halt)
            if not self._ears:
                changed.clear()
                continue
            news = changed.is_set()
            changed.clear()
            before, known = known, await self._mark()
            if news or before != known:
                for heard in self._ears:
                    heard.set()
                await wait_any(BREATH, halt)

    async def shut(self, _application: web.Application) -> None:
        """End every stream: the server waits for them before it stops."""
        self.stopping.set()

    async def _mark(self) -> tuple[object, ...]:
        try:
            return await self._database.read(mark)
        except StoreUnavailable as error:
            log.warning("cannot see whether anything changed", extra=fields(err=str(error)))
        except Exception:
            # Of all there is the page can be missed best: a fault in it must not end those who call people.
            log.exception("cannot see whether anything changed")
        return ()


def live_routes() -> list[web.RouteDef]:
    """The stream."""
    return [web.get("/live", stream, allow_head=False)]


async def stream(request: web.Request) -> web.StreamResponse:
    """`event: changed` whenever something did, until the reader leaves or the server stops."""
    live = request.app[SITE].live
    if live.full or live.stopping.is_set():
        return web.Response(status=503, text="too many listen, or it stops\n", headers={**HEADERS, "Retry-After": "10"})
    kind = {"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"}
    response = web.StreamResponse(headers={**HEADERS, **kind})
    await response.prepare(request)
    with live.listening() as heard:
        try:
            await response.write(b"retry: 3000\n\n")
            while not live.stopping.is_set():
                await wait_any(HEARTBEAT, heard, live.stopping)
                news = heard.is_set()
                heard.clear()
                await response.write(b"event: changed\ndata: now\n\n" if news else b": still here\n\n")
        except ConnectionError:
            log.debug("a reader left")
    return response
