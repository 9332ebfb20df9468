"""One HTTP request to the gateway and its whole answer; every way in which that can go wrong is one of three errors.

Nothing of what aiohttp says is passed on: its texts quote addresses, and an address may carry a telephone number.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TypeVar

import aiohttp

from bridge import __version__
from bridge.errors import CallbridgeError, GatewayError, GatewayUnavailable, GatewayUncertain, Reason
from bridge.gateway.replies import Answer
from bridge.gateway.words import Exchange, Observe, Operation, Overhear

logger = logging.getLogger(__name__)

Read = TypeVar("Read")

# A full journal page is a hundred rows of at most ten thousand characters.
LARGEST_ANSWER = 8 * 1024 * 1024

_UNSENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ServerFingerprintMismatch,
    aiohttp.ClientHttpProxyError,
    aiohttp.InvalidURL,
    aiohttp.NonHttpUrlClientError,
)


def open_session() -> aiohttp.ClientSession:
    """A session fit for a Gateway, to be closed by the caller: no cookies, and each request has its own connection.

    A kept connection that the gateway has just closed would fail like one whose answer was lost, and so make a call
    uncertain that was never requested.
    """
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True), cookie_jar=aiohttp.DummyCookieJar())


class Wire:
    """Speaks HTTP to one gateway: the key in a header, no redirects, a bound on the time."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        api_url: str,
        key: Callable[[], str],
        timeout: timedelta,
        json: bool,
        observe: Observe,
        overhear: Overhear | None = None,
    ) -> None:
        if session.connector is None or not session.connector.force_close:
            logger.warning("the gateway's session keeps connections: open it with bridge.gateway.open_session()")
        self._session = session
        self._api_url = api_url.rstrip("/")
        self._key = key
        self._timeout = aiohttp.ClientTimeout(total=timeout.total_seconds(), connect=timeout.total_seconds() / 2)
        self._json = json
        self._observe = observe
        self._overhear = overhear

    async def exchange(
        self,
        operation: Operation,
        method: str,
        path: str,
        read: Callable[[Answer], Read],
        *,
        form: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Read:
        """Send one request and read its answer with `read`; raises GatewayError. Observed once."""
        started = time.monotonic()
        try:
            result = read(await self._send(method, path, form, query))
        except GatewayError as error:
            self._observe(operation, time.monotonic() - started, error.reason)
            raise
        self._observe(operation, time.monotonic() - started, None)
        return result

    async def _send(
        self, method: str, path: str, form: Mapping[str, str] | None, query: Mapping[str, str] | None
    ) -> Answer:
        headers = self._headers()
        try:
            async with self._session.request(
                method,
                self._api_url + path,
                params=query,
                data=form,
                headers=headers,
                allow_redirects=False,
                timeout=self._timeout,
            ) as response:
                answer = Answer(response.status, _decoded(await _read_whole(response)))
                if self._overhear is not None:
                    self._overhear(_exchange(response, form, answer))
                return answer
        except _UNSENT as error:
            raise GatewayUnavailable(Reason.CONNECTION, f"cannot reach the gateway: {_why(error)}") from None
        except TimeoutError:
            raise GatewayUncertain(Reason.TIMEOUT, f"no answer within {self._timeout.total:g} s") from None
        except (aiohttp.ClientPayloadError, aiohttp.ClientResponseError):
            raise GatewayUncertain(Reason.UNREADABLE, "the answer was cut off or is not HTTP") from None
        except (aiohttp.ClientError, OSError):
            raise GatewayUncertain(Reason.CONNECTION, "the connection broke before the answer came") from None

    def _headers(self) -> dict[str, str]:
        headers = {
            "X-Api-Key": self._read_key(),
            "User-Agent": f"callbridge/{__version__}",
        }
        return headers | {"Accept": "application/json"} if self._json else headers

    def _read_key(self) -> str:
        """The key, read anew for each request so that it can be changed; nothing of it may reach an error's text."""
        try:
            key = self._key().strip()
        except CallbridgeError as error:
            raise GatewayUnavailable(Reason.AUTHENTICATION, f"no API key: {error}") from None
        except (OSError, ValueError):
            key = ""
        if not key or not key.isascii() or not key.isprintable():
            raise GatewayUnavailable(
                Reason.AUTHENTICATION, "the API key cannot be read, is empty or not a key: check gateway.api_key_file"
            )
        return key


def _exchange(response: aiohttp.ClientResponse, form: Mapping[str, str] | None, answer: Answer) -> Exchange:
    return Exchange(
        method=response.method,
        url=str(response.url),
        form=dict(form or {}),
        status=answer.status,
        content_type=response.headers.get("Content-Type", ""),
        date=response.headers.get("Date", ""),
        body=answer.body,
    )


async def _read_whole(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > LARGEST_ANSWER:
            raise GatewayUncertain(Reason.UNREADABLE, f"the answer is larger than {LARGEST_ANSWER} bytes")
    return bytes(body)


def _decoded(body: bytes) -> str:
    return body.decode("utf-8-sig", "replace")


def _why(error: Exception) -> str:
    """The cause in words an operator can act upon, without the address that aiohttp puts into its texts."""
    for kind, words in _CAUSES:
        if isinstance(error, kind):
            return words
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    return "connection refused" if isinstance(cause, ConnectionRefusedError) else type(cause).__name__


_CAUSES: tuple[tuple[type[Exception], str], ...] = (
    (aiohttp.ClientConnectorCertificateError, "its certificate is not trusted: check the clock and the CAs"),
    (aiohttp.ServerFingerprintMismatch, "its certificate is not the expected one"),
    (aiohttp.ClientSSLError, "no TLS with it: check gateway.api_url (https?) and any proxy between"),
    (aiohttp.ClientConnectorDNSError, "its name is not known: check gateway.api_url and the name server"),
    (aiohttp.ConnectionTimeoutError, "no connection in time: check the network and the firewall"),
    (aiohttp.ClientHttpProxyError, "the proxy does not let it through"),
    (aiohttp.InvalidURL, "gateway.api_url is not an address"),
    (aiohttp.NonHttpUrlClientError, "gateway.api_url is not an http or https address"),
)
