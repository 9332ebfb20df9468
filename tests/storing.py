"""What the tests of the store write into it."""

from __future__ import annotations

import asyncio
import atexit
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection, Engine, create_engine, func, select
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import StaticPool
from sqlalchemy.util.concurrency import greenlet_spawn, in_greenlet

from bridge.alert import Alert, AlertStatus, Source, Stream
from bridge.call import Call
from bridge.database import Database
from bridge.database.tables import metadata
from bridge.escalation import Incident, Page, Policy, State, Step, Target
from bridge.store import incidents
from bridge.store.ids import Ids
from bridge.store.incidents import Origin, Policies, Stored
from tests.postgres import Server

T = TypeVar("T")

NOW = datetime(2026, 11, 23, 3, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
IDS = Ids()
POLICY = Policy("night", (Step(("anna",)), Step(("ops", "bert"), attempts=2)), rounds=2)
NUMBER = "+491701234567"
_serial = count()


@cache
def _engine() -> Engine:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    metadata.create_all(engine)
    atexit.register(engine.dispose)
    return engine


@dataclass(frozen=True)
class _There:
    """A database of PostgreSQL, and the loop on which its connections live."""

    server: Server
    engine: AsyncEngine
    runner: asyncio.Runner
    urls: dict[Path, str] = field(default_factory=dict)

    def run(self, function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Call a plain function so that its statements can wait for the server."""
        if in_greenlet():
            return function(*arguments, **named)
        return self.runner.run(greenlet_spawn(function, *arguments, **named))


_there: list[_There] = []


@contextmanager
def on_postgresql(server: Server) -> Iterator[None]:
    """Until the end, `in_memory` and `a_url` mean PostgreSQL."""
    url = server.create()
    engine = create_async_engine(url.replace("postgresql:", "postgresql+asyncpg:"), hide_parameters=True)
    with asyncio.Runner() as runner:
        _there.append(_There(server, engine, runner))
        try:
            yield
        finally:
            _there.pop()
            runner.run(engine.dispose())


@contextmanager
def on_sqlite() -> Iterator[None]:
    """Until the end they mean SQLite, whatever was said before."""
    before = _there[:]
    _there.clear()
    try:
        yield
    finally:
        _there[:] = before


def url_in(folder: Path) -> str | None:
    """The URL of the PostgreSQL database that belongs to a folder, the same each time; None where SQLite is tested."""
    if not _there:
        return None
    urls = _there[-1].urls
    if folder not in urls:
        urls[folder] = _there[-1].server.create()
    return urls[folder]


@contextmanager
def a_url(folder: Path) -> Iterator[str]:
    """The URL of an empty database of the kind that is tested."""
    if not _there:
        yield f"sqlite:///{folder}/bridge.db"
        return
    url = _there[-1].server.create()
    yield url
    _there[-1].server.drop(url)


async def fill_the_disk(database: Database) -> None:
    """From now on whatever is to be written says what a full disk says."""
    statements = FULL if database.shared else ["PRAGMA max_page_count = 1"]
    for statement in statements:
        await database.write(executed(statement))


async def make_room(database: Database) -> None:
    """The end of `fill_the_disk`."""
    await database.write(
        executed("DROP FUNCTION full_disk CASCADE" if database.shared else "PRAGMA max_page_count = 1000000")
    )


def executed(statement: str) -> Callable[[Connection], None]:
    """A transaction of one statement."""

    def transaction(connection: Connection) -> None:
        connection.exec_driver_sql(statement)

    return transaction


# The disk of a server is not ours to fill, but what it says then is known.
FULL = [
    "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS "
    "$$BEGIN RAISE 'the disk is full' USING ERRCODE = 'disk_full'; END$$",
    *(
        f"CREATE TRIGGER full_disk BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION full_disk()"
        for table in ("inbox", "policies", "probe")
    ),
]


def run_where_it_can_wait(item: pytest.Function) -> bool | None:
    """Run a plain test function on PostgreSQL; None where that is none of ours. A story has a loop of its own."""
    if not _there or item.get_closest_marker("asyncio") or "kind" not in item.fixturenames:
        return None
    if "stories" in item.path.parts:
        return None
    arguments = inspect.signature(item.obj).parameters
    _there[-1].run(item.obj, **{name: item.funcargs[name] for name in arguments if name in item.funcargs})
    return True


@contextmanager
def in_memory() -> Iterator[Connection]:
    """A connection to an empty database; what is written is rolled back at the end."""
    if _there:
        connection = _there[-1].run(_on_postgresql)
        try:
            yield connection
        finally:
            _there[-1].run(connection.close)
        return
    with _engine().connect() as connection:
        yield connection
        connection.rollback()


def _on_postgresql() -> Connection:
    connection = _there[-1].engine.sync_engine.connect()
    for table in ("inbox", "journal", "strays"):
        # What is rolled back has used numbers all the same.
        connection.exec_driver_sql(f"SELECT setval('{table}_seq_seq', 1, false)")
    return connection


def a_stream(key: str = "") -> Stream:
    """A stream of its own, or the one of that key."""
    return Stream(Source.ALERTMANAGER, "pager", key or f"{{}}:{{n={next(_serial)}}}")


def an_incident(rank: int = 1, **changes: Any) -> Stored:
    """An open incident in a stream of its own."""
    opened_at = changes.pop("opened_at", NOW)
    plain = Incident(IDS.new(opened_at), a_stream(), POLICY, opened_at, opened_at, targets=(Target("anna", "p"),))
    return Stored(replace(plain, **changes), Origin(rank, {"alertname": "Disk"}, "http://alertmanager:9093", 0))


def closed(at: datetime = NOW, **changes: Any) -> Stored:
    """An incident that was resolved at `at`."""
    return an_incident(state=State.RESOLVED, closed_at=at, **changes)


def add(connection: Connection, *stored: Stored) -> list[str]:
    """Insert them; returns their ids."""
    incidents.add(connection, stored, Policies())
    return [one.incident.id for one in stored]


def an_alert(fingerprint: str, *, firing: bool = True, starts_at: datetime = NOW, **labels: str) -> Alert:
    """An alert of that fingerprint."""
    status = AlertStatus.FIRING if firing else AlertStatus.RESOLVED
    return Alert(fingerprint, status, labels, {"summary": "it is full"}, starts_at, None if firing else NOW, "http://p")


def a_page(incident: str, number: int = 1, person: str = "anna") -> Page:
    """The incident's page of that number."""
    return Page(f"{incident}-{number}", incident, person, 1, 0, 1)


def a_call(person: str = "anna", **changes: Any) -> Call:
    """A call that is requested right now."""
    created_at = changes.pop("created_at", NOW)
    return replace(Call(IDS.new(created_at), person, NUMBER, created_at, requested_at=created_at), **changes)


def rows_in(connection: Connection, table: Any) -> int:
    """How many rows the table has."""
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())
