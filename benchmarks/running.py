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

CONFIG = """
gateway: {{api_url: "http://127.0.0.1:{dead}/api", api_key_file: key}}
people: {{alice: {{name: Alice, phone: "+491711234567"}}}}
policies: {{default: {{steps: [{{call: [alice]}}]}}}}
route: {{policy: default}}
storage: {{url: "sqlite:///bench.db"}}
"""
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
def ours() -> Iterator[Server]:
    """callbridge with an empty database and a gateway that nobody answers at."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "callbridge.yaml")
        path.write_text(CONFIG.format(dead=free_port()))
        Path(folder, "key").write_text("benchmark-key")
        port = free_port()
        listen = f"--web.listen-address=127.0.0.1:{port}"
        command = [sys.executable, "-m", "bridge", "serve", f"--config.file={path}", listen, "--log.level=error"]
        with process(command, port) as server:
            yield server


@contextlib.contextmanager
def process(command: list[str], port: int) -> Iterator[Server]:
    """Any server, until it listens on `port`; terminated at the end."""
    running = subprocess.Popen(command)
    try:
        for _ in range(600):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.05)
        yield Server(port, running.pid)
    finally:
        running.terminate()
        running.wait(60)


def free_port() -> int:
    """A port of loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
