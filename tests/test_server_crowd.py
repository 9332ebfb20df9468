"""Connections of strangers: slow heads, slow bodies, heads without end, and too many of them, over raw sockets."""

from __future__ import annotations

import asyncio
import logging
import resource
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bridge.app import App
from bridge.server import Bounds
from bridge.server.crowd import MOST_CONNECTIONS, most_connections
from tests.certificates import make_pair
from tests.serving import AM_TOKEN, app_running, write_files

SHORT = Bounds(head=0.4, body=0.4, handshake=0.4)
HEALTHY = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"
POST = (
    b"POST /webhook/alertmanager HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
    + AM_TOKEN.encode()
    + b"\r\nContent-Length: 1000\r\n\r\n"
)

Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def connected(app: App) -> AsyncIterator[Line]:
    """A bare connection to the server."""
    host, port = app.addresses[0].rpartition("/")[2].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.close()


async def ended(reader: asyncio.StreamReader, patience: float = 5) -> bytes:
    """What comes until the other side closes; TimeoutError if it does not."""
    try:
        async with asyncio.timeout(patience):
            return await reader.read()
    except ConnectionError:
        return b""


async def dribbled(line: Line, text: bytes) -> float:
    """Send a byte now and then until the other side has had enough; after how many seconds that was."""
    reader, writer = line
    began = time.monotonic()
    cut = asyncio.ensure_future(ended(reader))
    for byte in text:
        if cut.done():
            break
        writer.write(bytes([byte]))
        await asyncio.wait([cut], timeout=0.05)
    assert await cut == b""
    return time.monotonic() - began


@pytest.mark.parametrize("text", [HEALTHY[:-2] + b"X: " + b"a" * 900, POST + b"{" * 900], ids=["head", "body"])
async def test_who_dribbles_is_cut_off(tmp_path: Path, caplog: pytest.LogCaptureFixture, text: bytes) -> None:
    """A head, and a body, that comes a byte at a time has its bound, and is told; whoever else knocks is served."""
    async with app_running(write_files(tmp_path), SHORT) as (app, session), connected(app) as line:
        with caplog.at_level(logging.WARNING):
            if text.startswith(POST):
                line[1].write(POST)
                text = text.removeprefix(POST)
            slow = asyncio.ensure_future(dribbled(line, text))
            async with session.get("-/healthy") as response:
                assert response.status == 200
            assert await slow < 3
    assert any("did not send their request in time" in record.getMessage() for record in caplog.records)


async def test_who_says_nothing_is_cut_off(tmp_path: Path) -> None:
    """A connection that is only held, from its beginning, is closed without a word."""
    async with app_running(write_files(tmp_path), SHORT) as (app, _), connected(app) as (reader, _):
        assert await ended(reader) == b""


async def test_who_is_at_rest_stays(tmp_path: Path) -> None:
    """A kept connection between two requests is no dribbler: Alertmanager's next one comes by it."""
    async with app_running(write_files(tmp_path), SHORT) as (app, _), connected(app) as (reader, writer):
        for _ in range(2):
            writer.write(HEALTHY)
            assert (await reader.readuntil(b"OK\n")).startswith(b"HTTP/1.1 200")
            await asyncio.sleep(0.8)


async def test_a_handshake_has_its_bound(tmp_path: Path) -> None:
    """Who connects to a TLS address and never shakes hands is cut off too."""
    make_pair(tmp_path, "server")
    web = tmp_path / "web.yml"
    web.write_text("tls_server_config: {cert_file: server.crt, key_file: server.key}\n")
    async with app_running(write_files(tmp_path), SHORT, web_config=web) as (app, _), connected(app) as (reader, _):
        assert await ended(reader) == b""


async def test_too_many_push_out_the_oldest(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """At the bound the one that has been silent for longest makes room, so that a newcomer is always served."""
    bounds = Bounds(head=2, body=2, most=8)
    async with app_running(write_files(tmp_path), bounds) as (app, _):
        with caplog.at_level(logging.WARNING):
            lines = [await asyncio.open_connection(*address(app)) for _ in range(20)]
            async with connected(app) as (reader, writer):
                writer.write(HEALTHY)
                assert (await reader.readuntil(b"OK\n")).startswith(b"HTTP/1.1 200")
            assert await ended(lines[0][0]) == b""
            assert not lines[-1][0].at_eof()
            await asyncio.sleep(0.6)
        for _, writer in lines:
            writer.close()
    assert any("too many connections" in record.getMessage() for record in caplog.records)


def address(app: App) -> tuple[str, int]:
    """Where it listens."""
    host, port = app.addresses[0].rpartition("/")[2].split(":")
    return host, int(port)


def test_half_of_the_files_are_for_connections() -> None:
    """However many files a process may open, some are left for the database and the gateway."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert 16 <= most_connections() <= MOST_CONNECTIONS
    assert soft == resource.RLIM_INFINITY or most_connections() <= max(16, soft // 2)


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 20_000 + b"\r\n\r\n",
        b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: a\r\n" % n for n in range(500)) + b"\r\n",
        b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 5_000 + b"\r\n\r\n",
        b"POST /webhook/alertmanager HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n",
        b"GET /-/healthy\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nX: a\r\n\tb\x00c\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
    ids=["line", "field", "fields", "smuggled", "negative", "huge", "chunk", "nul", "folded", "tls", "http2"],
)
async def test_heads_that_are_none(tmp_path: Path, caplog: pytest.LogCaptureFixture, head: bytes) -> None:
    """Too long, too many, contradictory or no HTTP at all: 400 and good-bye, no error in the log, nothing broken."""
    async with app_running(write_files(tmp_path), SHORT) as (app, session):
        async with connected(app) as (reader, writer):
            writer.write(head)
            answer = await ended(reader)
            assert answer[:12] in (b"HTTP/1.1 400", b"HTTP/1.0 400", b"HTTP/1.1 401", b""), answer
            assert b"Traceback" not in answer
        async with session.get("-/healthy") as response:
            assert response.status == 200
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
