"""How it is remembered: the engine, its transactions and its schema.

Every transaction is one plain function that takes a SQLAlchemy connection and runs in a thread of the database's own.
Which database it is stands in the URL: a file of SQLite (`sqlite`), for one process, or PostgreSQL (`postgresql`), for
any number of them. Nothing above this room knows which; what they do differently stands in here.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Protocol, TypeVar

from sqlalchemy import Connection
from sqlalchemy.engine import make_url

from bridge.database.lanes import Lane
from bridge.database.tables import probe
from bridge.errors import CallbridgeError, StoreUnavailable

__all__ = ["Database", "Lane"]

T = TypeVar("T")

PROBE_BYTES = 8192


class Home(Protocol):
    """One database, as it is connected to. `shared`: other processes may work on it too."""

    shared: bool

    async def start(self) -> None:
        """Open the connections, with the schema as this version needs it. Raises CallbridgeError with the remedy."""
        ...

    async def upgrade(self) -> tuple[str | None, str]:
        """Bring the schema up to date; returns what it was (None: empty) and what it is. Raises CallbridgeError."""
        ...

    async def revision(self) -> str | None:
        """What the schema is; None for an empty database. Changes nothing. Raises CallbridgeError."""
        ...

    async def close(self) -> None:
        """Finish what is running, close the connections, give every lock back."""
        ...

    async def run(self, lane: Lane, transaction: Callable[[Connection], T]) -> T:
        """Run and commit one transaction. Raises StoreUnavailable; the function's own errors come as they are."""
        ...

    async def listen(self, heard: Callable[[str], None], stop: asyncio.Event) -> None:
        """Until `stop`: tell what other processes say, and "" now and then in case something went unheard."""
        ...


class Database:
    """One database, whichever the URL names.

    `write` and `read` raise StoreUnavailable when the database cannot do it now (disk full, read-only, gone), and
    LostRace when other processes were faster again and again; what the given function itself raises (a broken
    constraint too) comes through as it is, and its transaction is rolled back. On a shared database a transaction may
    be run more than once before it is committed.
    `failing`: the last thing that was to be written could not be; `probe` finds out whether it can now.
    """

    def __init__(self, url: str) -> None:
        self.failing = False
        self._home = _home(url)
        self._open = False

    @property
    def shared(self) -> bool:
        """Whether other processes may work on the same database."""
        return self._home.shared

    async def start(self) -> None:
        """Open it, with the schema that this version needs. Raises CallbridgeError with the remedy."""
        await self._home.start()
        self._open = True

    async def upgrade(self) -> tuple[str | None, str]:
        """Bring the schema up to date, without `start`; returns what it was (None: empty) and what it is now."""
        return await self._home.upgrade()

    async def revision(self) -> str | None:
        """What schema it has, without `start` and without a change; None: an empty database."""
        return await self._home.revision()

    async def close(self) -> None:
        """Finish what is running, close the connections and give every lock back."""
        await self._home.close()

    async def write(self, transaction: Callable[[Connection], T], lane: Lane = Lane.WRITE) -> T:
        """Run `transaction` in a write transaction of its own and commit it."""
        assert self._open, "start() comes first"
        try:
            result = await self._home.run(lane, transaction)
        except StoreUnavailable:
            self.failing = True
            raise
        self.failing = False
        return result

    async def read(self, query: Callable[[Connection], T]) -> T:
        """Run `query` on the reading connection; it sees what was committed before."""
        assert self._open, "start() comes first"
        return await self._home.run(Lane.READ, query)

    async def probe(self) -> None:
        """Write something of a page's size, to see whether a database that failed takes it again."""
        await self.write(_probe)

    async def listen(self, heard: Callable[[str], None], stop: asyncio.Event) -> None:
        """Until `stop`: call `heard` with what other processes say; with "" at least once a second, come what may.

        Returns at once for a database that nobody shares.
        """
        await self._home.listen(heard, stop)


def _home(url: str) -> Home:
    drivername = make_url(url).drivername
    if drivername == "sqlite":
        from bridge.database.sqlite import SQLite

        return SQLite(url)
    if drivername == "postgresql":
        # Its libraries take a tenth of a second to load, which who keeps a file needs not wait for.
        from bridge.database.postgresql import PostgreSQL

        return PostgreSQL(url)
    raise CallbridgeError(
        f"storage.url: {drivername} is not supported; write sqlite:///path/to/file.db or postgresql://host/database"
    )


def _probe(connection: Connection) -> None:
    connection.execute(probe.delete())
    connection.execute(probe.insert().values(id=1, filler=os.urandom(PROBE_BYTES)))
