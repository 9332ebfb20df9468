"""What the tests of the page share: the program with a web config behind it, and somebody who fills in its forms."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from bridge.clock import ManualClock
from bridge.simulator import Simulator
from tests.guarding import PASSWORD, basic, hash_of, web_file
from tests.stories.night import DUSK, Night, running

USERS = ("alice", "ops")
SCHEDULES = """
schedules:
  night:
    timezone: Europe/Berlin
    rotations: [{name: late, people: [alice, bob], every: 1w, start: 2026-01-05 09:00}]
  office:
    timezone: Europe/Berlin
    rotations: [{name: day, people: [carol], every: 1w, start: 2026-01-05 09:00, active_time_intervals: [hours]}]
time_intervals:
  - {name: hours, time_intervals: [{times: [{start_time: '09:00', end_time: '17:00'}], location: Europe/Berlin}]}
"""
TOKEN = re.compile(r'name="token" value="([0-9a-f]{40})"')


@asynccontextmanager
async def paged(
    folder: Path, *, user: str | None = "alice", extra: str = "", clock: ManualClock | None = None, **more: Any
) -> AsyncIterator[Night]:
    """The program and the telephone company at dusk; every request is that of `user`, None: there is no web config."""
    clock = clock or ManualClock(DUSK)
    hashed = hash_of(PASSWORD)
    if user is not None:
        more["web_config"] = web_file(folder, "basic_auth_users:\n" + "".join(f"  {one}: {hashed}\n" for one in USERS))
    headers = {"Authorization": basic(user, PASSWORD)} if user is not None else {}
    async with (
        Simulator(clock) as phones,
        running(folder, phones, clock, extra, **more) as it,
        aiohttp.ClientSession(headers=headers) as session,
    ):
        it.session = session
        yield it


def joined(it: Night) -> None:
    """A fixture's task is another than the test's: what the test itself does is not the program being busy."""
    it.baseline |= {task for task in [asyncio.current_task()] if task}


async def seen(it: Night, path: str, status: int = 200) -> str:
    """The page at `path`."""
    async with it.session.get(it.url + path) as response:
        text = await response.text()
        assert response.status == status, text
        return text


async def token(it: Night) -> str:
    """What the forms carry."""
    found = TOKEN.search(await seen(it, "/status"))
    assert found is not None
    return found[1]


async def sent(it: Night, path: str, headers: dict[str, str] | None = None, /, **filled: str) -> tuple[int, str, str]:
    """Status, address to go on to, and text of the answer to a form as it is."""
    async with it.session.post(it.url + path, data=filled, headers=headers, allow_redirects=False) as response:
        found = response.status, response.headers.get("Location", ""), await response.text()
    await it.settle()
    return found


async def pressed(it: Night, path: str, **filled: str) -> str:
    """Press a button, as the page has it; returns where it leads."""
    status, to, text = await sent(it, path, token=await token(it), **filled)
    assert status == 303, text
    return to


async def newest(it: Night) -> str:
    """The id of the newest incident."""
    return str((await it.incidents())[0]["id"])
