"""A gateway on loopback that answers, hangs, resets and cuts off as it is told, and a client of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import aiohttp

from bridge.errors import Reason
from bridge.gateway import Dialect, Gateway, Operation, open_session

KEY = "a-very-secret-key"


@dataclass(frozen=True)
class Asked:
    """One request as it came in."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    form: dict[str, str]
    raw: str


@dataclass(frozen=True)
class Say:
    """An HTTP answer; `stated` is the length that is stated, where it is not the true one."""

    body: str
    status: int = 200
    headers: str = "Content-Type: text/plain"
    stated: int | None = None

    def wire(self) -> bytes:
        body = self.body.encode()
        length = len(body) if self.stated is None else self.stated
        return f"HTTP/1.1 {self.status} X\r\n{self.headers}\r\nContent-Length: {length}\r\n\r\n".encode() + body


HANG = "hang"
RESET = "reset"
GARBAGE = "garbage"


@dataclass
class Company:
    """A telephone company of one script: each request takes the next line, the last one stays."""

    script: list[Say | str] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.asked.append(await _read(reader))
            line = self.script.pop(0) if len(self.script) > 1 else self.script[0]
            await _act(line, reader, writer)
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    body = (await reader.readexactly(int(headers.get("content-length", "0")))).decode()
    method, target, _ = first.split(" ")
    parts = urlsplit(target)
    return Asked(method, parts.path, dict(parse_qsl(parts.query)), headers, dict(parse_qsl(body)), target + "\n" + body)


async def _act(line: Say | str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    if isinstance(line, Say):
        writer.write(line.wire())
        await writer.drain()
    elif line == HANG:
        await reader.read()
    elif line == RESET:
        writer.transport.abort()
    elif line == GARBAGE:
        writer.write(b"220 mail.example.org ESMTP\r\n\r\n")


@dataclass
class Line:
    """A company, a session to it, and what its clients observed."""

    company: Company
    session: aiohttp.ClientSession
    observed: list[tuple[Operation, Reason | None]] = field(default_factory=list)

    @property
    def asked(self) -> list[Asked]:
        return self.company.asked

    def gateway(self, dialect: Dialect = Dialect.SEVEN, *script: Say | str, **changes: object) -> Gateway:
        """A client of the company, with changes; the company follows `script` from now on."""
        self.company.script[:] = script
        settings: dict[str, object] = {
            "session": self.session,
            "api_url": self.company.url,
            "key": lambda: KEY + "\n",
            "sender": "+49 30 1234567",
            "ring_time": timedelta(seconds=30),
            "timeout": timedelta(seconds=10),
            "debug": False,
            "observe": lambda operation, seconds, reason: self.observed.append((operation, reason)),
        }
        return Gateway(dialect=dialect, **(settings | changes))  # type: ignore[arg-type]  # settings of several types


@asynccontextmanager
async def open_line() -> AsyncIterator[Line]:
    """A company that listens, and a session to it; both are closed at the end."""
    company = Company()
    server = await asyncio.start_server(company.serve, "127.0.0.1", 0)
    company.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api"
    async with open_session() as session:
        yield Line(company, session)
    server.close()
    await server.wait_closed()
