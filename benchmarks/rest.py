"""What 10,000 open incidents cost while nothing happens: memory, and an idle look at what is due against that with ten.

python -m benchmarks.rest
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.running import ours
from benchmarks.storm import body
from bridge.app import App, Options
from bridge.clock import ManualClock
from bridge.dispatch import Door, Message

MANY, FEW = 10_000, 10
LOOKS = 300
RECORDING = """
gateway: {api_url: "http://127.0.0.1:9/api", api_key_file: key}
people: {alice: {name: Alice, phone: "+491711234567"}}
policies: {default: {steps: []}}
route: {policy: default}
storage: {url: "sqlite:///bench.db"}
"""


def main() -> int:
    """Print the figures; 1 where a goal is missed."""
    resident = _resident()
    print(f"{MANY} open incidents, all waiting for one person: {resident:.0f} MiB resident, goal 200 MiB")
    few, many = (_idle_look(count) for count in (FEW, MANY))
    print(
        f"an idle look: {many * 1e6:.0f} µs with {MANY}, {few * 1e6:.0f} µs with {FEW} ({many / few:.2f} x), goal 1.5 x"
    )
    return 0 if resident < 200 and many / few < 1.5 else 1


def _resident() -> float:
    with ours() as server:
        one = body(1)
        for number in range(MANY):
            server.post(one.replace(b'"{}:{}"', b'"{}:{g=%d}"' % number))
        server.drain()
        return server.resident_mib()


def _idle_look(count: int) -> float:
    """Seconds of one look of the worker, the median, in this process."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "callbridge.yaml")
        path.write_text(RECORDING)
        Path(folder, "key").write_text("simulator-key")
        return asyncio.run(_looks(path, count))


async def _looks(path: Path, count: int) -> float:
    app = App(Options(path, listen=("127.0.0.1:0",)), clock=ManualClock(datetime(2026, 11, 23, 7, tzinfo=UTC)))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(app.run())
        await app.started.wait()
        await _fill(app, count)
        looks = []
        for _ in range(LOOKS):
            began = time.perf_counter()
            await app.worker.look(tasks)
            looks.append(time.perf_counter() - began)
        app.stop.set()
    return statistics.median(looks)


async def _fill(app: App, count: int) -> None:
    one, now = body(1), app.clock.now()
    bodies = (one.replace(b'"{}:{}"', b'"{}:{g=%d}"' % number) for number in range(count))
    await asyncio.gather(*(app.dispatch.submit(Message(Door.ALERTMANAGER, now, sent)) for sent in bodies))
    while await app.dispatch.digest():
        continue


if __name__ == "__main__":
    sys.exit(main())
