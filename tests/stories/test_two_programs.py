"""Two programs on one PostgreSQL: whoever takes a message, a report or an acknowledgement, the story is one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bridge.clock import ManualClock
from bridge.dispatch.claims import LEASE
from bridge.simulator import Simulator, answers, presses, sleeps
from tests.alertmanagers import fake_alertmanager
from tests.postgres import Server
from tests.stories.night import ALICE, BOB, CONFIG, DUSK, SQLITE, Night, alert, body, running

Two = tuple[Night, Night]
Start = Callable[..., AbstractAsyncContextManager[Two]]

ON_CALL = "schedules: {duty: {rotations: [{name: week, people: [alice], every: 1w, start: 2026-01-05 09:00}]}}\n"


@pytest.fixture
def two(postgresql: Server, tmp_path: Path) -> Start:
    """Two programs, at dusk, on one clock and one database; the second is the one that hears the gateway's reports."""

    @asynccontextmanager
    async def start(extra: str = "") -> AsyncIterator[Two]:
        text, clock = CONFIG.replace(SQLITE, postgresql.create()), ManualClock(DUSK)
        folders = [tmp_path / "a", tmp_path / "b"]
        for folder in folders:
            folder.mkdir()
        async with (
            Simulator(clock) as phones,
            running(folders[0], phones, clock, extra, text=text) as a,
            running(folders[1], phones, clock, extra, text=text, others=1) as b,
        ):
            a.baseline = b.baseline
            a.lag = b.lag = 0.03
            yield a, b

    return start


async def asked_for(it: Night) -> None:
    """An alert fires, and the gateway is being asked for the call."""
    sent = json.dumps(body([alert("DiskFull")]))
    async with it.session.post(it.url + "/webhook/alertmanager", data=sent) as response:
        assert response.status == 200
    await it.phones.until(lambda: any(request.path.endswith("/voice") for request in it.phones.requests))


async def test_one_story_whoever_hears_of_it(two: Start) -> None:
    """The message at A, the report at B, the acknowledgement at B: one call, hung up, and both tell the same."""
    async with two() as (a, b):
        a.phones.script(ALICE, answers(listens=120))
        await a.fires("DiskFull")
        await a.passes(seconds=10)
        assert len(a.calls()) == 1
        assert [line["word"] for line in (await a.story())["journal"]][-1] == "in-progress"

        assert await b.act("acknowledge", by="bob") == 200
        await a.passes(minutes=20)

        assert len(a.calls()) == 1
        stories = [await one.story() for one in (a, b)]
        assert stories[0] == stories[1]
        assert (stories[0]["state"], stories[0]["acknowledged_by"]) == ("acknowledged", "bob")
        assert stories[0]["calls"][0]["duration"] < 60


async def test_the_second_person_is_called_once(two: Start) -> None:
    """Both see that nobody answered and whose turn it is: each is called by one of them."""
    async with two() as (a, b):
        a.phones.script(ALICE, sleeps())
        a.phones.script(BOB, presses("1"))
        await b.fires("DiskFull")
        await a.passes(minutes=10)
        assert [len(a.calls(number)) for number in (ALICE, BOB)] == [2, 1]
        assert (await a.story())["state"] == "acknowledged"


async def test_a_storm_at_both_is_told_in_few_calls(two: Start) -> None:
    """Thirty groups, by turns at A and B: one call per person at a time, and every incident is told."""
    async with two() as (a, b):
        a.phones.script(ALICE, presses("1", after=3, listens=10))
        for number in range(15):
            await a.fires(f"Disk{number}", group=f"a{number}")
            await b.fires(f"Disk{number}", group=f"b{number}")
        await a.passes(minutes=3)
        assert len(a.calls(ALICE)) <= 3
        assert not any(call.overlap for call in a.calls(ALICE))
        assert {one["state"] for one in await b.incidents()} == {"acknowledged"}


async def test_the_same_from_both_replicas_of_alertmanager(two: Start) -> None:
    """One notification at A, its twin at B; resolved at A, its twin at B: one incident, one call."""
    async with two() as (a, b):
        await a.fires("DiskFull")
        await b.fires("DiskFull")
        await a.passes(minutes=1)
        assert [len(await one.incidents()) for one in (a, b)] == [1, 1]
        assert len(a.calls()) == 1
        await b.resolves("DiskFull")
        await a.resolves("DiskFull")
        assert [one["state"] for one in await a.incidents()] == ["resolved"]


