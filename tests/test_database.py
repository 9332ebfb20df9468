"""The database: one that writes, one that reads, one process, and never a success that is none."""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import threading
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, insert, select
from sqlalchemy.exc import IntegrityError

from bridge.database import Database
from bridge.database.many import insert_many, update_many
from bridge.database.tables import overrides, policies, strays
from bridge.errors import CallbridgeError, LostRace, StoreUnavailable
from tests.storing import a_url, fill_the_disk, make_room

NOW = datetime(2026, 11, 23, 3, tzinfo=UTC)
BIG = "x" * 200_000
# A process of its own that starts a database, writes a row and says so, until it is killed.
HOLDER = """
import asyncio, sys
from sqlalchemy import insert
from bridge.database import Database
from bridge.database.tables import policies
async def main():
    database = Database(sys.argv[1])
    await database.start()
    for number in range(1_000_000):
        await database.write(lambda connection: connection.execute(insert(policies).values(hash=str(number), body="")))
        print(number, flush=True)
asyncio.run(main())
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/bridge.db"


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    opened = Database(url)
    await opened.start()
    yield opened
    await opened.close()


@pytest.fixture
async def either(kind: str, tmp_path: Path) -> AsyncIterator[Database]:
    """A database of each kind in turn: what is tested with it holds for both."""
    with a_url(tmp_path) as url:
        opened = Database(url)
        await opened.start()
        yield opened
        await opened.close()


def put(key: str, body: str = "") -> Callable[[Connection], None]:
    def transaction(connection: Connection) -> None:
        connection.execute(insert(policies).values(hash=key, body=body))

    return transaction


def keys(connection: Connection) -> list[str]:
    return list(connection.execute(select(policies.c.hash).order_by(policies.c.hash)).scalars())


def asked(statement: str) -> Callable[[Connection], Any]:
    return lambda connection: connection.exec_driver_sql(statement).scalar()


# --- where it may be


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("mysql://callbridge@db/callbridge", "mysql is not supported; write sqlite:///"),
        ("sqlite+aiosqlite:///x.db", "is not supported"),
        ("sqlite://", "names no file; write sqlite:///"),
        ("sqlite:///:memory:", "names no file; write sqlite:///"),
        ("sqlite:///file:x?mode=memory&uri=true", "names no file; write sqlite:///"),
    ],
)
def test_only_a_file_will_do(wrong: str, said: str) -> None:
    """A URL that is no file of SQLite's is refused before anything is made, and the right form is told."""
    with pytest.raises(CallbridgeError, match=r"^storage\.url: .*") as caught:
        Database(wrong)
    assert said in str(caught.value)


async def test_a_place_that_cannot_be(tmp_path: Path) -> None:
    """Where no file can be made, or one lies that is no database, the error names it."""
    (tmp_path / "file").write_text("no database, however long this may be" * 100)
    for place in ("file/below.db", "file"):
        with pytest.raises(CallbridgeError, match=r"storage\.url: .*/file.*write"):
            await Database(f"sqlite:///{tmp_path}/{place}").start()


async def test_odd_names_are_names(tmp_path: Path) -> None:
    """A directory may be called as it likes; it is made if need be."""
    database = Database(f"sqlite:///{tmp_path}/50% off #1/ä b.db")
    await database.start()
    await database.write(put("kept"))
    await database.close()
    assert (tmp_path / "50% off #1" / "ä b.db").stat().st_size


# --- one process


async def test_a_second_one_is_kept_out(tmp_path: Path, url: str, database: Database) -> None:
    """The same file, by whatever path, is refused with the holder's process; when it is closed it is free again."""
    (tmp_path / "link.db").symlink_to(tmp_path / "bridge.db")
    for way in (url, f"sqlite:///{tmp_path}/link.db", f"sqlite:///{tmp_path}/../{tmp_path.name}/bridge.db"):
        with pytest.raises(CallbridgeError, match=rf"in use by another callbridge \(process {os.getpid()}\); stop it"):
            await Database(way).start()
    await database.write(put("still works"))
    await database.close()
    second = Database(url)
    await second.start()
    assert await second.read(keys) == ["still works"]
    await second.close()


