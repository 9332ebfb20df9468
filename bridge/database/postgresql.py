"""PostgreSQL: any number of processes on one database, and any of them may die.

Each lane is a thread with an event loop and one connection of its own: transactions stay plain functions, and to
understand what came in holds up neither the server's loop nor the doors. Statements are planned anew each time: a plan
that was made while the tables were empty would search them from end to end for ever.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

import asyncpg
import uvloop
from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from bridge.clock import wait_any
from bridge.database import schema
from bridge.database.lanes import Lane
from bridge.database.speaking import CHANNEL, SPEAKER
from bridge.errors import CallbridgeError, LostRace, StoreUnavailable

T = TypeVar("T")
log = logging.getLogger(__name__)

CONNECT_SECONDS = 10.0
# One statement. Those that wait for somebody else's lock give up earlier.
STATEMENT_SECONDS = 30.0
SETTINGS = {
    "application_name": "callbridge",
    "plan_cache_mode": "force_custom_plan",
    "jit": "off",
    "lock_timeout": "10s",
}
# A process that is stopped in the middle of a transaction (SIGSTOP, a suspended machine) must not hold its locks for
# ever. What comes in by a door is one statement; a large batch may take us a while between two statements.
IDLE = {Lane.READ: "30s", Lane.WRITE: "30s", Lane.DOOR: "5s"}
# How often a transaction is run again that others were faster than, and the longest pause before.
RACES = 5
RACE_PAUSE = 0.02
# Without a word from others for so long, it is looked whether something went unheard.
UNHEARD_SECONDS = 1.0

UNIQUE_VIOLATION = "23505"
RACE_LOST = ("40001", "40P01")  # serialization_failure, deadlock_detected
# What the statement itself, or its values, are at fault for: to try it again would not help. 25006 is no such fault:
# a server that only reads is a replica that may become the primary.
NEVER = ("22", "23", "42", "0A")


class PostgreSQL:
    """One database on a server."""

    shared = True

    def __init__(self, url: str) -> None:
        self._url = url
        self._name = secrets.token_hex(4)
        self._lanes = {lane: _Lane(url, lane, self._name) for lane in Lane}

    async def start(self) -> None:
        try:
            _check(await self.revision())
            for lane in self._lanes.values():
                await lane.run(_nothing)
        except StoreUnavailable as error:
            await self.close()
            raise CallbridgeError(f"storage.url: {error}") from error
        except BaseException:
            await self.close()
            raise

    async def upgrade(self) -> tuple[str | None, str]:
        return await self._once(Lane.WRITE, schema.upgrade), schema.NEWEST

    async def revision(self) -> str | None:
        return await self._once(Lane.READ, schema.revision)

    async def _once(self, lane: Lane, transaction: Callable[[Connection], T]) -> T:
        """Connect and run one transaction before anything else; what is wrong is told with its remedy."""
        await self._reachable()
        try:
            return await self._lanes[lane].run(transaction)
        except StoreUnavailable as error:
            raise CallbridgeError(f"storage.url: {error}") from error
        except DBAPIError as error:
            raise CallbridgeError(f"storage.url: the database refused: {error.orig}") from error

    async def _reachable(self) -> None:
        try:
            connection = await _connect(self._url, {})
        except Exception as error:
            raise CallbridgeError(f"storage.url: {_remedy(error)}") from None
        await connection.close()

    async def close(self) -> None:
        for lane in self._lanes.values():
            await lane.close()

    async def run(self, lane: Lane, transaction: Callable[[Connection], T]) -> T:
        return await self._lanes[lane].run(transaction)

    async def listen(self, heard: Callable[[str], None], stop: asyncio.Event) -> None:
        """Losing the connection loses no word: a second later everybody looks for themselves anyway."""
        while not stop.is_set():
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await self._listen(heard, stop)
            await wait_any(UNHEARD_SECONDS, stop)
            heard("")

    async def _listen(self, heard: Callable[[str], None], stop: asyncio.Event) -> None:
        connection = await _connect(self._url, SETTINGS)
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        try:
            await connection.add_listener(CHANNEL, lambda _connection, _pid, _channel, said: self._hear(said, heard))
            while not stop.is_set() and not lost.is_set():
                await wait_any(UNHEARD_SECONDS, stop, lost)
                heard("")
        finally:
            connection.terminate()

    def _hear(self, said: object, heard: Callable[[str], None]) -> None:
        speaker, _, word = str(said).partition(" ")
        if speaker != self._name:
            heard(word)


class _Lane:
    """A thread, an event loop that runs only as long as a transaction does, and a connection."""

    def __init__(self, url: str, lane: Lane, speaker: str) -> None:
        self._url = url
        self._options = {SPEAKER: speaker} | ({"isolation_level": "AUTOCOMMIT"} if lane is Lane.DOOR else {})
        # One that commits by itself: when it is lost in the middle, nobody knows whether it was kept.
        self._commits = lane is Lane.DOOR
        self._settings = SETTINGS | {"idle_in_transaction_session_timeout": IDLE[lane]}
        if lane is Lane.READ:
            self._settings["default_transaction_read_only"] = "on"
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"database-{lane.value}")
        self._runner: asyncio.Runner | None = None
        self._engine: AsyncEngine | None = None
        self._raw: Any = None

    async def run(self, transaction: Callable[[Connection], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, transaction)

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._end)
        self._thread.shutdown()

    # --- in the thread

    def _run(self, transaction: Callable[[Connection], T]) -> T:
        if self._runner is None:
            self._runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        return self._runner.run(self._transact(transaction))

    def _end(self) -> None:
        if self._runner is None:
            return
        self._runner.run(self._drop())
        self._runner.close()

    async def _transact(self, transaction: Callable[[Connection], T]) -> T:
        """Again, where others were faster; and once more, where it was the connection that was gone."""
        race = 0
        while True:
            fresh = self._engine is None
            self._engine = self._engine or _engine(self._connected, self._options)
            try:
                return await self._once(self._engine, transaction)
            except _Lost as lost:
                await self._drop()
                if lost.committing or fresh:
                    raise StoreUnavailable(f"the database cannot do this now: {_said(lost.why)}") from lost.why
            except DBAPIError as error:
                race += 1
                await _race(error, race)

    async def _look(self) -> None:
        """Raise if it was cut off while nobody used it: our loop stood still meanwhile, and has not noticed."""
        # The server's last word, then the end of the connection, then what follows from it.
        for _ in range(3):
            await asyncio.sleep(0)
        if self._raw is not None and self._raw.is_closed():
            raise ConnectionResetError("the connection was closed")

    async def _connected(self) -> Any:
        self._raw = await _connect(self._url, self._settings)
        return self._raw

    async def _drop(self) -> None:
        """Let go of a connection that is of no use any more, however it takes it."""
        engine, raw, self._engine, self._raw = self._engine, self._raw, None, None
        if engine is not None:
            with suppress(Exception):
                await engine.dispose()
        if raw is not None and not raw.is_closed():
            raw.terminate()
        # Our loop stands still from here on: what it still has to close, it closes now.
        await asyncio.sleep(0)

    async def _once(self, engine: AsyncEngine, transaction: Callable[[Connection], T]) -> T:
        committing = False
        try:
            async with engine.connect() as connection:
                await self._look()
                committing = self._commits
                result = await connection.run_sync(transaction)
                committing = True
                await connection.commit()
                return result
        except DBAPIError as error:
            if error.connection_invalidated:
                raise _Lost(error, committing) from error
            raise
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise _Lost(error, committing) from error


class _Lost(Exception):
    """The connection is gone (or could not be made); `committing`: nobody knows whether the transaction was kept."""

    def __init__(self, why: Exception, committing: bool) -> None:
        self.why = why
        self.committing = committing
        super().__init__(str(why))


async def _race(error: DBAPIError, race: int) -> None:
    """Return, after a moment, where it may be run again; else raise what the transaction means to its caller."""
    code = _code(error)
    if code in (*RACE_LOST, UNIQUE_VIOLATION):
        if race < RACES:
            await asyncio.sleep(random.uniform(0, RACE_PAUSE))  # noqa: S311 - spreads the racers, guards nothing
            return
        if code != UNIQUE_VIOLATION:
            raise LostRace(f"others were faster {RACES} times in a row") from error
    if code.startswith(NEVER):
        raise error
    raise StoreUnavailable(f"the database cannot do this now: {_said(error)}") from error


def _code(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", None) or "")


def _said(error: Exception) -> str:
    """What the server said, without the driver's own words and without any value."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    cause = getattr(cause, "__cause__", None) or cause
    return str(cause).splitlines()[0] if str(cause) else type(cause).__name__


