"""The inbox: many senders, few commits, and nobody is thanked for what is not kept."""

from __future__ import annotations

import asyncio
import gc
import random
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import Connection, select

from bridge.clock import SystemClock
from bridge.database import Database, Lane
from bridge.database.tables import inbox
from bridge.errors import StoreUnavailable
from bridge.store import inbox as store
from bridge.store.inbox import Door, Inbox, Message
from tests.storing import MINUTE, NOW, a_url, fill_the_disk, in_memory, make_room

pytestmark = pytest.mark.usefixtures("kind")

T = TypeVar("T")
Result = int | BaseException


class Counting(Database):
    """A database that counts its write transactions, can be held, and can be told to fail some of them."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.writes = 0
        self.failures: list[Exception] = []
        self.free = asyncio.Event()
        self.free.set()

    async def write(self, transaction: Callable[[Connection], T], lane: Lane = Lane.WRITE) -> T:
        await self.free.wait()
        self.writes += 1
        if self.failures:
            raise self.failures.pop(0)
        return await super().write(transaction, lane)


@pytest.fixture
async def database(kind: str, tmp_path: Path) -> AsyncIterator[Counting]:
    with a_url(tmp_path) as url:
        opened = Counting(url)
        await opened.start()
        yield opened
        await opened.close()


@asynccontextmanager
async def open_inbox(database: Database) -> AsyncIterator[Inbox]:
    """An inbox that takes messages; at the end it is stopped, and has stopped."""
    one, stop = Inbox(database), asyncio.Event()
    running = asyncio.create_task(one.run(stop, SystemClock()))
    await asyncio.sleep(0)
    yield one
    stop.set()
    await asyncio.wait_for(running, 10)


def a_message(body: bytes | str = b"{}", **meta: str) -> Message:
    return Message(Door.ALERTMANAGER, NOW, body if isinstance(body, bytes) else body.encode(), meta)


def all_waiting(connection: Connection) -> list[Message]:
    return store.waiting(connection, NOW, 100_000)


async def put_all(one: Inbox, bodies: list[str]) -> list[Result]:
    return list(await asyncio.gather(*(one.put(a_message(body)) for body in bodies), return_exceptions=True))


async def settle() -> None:
    """Let every sender come as far as the inbox."""
    for _ in range(5):
        await asyncio.sleep(0)


# --- taking in


async def test_many_senders_share_few_commits(database: Counting) -> None:
    """Each of a thousand senders is answered only when its row can be read from elsewhere; the commits are few."""

    async def send(body: str) -> None:
        seq = await one.put(a_message(body))
        query = select(inbox.c.seq).where(inbox.c.body == body.encode())
        assert await database.read(lambda connection: list(connection.execute(query).scalars())) == [seq]

    async with open_inbox(database) as one:
        await asyncio.gather(*(send(f"body {number}") for number in range(1000)))
        assert database.writes <= 5
        for number in range(20):
            await send(f"alone {number}")
        assert database.writes <= 25


async def test_in_the_order_of_arrival(database: Counting) -> None:
    """Messages are numbered as they came, over all commits, and come out complete."""
    async with open_inbox(database) as one:
        sent = [Message(random.choice(list(Door)), NOW + MINUTE, b"%d" % n, {"query": f"a={n}&ä"}) for n in range(300)]
        for start in range(0, 300, 50):
            await asyncio.gather(*(one.put(message) for message in sent[start : start + 50]))
    found = await database.read(all_waiting)
    assert [message.seq for message in found] == sorted(message.seq for message in found)
    assert [Message(m.door, m.received_at, m.body, m.meta) for m in found] == sent


@pytest.mark.parametrize("size", [0, 1, store.PACK_FROM, store.PACK_FROM + 1, 1_000_000])
async def test_bodies_come_back_whole(database: Counting, size: int) -> None:
    """Byte for byte, whatever it is; only what is large is packed."""
    bodies = [random.Random(size).randbytes(size), b'{"a":1}' * (size // 7)]
    async with open_inbox(database) as one:
        await asyncio.gather(*(one.put(a_message(body)) for body in bodies))
    assert [message.body for message in await database.read(all_waiting)] == bodies
    rows = await database.read(lambda connection: connection.execute(select(inbox.c.packed, inbox.c.body)).all())
    for (packed, kept), body in zip(rows, bodies, strict=True):
        assert packed == (len(body) > store.PACK_FROM)
        assert (zlib.decompress(kept) if packed else kept) == body


async def test_what_is_no_text_loses_no_message(database: Counting) -> None:
    """A header with bytes that are no text is made legible; the message and its neighbours are kept."""
    async with open_inbox(database) as one:
        await asyncio.gather(one.put(a_message("odd", content_type="a\udcffb", query="q")), one.put(a_message("plain")))
    odd, plain = await database.read(all_waiting)
    assert (odd.meta, odd.body) == ({"content_type": "a?b", "query": "q"}, b"odd")
    assert plain.body == b"plain"


async def test_a_sender_who_hangs_up_harms_nobody(database: Counting) -> None:
    """Half of the senders of one batch hang up: the others are answered, and all that came is kept."""
    database.free.clear()
    async with open_inbox(database) as one:
        senders = [asyncio.create_task(one.put(a_message(f"{number}"))) for number in range(20)]
        await settle()
        for sender in senders[::2]:
            sender.cancel()
        await settle()
        database.free.set()
        assert all(isinstance(seq, int) for seq in await asyncio.gather(*senders[1::2]))
    assert len(await database.read(all_waiting)) == 20
    assert all(sender.cancelled() for sender in senders[::2])


@pytest.mark.parametrize("error", [StoreUnavailable("full"), ValueError("our own")])
async def test_a_batch_that_fails_fails_all_its_senders(database: Counting, error: Exception) -> None:
    """Nobody of it is thanked, each may come again, and the next batch is as good as any."""
    database.failures = [error]
    async with open_inbox(database) as one:
        failed = await put_all(one, [f"{number}" for number in range(10)])
        assert all(isinstance(result, StoreUnavailable) for result in failed)
        assert str(error) in str(failed[0])
        assert await database.read(all_waiting) == []
        assert all(isinstance(result, int) for result in await put_all(one, ["again", "and another"]))
    assert [message.body for message in await database.read(all_waiting)] == [b"again", b"and another"]


async def test_a_failure_that_nobody_waits_for(database: Counting) -> None:
    """All senders of a batch that fails have hung up: nothing complains, and the next is taken."""
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: complaints.append(what))
    database.failures = [StoreUnavailable("full")]
    database.free.clear()
    async with open_inbox(database) as one:
        sender = asyncio.create_task(one.put(a_message()))
        await settle()
        sender.cancel()
        with suppress(asyncio.CancelledError):
            await sender
        database.free.set()
        assert await one.put(a_message("next")) > 0
    gc.collect()
    assert complaints == []


async def test_a_really_full_disk(database: Counting) -> None:
    """Full: everybody is told so. Space again: the next one is kept."""
    await fill_the_disk(database)
    async with open_inbox(database) as one:
        noise = random.Random(1).randbytes(200_000)
        results = await asyncio.gather(*(one.put(a_message(noise)) for _ in range(5)), return_exceptions=True)
        assert all(isinstance(result, StoreUnavailable) for result in results)
        assert database.failing
        await make_room(database)
        assert await one.put(a_message(noise)) > 0
    assert len(await database.read(all_waiting)) == 1


async def test_too_many_are_sent_away(database: Counting) -> None:
    """What cannot be held in memory is refused at once, by number and by size; there is room again after the commit."""
    database.free.clear()
    async with open_inbox(database) as one:
        first = asyncio.create_task(one.put(a_message("under way")))
        await settle()
        waiting = [asyncio.create_task(one.put(a_message())) for _ in range(store.WAITING_LIMIT)]
        await settle()
        with pytest.raises(StoreUnavailable, match="too many"):
            await one.put(a_message())
        database.free.set()
        await asyncio.gather(first, *waiting)
        database.free.clear()
        body = bytes(store.WAITING_BYTES // 4)
        large = [asyncio.create_task(one.put(a_message(body))) for _ in range(4)]
        await asyncio.sleep(0)
        with pytest.raises(StoreUnavailable, match="too many"):
            await one.put(a_message("one byte more"))
        database.failures = [StoreUnavailable("a quarter of a gigabyte need not be written to show it")]
        database.free.set()
        await asyncio.gather(*large, return_exceptions=True)


async def test_stop_keeps_what_waits(database: Counting) -> None:
    """What came before the stop is kept and answered; who comes after it is sent away and does not wait for ever."""
    database.free.clear()
    async with open_inbox(database) as one:
        first = asyncio.create_task(one.put(a_message("under way")))
        await settle()
        second = asyncio.create_task(one.put(a_message("waits")))
        await settle()
        asyncio.get_running_loop().call_later(0.05, database.free.set)
    assert await first < await second
    with pytest.raises(StoreUnavailable, match="stopping"):
        await asyncio.wait_for(one.put(a_message("late")), 5)
    assert [message.body for message in await database.read(all_waiting)] == [b"under way", b"waits"]


async def test_an_inbox_that_is_cut_off_tells_its_senders(database: Counting) -> None:
    """When its task is cancelled in the middle of a commit, nobody waits for an answer that never comes."""
    database.free.clear()
    one = Inbox(database)
    running = asyncio.create_task(one.run(asyncio.Event(), SystemClock()))
    first = asyncio.create_task(one.put(a_message("under way")))
    await settle()
    second = asyncio.create_task(one.put(a_message("waits")))
    await settle()
    running.cancel()
    results = await asyncio.wait_for(asyncio.gather(first, second, running, return_exceptions=True), 5)
    assert [type(result) for result in results] == [StoreUnavailable, StoreUnavailable, asyncio.CancelledError]


# --- giving out


def stored(connection: Connection, *bodies: bytes) -> list[int]:
    store._put(connection, [(a_message(body), "{}") for body in bodies])
    return [message.seq for message in all_waiting(connection)]


def test_failures_wait_longer_and_longer() -> None:
    """What our own code could not digest is tried again after each pause of the list, the last for ever."""
    with in_memory() as connection:
        stored(connection, b"bad", b"good")
        now = NOW
        for pause in (*store.RETRY_STEPS, store.RETRY_STEPS[-1], store.RETRY_STEPS[-1]):
            bad = store.waiting(connection, now, 10)[0]
            store.mark_failed(connection, bad, "KeyError: 'x'" * 1000, now)
            assert store.next_retry(connection) == now + pause
            just_before = now + pause - timedelta(microseconds=1)
            assert [m.body for m in store.waiting(connection, just_before, 10)] == [b"good"]
            assert [m.body for m in store.waiting(connection, now + pause, 10)] == [b"bad", b"good"]
            now += pause
        assert store.waiting(connection, now, 10)[0].failures == 6
        assert len(connection.execute(select(inbox.c.error).order_by(inbox.c.seq)).scalars().first() or "") == 2000
        assert store.count_waiting(connection) == 2


def test_digested_is_done() -> None:
    """What is digested is not given out again, does not wait, and is not tried again."""
    with in_memory() as connection:
        first, second, third = stored(connection, b"1", b"2", b"3")
        store.mark_failed(connection, store.waiting(connection, NOW, 1)[0], "oh", NOW)
        store.mark_digested(connection, [first, third], NOW)
        store.mark_digested(connection, [], NOW)
        assert [message.seq for message in all_waiting(connection)] == [second]
        assert store.count_waiting(connection) == 1
        assert store.next_retry(connection) is None


def test_no_more_than_fits_is_read() -> None:
    """Messages are read up to a number, and up to a weight: large ones a few at a time, but always one."""
    with in_memory() as connection:
        sizes = [store.READ_BYTES // 2, store.READ_BYTES // 2 - 1, 1, 1, store.READ_BYTES + 1, 1]
        seqs = stored(connection, *(bytes(size) for size in sizes))
        assert len(seqs) == 3
        rounds: list[list[int]] = []
        while batch := store.waiting(connection, NOW, 100):
            rounds.append([len(message.body) for message in batch])
            store.mark_digested(connection, [message.seq for message in batch], NOW)
        assert rounds == [sizes[:3], sizes[3:5], sizes[5:]]


def test_what_does_not_fit_is_not_even_fetched() -> None:
    """Behind the weight that is read no row is touched: a long queue of large messages takes no more memory."""
    with in_memory() as connection:
        size = store.READ_BYTES // 4
        stored(connection, *(random.Random(number).randbytes(size) for number in range(12)))
        tracemalloc.start()
        assert len(store.waiting(connection, NOW, 100)) == 4
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 9 * size


def test_old_messages_are_forgotten() -> None:
    """The oldest digested ones go first, a few at a time; what waits and what is younger stays."""
    with in_memory() as connection:
        times = [NOW - 5 * MINUTE, NOW - 4 * MINUTE, NOW - 3 * MINUTE, NOW - 2 * MINUTE, NOW, NOW + MINUTE]
        store._put(connection, [(Message(Door.API, at, b""), "{}") for at in times])
        store.mark_digested(connection, [1, 3, 4, 5, 6], NOW)
        assert store.forget_before(connection, NOW, 2) == 2
        assert list(connection.execute(select(inbox.c.seq)).scalars()) == [2, 4, 5, 6]
        assert store.forget_before(connection, NOW, 2) == 1
        assert store.forget_before(connection, NOW, 2) == 0
        assert list(connection.execute(select(inbox.c.seq)).scalars()) == [2, 5, 6]


def test_numbers_are_never_used_again() -> None:
    """After the newest messages are gone the next one has a higher number still: `digested` never goes back."""
    with in_memory() as connection:
        stored(connection, b"1", b"2")
        store.mark_digested(connection, [1, 2], NOW)
        store.forget_before(connection, NOW + MINUTE, 10)
        assert stored(connection, b"3") == [3]
