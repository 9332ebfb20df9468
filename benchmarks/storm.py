"""One webhook with 5,000 alerts: what it costs until it is digested, and whether the server still answers meanwhile.

    python -m benchmarks.storm

The CPU time of the server process, in seconds and as a multiple of `json.loads` of the same body in this process.
"""

from __future__ import annotations

import json
import sys
import threading
import time
import urllib.request

from benchmarks.running import Server, ours

ALERTS = 5000


def body(count: int) -> bytes:
    """A firing group of so many alerts of a usual size."""
    alerts = [
        {
            "status": "firing",
            "labels": {
                "alertname": "TargetDown",
                "instance": f"host{number}:9100",
                "job": "node",
                "severity": "critical",
            },
            "annotations": {"summary": f"host{number} is down", "description": "It has been down for minutes. " * 15},
            "startsAt": "2026-11-23T06:05:19.025085Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prom.example.test:9090/graph?g0.expr=up+%3D%3D+0",
            "fingerprint": f"{number:016x}",
        }
        for number in range(count)
    ]
    group = {"receiver": "pager", "status": "firing", "alerts": alerts, "groupKey": "{}:{}", "version": "4"}
    return json.dumps(group).encode()


def main() -> int:
    """Print the figures; 1 where a goal is missed."""
    sent = body(ALERTS)
    plain = _plain(sent)
    with ours() as server:
        server.post(body(1).replace(b'"{}:{}"', b'"{}:{warm}"'))
        server.drain()
        slowest, stop = [0.0], threading.Event()
        watch = threading.Thread(target=_watch, args=(server, slowest, stop))
        watch.start()
        before = server.cpu_seconds()
        server.post(sent)
        server.drain()
        spent = server.cpu_seconds() - before
        stop.set()
        watch.join()
    print(f"{len(sent) / 1e6:.1f} MB, {ALERTS} alerts: {spent:.2f} s of CPU until digested, goal 2 s")
    print(f"that is {spent / plain:.0f} x json.loads of the same body")
    print(f"slowest answer of /-/healthy meanwhile: {slowest[0] * 1000:.0f} ms, goal 250 ms")
    return 0 if spent < 2 and slowest[0] < 0.25 else 1


def _plain(sent: bytes) -> float:
    began = time.process_time()
    for _ in range(5):
        json.loads(sent)
    return (time.process_time() - began) / 5


def _watch(server: Server, slowest: list[float], stop: threading.Event) -> None:
    while not stop.is_set():
        began = time.monotonic()
        with urllib.request.urlopen(f"{server.url}/-/healthy", timeout=30) as response:
            response.read()
        slowest[0] = max(slowest[0], time.monotonic() - began)
        time.sleep(0.01)


if __name__ == "__main__":
    sys.exit(main())
