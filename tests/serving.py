"""What the tests of doors, API, app and command line share: the server within, and as a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from bridge.app import App, Options
from bridge.server import Bounds
from tests.stories.night import TOKEN, alert, body

# Runs a command within this process (the fixture `run`): its exit code, stdout and stderr.
Run = Callable[..., tuple[int, str, str]]

ROOT = Path(__file__).parent.parent
KEY = "the-key-of-the-gateway-0815"
AM_TOKEN = "the-token-of-alertmanager-4711"
BEARER = {"Authorization": f"Bearer {AM_TOKEN}"}

CONFIG = """
global: {{region: DE}}
storage: {{url: "sqlite:///doors.db"}}
gateway: {{api_url: "{api}", api_key_file: key, from: "+49 30 1234567", timeout: {timeout}}}
webhooks:
  alertmanager: {{credentials_file: am_token}}
  sms77: {{token_file: report_token}}
people:
  alice: {{name: Alice, phone: "+49 171 1234567"}}
  bob: {{name: Bob, phone: 0171 7654321}}
policies:
  default: {{steps: [{{call: [{first}], wait: 5m}}, {{call: [bob]}}]}}
  quiet: {{steps: []}}
route:
  policy: default
  routes:
    - {{matchers: ['severity="none"'], policy: quiet}}
"""
NOWHERE = "http://127.0.0.1:9/api"


def write_files(
    folder: Path, *, api: str = NOWHERE, timeout: str = "2s", first: str = "alice", extra: str = ""
) -> Path:
    """A config with its secrets beside it; nobody listens at the default `api`."""
    for name, secret in (("key", KEY), ("am_token", AM_TOKEN), ("report_token", TOKEN)):
        if not (folder / name).exists():
            (folder / name).write_text(secret + "\n")
            (folder / name).chmod(0o600)
    path = folder / "callbridge.yaml"
    path.write_text(CONFIG.format(api=api, timeout=timeout, first=first) + extra)
    return path


def quiet(name: str = "Quiet", **more: Any) -> dict[str, Any]:
    """A webhook body that opens an incident and calls nobody."""
    return body([alert(name, severity="none")], **more)


@asynccontextmanager
async def app_running(
    path: Path, bounds: Bounds | None = None, **options: Any
) -> AsyncIterator[tuple[App, aiohttp.ClientSession]]:
    """The program on the machine's clock, and a client whose base is its address."""
    app = App(Options(path, listen=("127.0.0.1:0",), **options), bounds=bounds or Bounds())
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(app.run())
        started = asyncio.ensure_future(app.started.wait())
        await asyncio.wait([running, started], return_when=asyncio.FIRST_COMPLETED)
        started.cancel()
        if running.done():
            running.result()
        try:
            async with aiohttp.ClientSession(app.addresses[0] + "/") as session:
                yield app, session
        finally:
            app.stop.set()


def sample(text: str, name: str, **labels: str) -> float:
    """The value of one sample of an exposition; LookupError where it is not there."""
    wanted = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
    start = f"{name}{{{wanted}}} " if wanted else f"{name} "
    for line in text.splitlines():
        if line.startswith(start):
            return float(line.removeprefix(start))
    raise LookupError(start)


async def counted(session: aiohttp.ClientSession, source: str, code: int) -> float:
    """How often the door of `source` answered `code`."""
    async with session.get("metrics") as response:
        return sample(await response.text(), "callbridge_webhooks_total", source=source, code=str(code))


# --- as a process of its own


def callbridge(
    *arguments: str | Path, cwd: Path | None = None, stdin: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "bridge", *map(str, arguments)],
        cwd=cwd or ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@dataclass
class Served:
    """A running `serve`; its log is a file."""

    process: subprocess.Popen[bytes]
    log: Path
    url: str = ""

    def said(self) -> str:
        return self.log.read_text()

    def wait_for(self, pattern: str, patience: float = 20.0) -> re.Match[str]:
        """The first match of `pattern` in what it said, once it has said it."""
        until = time.monotonic() + patience
        while time.monotonic() < until:
            found = re.search(pattern, self.said())
            if found is not None:
                return found
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise AssertionError(f"it never said {pattern}; it said:\n{self.said()}")

    def stop(self, number: int = signal.SIGTERM, patience: float = 30.0) -> int:
        """Ask it to end, and return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(patience)


@contextmanager
def served(path: Path, *arguments: str, log: str = "serve.log") -> Iterator[Served]:
    """`serve` on a free port, as its operator starts it."""
    out = path.parent / log
    with out.open("wb") as stream:
        command = [sys.executable, "-m", "bridge", "serve", f"--config.file={path}", "--web.listen-address=127.0.0.1:0"]
        process = subprocess.Popen(
            [*command, *arguments], stdout=stream, stderr=stream, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
    one = Served(process, out)
    try:
        address = one.wait_for(r'Listening on".*?(127\.0\.0\.1:\d+)')[1]
        one.url = f"http://{address}"
        yield one
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


async def eventually(true: Any, patience: float = 15.0) -> Any:
    """What `true()` (awaited) returns as soon as it is something; AssertionError after `patience` seconds."""
    last: Any = None
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(patience):
            while not (last := await true()):  # noqa: ASYNC110 - it asks another process
                await asyncio.sleep(0.05)
            return last
    raise AssertionError(f"it never came true; the last was {last!r}")


def lines_of(path: Path, words: Sequence[str]) -> list[str]:
    """The lines of the log that hold any of `words`."""
    return [line for line in path.read_text().splitlines() if any(word in line for word in words)]
