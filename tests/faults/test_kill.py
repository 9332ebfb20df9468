"""kill -9 at any moment: what was answered 200 rings, and hardly anything rings twice."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from tests.faults.programs import ROUNDS, fleet
from tests.stories.night import ALICE

log = logging.getLogger(__name__)


async def test_what_was_answered_200_rings_whenever_we_die(tmp_path: Path) -> None:
    """Killed again and again under load: every webhook that was answered 200 is an incident that was told by phone."""
    async with fleet(tmp_path, "sqlite:///night.db") as all_of_it:
        (program,) = all_of_it.programs
        for number in range(ROUNDS):
            await program.start()
            stop = asyncio.Event()
            load = asyncio.create_task(all_of_it.load(f"round{number}", stop))
            await asyncio.sleep(all_of_it.chance.uniform(0.2, 1.2))
            await program.kill()
            stop.set()
            await load
        await program.start()
        told = await all_of_it.told()
        assert await program.stop() == 0

        log.info(all_of_it.figures())
        assert len(all_of_it.taken) > ROUNDS
        assert told == all_of_it.taken
        # A call whose answer died with us is looked up, not repeated: at most one more for each kill.
        assert all_of_it.doubled() <= ROUNDS
        assert not all_of_it.overlapped()
        assert all_of_it.phones.calls_to(ALICE)