def _engine(connected: Callable[[], Awaitable[Any]], options: dict[str, str]) -> AsyncEngine:
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connected,
        pool_size=1,
        max_overflow=0,
        # What is written holds phone numbers; no error shall.
        hide_parameters=True,
        execution_options=options,
    )

    @event.listens_for(engine.sync_engine, "before_cursor_execute", retval=True)
    def legible(
        _connection: Connection, _cursor: object, statement: str, parameters: Any, _context: object, _many: bool
    ) -> tuple[str, Any]:
        return statement, _legible(parameters)

    return engine


def _legible(parameters: Any) -> Any:
    """PostgreSQL keeps no text with a NUL in it, and a stranger's label must not cost us the message."""
    if not _illegible(parameters):
        return parameters
    if isinstance(parameters, str):
        return parameters.replace("\0", "\N{REPLACEMENT CHARACTER}")
    return type(parameters)(_legible(one) for one in parameters)


def _illegible(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, (list, tuple)):
        return any(_illegible(one) for one in value if isinstance(one, (str, list, tuple)))
    return False


async def _connect(url: str, settings: dict[str, str]) -> Any:
    connection = await asyncpg.connect(
        url, timeout=CONNECT_SECONDS, command_timeout=STATEMENT_SECONDS, server_settings=settings
    )
    try:
        if await connection.fetchval("SHOW synchronous_commit") == "off":
            # What is answered 200 must be on the disk.
            await connection.execute("SET synchronous_commit = on")
    except BaseException:
        connection.terminate()
        raise
    return connection


