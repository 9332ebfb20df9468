"""Watchdogs in the books: what is a sign of life, when silence is due, and what is kept of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection

from bridge.alert import Alert
from bridge.config import Watchdog, load
from bridge.database.tables import incidents
from bridge.dispatch.ledger import Ledger
from bridge.dispatch.watchdogs import (
    AFTER_START,
    TOLD_AGAIN,
    UNREAD_PAUSE,
    changes,
    due_at,
    look,
    next_due,
    saw,
    seen_in,
)
from bridge.dispatch.world import World, world_of
from bridge.errors import LostRace
from bridge.route import parse_matchers
from bridge.store import inbox
from bridge.store import watchdogs as store
from bridge.store.ids import Ids
from bridge.store.incidents import Policies
from bridge.store.watchdogs import Watch
from tests.storing import MINUTE, NOW, an_alert, in_memory, rows_in

CONFIG = """
storage: {url: "sqlite:///w.db"}
gateway: {api_url: "http://127.0.0.1:1/api", api_key_file: key}
people: {anna: {name: Anna, phone: "+49 171 1234567"}}
policies: {default: {steps: [{call: [anna]}]}}
route: {policy: default}
"""
EVERY = timedelta(minutes=10)
LONG_AGO = NOW - timedelta(days=1)


@pytest.fixture
def connection() -> Iterator[Connection]:
    with in_memory() as one:
        yield one


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A world with one watchdog."""
    (tmp_path / "key").write_text("key")
    (tmp_path / "key").chmod(0o600)
    (tmp_path / "w.yaml").write_text(CONFIG)
    return replace(world_of(load(tmp_path / "w.yaml")), watchdogs=(a_watchdog(),))


def a_watchdog(name: str = "alive", matchers: str = 'alertname="Watchdog",job=~"a.*"') -> Watchdog:
    return Watchdog(name, parse_matchers(matchers).matchers, EVERY, "default")


def a_ledger(connection: Connection, world: World, minutes: float = 0) -> Ledger:
    return Ledger(connection, world, Policies(), Ids(), NOW + minutes * MINUTE)


def looked(connection: Connection, world: World, minutes: float = 0) -> int:
    """How many incidents there are after a look, so many minutes from now."""
    ledger = a_ledger(connection, world, minutes)
    look(ledger, LONG_AGO)
    ledger.flush()
    return rows_in(connection, incidents)


def sign(*, firing: bool = True, **labels: str) -> Alert:
    return replace(an_alert("f", firing=firing), labels=labels)


@pytest.mark.parametrize(
    ("alerts", "seen"),
    [
        ([sign(alertname="Watchdog", job="a1")], True),
        ([sign(alertname="Other"), sign(alertname="Watchdog", job="a", more="b")], True),
        ([sign(alertname="Watchdog", job="b")], False),
        ([sign(alertname="Watchdog"), sign(job="a1")], False),
        ([sign(alertname="Watchdog", job="a1", firing=False)], False),
        ([], False),
    ],
    ids=["all hold", "one of many", "one does not hold", "two halves are no whole", "resolved", "nothing"],
)
def test_what_is_a_sign_of_life(world: World, alerts: list[Alert], seen: bool) -> None:
    """One alert for which all matchers hold, and that fires."""
    assert seen_in(world, alerts) == ({"alive"} if seen else set())
    assert seen_in(replace(world, watchdogs=()), alerts) == set()


@pytest.mark.parametrize(
    ("watch", "started_at", "due"),
    [
        (Watch("alive", NOW, seen=True), LONG_AGO, NOW + EVERY),
        (Watch("alive", NOW), NOW, NOW + EVERY),
        (Watch("alive", NOW - 2 * EVERY, seen=True), NOW, NOW + AFTER_START),
        (Watch("alive", NOW, seen=True, told_at=NOW + EVERY), LONG_AGO, NOW + EVERY + TOLD_AGAIN),
    ],
    ids=["seen", "new", "nobody listened", "told"],
)
def test_when_silence_is_due(watch: Watch, started_at: datetime, due: datetime) -> None:
    """`every` after the last sign of life, but not right after a start; once told, an hour later."""
    assert due_at(a_watchdog(), watch, started_at) == due


def test_a_short_one_has_no_more_than_its_time_after_a_start() -> None:
    """A watchdog of ten seconds is not given a minute."""
    short = replace(a_watchdog(), every=timedelta(seconds=10))
    assert due_at(short, Watch("alive", LONG_AGO), NOW) == NOW + timedelta(seconds=10)


def test_nothing_to_change_is_seen_without_writing(world: World) -> None:
    """Only a new one, a removed one and one that is due make the worker write."""
    kept = {"alive": Watch("alive", NOW, seen=True)}
    assert not changes(world, kept, NOW, LONG_AGO)
    assert changes(world, {}, NOW, LONG_AGO)
    assert changes(world, kept | {"gone": Watch("gone", NOW)}, NOW, LONG_AGO)
    assert changes(world, kept, NOW + EVERY, LONG_AGO)
    assert next_due(world, kept, LONG_AGO) == NOW + EVERY
    assert next_due(world, {}, LONG_AGO) is None


def test_silence_is_told_once(connection: Connection, world: World) -> None:
    """One look begins to count, one opens the incident, and those after it open no other."""
    assert [looked(connection, world, minutes) for minutes in (0, 9.9, 10, 10.1, 69, 70, 131)] == [0, 0, 1, 1, 1, 1, 1]
    kept = store.watches(connection)["alive"]
    assert (kept.since, kept.seen, kept.told_at) == (NOW, False, NOW + 131 * MINUTE)


def test_what_is_unread_may_be_the_sign(connection: Connection, world: World) -> None:
    """A message that came in time and is not understood yet puts the alarm off; one that came too late does not."""
    looked(connection, world)
    inbox._put(connection, [(inbox.Message(inbox.Door.ALERTMANAGER, NOW + 9 * MINUTE, b"{}"), "{}")])
    ledger = a_ledger(connection, world, 10)
    assert look(ledger, LONG_AGO) == ledger.now + UNREAD_PAUSE
    ledger.flush()
    assert rows_in(connection, incidents) == 0

    [message] = inbox.waiting(connection, ledger.now, 1)
    inbox.mark_digested(connection, [message.seq], ledger.now)
    inbox._put(connection, [(inbox.Message(inbox.Door.ALERTMANAGER, NOW + 11 * MINUTE, b"{}"), "{}")])
    assert looked(connection, world, 12) == 1


def test_a_sign_never_goes_back(connection: Connection, world: World) -> None:
    """An older message that is understood later does not set the clock back, and an unknown watchdog begins with it."""
    for at in (NOW, NOW + MINUTE, NOW - MINUTE):
        saw(a_ledger(connection, world), {"alive": at})
        assert store.watches(connection)["alive"] == Watch(
            "alive", max(at, NOW if at == NOW else NOW + MINUTE), seen=True
        )
    saw(a_ledger(connection, world), {})


def test_two_processes_tell_it_once(connection: Connection) -> None:
    """Whoever is second to tell a silence, or its end, is told that somebody was first."""
    watch = Watch("alive", NOW)
    store.begin(connection, watch)
    told = replace(watch, told_at=NOW + EVERY)
    store.save(connection, watch, told)
    with pytest.raises(LostRace, match="watchdog alive"):
        store.save(connection, watch, told)
    store.save(connection, told, replace(watch, seen=True))
    store.forget(connection, "alive")
    assert store.watches(connection) == {}
