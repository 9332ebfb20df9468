"""How it is remembered: the engine, its transactions and its schema.

Every transaction is one plain function that takes a SQLAlchemy connection and runs in the database's own thread. For
SQLite exactly one connection writes and checkpoints (two would meet the WAL-reset fault of SQLite before 3.51.3), those
that read are `query_only`, and a lock file keeps a second process out.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, ProgrammingError
from sqlalchemy.pool import StaticPool

from bridge.database.schema import upgrade
from bridge.database.tables import probe
from bridge.errors import CallbridgeError, StoreUnavailable

T = TypeVar("T")

PROBE_BYTES = 8192

PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=OFF", "busy_timeout=5000", "temp_store=MEMORY")

# These say "never" rather than "not now": the statement itself is at fault, and to try it again would not help.
NEVER = (IntegrityError, DataError, ProgrammingError, InterfaceError)


class Database:
    """One SQLite database: a thread that writes, a thread that reads.

    `write` and `read` raise StoreUnavailable when the database cannot do it now (disk full, read-only, gone); what the
    given function itself raises (a broken constraint too) comes through as it is, and its transaction is rolled back.
    `failing`: the last thing that was to be written could not be; `probe` finds out whether it can now.
    """

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        if self.url.drivername != "sqlite":
            raise CallbridgeError(
                f"storage.url: {self.url.drivername} is not supported; write sqlite:///path/to/file.db"
            )
        if not self.url.database or self.url.database.startswith((":memory:", "file:")):
            raise CallbridgeError("storage.url: names no file; write sqlite:///path/to/file.db")
        # Whatever way leads to the file, there is one lock for it.
        self.path = Path(self.url.database).resolve()
        self.failing = False
        self._lock: IO[str] | None = None
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="database-write")
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="database-read")
        self._write_engine: Engine | None = None
        self._read_engine: Engine | None = None

    async def start(self) -> None:
        """Take the lock, bring the schema up to date, open the connections. Raises CallbridgeError with the remedy."""
        self._lock = _lock(self.path)
        self._write_engine = _engine(self.path, read_only=False)
        self._read_engine = _engine(self.path, read_only=True)
        try:
            await self._run(self._writer, self._write_engine, upgrade)
        except StoreUnavailable as error:
            await self.close()
            raise CallbridgeError(
                f"storage.url: {self.path}: {error}; callbridge needs a database of its own there that it may write"
            ) from error
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Finish what is running, close the connections and give the lock back."""
        for engine, thread in ((self._read_engine, self._reader), (self._write_engine, self._writer)):
            if engine is not None:
                await asyncio.get_running_loop().run_in_executor(thread, engine.dispose)
            thread.shutdown()
        self._read_engine = self._write_engine = None
        if self._lock is not None:
            self._lock.close()

    async def write(self, transaction: Callable[[Connection], T]) -> T:
        """Run `transaction` in a write transaction of its own and commit it."""
        assert self._write_engine is not None, "start() comes first"
        try:
            result = await self._run(self._writer, self._write_engine, transaction)
        except StoreUnavailable:
            self.failing = True
            raise
        self.failing = False
        return result

    async def read(self, query: Callable[[Connection], T]) -> T:
        """Run `query` on the reading connection; it sees what was committed before."""
        assert self._read_engine is not None, "start() comes first"
        return await self._run(self._reader, self._read_engine, query)

    async def probe(self) -> None:
        """Write something of a page's size, to see whether a database that failed takes it again."""
        await self.write(_probe)

    async def _run(self, thread: ThreadPoolExecutor, engine: Engine, function: Callable[[Connection], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(thread, _transact, engine, function)


def _transact(engine: Engine, function: Callable[[Connection], T]) -> T:
    try:
        with engine.begin() as connection:
            result = function(connection)
            # SQLite gives a transaction up by itself where the disk fails; to commit nothing would look like success.
            if not getattr(connection.connection.driver_connection, "in_transaction", False):
                raise StoreUnavailable("the database gave the transaction up")
            return result
    except DBAPIError as error:
        if isinstance(error, NEVER) and not error.connection_invalidated:
            raise
        raise StoreUnavailable(f"the database cannot do this now: {error.orig}") from error


def _probe(connection: Connection) -> None:
    connection.execute(probe.delete())
    connection.execute(probe.insert().values(id=1, filler=os.urandom(PROBE_BYTES)))


def _engine(path: Path, *, read_only: bool) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        poolclass=StaticPool,
        # What is written holds phone numbers; no error shall.
        hide_parameters=True,
        connect_args={"check_same_thread": False, "isolation_level": None, "cached_statements": 256},
    )

    @event.listens_for(engine, "connect")
    def connect(connection: Any, _record: object) -> None:
        for pragma in (*PRAGMAS, f"query_only={'ON' if read_only else 'OFF'}"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


def _lock(path: Path) -> IO[str]:
    """Hold `<file>.lock` for as long as this process lives; a second process is told who has it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = open(path.with_name(path.name + ".lock"), "a+", encoding="latin-1")  # noqa: SIM115 - held until close()
    except OSError as error:
        raise CallbridgeError(f"storage.url: {path}: {error.strerror}; callbridge needs to write there") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        holder = lock.read().strip() or "unknown"
        lock.close()
        raise CallbridgeError(
            f"storage.url: {path} is in use by another callbridge (process {holder}); "
            "stop it, or give this one a file of its own"
        ) from None
    except OSError as error:
        lock.close()
        raise CallbridgeError(
            f"storage.url: {path}: {error.strerror}: it cannot be locked there; put it on a disk of this machine"
        ) from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock
