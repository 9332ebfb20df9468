"""Who holds a connection and says nothing: strangers must not keep the rest out, and nobody from being called.

A connection costs a file, and without files neither the database nor the gateway can be reached. So there is a bound on
their number, and one on the time that a request may take to arrive. Cut, not answered: a 4xx would tell an Alertmanager
on a slow line never to come again.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import ssl
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from bridge.logs import fields

log = logging.getLogger(__name__)
# For aiohttp to speak by.
HTTP_LOG = logging.getLogger(f"{__name__}.http")


def _of_our_own(record: logging.LogRecord) -> bool:
    """Whether it is a fault of ours: of each broken request aiohttp writes many lines."""
    error = record.exc_info[1] if record.exc_info else None
    if not isinstance(error, HttpProcessingError | web.RequestPayloadError):
        return True
    log.debug("what came is not what it says", extra=fields(why=type(error).__name__))
    return False


HTTP_LOG.addFilter(_of_our_own)

# Seconds without a request, after which a kept connection is closed: Prometheus' own clients close theirs after 300.
KEPT_OPEN = 330.0
MOST_CONNECTIONS = 10_000


def most_connections() -> int:
    """Half of the files that we may open: the other half is for what they are there for."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else max(16, min(MOST_CONNECTIONS, soft // 2))


@dataclass(frozen=True, slots=True)
class Bounds:
    """Seconds that the head of a connection's first request, the body of any, and a TLS handshake may take to arrive;
    and how many connections there may be."""

    head: float = 30.0
    body: float = 60.0
    handshake: float = 15.0
    most: int = field(default_factory=most_connections)


# What a connection waits for: "head", "body" with the request it belongs to, or None where it is our turn or at rest.
_Awaited = tuple[str, object] | None


class Crowd:
    """Makes the protocol of each new connection, and cuts off those that are awaited for too long."""

    def __init__(self, server: web.Server, bounds: Bounds) -> None:
        self._server = server
        self._bounds = bounds
        self._since: dict[object, tuple[_Awaited, float]] = {}
        self._loop = asyncio.get_running_loop()
        self._every = min(bounds.head, bounds.body) / 4
        self._timer = self._loop.call_later(self._every, self._look)
        self._pushed_out = 0

    def __call__(self) -> asyncio.BaseProtocol:
        """For somebody new; if they are too many, the one goes that has been awaited, at rest, or there for longest."""
        if len(self._server.connections) >= self._bounds.most:
            self._push_out()
        return self._server()

    async def listen(self, host: str, port: int, context: ssl.SSLContext | None) -> asyncio.Server:
        """Let them come by this address ("" is every one). Raises OSError, and UnicodeError for a name that is none."""
        return await self._loop.create_server(
            self,
            host or None,
            port,
            backlog=1024,
            ssl=context,
            ssl_handshake_timeout=self._bounds.handshake if context is not None else None,
        )

    def close(self) -> None:
        """Look no more."""
        self._timer.cancel()

    def _push_out(self) -> None:
        # In the order in which they came. One that is at work on a request goes last.
        present = [one for one in self._server.connections if one.transport is not None]
        longest = next((one for one in present if one._current_request is None or _awaited(one)), None)
        if present:
            (longest or present[0]).force_close()
            self._pushed_out += 1

    def _look(self) -> None:
        self._timer = self._loop.call_later(self._every, self._look)
        now, late = self._loop.time(), []
        before, self._since = self._since, {}
        for connection in self._server.connections:
            awaited = _awaited(connection)
            if awaited is None:
                continue
            known, since = before.get(connection, (None, now))
            since = since if known == awaited else now
            self._since[connection] = (awaited, since)
            if now - since > (self._bounds.head if awaited[0] == "head" else self._bounds.body):
                late.append(connection)
        for connection in late:
            del self._since[connection]
            connection.force_close()
        self._tell(len(late))

    def _tell(self, late: int) -> None:
        """One line a round, however many they are."""
        pushed, self._pushed_out = self._pushed_out, 0
        if late:
            log.warning("connections that did not send their request in time were cut off", extra=fields(count=late))
        if pushed:
            log.warning(
                "there were too many connections: the oldest were cut off",
                extra=fields(count=pushed, most=self._bounds.most),
            )


def _awaited(connection: Any) -> _Awaited:
    """aiohttp tells neither by a public name; tests/test_server_crowd.py fails when these mean something else."""
    request = connection._current_request
    if request is not None:
        return None if request.content.is_eof() else ("body", request)
    return None if connection._request_count else ("head", None)
