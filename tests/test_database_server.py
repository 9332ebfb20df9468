"""PostgreSQL: what is said when it cannot be used, and that its going and coming back loses nothing."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import Connection, text

from bridge.cli import main
from bridge.database import Database, Lane
from bridge.database.schema import NEWEST
from bridge.database.speaking import alone, say, try_alone
from bridge.database.tables import journal
from bridge.errors import CallbridgeError, LostRace, StoreUnavailable
from bridge.store.journal import Entry, write
from tests.configuring import SMALL
from tests.postgres import Server, running
from tests.storing import NOW


@pytest.fixture
def url(postgresql: Server) -> Iterator[str]:
    made = postgresql.create()
    yield made
    postgresql.drop(made)


@pytest.fixture
def empty(postgresql: Server) -> Iterator[str]:
    """A database without a schema."""
    made = postgresql.create("template1")
    yield made
    postgresql.drop(made)


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    opened = Database(url)
    await opened.start()
    yield opened
    await opened.close()


def line(note: str) -> Entry:
    return Entry(NOW, "opened", "i", note=note)


def notes(connection: Connection) -> list[str]:
    return list(connection.execute(text("SELECT note FROM journal ORDER BY seq")).scalars())


# --- what is wrong, and what to do


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("postgresql://callbridge:hush@127.0.0.1:1/night", r"cannot connect.*is it running there"),
        ("postgresql://callbridge:hush@nowhere.invalid/night", r"cannot connect.*may this machine reach it"),
        ("postgresql://callbridge:hush@[/night", r"write postgresql://user@host/database"),
    ],
)
async def test_a_server_that_is_not_there(place: str, said: str) -> None:
    """The error says what to look at, and never the password."""
    with pytest.raises(CallbridgeError, match=rf"^storage\.url: .*{said}") as caught:
        await Database(place).start()
    assert "hush" not in str(caught.value)


async def test_a_database_that_is_not_there(postgresql: Server) -> None:
    """The error names it and how it is made."""
    with pytest.raises(CallbridgeError, match=r'"nosuch" does not exist; create it: createdb'):
        await Database(postgresql.url("nosuch")).start()


async def until_refused(url: str) -> None:
    """Return once the server has read its new rules, and does not let in whoever comes with that URL."""
    try:
        connection = await asyncpg.connect(url)
    except asyncpg.InvalidPasswordError:
        return
    await connection.close()
    await asyncio.sleep(0.05)
    await until_refused(url)


async def test_a_wrong_password(postgresql: Server, url: str) -> None:
    """The error says where to correct it, and does not show it."""
    rules = postgresql.folder / "pg_hba.conf"
    before = rules.read_text()
    postgresql.run("CREATE ROLE somebody LOGIN PASSWORD 'right'")
    try:
        rules.write_text("host all somebody 127.0.0.1/32 scram-sha-256\n" + before)
        postgresql.run("SELECT pg_reload_conf()")
        wrong = url.replace("callbridge@", "somebody:hush@")
        async with asyncio.timeout(20):
            await until_refused(wrong)
        with pytest.raises(CallbridgeError, match=r"password authentication failed.*storage\.url_file") as caught:
            await Database(wrong).start()
        assert "hush" not in str(caught.value)
    finally:
        rules.write_text(before)
        postgresql.run("SELECT pg_reload_conf()")
        postgresql.run("DROP ROLE somebody")


async def test_a_schema_that_does_not_fit(postgresql: Server, empty: str) -> None:
    """Empty or old: the command is named. Newer: the newer version is wanted. After the upgrade it starts."""
    with pytest.raises(CallbridgeError, match=r"is empty.*callbridge db upgrade --config\.file"):
        await Database(empty).start()
    upgrading = Database(empty)
    assert await upgrading.revision() is None
    assert await upgrading.upgrade() == (None, NEWEST)
    assert await upgrading.upgrade() == (NEWEST, NEWEST)
    await upgrading.close()
    for number, said in (("0000", "has schema 0000.*callbridge db upgrade"), ("9999", "made by a newer callbridge")):
        opened = Database(empty)
        await opened.start()
        await opened.close()
        postgresql.run(f"UPDATE alembic_version SET version_num = '{number}'", empty.rpartition("/")[2])
        with pytest.raises(CallbridgeError, match=said):
            await Database(empty).start()
        opened = Database(empty)
        await opened._home.run(
            Lane.WRITE, lambda c: c.execute(text(f"UPDATE alembic_version SET version_num='{NEWEST}'"))
        )
        await opened.close()


def test_the_commands(empty: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`db check` says what is missing, `db upgrade` brings it, on PostgreSQL and for a file; no password is shown."""
    config = tmp_path / "callbridge.yaml"
    (tmp_path / "url").write_text(empty.replace("callbridge@", "callbridge:hush@"))
    for storage in ("{url_file: url}", "{url: 'sqlite:///new.db'}"):
        config.write_text(SMALL + f"storage: {storage}\n")
        flag = f"--config.file={config}"
        assert main(["db", "check", flag]) == 1
        assert "is empty, this version needs" in capsys.readouterr().err
        assert main(["db", "upgrade", flag]) == 0
        assert f"was empty, has schema {NEWEST}" in capsys.readouterr().out
        assert main(["db", "check", flag]) == 0
        assert main(["db", "upgrade", flag]) == 0
        told = capsys.readouterr()
        assert f"schema {NEWEST}, up to date" in told.out
        assert "was up to date" in told.out
        assert "hush" not in told.out + told.err


