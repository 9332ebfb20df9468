"""The state of the simulated world, and its time: everything that waits waits here, on the clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bridge.clock import Clock
from bridge.simulator.dialect import Era
from bridge.simulator.faults import Faults
from bridge.simulator.numbers import masked
from bridge.simulator.people import Answer, Person, sleeps
from bridge.simulator.records import Delivery, Event, Hook, PhoneCall, Received, TextMessage

SHARED_NUMBER = "491771783130"  # the caller id where none is given [recorded 2021, 2023]
STOP_SECONDS = 2.0


@dataclass(slots=True)
class Account:
    """The account at the gateway. Money in euro.

    `price` is the estimate in the reply, `sandbox` makes every request a debug one, `verified` the allowed caller ids
    as digits (None: any number), `contacts` the address book (name to number, or to several with commas).
    `strict_parameters`: an unknown parameter is answered 308. `journal_at_end`: a call stands in the journal only once
    it is over. `ring_time`: seconds, where the request does not say. `ignores_debug`: debug=1 means nothing (it is
    documented no more since 2024).
    """

    era: Era
    key: str = field(repr=False)
    balance: float
    price: float = 0.1
    sandbox: bool = False
    verified: frozenset[str] | None = None
    contacts: dict[str, str] = field(default_factory=dict)
    signing_key: str = field(default="", repr=False)
    strict_parameters: bool = False
    journal_at_end: bool = False
    ring_time: float = 30.0
    ignores_debug: bool = False


class World:
    """What there is and what happened. One second of the world lasts `scale` seconds on the clock."""

    def __init__(self, clock: Clock, account: Account, scale: float, tell: Callable[[str], None] | None) -> None:
        self.clock = clock
        self.account = account
        self.scale = scale
        self.tell = tell
        self.faults = Faults()
        self.stranger: Answer = sleeps()
        self.people: dict[str, Person] = {}
        self.calls: list[PhoneCall] = []
        self.requests: list[Received] = []
        self.messages: list[TextMessage] = []
        self.hooks: dict[int, Hook] = {}
        self.deliveries: list[Delivery] = []
        self.events: list[Event] = []
        self.nonces: set[str] = set()  # of signed requests: each may be used once
        self.stopping = asyncio.Event()
        self._ids: dict[str, int] = {}
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._sleeping: dict[asyncio.Task[Any] | None, tuple[datetime, tuple[asyncio.Event, ...]]] = {}
        self._failure: BaseException | None = None

    def now(self) -> datetime:
        return self.clock.now()

    def after(self, start: datetime, seconds: float) -> datetime:
        """The instant `seconds` of the world after `start`."""
        return start + timedelta(seconds=seconds * self.scale)

    def seconds(self, span: timedelta) -> float:
        """How many seconds of the world `span` of the clock is."""
        return span.total_seconds() / self.scale

    def next_id(self, kind: str) -> int:
        """The next id of a kind: rising whole numbers."""
        self._ids[kind] = self._ids.get(kind, 1000) + 1
        return self._ids[kind]

    def note(
        self, what: str, number: str = "", call: int | None = None, words: str = "", at: datetime | None = None
    ) -> None:
        """Write a line of the story and tell it, with the number masked."""
        event = Event(at or self.now(), what, number, call, words)
        self.events.append(event)
        self.stir()
        if self.tell is not None:
            self.tell(line(event))

    def stir(self) -> None:
        """Something changed: let those who wait look again."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def spawn(self, life: Coroutine[Any, Any, None]) -> None:
        """Run `life` until it ends or the world stops; if it fails, those who wait and `stop` learn of it."""
        task = asyncio.get_running_loop().create_task(life)
        self._tasks.add(task)
        task.add_done_callback(self._buried)

    async def sleep_until(self, due: datetime, *wakers: asyncio.Event) -> None:
        """Wait on the clock for `due` or one of `wakers`."""
        me = asyncio.current_task()
        while self.now() < due and not any(waker.is_set() for waker in wakers):
            self._sleeping[me] = (due, wakers)
            self.stir()
            try:
                await self.clock.wait(due, *wakers)
            finally:
                del self._sleeping[me]

    async def until(self, predicate: Callable[[], object], timeout: float = 5.0) -> None:
        """Return once `predicate()` holds; it is asked again whenever something happens. `timeout` in real seconds.

        Raises TimeoutError with the story so far, and whatever went wrong inside the simulator.
        """
        try:
            async with asyncio.timeout(timeout):
                while not self._holds(predicate):
                    await self._changed.wait()
        except TimeoutError:
            story = "\n".join(line(event) for event in self.events[-40:])
            raise TimeoutError(f"not seen within {timeout:g} s; the simulator's story so far:\n{story}") from None

    def settled(self) -> bool:
        """Whether all that is due by now has happened and every report of it has been tried once."""
        now = self.now()
        return all(task in self._sleeping and self._idle(task, now) for task in self._tasks)

    async def forget(self) -> None:
        """End all calls and deliveries, and forget what happened; people, hooks and faults go too."""
        await self._end_tasks()
        self.faults.clear()
        for table in (self.people, self.hooks):
            table.clear()
        for pile in (self.calls, self.requests, self.messages, self.deliveries, self.events):
            pile.clear()
        self.stir()

    async def stop(self) -> None:
        """End everything within a bound; raises what went wrong inside, if anything did."""
        self.stopping.set()
        await self._end_tasks()
        self._raise_failure()

    async def _end_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=STOP_SECONDS)

    def _holds(self, predicate: Callable[[], object]) -> bool:
        self._raise_failure()
        return bool(predicate())

    def _idle(self, task: asyncio.Task[None], now: datetime) -> bool:
        due, wakers = self._sleeping[task]
        return due > now and not any(waker.is_set() for waker in wakers)

    def _buried(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._failure = self._failure or task.exception()
        self.stir()

    def _raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure


def line(event: Event) -> str:
    """`14:02:11  ring    +49 171 …67  call 1042`: one event for a human, in the machine's own time zone."""
    number = masked(event.number) if event.number else ""
    call = f"call {event.call}" if event.call is not None else ""
    head = f"{event.at.astimezone():%H:%M:%S}  {event.what:<8}"
    return "  ".join(part for part in (head, number, call, event.words) if part)