async def test_a_killed_process_lets_go_and_loses_nothing(url: str) -> None:
    """kill -9 frees the lock at once, and all that was acknowledged is there."""
    holder = await asyncio.create_subprocess_exec(sys.executable, "-c", HOLDER, url, stdout=asyncio.subprocess.PIPE)
    assert holder.stdout is not None
    said = b"".join([await holder.stdout.readline() for _ in range(50)])
    with pytest.raises(CallbridgeError, match=f"process {holder.pid}"):
        await Database(url).start()
    holder.kill()
    said += await holder.stdout.read()
    await holder.wait()
    database = Database(url)
    await database.start()
    kept = await database.read(keys)
    assert len(kept) >= 50
    assert set(said.decode().rpartition("\n")[0].split()) <= set(kept)
    assert await database.read(asked("PRAGMA integrity_check")) == "ok"
    await database.close()


# --- one that writes, one that reads


async def test_how_it_is_set_up(database: Database) -> None:
    """What is committed is on the disk; who reads cannot write."""
    assert await database.write(asked("PRAGMA journal_mode")) == "wal"
    assert await database.write(asked("PRAGMA synchronous")) == 2
    assert await database.write(asked("PRAGMA query_only")) == 0
    assert await database.read(asked("PRAGMA query_only")) == 1


async def test_one_connection_in_one_thread_writes(database: Database) -> None:
    """However many write at once, it is one connection in one thread, and not the loop's; reading has its own."""

    def where(connection: Connection) -> tuple[int, int]:
        return threading.get_ident(), id(connection.connection.driver_connection)

    wrote = set(await asyncio.gather(*(database.write(where) for _ in range(30))))
    read = set(await asyncio.gather(*(database.read(where) for _ in range(30))))
    assert len(wrote) == len(read) == 1
    threads, connections = zip(*wrote, *read, strict=True)
    assert len({*threads, threading.get_ident()}) == 3
    assert len(set(connections)) == 2


async def test_who_reads_cannot_write(either: Database) -> None:
    """A query that writes is refused and says so; that the database fails is not what it means."""
    with pytest.raises(StoreUnavailable, match=r"read.?only"):
        await either.read(put("sly"))
    assert not either.failing
    assert await either.read(keys) == []


async def test_what_is_committed_can_be_read(either: Database) -> None:
    """Each read sees every write that returned before it."""
    for number in range(20):
        await either.write(put(f"{number:02}"))
        assert len(await either.read(keys)) == number + 1


@pytest.mark.parametrize("error", [ValueError("mine"), LostRace("again"), CallbridgeError("said"), KeyboardInterrupt()])
async def test_what_a_transaction_raises_undoes_it(either: Database, error: BaseException) -> None:
    """Whatever goes wrong inside comes out as it is, and nothing of the transaction stays."""

    def transaction(connection: Connection) -> None:
        put("one")(connection)
        put("two")(connection)
        raise error

    with pytest.raises(type(error)) as caught:
        await either.write(transaction)
    assert caught.value is error
    assert not either.failing
    assert await either.read(keys) == []
    await either.write(put("after"))


async def test_a_broken_constraint_is_no_failing_database(either: Database) -> None:
    """It would be the same next time: it is not called unavailable, and tells nothing of what was to be written."""
    number = "".join(["+49", "170", "1234567"])  # not as it would stand in a line of the traceback
    await either.write(put("once", number))
    with pytest.raises(IntegrityError) as caught:
        await either.write(put("once", number))
    assert not either.failing
    assert number not in "".join(traceback.format_exception(caught.value))


async def test_who_gives_up_waiting_stops_nothing(either: Database) -> None:
    """A caller that is cancelled takes no transaction with it, and none of the others'."""
    began, go_on = threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        began.set()
        go_on.wait(5)
        put("slow")(connection)

    first = asyncio.create_task(either.write(slow))
    second = asyncio.create_task(either.write(put("second")))
    await asyncio.to_thread(began.wait, 5)
    first.cancel()
    with suppress(asyncio.CancelledError):
        await first
    go_on.set()
    await second
    assert await either.read(keys) == ["second", "slow"]


# --- when it cannot


async def test_a_full_disk_and_its_end(either: Database) -> None:
    """Full: nothing is taken, what was there stays and can be read. Space again: a probe finds out."""
    await either.write(put("before"))
    await fill_the_disk(either)
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="full"):
            await either.write(put("too much", BIG))
        assert either.failing
    assert await either.read(keys) == ["before"]
    for _ in range(3):  # a page or two may be left over
        with suppress(StoreUnavailable):
            await either.write(put(os.urandom(8).hex(), BIG[:9000]))
    with pytest.raises(StoreUnavailable, match="full"):
        await either.probe()
    assert either.failing
    await make_room(either)
    await either.probe()
    assert not either.failing
    await either.write(put("later", BIG))
    assert {"before", "later"} <= set(await either.read(keys))