# --- text


async def test_a_nul_costs_no_message(database: Database) -> None:
    """PostgreSQL keeps no NUL in a text: it is made legible, wherever it stands, and nothing is lost."""
    await database.write(lambda connection: write(connection, [line("a\0b")]))
    await database.write(lambda connection: connection.execute(journal.update().values(who="\0x")))
    assert await database.read(notes) == ["a\N{REPLACEMENT CHARACTER}b"]


# --- gone and back


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
async def test_a_server_that_goes_and_comes_back(how: signal.Signals) -> None:
    """Gone: StoreUnavailable, and nothing else. Back: the next transaction is kept, without anybody's help."""
    with running() as server:
        database = Database(server.create())
        await database.start()
        await database.write(lambda connection: write(connection, [line("before")]))
        server.stop(how)
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                await database.write(lambda connection: write(connection, [line("lost")]))
            with pytest.raises(StoreUnavailable):
                await database.read(notes)
        assert database.failing
        server.start()
        await database.probe()
        assert not database.failing
        await database.write(lambda connection: write(connection, [line("after")]), Lane.DOOR)
        assert await database.read(notes) == ["before", "after"]
        await database.close()


async def test_a_restart_between_two_transactions_is_not_noticed(postgresql: Server, database: Database) -> None:
    """A connection that was cut while nobody used it is made again, and the transaction run on the new one."""
    await database.write(lambda connection: write(connection, [line("before")]))
    postgresql.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'callbridge'")
    await database.write(lambda connection: write(connection, [line("after")]))
    assert await database.read(notes) == ["before", "after"]


async def test_cut_off_in_the_middle(postgresql: Server, database: Database) -> None:
    """A transaction whose connection is cut before its commit is run again as a whole: it is kept once."""
    cut: list[None] = []

    def transaction(connection: Connection) -> None:
        write(connection, [line("once")])
        if not cut:
            cut.append(None)
            postgresql.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name='callbridge'")
        write(connection, [line("and once")])

    await database.write(transaction)
    assert await database.read(notes) == ["once", "and once"]


# --- several at once


