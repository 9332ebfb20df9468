"""SQLite: one file, one process.

Exactly one connection writes and checkpoints (two would meet the WAL-reset fault of SQLite before 3.51.3), those that
read are `query_only`, and a lock file keeps a second process out.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, TypeVar
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, ProgrammingError
from sqlalchemy.pool import NullPool, StaticPool

from bridge.database import schema
from bridge.database.lanes import Lane
from bridge.errors import CallbridgeError, StoreUnavailable

T = TypeVar("T")

PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=OFF", "busy_timeout=5000", "temp_store=MEMORY")

# These say "never" rather than "not now": the statement itself is at fault, and to try it again would not help.
NEVER = (IntegrityError, DataError, ProgrammingError, InterfaceError)


class SQLite:
    """A file: a thread that writes, a thread that reads."""

    shared = False

    def __init__(self, url: str) -> None:
        database = make_url(url).database
        if not database or database.startswith((":memory:", "file:")):
            raise CallbridgeError("storage.url: names no file; write sqlite:///path/to/file.db")
        # Whatever way leads to the file, there is one lock for it.
        self._path = Path(database).resolve()
        self._lock: IO[str] | None = None
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="database-write")
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="database-read")
        self._write_engine: Engine | None = None
        self._read_engine: Engine | None = None

    async def start(self) -> None:
        await self.upgrade()

    async def upgrade(self) -> tuple[str | None, str]:
        self._lock = _lock(self._path)
        self._write_engine = _engine(self._path, read_only=False)
        self._read_engine = _engine(self._path, read_only=True)
        try:
            before = await self.run(Lane.WRITE, schema.upgrade)
        except StoreUnavailable as error:
            await self.close()
            raise CallbridgeError(
                f"storage.url: {self._path}: {error}; callbridge needs a database of its own there that it may write"
            ) from error
        except BaseException:
            await self.close()
            raise
        return before, schema.NEWEST

    async def revision(self) -> str | None:
        if not self._path.exists():
            return None
        return await asyncio.get_running_loop().run_in_executor(self._reader, _looked_at, self._path)

    async def close(self) -> None:
        for engine, thread in ((self._read_engine, self._reader), (self._write_engine, self._writer)):
            if engine is not None:
                await asyncio.get_running_loop().run_in_executor(thread, engine.dispose)
            thread.shutdown()
        self._read_engine = self._write_engine = None
        if self._lock is not None:
            self._lock.close()

    async def run(self, lane: Lane, transaction: Callable[[Connection], T]) -> T:
        reads = lane is Lane.READ
        engine, thread = (self._read_engine, self._reader) if reads else (self._write_engine, self._writer)
        assert engine is not None, "start() comes first"
        return await asyncio.get_running_loop().run_in_executor(thread, _transact, engine, transaction)

    async def listen(self, heard: Callable[[str], None], stop: asyncio.Event) -> None:
        """Nobody else is there."""


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


def _looked_at(path: Path) -> str | None:
    """The schema's revision, without touching the file: neither its journal nor its lock."""
    place = f"file:{quote(str(path))}?mode=ro"
    engine = create_engine("sqlite://", creator=lambda: sqlite3.connect(place, uri=True), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            return schema.revision(connection)
    except DBAPIError as error:
        raise CallbridgeError(f"storage.url: {path}: {error.orig}") from error


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
