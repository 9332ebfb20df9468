"""What the tests of the store write into it."""

from __future__ import annotations

import atexit
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, func, select
from sqlalchemy.pool import StaticPool

from bridge.alert import Alert, AlertStatus, Source, Stream
from bridge.call import Call
from bridge.database.tables import metadata
from bridge.escalation import Incident, Page, Policy, State, Step, Target
from bridge.store import incidents
from bridge.store.ids import Ids
from bridge.store.incidents import Origin, Policies, Stored

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


@contextmanager
def in_memory() -> Iterator[Connection]:
    """A connection to an empty database; what is written is rolled back at the end."""
    with _engine().connect() as connection:
        yield connection
        connection.rollback()


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
