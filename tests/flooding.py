"""A server as its operator starts it, thousands of mutated requests, what it answered, and what it cost in memory."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import aiohttp
from yarl import URL

from tests.mutating import Knock, reports, webhooks
from tests.serving import BEARER, Served, eventually, sample, served, write_files
from tests.stories.night import TOKEN, alert, body

AT_ONCE = 8
# The first ones fill caches, pools and the allocator: memory is judged from then on.
WARM_UP = 300


@dataclass(frozen=True, slots=True)
class Flooded:
    """How often each status was answered, MiB in RAM after the warm-up and at the end, and what the log said."""

    webhooks: Counter[int]
    reports: Counter[int]
    before: float
    after: float
    undigested: float
    told: bool
    log: str

    @property
    def growth(self) -> float:
        """The part by which memory has grown."""
        return self.after / self.before - 1


async def flooded(folder: Path, many: int, seed: int) -> Flooded:
    """`many` mutated webhooks and as many reports; afterwards one webhook as it should be, for whom it opens one."""
    with served(write_files(folder)) as server:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=AT_ONCE, force_close=True)) as session:
            alerts, calls = webhooks(seed), reports(seed + 1, TOKEN)
            for knocks in (alerts, calls):
                await _knock(session, server.url, islice(knocks, WARM_UP))
            await _digested(session, server)
            before = resident(server.process.pid)
            by_alerts = await _knock(session, server.url, islice(alerts, many))
            by_calls = await _knock(session, server.url, islice(calls, many))
            undigested = await _digested(session, server)
            after = resident(server.process.pid)
            told = await _still_works(session, server)
        assert server.stop() == 0
        return Flooded(by_alerts, by_calls, before, after, undigested, told, server.said())


async def _knock(session: aiohttp.ClientSession, url: str, knocks: Iterator[Knock]) -> Counter[int]:
    answered: Counter[int] = Counter()

    async def in_turn() -> None:
        for knock in knocks:
            answered[await _answer(session, url, knock)] += 1

    async with asyncio.TaskGroup() as tasks:
        for _ in range(AT_ONCE):
            tasks.create_task(in_turn())
    return answered


async def _answer(session: aiohttp.ClientSession, url: str, knock: Knock) -> int:
    """The status; 0 where the connection was cut without an answer.

    A body that is not encoded as it says can cost its sender the end of the answer: that counts as refused.
    """
    target = URL(url + knock.path, encoded=True)
    try:
        async with session.request(
            knock.method, target, data=knock.body, headers={**knock.headers, **BEARER}, allow_redirects=False
        ) as response:
            await response.read()
            return response.status
    except aiohttp.ClientConnectionError:
        return 400 if "Content-Encoding" in knock.headers else 0


async def _digested(session: aiohttp.ClientSession, server: Served) -> float:
    """Wait until the inbox is empty; how many attempts to digest failed so far."""

    async def empty() -> str:
        async with session.get(f"{server.url}/metrics") as response:
            text = await response.text()
        return text if sample(text, "callbridge_inbox_waiting") == 0 else ""

    return sample(await eventually(empty, 120), "callbridge_inbox_failures_total")


async def _still_works(session: aiohttp.ClientSession, server: Served) -> bool:
    sent = body([alert("Afterwards", severity="none")], group="afterwards")
    async with session.post(f"{server.url}/webhook/alertmanager", json=sent, headers=BEARER) as response:
        assert response.status == 200

    async def opened() -> bool:
        async with session.get(f"{server.url}/api/v1/incidents?limit=5") as response:
            return any("afterwards" in one["group_key"] for one in (await response.json())["incidents"])

    return bool(await eventually(opened))


def resident(pid: int) -> float:
    """MiB of the process in RAM."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024
