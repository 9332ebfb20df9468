"""The HTTP side of the gateway: each request is recorded, let in or not, answered, and spoilt if a fault says so."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from bridge.simulator import dialect, neighbours, reception, voice
from bridge.simulator.dialect import Era, Reply
from bridge.simulator.records import Received
from bridge.simulator.voice import House, refusal

Door = Callable[[House, Received], Reply]
Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]

# Path, methods, the name of the endpoint for faults, and who answers.
_DOORS: tuple[tuple[str, str, str, Door], ...] = (
    ("/api/voice", "GET POST", "voice", voice.place),
    ("/api/voice/{id}/hangup", "POST", "hangup", voice.hang_up),
    ("/api/balance", "GET POST", "balance", voice.balance),
    ("/api/journal", "GET POST", "journal", voice.journal),
    ("/api/journal/voice", "GET", "journal", voice.journal),
    ("/api/journal/outbound", "GET", "journal", voice.journal),
    ("/api/hooks", "GET POST DELETE", "hooks", neighbours.hooks),
    ("/api/sms", "GET POST", "sms", neighbours.sms),
    ("/api/lookup", "GET POST", "lookup", neighbours.lookup),
    ("/api/lookup/format", "GET", "lookup", neighbours.lookup),
    ("/api/validate_for_voice", "POST", "validate", neighbours.validate),
)
_SINCE_2024 = ("/api/voice/{id}/hangup", "/api/journal/voice", "/api/journal/outbound", "/api/lookup/format")
_BAD_GATEWAY = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>502 Bad Gateway</body>\r\n</html>\r\n"


def routes(house: House) -> list[web.RouteDef]:
    """The gateway's paths."""
    return [
        web.route(method, path, _Desk(house, endpoint, door, newer=path in _SINCE_2024).answer)
        for path, methods, endpoint, door in _DOORS
        for method in methods.split()
    ]


class _Desk:
    """Behind every door sits the same desk: only the clerk (`door`) differs."""

    def __init__(self, house: House, endpoint: str, door: Door, *, newer: bool) -> None:
        self._house = house
        self._endpoint = endpoint
        self._door = door
        self._newer = newer

    async def answer(self, request: web.Request) -> web.StreamResponse:
        world = self._house.world
        admission = await reception.read(request, world.account.key, world.now())
        world.requests.append(admission.received)
        world.stir()
        if self._newer and world.account.era is not Era.SEVEN_2024:
            return web.Response(status=404, text="404 Not Found")
        lost = await self._lost(request, "before")
        if lost is not None:
            return lost
        reply = await self._reply(request, admission)
        slow = world.faults.number("slow", self._endpoint)
        if slow:
            await world.sleep_until(world.after(world.now(), slow), world.stopping)
        return await self._lost(request, "after") or await self._sent(request, reply)

    async def _reply(self, request: web.Request, admission: reception.Admission) -> Reply:
        house, received = self._house, admission.received
        account = house.world.account
        if not admission.admitted:
            house.world.note("refuse", words=f"{received.method} {received.path}: code 900, wrong key or none")
            return refusal(house, received, 900)
        if account.signing_key and not await self._signature_holds(request):
            return refusal(house, received, 901)
        code = house.world.faults.number("code", self._endpoint)
        if code is not None:
            house.world.note("refuse", words=f"{received.method} {received.path}: code {code:.0f}, as it was set")
            return refusal(house, received, int(code))
        return self._door(house, received)

    async def _signature_holds(self, request: web.Request) -> bool:
        world = self._house.world
        return await reception.signature_holds(request, world.account.signing_key, world.now(), world.nonces)

    async def _lost(self, request: web.Request, when: str) -> web.StreamResponse | None:
        """The connection hangs, breaks, or a proxy answers in the gateway's place."""
        faults, endpoint = self._house.world.faults, self._endpoint
        if faults.flag(f"hang_{when}", endpoint):
            self._house.world.note("fault", words=f"hang_{when}")
            await self._house.world.stopping.wait()
            return _broken(request)
        if faults.flag(f"reset_{when}", endpoint):
            self._house.world.note("fault", words=f"reset_{when}")
            return _broken(request)
        if faults.flag("reply_502" if when == "before" else "reply_502_after", endpoint):
            self._house.world.note("fault", words="502")
            return web.Response(status=502, text=_BAD_GATEWAY, content_type="text/html")
        return None

    async def _sent(self, request: web.Request, reply: Reply) -> web.StreamResponse:
        faults, endpoint = self._house.world.faults, self._endpoint
        if faults.flag("trailing_newline", endpoint):
            reply = dialect.with_newline(reply)
        if faults.flag("wrong_content_type", endpoint):
            reply = dialect.mislabelled(reply)
        if faults.flag("empty_body", endpoint):
            return web.Response(body=b"", headers={"Content-Type": reply.content_type})
        if faults.flag("truncated_body", endpoint):
            return await _truncated(request, reply)
        return web.Response(body=reply.body.encode(), headers={"Content-Type": reply.content_type})


def _broken(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _truncated(request: web.Request, reply: Reply) -> web.StreamResponse:
    """Half of the body, and the connection ends inside it."""
    response = web.StreamResponse(headers={"Content-Type": reply.content_type})
    response.enable_chunked_encoding()
    await response.prepare(request)
    body = reply.body.encode()
    await response.write(body[: len(body) // 2])
    await asyncio.sleep(0)
    if request.transport is not None:
        request.transport.close()
    return response
