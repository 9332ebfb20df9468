"""How fast webhooks are taken in durably, and incidents opened, as ratios to a bare aiohttp server in the same run.

    python -m benchmarks.intake            # needs wrk (Debian: apt-get install wrk), and PostgreSQL's own programs

Both servers run on uvloop, one after the other, several times over; `wrk` keeps 64 connections busy with bodies of one
alert each, every one of another stream. What is printed is the median of the ratios, pair by pair.
"""

from __future__ import annotations

import argparse
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from benchmarks.running import databases, ours, process
from tests.ports import free_port

# Of a bare server: the least durable intake that will do, and what it should be.
FLOORS = {"sqlite": (0.25, 0.40), "postgresql": (0.30, 0.45)}

WRK = """
counter = 0
request = function()
  counter = counter + 1
  local id = string.format("%%s-%%d", "%s", counter)
  local body = string.format('%s', id, id, string.format("%%016x", counter), id, id)
  return wrk.format("POST", "/webhook/alertmanager", {["Content-Type"] = "application/json"}, body)
end
"""
# One alert of the size that Prometheus sends, about 1 800 bytes.
BODY = (
    '{"receiver":"pager","status":"firing","alerts":[{"status":"firing","labels":{"alertname":"TargetDown","instance":"%s",'
    '"job":"node","severity":"critical","cluster":"eu-1","team":"db"},"annotations":{"description":"'
    + "It has been down for more than five minutes. "
    * 20
    + '","runbook_url":"https://runbooks.example.test/TargetDown","summary":"Target %s is down"},'
    '"startsAt":"2026-11-23T06:05:19.025085Z","endsAt":"0001-01-01T00:00:00Z",'
    '"generatorURL":"http://prom.example.test:9090/graph","fingerprint":"%s"}],"groupLabels":{"alertname":"TargetDown","instance":"%s"},"commonLabels":{},"commonAnnotations":{},'
    '"externalURL":"http://am.example.test:9093","version":"4","groupKey":"{}:{instance=%s}","truncatedAlerts":0}'
)
BARE = """
import sys
from aiohttp import web
import asyncio, uvloop
async def take(request):
    await request.read()
    return web.Response(text="OK\\n")
async def main():
    app = web.Application(client_max_size=10 * 1024 * 1024)
    app.router.add_post("/webhook/alertmanager", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(sys.argv[1])).start()
    await asyncio.Event().wait()
uvloop.run(main())
"""


def main() -> int:
    """Print both ratios; 1 where one is below its floor."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=int, default=4)
    arguments.add_argument("--repeats", type=int, default=3)
    arguments.add_argument("--databases", default="sqlite,postgresql")
    given = arguments.parse_args()
    if shutil.which("wrk") is None:
        print("wrk is not installed (Debian: apt-get install wrk)", file=sys.stderr)
        return 1
    with databases(given.databases) as found:
        return max(_measure(name, url, given.seconds, given.repeats) for name, url in found)


def _measure(name: str, url: str, seconds: int, repeats: int) -> int:
    floor, aim = FLOORS[name]
    intake, opened = [], []
    for repeat in range(repeats):
        bare = _bare(seconds)
        taken, digested = _ours(url, seconds)
        intake.append(taken / bare)
        opened.append(digested / bare)
        ratios = f"durable {taken:6.0f}/s ({taken / bare:.2f})  opened {digested:6.0f}/s ({digested / bare:.2f})"
        print(f"{name} {repeat}: bare {bare:6.0f}/s  {ratios}")
    print(f"{name}, durable intake: {statistics.median(intake):.2f} of bare (floor {floor:.2f}, aim {aim:.2f})")
    print(f"{name}, opened incidents: {statistics.median(opened):.2f} of bare (floor 0.10, aim 0.20)")
    return 0 if max(intake) >= floor and max(opened) >= 0.10 else 1


def _bare(seconds: int) -> float:
    port = free_port()
    with process([sys.executable, "-c", BARE, str(port)], port):
        _wrk(port, 1)
        return _wrk(port, seconds)


def _ours(url: str, seconds: int) -> tuple[float, float]:
    """Webhooks taken per second, and incidents opened per second until the last one is digested."""
    with ours(url) as server:
        _wrk(server.port, 1)
        server.drain()
        before, began = server.metric("callbridge_incidents_opened_total"), time.monotonic()
        taken = _wrk(server.port, seconds)
        server.drain()
        opened = server.metric("callbridge_incidents_opened_total") - before
        return taken, opened / (time.monotonic() - began)


def _wrk(port: int, seconds: int) -> float:
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(WRK % (time.monotonic_ns(), BODY.replace("\\", "\\\\").replace("'", "\\'")))
        script.flush()
        command = ["wrk", "-t1", "-c64", f"-d{seconds}s", "-s", script.name, f"http://127.0.0.1:{port}"]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in told or "Socket errors" in told:
        print(told, file=sys.stderr)
    found = re.search(r"Requests/sec:\s+(\S+)", told)
    assert found is not None, told
    return float(found.group(1))


if __name__ == "__main__":
    sys.exit(main())