@pytest.mark.parametrize("lost", [True, False])
async def test_nothing_committed_is_no_success(database: Database, lost: bool) -> None:
    """A transaction that is gone when it is to be committed has failed, even if its function noticed nothing."""
    await fill_the_disk(database)

    def careless(connection: Connection) -> None:
        put("careless")(connection)
        if lost:
            connection.exec_driver_sql("ROLLBACK")  # as SQLite itself does after some errors
        else:
            with suppress(Exception):
                put("big", BIG)(connection)

    try:
        await database.write(careless)
    except StoreUnavailable:
        assert database.failing
        assert await database.read(keys) == []
    else:
        assert not lost
        assert await database.read(keys) == ["careless"]


async def test_a_commit_that_fails_is_told(tmp_path: Path, database: Database) -> None:
    """The disk refuses the very commit: the sender hears of it, nothing of it is there, and the next one works."""
    await database.write(put("before"))
    before, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = (tmp_path / "bridge.db-wal").stat().st_size
    entered = []

    def transaction(connection: Connection) -> None:
        put("lost", BIG)(connection)
        entered.append(connection.connection.driver_connection.in_transaction)  # type: ignore[union-attr]  # the driver's own
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 4096, most))

    try:
        with pytest.raises(StoreUnavailable, match="disk"):
            await database.write(transaction)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before, most))
    assert entered == [True]
    assert database.failing
    assert await database.read(keys) == ["before"]
    await database.write(put("after", BIG))
    assert not database.failing
    assert await database.read(keys) == ["after", "before"]


async def test_a_lost_connection_is_made_again(database: Database) -> None:
    """A connection that breaks costs one transaction."""

    def broken(connection: Connection) -> None:
        connection.connection.driver_connection.close()  # type: ignore[union-attr]  # the driver's own
        put("lost")(connection)

    with pytest.raises(StoreUnavailable):
        await database.write(broken)
    await database.probe()
    assert await database.write(asked("PRAGMA synchronous")) == 2
    assert not database.failing


async def run(*command: str) -> int:
    """A command's exit code, and nothing of what it says."""
    quiet = asyncio.subprocess.DEVNULL
    return await (await asyncio.create_subprocess_exec(*command, stdout=quiet, stderr=quiet)).wait()


async def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    """On a file system of two megabytes: all that was acknowledged can be read, and room made is room found."""
    place = tmp_path / "small"
    place.mkdir()
    if await run("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)):
        pytest.skip("a file system of its own can only be mounted by root")
    try:
        (place / "ballast").write_bytes(bytes(500_000))
        database = Database(f"sqlite:///{place}/bridge.db")
        await database.start()
        kept: list[str] = []
        with suppress(StoreUnavailable):
            while len(kept) < 1000:
                await database.write(put(f"{len(kept):03}", BIG[:20_000]))
                kept.append(f"{len(kept):03}")
        assert database.failing
        assert await database.read(keys) == kept
        (place / "ballast").unlink()
        await database.probe()
        assert not database.failing
        await database.write(put("after"))
        await database.close()
    finally:
        assert await run("umount", str(place)) == 0


# --- many rows


async def test_many_rows(either: Database) -> None:
    """Rows go in and are changed together; how many were found is told; none is nothing; a wrong order is a fault."""
    rows = [(f"{number}", "old") for number in range(5)]

    def transaction(connection: Connection) -> tuple[int, int, int]:
        insert_many(connection, policies, ("hash", "body"), rows)
        insert_many(connection, policies, ("hash", "body"), [])
        changed = [("new", "1", "old"), ("new", "2", "old"), ("new", "3", "other"), ("new", "7", "old")]
        found = update_many(connection, policies, ("body",), ("hash", "body"), changed)
        none = update_many(connection, policies, ("body",), ("hash",), [])
        return found, connection.execute(select(func.count()).where(policies.c.body == "new")).scalar_one(), none

    assert await either.write(transaction) == (2, 2, 0)
    with pytest.raises(AssertionError, match="in the order of the table"):
        await either.write(lambda connection: insert_many(connection, policies, ("body", "hash"), rows))


async def test_instants_are_kept_to_the_microsecond(either: Database) -> None:
    """What goes in as an aware time in UTC comes out as the same."""
    odd = NOW.replace(microsecond=999_999)
    await either.write(lambda c: c.execute(insert(strays).values(received_at=odd, report="{}")))
    assert await either.read(lambda c: c.execute(select(strays.c.received_at)).scalar_one()) == odd
    assert await either.read(lambda c: c.execute(select(overrides)).all()) == []
