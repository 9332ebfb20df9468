"""The inbox: every message that came in by a door, raw and in order, kept before anybody tries to understand it.

Messages that wait share one commit (measured: eight to nine times the throughput of a commit each), and each sender is
answered only after it.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, delete, func, insert, or_, select, update

from bridge.clock import Clock, wait_any
from bridge.database import Database
from bridge.database.tables import EPOCH, MICROSECOND, inbox
from bridge.errors import StoreUnavailable

# Enough for a minute's storm, few enough to fit into memory: beyond it the sender is told to come again.
WAITING_LIMIT = 20_000
WAITING_BYTES = 256 * 1024 * 1024
# How long nobody must have knocked for the door to count as quiet: a few commits.
QUIET_SECONDS = 0.02
# Small bodies gain nothing from packing; large ones pack to a fortieth.
PACK_FROM = 4096
RETRY_STEPS = (timedelta(seconds=5), timedelta(seconds=30), timedelta(minutes=5), timedelta(hours=1))

_PUT = "INSERT INTO inbox (door, received_at, meta, body, packed, failures) VALUES (?, ?, ?, ?, ?, 0)"


class Door(StrEnum):
    """By which door a message came."""

    ALERTMANAGER = "alertmanager"
    GRAFANA = "grafana"
    SMS77 = "sms77"
    KEYPRESS = "keypress"
    API = "api"


@dataclass(frozen=True, slots=True)
class Message:
    """What came in, raw; `meta` is what the door knows beside the body (content type, query, who)."""

    door: Door
    received_at: datetime
    body: bytes
    meta: Mapping[str, str] = field(default_factory=dict)
    seq: int = 0
    failures: int = 0


class Inbox:
    """Takes messages in and commits them together; `run` must be running for `put` to return."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows: list[tuple[object, ...]] = []
        self._bytes = 0
        self._committed: asyncio.Future[int] | None = None
        self._wake = asyncio.Event()
        self._turn = asyncio.Event()

    async def put(self, message: Message) -> int:
        """Keep `message`; returns, once it is durable, a number that is at least its own.

        Raises StoreUnavailable when it could not be kept.
        """
        if len(self._rows) >= WAITING_LIMIT or self._bytes + len(message.body) > WAITING_BYTES:
            raise StoreUnavailable("too many messages wait to be stored")
        if self._committed is None:
            self._committed = asyncio.get_running_loop().create_future()
        committed = self._committed
        self._rows.append(_row(message))
        self._bytes += len(message.body)
        self._wake.set()
        # One future serves the whole batch: a sender who hangs up must not cancel it for the others.
        return await asyncio.shield(committed)

    async def run(self, stop: asyncio.Event, clock: Clock) -> None:
        """Commit what waits, batch after batch, until `stop`; what waits then is still committed."""
        while True:
            if self._rows:
                await self._commit()
                continue
            if stop.is_set():
                return
            self._wake.clear()
            await clock.wait(None, self._wake, stop)

    async def let_in(self, turns: int) -> None:
        """Return when nobody knocked for a moment, or after so many more commits: for work that can wait for theirs."""
        for _ in range(turns):
            turn = self._turn
            await wait_any(QUIET_SECONDS, turn)
            if not turn.is_set():
                return

    def _turned(self) -> None:
        turn, self._turn = self._turn, asyncio.Event()
        turn.set()

    async def _commit(self) -> None:
        rows, committed = self._rows, self._committed
        self._rows, self._committed, self._bytes = [], None, 0
        assert committed is not None, "rows never wait without a future"
        try:
            last = await self._database.write(lambda connection: _put(connection, rows))
        except Exception as error:
            _fail(committed, error)
        else:
            committed.set_result(last)
        self._turned()


def _fail(committed: asyncio.Future[int], error: Exception) -> None:
    if not isinstance(error, StoreUnavailable):
        error = StoreUnavailable(f"{type(error).__name__}: {error}")
    committed.set_exception(error)
    # Every sender may have hung up by now; asyncio would then complain that nobody asked.
    committed.exception()


def _row(message: Message) -> tuple[object, ...]:
    packed = len(message.body) > PACK_FROM
    return (
        message.door.value,
        (message.received_at - EPOCH) // MICROSECOND,
        msgspec.json.encode(message.meta).decode(),
        zlib.compress(message.body, 1) if packed else message.body,
        packed,
    )


def _put(connection: Connection, rows: Sequence[tuple[object, ...]]) -> int:
    # The one hot statement goes to the driver as it is: Core's per-row work would cost a fifth of the intake.
    connection.exec_driver_sql(_PUT, list(rows))
    return int(connection.execute(select(func.max(inbox.c.seq))).scalar_one())


def waiting(connection: Connection, now: datetime, limit: int) -> list[Message]:
    """The oldest messages that nobody has digested yet and whose time to be tried (again) has come."""
    rows = connection.execute(
        select(inbox)
        .where(inbox.c.digested_at.is_(None), or_(inbox.c.retry_at.is_(None), inbox.c.retry_at <= now))
        .order_by(inbox.c.seq)
        .limit(limit)
    )
    return [_message(row) for row in rows]


def _message(row: Any) -> Message:
    return Message(
        door=Door(row.door),
        received_at=row.received_at,
        body=zlib.decompress(row.body) if row.packed else row.body,
        meta=msgspec.json.decode(row.meta),
        seq=row.seq,
        failures=row.failures,
    )


def mark_digested(connection: Connection, seqs: Sequence[int], now: datetime) -> None:
    """These messages are understood and done."""
    statement = update(inbox).where(inbox.c.seq == bindparam("one")).values(digested_at=now, error=None)
    connection.execute(statement, [{"one": seq} for seq in seqs])


def mark_failed(connection: Connection, message: Message, error: str, now: datetime) -> None:
    """Our own code could not digest it: it stays, and is tried again later."""
    pause = RETRY_STEPS[min(message.failures, len(RETRY_STEPS) - 1)]
    connection.execute(
        update(inbox)
        .where(inbox.c.seq == message.seq)
        .values(failures=message.failures + 1, error=error[:2000], retry_at=now + pause)
    )


def count_waiting(connection: Connection) -> int:
    """How many messages are not digested yet."""
    return int(connection.execute(select(func.count()).where(inbox.c.digested_at.is_(None))).scalar_one())


def next_retry(connection: Connection) -> datetime | None:
    """When the next message that failed is to be tried again."""
    found: datetime | None = connection.execute(
        select(func.min(inbox.c.retry_at)).where(inbox.c.digested_at.is_(None), inbox.c.retry_at.is_not(None))
    ).scalar()
    return found


def forget_before(connection: Connection, before: datetime, limit: int) -> int:
    """Delete at most `limit` digested messages received before `before`; returns how many."""
    old = select(inbox.c.seq).where(inbox.c.digested_at.is_not(None), inbox.c.received_at < before).limit(limit)
    return connection.execute(delete(inbox).where(inbox.c.seq.in_(old))).rowcount
