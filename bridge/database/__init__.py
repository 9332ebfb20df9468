"""How it is remembered: the engine, its transactions and its schema.

Every transaction is one plain function that takes a SQLAlchemy connection and runs in the database's own thread. For SQLite
exactly one connection writes and checkpoints (two would meet the WAL-reset fault of SQLite before 3.51.3), readers are
`query_only`, and a lock file keeps a second process out.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from bridge.database.schema import upgrade
from bridge.database.tables import probe
from bridge.errors import CallbridgeError, StoreUnavailable

log = logging.getLogger(__name__)
T = TypeVar("T")

PROBE_BYTES = 8192

PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=OFF", "busy_timeout=5000", "temp_store=MEMORY")


class Database:
    """One SQLite database: a thread that writes, a thread that reads.

    `write` and `read` raise StoreUnavailable when the database cannot do it now (disk full, read-only, gone); what the
    given function itself raises comes through as it is, and its transaction is rolled back.
    """

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        if not self.url.drivername.startswith("sqlite") or not self.url.database:
            raise CallbridgeError(
                f"storage.url: {self.url.drivername} is not supported; write sqlite:///path/to/file.db"
            )
        self.path = Path(self.url.database)
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
        await self._run(self._writer, self._write_engine, upgrade)
        self._read_engine = _engine(self.path, read_only=True)

    async def close(self) -> None:
        """Finish what is running, close the connections and give the lock back."""
        for engine, thread in ((self._read_engine, self._reader), (self._write_engine, self._writer)):
            if engine is not None:
                await asyncio.get_running_loop().run_in_executor(thread, engine.dispose)
            thread.shutdown()
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
            return function(connection)
    except DBAPIError as error:
        if error.connection_invalidated:
            engine.dispose()
        raise StoreUnavailable(f"the database cannot do this now: {error.orig}") from error


def _probe(connection: Connection) -> None:
    connection.execute(probe.delete())
    connection.execute(probe.insert().values(id=1, filler=os.urandom(PROBE_BYTES)))


def _engine(path: Path, *, read_only: bool) -> Engine:
    engine = create_engine(
        f"sqlite:///{path}",
        poolclass=StaticPool,
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
        lock = open(path.with_name(path.name + ".lock"), "a+", encoding="ascii")  # noqa: SIM115 - held until close()
    except OSError as error:
        raise CallbridgeError(f"storage.url: {path}: {error.strerror}; callbridge needs to write there") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.seek(0)
        holder = lock.read().strip() or "unknown"
        lock.close()
        raise CallbridgeError(
            f"storage.url: {path} is in use by another callbridge (process {holder}); stop it, or give this one a file of its own"
        ) from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock
