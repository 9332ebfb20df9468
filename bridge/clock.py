"""The only place that asks the time.

Everything below the composition root takes `now` as an argument; what must wait takes a `Clock`.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Protocol

# A wall clock can be stepped while we sleep, so no sleep is longer than this before the clock is read again.
LONGEST_NAP = timedelta(seconds=5)


class Clock(Protocol):
    """What the program asks of time: what is it now, and wake me then."""

    def now(self) -> datetime:
        """The present instant, aware and in UTC."""
        ...

    async def wait(self, until: datetime | None, *wakers: asyncio.Event) -> None:
        """Return once `until` has come (None: never) or any of `wakers` is set, whichever is first.

        It may return early; the caller looks again at what is due.
        """
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def wait(self, until: datetime | None, *wakers: asyncio.Event) -> None:
        nap = LONGEST_NAP if until is None else min(until - self.now(), LONGEST_NAP)
        await wait_any(max(nap.total_seconds(), 0), *wakers)


class ManualClock:
    """A clock that moves only when it is told to: for tests, rehearsals and stories on a time line."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._moved = asyncio.Event()

    def now(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> None:
        """Move the time on by `by` and wake everybody who waits for it."""
        self._now += by
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def wait(self, until: datetime | None, *wakers: asyncio.Event) -> None:
        while until is None or self._now < until:
            if any(waker.is_set() for waker in wakers):
                return
            await wait_any(None, self._moved, *wakers)


async def wait_any(seconds: float | None, *events: asyncio.Event) -> None:
    """Return when one of `events` is set or `seconds` (real ones) have gone by; None waits without end."""
    if any(event.is_set() for event in events):
        return
    # One that nobody ever sets, for nothing to wait for is no reason to come back at once.
    waits = [asyncio.ensure_future(event.wait()) for event in events or (asyncio.Event(),)]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
