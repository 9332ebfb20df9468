"""Calendars, and a web server that has them: what several tests share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

EMPTY = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nEND:VCALENDAR\r\n"
PRIVATE = "private-token-4711"


def ics(*rows: tuple[str, str, str]) -> bytes:
    """A calendar of (summary, start, end), the times as `1124T0800` of 2026 in UTC."""
    events = [
        f"BEGIN:VEVENT\r\nUID:{number}\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:2026{starts}00Z\r\n"
        f"DTEND:2026{ends}00Z\r\nSUMMARY:{who}\r\nEND:VEVENT\r\n"
        for number, (who, starts, ends) in enumerate(rows)
    ]
    return EMPTY.replace(b"END:VCALENDAR", "".join(events).encode() + b"END:VCALENDAR")


class Host:
    """A web server for calendars; `body`, `status` and `headers` are what it answers, `asked` what it was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.body, self.status = ics(("alice", "1101T0000", "1201T0000")), 200
        self.headers: dict[str, str] = {}
        self.asked: list[dict[str, str]] = []
        self.hangs = asyncio.Event()
        self.hangs.set()

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(dict(request.headers))
        await self.hangs.wait()
        tag = self.headers.get("ETag")
        if self.status == 200 and tag is not None and request.headers.get("If-None-Match") == tag:
            return web.Response(status=304)
        return web.Response(body=self.body, status=self.status, headers=self.headers)


@asynccontextmanager
async def hosted() -> AsyncIterator[Host]:
    host = Host()
    application = web.Application()
    application.router.add_get(f"/{PRIVATE}/basic.ics", host.answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host.url = f"http://127.0.0.1:{runner.addresses[0][1]}/{PRIVATE}/basic.ics"
        yield host
    finally:
        host.hangs.set()
        await runner.cleanup()