def _nothing(_connection: Connection) -> None:
    """A transaction that only opens the connection."""


def _check(present: str | None) -> None:
    if present == schema.NEWEST:
        return
    if present is not None and schema.newer(present):
        raise CallbridgeError(schema.too_new(present))
    what = f"has schema {present}, this callbridge needs {schema.NEWEST}" if present else "is empty"
    raise CallbridgeError(
        f"storage.url: this database {what}; stop the other processes that use it and run: "
        "callbridge db upgrade --config.file=FILE"
    )


def _remedy(error: Exception) -> str:
    """Why a connection could not be made, and what to do. Never the URL: it may hold a password."""
    match error:
        case asyncpg.InvalidPasswordError() | asyncpg.InvalidAuthorizationSpecificationError():
            return f"{_said(error)}; correct user and password in the file that storage.url_file names"
        case asyncpg.InvalidCatalogNameError():
            return f"{_said(error)}; create it: createdb --owner=USER DATABASE"
        case asyncpg.PostgresError() | asyncpg.InterfaceError():
            return f"the server refused the connection: {_said(error)}"
        case OSError() | TimeoutError():
            why = _said(error)
            return f"cannot connect to PostgreSQL: {why}; is it running there, and may this machine reach it?"
        case _:
            return "is no URL that can be used; write postgresql://user@host/database"
