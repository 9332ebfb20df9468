"""How long a server that was killed needs, with 100,000 open incidents: until it is ready, and until the first call.

    python -m benchmarks.restart            # --databases=sqlite,postgresql

The incidents are written directly; one of them is due. A server is started on them and killed (-9), and the next one is
timed from its start.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import aiohttp
from sqlalchemy import Connection

from benchmarks.running import SQLITE, command, databases, written
from bridge.alert import Alert, AlertStatus, Source, Stream
from bridge.clock import SystemClock
from bridge.database import Database
from bridge.escalation import Incident, Policy, Reach, Step, Target
from bridge.simulator import Simulator
from bridge.store import incidents
from bridge.store.ids import Ids
from bridge.store.incidents import Origin, Policies, Stored
from tests.ports import free_port

MANY, AT_ONCE = 100_000, 5_000
READY, FIRST_CALL = 5.0, 2.0
POLICY = Policy("default", (Step(("alice",)),), rounds=2)


def main() -> int:
    """Print the figures; 1 where a goal is missed."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--databases", default="sqlite,postgresql")
    with databases(arguments.parse_args().databases) as found:
        return max(asyncio.run(_measure(name, url)) for name, url in found)


async def _measure(name: str, url: str) -> int:
    with tempfile.TemporaryDirectory() as folder:
        async with Simulator(SystemClock()) as phones, aiohttp.ClientSession() as session:
            path = written(Path(folder), url, phones.url)
            await _fill(url.replace(SQLITE, f"sqlite:///{folder}/bench.db"))
            await _start_and_kill(path, session)
            ready, first = await _restart(path, session, phones)
    print(f"{name}: ready {ready:.2f} s after the start (goal {READY:.0f} s), the call {first:.2f} s later (goal 2 s)")
    return 0 if ready < READY and first < FIRST_CALL else 1


async def _fill(url: str) -> None:
    """Open incidents, each with an alert; all wait for an hour but one, whose time has just come."""
    database, ids, snapshots, now = Database(url), Ids(), Policies(), datetime.now(UTC)
    await database.start()
    for start in range(0, MANY, AT_ONCE):
        some = [_incident(ids, number, now) for number in range(start, start + AT_ONCE)]
        await database.write(partial(_add, some=some, snapshots=snapshots))
    await database.close()


def _incident(ids: Ids, number: int, now: datetime) -> Stored:
    """Told to somebody who did not take it, and waiting for the next round."""
    id_, stream = ids.new(now), Stream(Source.ALERTMANAGER, "pager", f"{{}}:{{n={number}}}")
    due = now if number == 0 else now + timedelta(hours=1)
    told = (Target("alice", f"{id_}-1", reach=Reach.ANSWERED),)
    waiting = Incident(id_, stream, POLICY, now, now, targets=told, step_ends_at=due, due_at=due, serial=1)
    return Stored(waiting, Origin(1, {"alertname": "Disk"}, "http://am.example.test", 0))


def _add(connection: Connection, some: list[Stored], snapshots: Policies) -> None:
    incidents.add(connection, some, snapshots)
    incidents.put_alerts(connection, [(one.incident.id, _alert(one), 1) for one in some], fresh=True)


def _alert(stored: Stored) -> Alert:
    labels = {"alertname": "DiskFull", "instance": stored.incident.stream.group_key, "severity": "critical"}
    summary = {"summary": "The disk is full."}
    return Alert("0123456789abcdef", AlertStatus.FIRING, labels, summary, stored.incident.opened_at, None)


async def _start_and_kill(path: Path, session: aiohttp.ClientSession) -> None:
    process, port = _started(path)
    await _until_ready(port, session)
    process.kill()
    process.wait()


def _started(path: Path) -> tuple[subprocess.Popen[bytes], int]:
    port = free_port()
    return subprocess.Popen(command(path, port)), port


async def _restart(path: Path, session: aiohttp.ClientSession, phones: Simulator) -> tuple[float, float]:
    """Seconds until it is ready, and from then until the first call is requested."""
    began = time.monotonic()
    process, port = _started(path)
    try:
        await _until_ready(port, session)
        ready = time.monotonic()
        await phones.until(lambda: phones.calls, timeout=60)
        return ready - began, time.monotonic() - ready
    finally:
        process.terminate()
        process.wait()


async def _until_ready(port: int, session: aiohttp.ClientSession) -> None:
    while True:
        try:
            async with session.get(f"http://127.0.0.1:{port}/-/ready") as response:
                if response.status == 200:
                    return
        except aiohttp.ClientError:
            pass  # not listening yet
        await asyncio.sleep(0.01)


if __name__ == "__main__":
    sys.exit(main())
