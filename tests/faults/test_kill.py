"""kill -9 at any moment: what was answered 200 rings, and hardly anything rings twice."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp

from bridge.clock import SystemClock
from bridge.simulator import Simulator, answers
from tests.stories.night import ALICE, TOKEN, alert, body

ROUNDS = 4
CONFIG = """
storage: {{url: "sqlite:///night.db"}}
gateway: {{api_url: "{api}", api_key_file: key, timeout: 2s, report_timeout: 20s}}
webhooks: {{sms77: {{token_file: token}}}}
people: {{alice: {{name: Alice, phone: "{alice}"}}}}
policies: {{default: {{steps: [{{call: [alice], wait: 1h}}]}}}}
route: {{policy: default}}
"""


async def test_what_was_answered_200_rings_whenever_we_die(tmp_path: Path) -> None:
    """Killed again and again under load: every webhook that was answered 200 is an incident that was told by phone."""
    port, chance = _free_port(), random.Random(7)
    async with Simulator(SystemClock(), scale=0.05) as phones, aiohttp.ClientSession() as session:
        phones.script(ALICE, answers(after=1, listens=2))
        phones.subscribe(f"http://127.0.0.1:{port}/webhook/sms77/{TOKEN}")
        _write(tmp_path, phones.url)
        taken: set[str] = set()
        for number in range(ROUNDS):
            process = await _start(tmp_path, port, session)
            load = asyncio.create_task(_load(session, port, f"round{number}", taken))
            await asyncio.sleep(chance.uniform(0.2, 1.2))
            process.kill()
            await asyncio.to_thread(process.wait)
            await load
        process = await _start(tmp_path, port, session)
        told = await _told(session, port, taken)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 30) == 0

        assert len(taken) > ROUNDS
        assert told == taken
        # A call whose answer died with us is looked up, not repeated: at most one more for each kill.
        doubled = len(phones.calls_to(ALICE)) - len({call.foreign_id for call in phones.calls_to(ALICE)})
        assert doubled <= ROUNDS
        assert not any(call.overlap for call in phones.calls_to(ALICE))


def _write(folder: Path, api: str) -> None:
    (folder / "callbridge.yaml").write_text(CONFIG.format(api=api, alice=ALICE))
    for name, secret in (("key", "simulator-key"), ("token", TOKEN)):
        (folder / name).write_text(secret)
        (folder / name).chmod(0o600)


async def _start(folder: Path, port: int, session: aiohttp.ClientSession) -> subprocess.Popen[bytes]:
    process = _spawn(folder, port)
    async with asyncio.timeout(60):
        await _until_ready(session, port)
    return process


def _spawn(folder: Path, port: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "bridge", "serve", f"--config.file={folder / 'callbridge.yaml'}"]
    return subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"])


async def _until_ready(session: aiohttp.ClientSession, port: int) -> None:
    if not await _ready(session, port):
        await asyncio.sleep(0.05)
        await _until_ready(session, port)


async def _ready(session: aiohttp.ClientSession, port: int) -> bool:
    try:
        async with session.get(f"http://127.0.0.1:{port}/-/ready") as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False


async def _load(session: aiohttp.ClientSession, port: int, name: str, taken: set[str]) -> None:
    """Send webhooks of new groups until the server is gone; whatever was answered 200 is noted."""
    number = 0
    while True:
        group = f"{name}-{number}"
        number += 1
        sent = json.dumps(body([alert(f"Disk{number}")], group=group))
        try:
            async with session.post(f"http://127.0.0.1:{port}/webhook/alertmanager", data=sent) as response:
                if response.status == 200:
                    taken.add(group)
        except aiohttp.ClientError:
            return
        await asyncio.sleep(0.01)


async def _told(session: aiohttp.ClientSession, port: int, wanted: set[str]) -> set[str]:
    """The groups whose incidents' first page has ended with an answered call; waits for all of `wanted`."""
    found: set[str] = set()
    try:
        async with asyncio.timeout(60):
            while not wanted <= found:
                await asyncio.sleep(0.3)
                found = {_group(one) for one in await _incidents(session, port) if _answered(one)}
    except TimeoutError:
        return found & wanted
    return found & wanted


async def _incidents(session: aiohttp.ClientSession, port: int) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = []
    cursor = ""
    while True:
        query = {"limit": "1000", **({"cursor": cursor} if cursor else {})}
        async with session.get(f"http://127.0.0.1:{port}/api/v1/incidents", params=query) as response:
            page = await response.json()
        listed += page["incidents"]
        cursor = page["next"]
        if not cursor:
            return listed


def _group(incident: dict[str, Any]) -> str:
    return str(incident["group_key"]).partition('g="')[2].rstrip('"}')


def _answered(incident: dict[str, Any]) -> bool:
    return any(target["reach"] == "answered" for target in incident["targets"])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