async def test_a_deadlock_is_run_again(url: str) -> None:
    """Two that lock the same rows in opposite order: both get what they wanted, one of them a little later."""
    one, other = Database(url), Database(url)
    for database in (one, other):
        await database.start()
    await one.write(lambda connection: write(connection, [line("a"), line("b")]))
    barrier = asyncio.Barrier(2)
    loop = asyncio.get_running_loop()
    met: set[str] = set()

    def locking(first: str, second: str) -> Callable[[Connection], None]:
        def transaction(connection: Connection) -> None:
            connection.execute(journal.update().where(journal.c.note == first).values(step=journal.c.step + 1))
            if first not in met:
                met.add(first)
                asyncio.run_coroutine_threadsafe(barrier.wait(), loop).result(10)
            connection.execute(journal.update().where(journal.c.note == second).values(step=journal.c.step + 1))

        return transaction

    await asyncio.gather(one.write(locking("a", "b")), other.write(locking("b", "a")))
    assert await one.read(lambda c: list(c.execute(text("SELECT step FROM journal")).scalars())) == [2, 2]
    for database in (one, other):
        await database.close()


async def test_who_always_loses_is_told_so(database: Database) -> None:
    """What is in vain again and again is a lost race, which the caller knows what to do with."""

    def loses(connection: Connection) -> None:
        connection.execute(text("DO $$BEGIN RAISE 'again' USING ERRCODE = 'serialization_failure'; END$$"))

    with pytest.raises(LostRace, match="others were faster"):
        await database.write(loses)


async def test_one_at_a_time(url: str) -> None:
    """What only one may do at a time: the second is told so, or waits, until the first one's transaction is over."""
    one, other = Database(url), Database(url)
    for database in (one, other):
        await database.start()
    tried: list[bool] = []

    def holding(connection: Connection) -> None:
        alone(connection, "it")
        asyncio.run_coroutine_threadsafe(look(), loop).result(10)

    async def look() -> None:
        tried.append(await other.write(lambda connection: try_alone(connection, "it")))
        tried.append(await other.write(lambda connection: try_alone(connection, "something else")))

    loop = asyncio.get_running_loop()
    await one.write(holding)
    await look()
    assert tried == [False, True, True, True]
    for database in (one, other):
        await database.close()


# --- what they say to each other


async def test_a_word_is_heard_by_the_others_once_it_is_true(url: str) -> None:
    """What is said in a transaction is heard after its commit, by all others; what is rolled back is never heard."""
    one, other = Database(url), Database(url)
    heard: list[tuple[str, str]] = []
    stop = asyncio.Event()
    listening = []
    for name, database in (("one", one), ("other", other)):
        await database.start()
        listening.append(asyncio.create_task(database.listen(lambda word, n=name: heard.append((n, word)), stop)))  # type: ignore[misc]  # bound now

    def in_vain(connection: Connection) -> None:
        say(connection, "never")
        raise LostRace

    async with asyncio.timeout(20):
        while ("other", "work") not in heard:
            with suppress(LostRace):
                await one.write(in_vain)
            await one.write(lambda connection: say(connection, "work"))
            await asyncio.sleep(0.05)
    assert ("one", "work") not in heard
    assert "never" not in {word for _, word in heard}
    stop.set()
    await asyncio.wait_for(asyncio.gather(*listening), 20)
    for database in (one, other):
        await database.close()


async def test_it_is_listened_again_after_a_restart(postgresql: Server, url: str, database: Database) -> None:
    """When the connection is cut it is made again; meanwhile, and always, "" says once a second to look oneself."""
    heard: list[str] = []
    stop = asyncio.Event()
    other = Database(url)
    await other.start()
    listening = asyncio.create_task(database.listen(heard.append, stop))
    await asyncio.sleep(0.3)
    postgresql.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'callbridge'")
    async with asyncio.timeout(20):
        while "work" not in heard:
            await other.write(lambda connection: say(connection, "work"))
            await asyncio.sleep(0.05)
    assert "" in heard
    stop.set()
    await asyncio.wait_for(listening, 20)
    await other.close()
