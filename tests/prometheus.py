"""A real Prometheus for as long as somebody asks it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from deploy.grafana.asking import Asked
from tests.ports import free_port

RULES = Path(__file__).parent.parent / "deploy" / "prometheus" / "callbridge.rules.yml"
# Seconds.
SCRAPE = 1


@dataclass(frozen=True, slots=True)
class Prometheus:
    """Its API: what it answers is what a dashboard gets."""

    session: aiohttp.ClientSession
    url: str
    targets: Path

    def scrape(self, *urls: str) -> None:
        """Scrape these from now on, every second, and no others."""
        hosts = [url.removeprefix("http://") for url in urls]
        beside = self.targets.with_suffix(".new")
        beside.write_text(json.dumps([{"targets": hosts}]))
        beside.replace(self.targets)

    async def get(self, path: str, **query: str) -> Any:
        """The data of an answer. Raises AssertionError with its error where it is none."""
        async with self.session.post(f"{self.url}/api/v1/{path}", data=query) as response:
            answer = await response.json()
        assert answer["status"] == "success", f"{query}: {answer.get('error')}"
        return answer["data"]

    async def look(self, path: str, **query: str) -> Any:
        """The same for what can only be read with GET."""
        async with self.session.get(f"{self.url}/api/v1/{path}", params=query) as response:
            answer = await response.json()
        assert answer["status"] == "success", f"{path} {query}: {answer.get('error')}"
        return answer["data"]

    async def answer(self, asked: Asked) -> list[Mapping[str, Any]]:
        """The series that a panel's query gives, each with `metric` and `values`."""
        if not asked.step:
            found = await self.get("query", query=asked.expr, time=str(asked.ends))
            return [{"metric": one["metric"], "values": [one["value"]]} for one in found["result"]]
        times = {"start": str(asked.begins), "end": str(asked.ends), "step": str(asked.step)}
        found = await self.get("query_range", query=asked.expr, **times)
        return list(found["result"])


@asynccontextmanager
async def prometheus(program: str, folder: Path) -> AsyncIterator[Prometheus]:
    """Started on a free port, on what is in `folder`/data; it scrapes nothing before it is told to."""
    url = f"http://127.0.0.1:{free_port()}"
    with _started(program, folder, url) as running:
        async with aiohttp.ClientSession() as session:
            await _ready(session, url, running)
            yield Prometheus(session, url, folder / "targets.json")


@contextmanager
def _started(program: str, folder: Path, url: str) -> Iterator[subprocess.Popen[bytes]]:
    (folder / "prometheus.yml").write_text(
        f"global: {{scrape_interval: {SCRAPE}s, evaluation_interval: {SCRAPE}s}}\n"
        f"rule_files: ['{RULES}']\n"
        "scrape_configs: [{job_name: callbridge, file_sd_configs: [{files: [targets.json]}]}]\n"
    )
    command = [program, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
    command += [f"--web.listen-address={url.removeprefix('http://')}", "--storage.tsdb.retention.time=100y"]
    with (folder / "prometheus.log").open("wb") as log:
        running = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    try:
        yield running
    finally:
        running.terminate()
        running.wait(10)


async def _ready(session: aiohttp.ClientSession, url: str, running: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        with contextlib.suppress(aiohttp.ClientError):
            async with session.get(f"{url}/-/ready") as response:
                if response.status == 200:
                    return
        assert running.poll() is None, "Prometheus has ended; its log is beside its data"
        await asyncio.sleep(0.05)
    raise AssertionError("Prometheus does not get ready; its log is beside its data")
