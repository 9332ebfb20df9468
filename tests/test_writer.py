"""The writer's own troubles: a database that is away, a fault of ours; the rest goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from bridge.accounts import Accounts
from bridge.clock import ManualClock
from bridge.dispatch import HeldBack
from bridge.dispatch.post import Post
from bridge.errors import StoreUnavailable
from bridge.sms import Sms, SmsState
from bridge.writer import PAUSE, Writer

NOW = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)


class Books:
    """Books that fail as they are told to, and note who was begun."""

    def __init__(self, *faults: Exception | None) -> None:
        self.writing = asyncio.Event()
        self.faults = list(faults)
        self.begun: list[str] = []

    async def due(self, now: datetime) -> Sequence[Sms]:
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None:
            raise fault
        return [Sms("old", "alice", "+491711234567", NOW, SmsState.ENDED)]

    async def people_waiting(self) -> list[str]:
        return ["alice", "bob"]

    async def begin(self, person: str, account: str) -> HeldBack | None:
        self.begun.append(person)
        if person == "alice":
            raise ZeroDivisionError("a fault of ours")
        return HeldBack(NOW + timedelta(minutes=1))

    async def next_due(self) -> datetime | None:
        return None


class OneAccount:
    """An account that is never asked."""

    name = "gateway"

    def for_sms(self) -> list[Any]:
        return [self]


async def turns() -> None:
    """Let everybody come as far as they can without the time moving."""
    for _ in range(50):
        await asyncio.sleep(0)


async def test_a_fault_with_one_keeps_none_of_the_others() -> None:
    """Whoever cannot be written to is tried again after a pause; the others are begun at once."""
    books, clock = Books(), ManualClock(NOW)
    writer = Writer(cast("Post", books), cast("Accounts", OneAccount()), clock)
    looking = asyncio.create_task(writer.look())
    await turns()
    assert clock.next_deadline() == NOW + PAUSE
    assert books.begun == ["alice", "bob"]
    clock.advance(PAUSE)

    assert await looking == NOW + PAUSE


async def test_it_outlives_a_database_that_is_away_and_a_fault_of_ours() -> None:
    """Both are told, and looked at again after a pause."""
    books, clock = Books(StoreUnavailable("gone"), ValueError("ours")), ManualClock(NOW)
    writer, stop = Writer(cast("Post", books), cast("Accounts", OneAccount()), clock), asyncio.Event()
    running = asyncio.create_task(writer.run(stop))
    for _ in range(2):
        await turns()
        assert (books.begun, clock.next_deadline()) == ([], clock.now() + PAUSE)
        clock.advance(PAUSE)
    await turns()
    assert books.begun == ["alice", "bob"]
    stop.set()
    clock.advance(PAUSE)
    await running
