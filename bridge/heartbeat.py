"""The heartbeat: somebody outside is told every so often that callbridge could call, and notices when they are not.

It is sent only while all is well; a callbridge that runs and cannot call anybody is as silent as a dead one.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from datetime import datetime, timedelta

import aiohttp
from sqlalchemy import Connection

from bridge import __version__
from bridge.accounts import Accounts
from bridge.clock import Clock
from bridge.config import Config, HeartbeatSettings
from bridge.database import Database
from bridge.dispatch import Dispatch
from bridge.errors import CallbridgeError, StoreUnavailable
from bridge.logs import conceal
from bridge.metrics import Metrics
from bridge.store import calls, inbox

log = logging.getLogger(__name__)

# After a start: everybody has looked around once by then.
FIRST = timedelta(seconds=10)
# The worker is woken, and must have made a pass within this time.
PASS_WITHIN = timedelta(seconds=10)
LOOK_AGAIN = timedelta(milliseconds=500)
# Longer than any storm that was measured takes to be digested; what waits for longer is stuck.
UNREAD = timedelta(minutes=2)
OVERDUE = timedelta(minutes=2)
# A call of which nobody reported says for so long that reports do not come in.
SILENT_CALL = timedelta(hours=1)
PATIENCE = timedelta(seconds=10)


class Heartbeat:
    """Asks everybody how they are, and tells the address of the config in force; without one it only waits.

    `last_pass`: when the worker looked at all there is last; `accounts`: those at the gateway.
    """

    def __init__(
        self,
        *,
        dispatch: Dispatch,
        database: Database,
        metrics: Metrics,
        clock: Clock,
        session: aiohttp.ClientSession,
        last_pass: Callable[[], datetime | None],
        accounts: Callable[[], Accounts],
    ) -> None:
        self._dispatch = dispatch
        self._database = database
        self._metrics = metrics
        self._clock = clock
        self._session = session
        self._last_pass = last_pass
        self._accounts = accounts
        self._settings: HeartbeatSettings | None = None
        self._changed = asyncio.Event()
        self._beat_at = clock.now()
        self._said = ""

    def adopt(self, config: Config) -> None:
        """Bring the heartbeat of `config` into force."""
        if config.heartbeat != self._settings:
            self._settings = config.heartbeat
            self._beat_at = self._clock.now() + FIRST
            self._said = ""
            self._metrics.heartbeat_ok.set(math.nan)
        self._changed.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Beat until `stop`."""
        while not stop.is_set():
            self._changed.clear()
            settings = self._settings
            if settings is None:
                await self._clock.wait(None, self._changed, stop)
                continue
            if self._clock.now() >= self._beat_at:
                self._beat_at = self._clock.now() + settings.every
                await self._beat(settings)
            # Never further away than that: our clock may have been set back.
            self._beat_at = min(self._beat_at, self._clock.now() + settings.every)
            await self._clock.wait(self._beat_at, self._changed, stop)

    async def _beat(self, settings: HeartbeatSettings) -> None:
        why = await self._trouble()
        self._metrics.heartbeat_ok.set(not why)
        if why:
            self._metrics.heartbeats_total.labels("withheld").inc()
            self._say(f"the heartbeat is withheld: {why}")
            return
        why = await self._send(settings)
        self._metrics.heartbeats_total.labels("failed" if why else "sent").inc()
        self._say(f"the heartbeat cannot be sent: {why}" if why else "")

    def _say(self, what: str) -> None:
        """Once for each change, for it comes every minute."""
        if what == self._said:
            return
        if what:
            log.error("%s", what)
        else:
            log.info("the heartbeat is sent again")
        self._said = what

    # --- how they are

    async def _trouble(self) -> str:
        """Why nobody might be called; "" if all is well. Raises nothing."""
        try:
            return await self._worker() or await self._store() or self._accounts().trouble
        except StoreUnavailable as error:
            return f"the database does not take it: {error}"
        except Exception as error:
            # A fault of our own: whoever cannot tell how it is, is not well.
            log.exception("it could not be told whether all is well")
            return f"a fault of callbridge itself: {type(error).__name__}, see the log"

    async def _worker(self) -> str:
        asked_at = self._clock.now()
        self._dispatch.work.set()
        while True:
            last = self._last_pass()
            if last is not None and last >= asked_at:
                return ""
            now = self._clock.now()
            # A clock that was set back must not keep us here.
            if not asked_at <= now < asked_at + PASS_WITHIN:
                return "the worker does not look at what is due" if now >= asked_at else ""
            await self._clock.wait(now + LOOK_AGAIN)

    async def _store(self) -> str:
        await self._database.probe()
        now = self._clock.now()

        def look(connection: Connection) -> tuple[datetime | None, datetime | None]:
            return inbox.oldest_waiting(connection), calls.last_unconfirmed(connection)

        unread, unconfirmed = await self._database.read(look)
        due = await self._dispatch.next_due()
        if unread is not None and unread < now - UNREAD:
            return f"a message that came at {unread:%H:%M:%S %Z} is not understood yet"
        if due is not None and due < now - OVERDUE:
            return f"what was due at {due:%H:%M:%S %Z} is not done yet"
        if unconfirmed is not None and unconfirmed > now - SILENT_CALL:
            return "of the last call no report came, and the gateway's journal knows none"
        return ""

    # --- telling

    async def _send(self, settings: HeartbeatSettings) -> str:
        """Why it could not be sent; "" if it was. The address, which may be what lets one in, is in no word of it."""
        timeout = aiohttp.ClientTimeout(total=PATIENCE.total_seconds())
        try:
            address = settings.address()
            conceal(address)
            headers = {"User-Agent": f"callbridge/{__version__}"}
            async with self._session.get(address, headers=headers, timeout=timeout) as response:
                return "" if response.status < 300 else f"its server answers {response.status}"
        except CallbridgeError as error:
            return str(error)
        except TimeoutError:
            return f"its server does not answer within {PATIENCE.total_seconds():g} s"
        except aiohttp.InvalidURL:
            return "its address is none; correct heartbeat.url_file"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return f"its server cannot be reached ({type(error).__name__})"
