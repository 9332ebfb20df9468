"""The only place that asks the time.

Everything below the composition root takes `now` as an argument; what must wait takes a `Clock`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

log = logging.getLogger(__name__)

# A wall clock can be stepped while we sleep, so no sleep is longer than this before the clock is read again.
LONGEST_NAP = timedelta(seconds=5)
# A wall clock that is set back by more than this is not followed at once, but at this pace until it has caught up: an
# hour back would else be an hour in which nobody is called.
SET_BACK = timedelta(seconds=1)
PACE_AHEAD = 0.9


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


def _wall() -> datetime:
    return datetime.now(UTC)


class SystemClock:
    """The machine's clock, which may be set forward at any time, but never makes waits much longer by being set back.

    `wall` tells the time of day, `steady` seconds that only go on.
    """

    def __init__(self, wall: Callable[[], datetime] = _wall, steady: Callable[[], float] = time.monotonic) -> None:
        self._wall = wall
        self._steady = steady
        self._told = (wall(), steady())
        self._ahead = False

    def now(self) -> datetime:
        wall, steady = self._wall(), self._steady()
        told, then = self._told
        elapsed = timedelta(seconds=steady - then)
        behind = told + elapsed - wall
        if behind > SET_BACK and not self._ahead:
            log.warning("the machine's clock was set back; time goes on more slowly until it has caught up: %s", behind)
        self._ahead = behind > SET_BACK
        now = told + elapsed * PACE_AHEAD if self._ahead else wall
        self._told = (now, steady)
        return now

    async def wait(self, until: datetime | None, *wakers: asyncio.Event) -> None:
        nap = LONGEST_NAP if until is None else min(until - self.now(), LONGEST_NAP)
        await wait_any(max(nap.total_seconds(), 0), *wakers)


class ManualClock:
    """A clock that moves only when it is told to: for tests, rehearsals and stories on a time line."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._moved = asyncio.Event()
        self._waiting: dict[asyncio.Task[object] | None, tuple[datetime | None, tuple[asyncio.Event, ...]]] = {}

    def now(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> None:
        """Move the time on by `by` and wake everybody who waits for it."""
        self._now += by
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    def next_deadline(self) -> datetime | None:
        """Until when the first of those who wait for a time waits."""
        return min((until for until, _ in self._waiting.values() if until is not None), default=None)

    def parked(self) -> set[asyncio.Task[object] | None]:
        """The tasks that wait here, and that neither the time nor an event has woken yet."""
        return {
            task
            for task, (until, wakers) in self._waiting.items()
            if (until is None or self._now < until) and not any(waker.is_set() for waker in wakers)
        }

    async def wait(self, until: datetime | None, *wakers: asyncio.Event) -> None:
        task = asyncio.current_task()
        self._waiting[task] = (until, wakers)
        try:
            while until is None or self._now < until:
                if any(waker.is_set() for waker in wakers):
                    return
                await wait_any(None, self._moved, *wakers)
        finally:
            del self._waiting[task]


class FastClock:
    """A clock that runs `rate` times as fast as the machine's, from `start` on: in the demo minutes are seconds."""

    def __init__(self, start: datetime, rate: float) -> None:
        self._start = start
        self._rate = rate
        self._origin = time.monotonic()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=(time.monotonic() - self._origin) * self._rate)

    async def wait(self, until: datetime | None, *wakers: asyncio.Event) -> None:
        nap = None if until is None else max((until - self.now()).total_seconds() / self._rate, 0)
        await wait_any(nap, *wakers)


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
