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
from sqlalchemy import Connection, Select, bindparam, delete, func, or_, select, update

from bridge.clock import Clock, wait_any
from bridge.database import Database, Lane
from bridge.database.many import Row, insert_numbered, update_many
from bridge.database.speaking import try_alone
from bridge.database.tables import inbox, microseconds
from bridge.errors import StoreUnavailable

# Enough for a minute's storm, few enough to fit into memory: beyond it the sender is told to come again.
WAITING_LIMIT = 20_000
WAITING_BYTES = 256 * 1024 * 1024
# How long nobody must have knocked for the door to count as quiet: a few commits.
QUIET_SECONDS = 0.02
# Small bodies gain nothing from packing; large ones pack to a fortieth.
PACK_FROM = 4096
RETRY_STEPS = (timedelta(seconds=5), timedelta(seconds=30), timedelta(minutes=5), timedelta(hours=1))
# How much of what waits is read at once: 500 bodies can be anything from one megabyte to thousands.
READ_BYTES = 16 * 1024 * 1024
READ_FIRST = 2
# How many messages are looked through for a nonce that came before: a replay has only minutes.
NONCES_REACH = 20_000

_NAMES = ("door", "received_at", "meta", "packed", "failures", "body")


class Door(StrEnum):
    """By which door a message came."""

    ALERTMANAGER = "alertmanager"
    GRAFANA = "grafana"
    SMS77 = "sms77"
    KEYPRESS = "keypress"
    API = "api"


# One of these says how things stand, and a later one stands against it; all others only add what happened.
IN_ORDER = (Door.ALERTMANAGER.value, Door.GRAFANA.value)


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
        self._messages: list[tuple[Message, str]] = []
        self._bytes = 0
        self._committed: asyncio.Future[list[int]] | None = None
        self._wake = asyncio.Event()
        self._turn = asyncio.Event()
        self._shut = False

    async def put(self, message: Message) -> int:
        """Keep `message`; returns its number once it is durable.

        Raises StoreUnavailable when it could not be kept.
        """
        if self._shut:
            raise StoreUnavailable("callbridge is stopping")
        if len(self._messages) >= WAITING_LIMIT or self._bytes + len(message.body) > WAITING_BYTES:
            raise StoreUnavailable("too many messages wait to be stored")
        meta = _meta(message)
        if self._committed is None:
            self._committed = asyncio.get_running_loop().create_future()
        committed, place = self._committed, len(self._messages)
        self._messages.append((message, meta))
        self._bytes += len(message.body)
        self._wake.set()
        # One future serves the whole batch: a sender who hangs up must not cancel it for the others.
        return (await asyncio.shield(committed))[place]

    async def run(self, stop: asyncio.Event, clock: Clock) -> None:
        """Commit what waits, batch after batch, until `stop`; what waits then is still committed."""
        self._shut = False
        try:
            while self._messages or not stop.is_set():
                if self._messages:
                    await self._commit()
                    continue
                self._wake.clear()
                await clock.wait(None, self._wake, stop)
        finally:
            # Whoever came now would wait for ever; so would those who wait already, if this was cut off.
            self._shut = True
            if self._committed is not None:
                _fail(self._committed, StoreUnavailable("callbridge is stopping"))

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
        messages, committed = self._messages, self._committed
        self._messages, self._committed, self._bytes = [], None, 0
        assert committed is not None, "messages never wait without a future"
        try:
            numbers = await self._database.write(lambda connection: _put(connection, messages), Lane.DOOR)
        except BaseException as error:
            _fail(committed, error)
            if not isinstance(error, Exception):
                raise
        else:
            committed.set_result(numbers)
        finally:
            self._turned()


def _fail(committed: asyncio.Future[list[int]], error: BaseException) -> None:
    if not isinstance(error, StoreUnavailable):
        error = StoreUnavailable(f"{type(error).__name__}: {error}")
    committed.set_exception(error)
    # Every sender may have hung up by now; asyncio would then complain that nobody asked.
    committed.exception()


def _meta(message: Message) -> str:
    try:
        return msgspec.json.encode(message.meta).decode()
    except UnicodeEncodeError:
        # A header with bytes that are no text: not worth to lose a message for.
        legible = {name: value.encode(errors="replace").decode() for name, value in message.meta.items()}
        return msgspec.json.encode(legible).decode()


def _row(message: Message, meta: str) -> Row:
    packed = len(message.body) > PACK_FROM
    body = zlib.compress(message.body, 1) if packed else message.body
    return message.door.value, microseconds(message.received_at), meta, packed, 0, body


def _put(connection: Connection, messages: Sequence[tuple[Message, str]]) -> list[int]:
    # Packed here rather than in `put`: this is the database's thread, and it holds nobody up.
    return insert_numbered(connection, inbox, _NAMES, "seq", [_row(message, meta) for message, meta in messages])


