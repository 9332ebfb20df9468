"""A server of ours as a process of its own, for benchmarks: started, asked, stopped."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import postgres
from tests.ports import free_port

CONFIG = """
gateway: {{api_url: "{api}", api_key_file: key}}
people: {{alice: {{name: Alice, phone: "+491711234567"}}}}
policies: {{default: {{steps: [{{call: [alice]}}]}}}}
route: {{policy: default}}
storage: {{url: "{storage}"}}
"""
SQLITE = "sqlite:///bench.db"
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Server:
    """A process that listens on `port`."""

    port: int
    pid: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cpu_seconds(self) -> float:
        """CPU time of the process so far, in all its threads."""
        parts = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(parts[11]) + int(parts[12])) / TICK

    def resident_mib(self) -> float:
        """Memory in RAM."""
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text())
        assert found is not None
        return int(found.group(1)) / 1024

    def metric(self, name: str) -> float:
        """A sample without labels."""
        with urllib.request.urlopen(f"{self.url}/metrics") as response:
            text = response.read().decode()
        found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
        assert found is not None, name
        return float(found.group(1))

    def drain(self) -> None:
        """Return when everything that came in is digested."""
        while self.metric("callbridge_inbox_waiting"):
            time.sleep(0.05)

    def post(self, body: bytes) -> None:
        """One webhook."""
        request = urllib.request.Request(f"{self.url}/webhook/alertmanager", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as response:
            assert response.status == 200


@contextlib.contextmanager
def ours(storage: str = SQLITE) -> Iterator[Server]:
    """callbridge with an empty database and a gateway that nobody answers at."""
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), storage, f"http://127.0.0.1:{free_port()}/api")
        port = free_port()
        with process(command(path, port), port) as server:
            yield server


def written(folder: Path, storage: str, api: str) -> Path:
    """The config of a server, with its key beside it."""
    path = folder / "callbridge.yaml"
    path.write_text(CONFIG.format(storage=storage, api=api))
    (folder / "key").write_text("simulator-key")
    return path


def command(config: Path, port: int) -> list[str]:
    """What starts a server."""
    listen = f"--web.listen-address=127.0.0.1:{port}"
    return [sys.executable, "-m", "bridge", "serve", f"--config.file={config}", listen, "--log.level=error"]


@contextlib.contextmanager
def databases(names: str) -> Iterator[list[tuple[str, str]]]:
    """Name and URL of each database of `names` (sqlite, postgresql, separated by commas), empty; a real one each."""
    wanted = names.split(",")
    with contextlib.ExitStack() as stack:
        found = [("sqlite", SQLITE)] if "sqlite" in wanted else []
        if "postgresql" in wanted:
            try:
                found.append(("postgresql", stack.enter_context(postgres.running(postgres.SAFE)).create()))
            except pytest.skip.Exception as missing:
                print(f"not measured: {missing}")
        yield found


@contextlib.contextmanager
def process(words: list[str], port: int) -> Iterator[Server]:
    """Any server, until it listens on `port`; terminated at the end."""
    running = subprocess.Popen(words)
    try:
        for _ in range(600):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.05)
        yield Server(port, running.pid)
    finally:
        running.terminate()
        running.wait(60)