async def test_limits_count_over_both(two: Start) -> None:
    """Three calls per quarter of an hour are three, not three by each."""
    async with two('limits: {calls_per_person: ["3 per 15m"]}\n') as (a, b):
        a.phones.script(ALICE, presses("1"))
        for number in range(3):
            await a.fires("Alpha", group=f"a{number}")
            await a.passes(minutes=1)
            await b.fires("Bravo", group=f"b{number}")
            await b.passes(minutes=1)
        assert len(a.calls(ALICE)) == 3
        await a.passes(minutes=15)
        assert len(a.calls(ALICE)) == 4
        assert {one["state"] for one in await b.incidents()} == {"acknowledged"}


async def test_the_other_goes_on(two: Start) -> None:
    """A dies between two steps: B calls the next one, on time."""
    async with two() as (a, b):
        a.phones.script(ALICE, answers(listens=20))
        a.phones.script(BOB, presses("1"))
        await a.fires("DiskFull")
        await a.passes(seconds=30)
        await a.dies()
        await b.passes(minutes=6)
        assert [len(b.calls(number)) for number in (ALICE, BOB)] == [1, 1]
        rang = b.calls(BOB)[0].requested_at - b.calls(ALICE)[0].requested_at
        assert timedelta(minutes=5) <= rang < timedelta(minutes=5, seconds=30)
        assert (await b.story())["state"] == "acknowledged"


@pytest.mark.parametrize("fault", ["hang_after", "hang_before"])
async def test_a_call_in_dead_hands_is_looked_up(two: Start, fault: str) -> None:
    """A dies while the gateway thinks: B knows it when the lease is over, looks the call up, and it rings once."""
    async with two() as (a, b):
        a.phones.script(ALICE, presses("1"))
        knob: dict[str, Any] = {fault: True}
        a.phones.faults.set(times=1, **knob)
        await asked_for(a)
        await a.dies()
        await b.passes(seconds=LEASE.total_seconds() + 1)
        assert len(b.calls(ALICE)) == 1
        await b.passes(minutes=2)
        assert len(b.calls(ALICE)) == 1
        assert (await b.story())["state"] == "acknowledged"


async def test_a_call_in_living_hands_is_left_alone(two: Start) -> None:
    """The gateway takes longer than a lease: A renews it, and B does not meddle."""
    async with two() as (a, b):
        a.phones.script(ALICE, presses("1"))
        a.phones.faults.set(times=1, hang_before=True)
        await asked_for(a)
        for _ in range(3 * int(LEASE.total_seconds())):
            a.clock.advance(timedelta(seconds=1))
            await asyncio.sleep(0.05)
        assert not any("journal" in request.path for request in a.phones.requests)
        # A gives up in its own time, and looks it up itself.
        await a.passes(minutes=2)
        assert len(a.calls(ALICE)) == 1
        assert (await b.story())["state"] == "acknowledged"


async def test_an_override_made_at_one_counts_at_the_other(two: Start) -> None:
    """Bob takes over, over A's API: B knows it, and calls him."""
    async with two(ON_CALL) as (a, b):
        asked = {
            "schedule": "duty",
            "person": "bob",
            "from": a.clock.now().isoformat(),
            "until": (a.clock.now() + timedelta(hours=1)).isoformat(),
            "by": "bob",
        }
        assert await a.post("/api/v1/overrides", asked) == 200
        await b.settle()
        for one in (a, b):
            assert (await one.get("/api/v1/oncall"))["oncall"][0]["people"] == ["bob"]


async def test_both_ask_alertmanager_and_one_acts(two: Start) -> None:
    """What was lost is found by both and rings once; an acknowledge is one silence, whoever sets and ends it."""
    clock = ManualClock(DUSK)
    async with fake_alertmanager(clock) as fake:
        section = f"alertmanagers: [{{url: {fake.url!r}, receivers: pager, silence_on_acknowledge: 4m}}]\n"
        async with two(section) as (a, b):
            fake.clock = a.clock
            a.phones.script(ALICE, presses("1"))
            fake.fires("Lost")
            await a.passes(minutes=1)
            assert len(a.calls()) == 1
            assert [len(await one.incidents()) for one in (a, b)] == [1, 1]
            await a.passes(minutes=4)
            assert (fake.made, len(fake.lasting())) == (1, 1)
            fake.resolves("Lost")
            await a.passes(minutes=1)
            [one] = await a.incidents()
            assert one["state"] == "resolved"
            assert fake.lasting() == []
            assert len(a.calls()) == 1
