"""callbridge as programs of their own, to be killed, stopped and started again; the load on them, what became of it.

ROUNDS: how often a test does its worst. For a long look: `FAULT_ROUNDS=12 pytest tests/faults --log-cli-level=info`.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from bridge.clock import SystemClock
from bridge.simulator import Simulator, answers
from tests.ports import free_port
from tests.stories.night import ALICE, TOKEN, alert, body

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "4"))
CONFIG = """
storage: {{url: "{storage}"}}
gateway: {{api_url: "{api}", api_key_file: key, timeout: 2s, report_timeout: 20s}}
webhooks: {{sms77: {{token_file: token}}}}
people: {{alice: {{name: Alice, phone: "{alice}"}}}}
policies: {{default: {{steps: [{{call: [alice], wait: 1h}}]}}}}
route: {{policy: default}}
"""


@dataclass
class Program:
    """One `callbridge serve`, with its config in `folder`, always on the same port."""

    folder: Path
    port: int
    session: aiohttp.ClientSession
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self, patience: float = 60.0) -> None:
        """Start it, and return once it is ready."""
        self.process = self._spawned()
        async with asyncio.timeout(patience):
            await self.until_ready()

    def _spawned(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "bridge", "serve", f"--config.file={self.folder / 'callbridge.yaml'}"]
        listen = f"--web.listen-address=127.0.0.1:{self.port}"
        return subprocess.Popen([*command, listen, "--log.level=error"])

    async def until_ready(self) -> None:
        """Return once it answers that it is ready; one that has ended never will be."""
        while not await self._ready():
            assert self.process is not None, "start() comes first"
            assert self.process.poll() is None, f"it ended with {self.process.returncode}"
            await asyncio.sleep(0.05)

    async def _ready(self) -> bool:
        try:
            async with self.session.get(f"{self.url}/-/ready") as response:
                return response.status == 200
        except aiohttp.ClientError:
            return False

    async def kill(self) -> None:
        """kill -9."""
        assert self.process is not None, "start() comes first"
        self.process.kill()
        await asyncio.to_thread(self.process.wait)

    async def stop(self) -> int:
        """Ask it to stop, and return its exit status."""
        assert self.process is not None, "start() comes first"
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(self.process.wait, 30)

    async def incidents(self) -> list[dict[str, Any]]:
        """All that there are."""
        listed: list[dict[str, Any]] = []
        cursor = ""
        while True:
            query = {"limit": "1000", **({"cursor": cursor} if cursor else {})}
            async with self.session.get(f"{self.url}/api/v1/incidents", params=query) as response:
                page = await response.json()
            listed += page["incidents"]
            cursor = page["next"]
            if not cursor:
                return listed


@dataclass
class Fleet:
    """Some programs on one database, and the telephone company; `taken`: the groups that were answered 200."""

    programs: Sequence[Program]
    phones: Simulator
    chance: random.Random = field(default_factory=lambda: random.Random(7))
    taken: set[str] = field(default_factory=set)

    async def load(self, name: str, stop: asyncio.Event) -> None:
        """Send webhooks of new groups to any of the programs until `stop`; whatever was answered 200 is noted."""
        number = 0
        while not stop.is_set():
            group = f"{name}-{number}"
            number += 1
            await self._send(self.chance.choice(self.programs), group, number)
            await asyncio.sleep(0.01)

    async def _send(self, program: Program, group: str, number: int) -> None:
        sent = json.dumps(body([alert(f"Disk{number}")], group=group))
        try:
            async with program.session.post(f"{program.url}/webhook/alertmanager", data=sent) as response:
                if response.status == 200:
                    self.taken.add(group)
        except aiohttp.ClientError:
            return

    async def told(self, patience: float = 60.0) -> set[str]:
        """The groups whose incidents were told by an answered call; waits for all that were taken."""
        found: set[str] = set()
        try:
            async with asyncio.timeout(patience):
                while not self.taken <= found:
                    await asyncio.sleep(0.3)
                    listed = await self.programs[0].incidents()
                    found = {_group(one) for one in listed if _answered(one)}
        except TimeoutError:
            return found & self.taken
        return found & self.taken

    def doubled(self) -> int:
        """How many calls were requested more than once."""
        made = self.phones.calls_to(ALICE)
        return len(made) - len({call.foreign_id for call in made})

    def figures(self) -> str:
        """What happened, in a line: for whoever looks at the output."""
        return f"{ROUNDS} rounds, {len(self.taken)} webhooks answered 200, {self.doubled()} calls requested twice"

    def overlapped(self) -> bool:
        """Whether a phone rang that was in a call already."""
        return any(call.overlap for call in self.phones.calls_to(ALICE))


@asynccontextmanager
async def fleet(folder: Path, storage: str, programs: int = 1) -> AsyncIterator[Fleet]:
    """Programs that are not started yet; whatever of them still runs at the end is killed."""
    async with Simulator(SystemClock(), scale=0.05) as phones, aiohttp.ClientSession() as session:
        phones.script(ALICE, answers(after=1, listens=2))
        made = [Program(_written(folder / str(n), storage, phones.url), free_port(), session) for n in range(programs)]
        for program in made:
            phones.subscribe(f"{program.url}/webhook/sms77/{TOKEN}")
        try:
            yield Fleet(made, phones)
        finally:
            for program in made:
                if program.process is not None and program.process.poll() is None:
                    await program.kill()


def _written(folder: Path, storage: str, api: str) -> Path:
    folder.mkdir()
    (folder / "callbridge.yaml").write_text(CONFIG.format(storage=storage, api=api, alice=ALICE))
    for name, secret in (("key", "simulator-key"), ("token", TOKEN)):
        (folder / name).write_text(secret)
        (folder / name).chmod(0o600)
    return folder


def _group(incident: dict[str, Any]) -> str:
    return str(incident["group_key"]).partition('g="')[2].rstrip('"}')


def _answered(incident: dict[str, Any]) -> bool:
    return any(target["reach"] == "answered" for target in incident["targets"])
