"""A program that stands still (SIGSTOP, a machine that is suspended or starved) and goes on as if nothing had been."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.dispatch.claims import LEASE
from tests import postgres
from tests.faults.programs import Fleet, fleet

log = logging.getLogger(__name__)


@pytest.fixture
def server() -> Iterator[postgres.Server]:
    """A PostgreSQL of its own."""
    with postgres.running() as one:
        yield one


async def stand_still(all_of_it: Fleet, seconds: float) -> None:
    """The first program stands still for so long, under load."""
    process = all_of_it.programs[0].process
    assert process is not None
    await asyncio.sleep(0.7)
    process.send_signal(signal.SIGSTOP)
    await asyncio.sleep(seconds)
    process.send_signal(signal.SIGCONT)
    await asyncio.sleep(0.5)


async def through_it(all_of_it: Fleet, seconds: float) -> None:
    """All programs run, one stands still under load, and all that was answered 200 is told by phone in the end."""
    await asyncio.gather(*(program.start() for program in all_of_it.programs))
    stop = asyncio.Event()
    # One that sends to whoever stands still waits there: the others go on.
    loads = [asyncio.create_task(all_of_it.load(f"sender{number}", stop)) for number in range(4)]
    await stand_still(all_of_it, seconds)
    stop.set()
    await asyncio.gather(*loads)
    told = await all_of_it.told()
    assert [await program.stop() for program in all_of_it.programs] == [0] * len(all_of_it.programs)

    log.info(all_of_it.figures())
    assert all_of_it.taken
    assert told == all_of_it.taken
    assert not all_of_it.overlapped()


async def test_one_that_stood_still_goes_on(tmp_path: Path) -> None:
    """Reports came and calls ended meanwhile: each alert is told, and no call is requested twice."""
    async with fleet(tmp_path, "sqlite:///night.db") as all_of_it:
        await through_it(all_of_it, 3)
        assert all_of_it.doubled() == 0


async def test_one_of_two_stands_still_for_longer_than_its_lease(tmp_path: Path, server: postgres.Server) -> None:
    """The other takes over its calls and looks them up; who wakes finds them in other hands, and rings nobody again."""
    async with fleet(tmp_path, server.create(), 2) as all_of_it:
        await through_it(all_of_it, LEASE.total_seconds() + 1.5)
        assert all_of_it.doubled() <= 1