def waiting(connection: Connection, now: datetime, limit: int) -> list[Message]:
    """The oldest messages that nobody has digested yet and whose time to be tried (again) has come.

    At most `limit` of them, and no further one once their bodies come to READ_BYTES.
    """
    return _read(connection, list(connection.execute(_waiting(now, limit)).scalars()))


def claim(connection: Connection, now: datetime, limit: int, seq: int | None = None) -> list[Message]:
    """As `waiting` (only the message `seq`), and nobody else's until the transaction ends.

    Notifications are given to one transaction at a time, in their order: of two that speak of one alert the older must
    be understood first. What is in other hands is left out.
    """
    query = _waiting(now, limit).with_for_update(skip_locked=True)
    if seq is not None:
        query = query.where(inbox.c.seq == seq)
    if not try_alone(connection, "digesting notifications"):
        query = query.where(inbox.c.door.not_in(IN_ORDER))
    return _read(connection, list(connection.execute(query).scalars()))


def came_before(connection: Connection, message: Message, within: timedelta) -> bool:
    """Whether a message with the same `nonce` came in no longer before it than `within`, by whichever process."""
    near = inbox.c.seq.between(message.seq - NONCES_REACH, message.seq - 1)
    recent = inbox.c.received_at >= message.received_at - within
    told = select(inbox.c.meta).where(near, recent, inbox.c.door == message.door.value)
    query = told.where(inbox.c.meta.contains(message.meta["nonce"], autoescape=True))
    found = (msgspec.json.decode(meta, type=dict[str, str]) for meta in connection.execute(query).scalars())
    return any(meta.get("nonce") == message.meta["nonce"] for meta in found)


def _waiting(now: datetime, limit: int) -> Select[int]:
    retried = or_(inbox.c.retry_at.is_(None), inbox.c.retry_at <= now)
    return select(inbox.c.seq).where(inbox.c.digested_at.is_(None), retried).order_by(inbox.c.seq).limit(limit)


def anything_waits(connection: Connection, now: datetime) -> bool:
    """Whether there is anything to digest now."""
    return connection.execute(_waiting(now, 1)).first() is not None


def is_digested(connection: Connection, seq: int) -> bool:
    """Whether message `seq` has been digested, by whomever."""
    return connection.execute(select(inbox.c.digested_at).where(inbox.c.seq == seq)).scalar() is not None


def _read(connection: Connection, seqs: Sequence[int]) -> list[Message]:
    """The messages with these numbers, as far as their weight allows: a few at first, then as many as will fit."""
    found: list[Message] = []
    size, some = 0, READ_FIRST
    while len(found) < len(seqs) and size < READ_BYTES:
        wanted = seqs[len(found) : len(found) + some]
        rows = connection.execute(select(inbox).where(inbox.c.seq.in_(wanted)).order_by(inbox.c.seq))
        for message in map(_message, rows):
            found.append(message)
            size += len(message.body)
            if size >= READ_BYTES:
                return found
        some = min(2 * len(found), max((READ_BYTES - size) * len(found) // max(size, 1), 1))
    return found


def unread(connection: Connection, since: datetime, now: datetime) -> bool:
    """Whether a message that had come by `since` is not understood yet: it may say what we are waiting for."""
    return any(one.received_at <= since for one in waiting(connection, now, 1))


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
    update_many(connection, inbox, ("digested_at", "error"), ("seq",), [(microseconds(now), None, seq) for seq in seqs])


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


def oldest_waiting(connection: Connection) -> datetime | None:
    """When the oldest message came that is not digested yet; None: all are."""
    waits = select(inbox.c.received_at).where(inbox.c.digested_at.is_(None)).order_by(inbox.c.seq).limit(1)
    found: datetime | None = connection.execute(waits).scalar()
    return found


def next_retry(connection: Connection) -> datetime | None:
    """When the next message that failed is to be tried again."""
    found: datetime | None = connection.execute(
        select(func.min(inbox.c.retry_at)).where(inbox.c.digested_at.is_(None), inbox.c.retry_at.is_not(None))
    ).scalar()
    return found


def forget_before(connection: Connection, before: datetime, limit: int) -> int:
    """Delete at most `limit` digested messages received before `before`; returns how many."""
    old: list[int] = []
    # In their order, and no further than the first that is younger: the table may be large, and has no index for this.
    query = select(inbox.c.seq, inbox.c.received_at, inbox.c.digested_at).order_by(inbox.c.seq)
    with connection.execute(query) as rows:
        for seq, received_at, digested_at in rows:
            if received_at >= before or len(old) == limit:
                break
            if digested_at is not None:
                old.append(seq)
    if old:
        connection.execute(delete(inbox).where(inbox.c.seq == bindparam("one")), [{"one": seq} for seq in old])
    return len(old)
