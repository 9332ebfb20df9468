"""Three programs on one PostgreSQL: one of them dies, or the database does, and nobody is forgotten."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import postgres
from tests.faults.programs import ROUNDS, Fleet, Program, fleet

log = logging.getLogger(__name__)

REPLICAS = 3


@pytest.fixture
def server() -> Iterator[postgres.Server]:
    """A PostgreSQL of its own: it is stopped in the middle."""
    with postgres.running() as one:
        yield one


async def one_dies(all_of_it: Fleet, number: int) -> Program:
    """One of the programs is killed under load, and started again when the round is over."""
    victim = all_of_it.programs[number % REPLICAS]
    await asyncio.sleep(all_of_it.chance.uniform(0.2, 1.2))
    await victim.kill()
    await asyncio.sleep(all_of_it.chance.uniform(0.2, 1.0))
    return victim


async def test_one_of_three_dies_again_and_again(tmp_path: Path, server: postgres.Server) -> None:
    """kill -9 of one in each round, and PostgreSQL restarted in the middle: what was answered 200 rings, and once."""
    async with fleet(tmp_path, server.create(), REPLICAS) as all_of_it:
        await asyncio.gather(*(program.start() for program in all_of_it.programs))
        stop = asyncio.Event()
        load = asyncio.create_task(all_of_it.load("night", stop))
        for number in range(ROUNDS):
            victim = await one_dies(all_of_it, number)
            if number == ROUNDS // 2:
                await asyncio.to_thread(server.stop, signal.SIGQUIT)
                await asyncio.sleep(0.5)
                await asyncio.to_thread(server.start)
            await victim.start()
        stop.set()
        await load
        told = await all_of_it.told()
        assert [await program.stop() for program in all_of_it.programs] == [0] * REPLICAS

        log.info(all_of_it.figures())
        assert len(all_of_it.taken) > ROUNDS
        assert told == all_of_it.taken
        assert all_of_it.doubled() <= 2 * ROUNDS
        assert not all_of_it.overlapped()
