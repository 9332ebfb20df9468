"""One Alertmanager: its API v2 over HTTP, bounded in time and size; what goes wrong is one error with a reason.

Nothing of what aiohttp says is passed on: its texts quote whole addresses, and those may hold labels.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp

from bridge import __version__
from bridge.alertmanager.values import (
    Shown,
    ShownGroup,
    Silence,
    Standing,
    read_alerts,
    read_groups,
    read_made,
    read_silences,
    read_standing,
)
from bridge.alertmanager.words import AlertmanagerUnavailable, Ask, Observe, Why
from bridge.errors import CallbridgeError

T = TypeVar("T")

# Ten thousand alerts are about ten megabytes.
LARGEST_ANSWER = 64 * 1024 * 1024
REASONS = {401: Why.AUTHENTICATION, 403: Why.AUTHENTICATION, 404: Why.NOT_FOUND}
# What both of Alertmanager's parsers read the same way: no escape is needed but for these two.
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"'})


def matcher(name: str, value: str) -> str | None:
    """`name="value"` as every version reads it; None for what only some would."""
    if not name.isascii() or not name.isidentifier() or not value.isprintable():
        return None
    return f'{name}="{value.translate(_ESCAPES)}"'


class Member:
    """One Alertmanager. `credentials` makes the Authorization header, read anew for each request; None: none is sent.

    Every question raises AlertmanagerUnavailable, after `timeout` at the latest.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        url: str,
        timeout: timedelta,
        observe: Observe,
        credentials: Callable[[], str] | None = None,
        ca_file: Path | None = None,
    ) -> None:
        self.url = url
        self._session = session
        self._base = f"{url.rstrip('/')}/api/v2"
        self._timeout = aiohttp.ClientTimeout(total=timeout.total_seconds())
        self._observe = observe
        self._credentials = credentials
        self._ca_file = ca_file
        self._context: ssl.SSLContext | None = None

    async def alerts(self, *, matchers: Sequence[str] = (), receiver: str = "") -> tuple[Shown, ...]:
        """Everything that it knows as firing, silenced and inhibited ones too; `receiver` is an anchored RE2."""
        query = [("filter", one) for one in matchers] + ([("receiver", receiver)] if receiver else [])
        return await self._ask(Ask.ALERTS, "GET", "/alerts", read_alerts, query=query)

    async def groups(self, receiver: str) -> tuple[ShownGroup, ...]:
        """What it tells `receiver` (an anchored RE2), as it groups it."""
        query = [("receiver", receiver), ("silenced", "false"), ("inhibited", "false")]
        return await self._ask(Ask.GROUPS, "GET", "/alerts/groups", read_groups, query=query)

    async def silences(self) -> tuple[Silence, ...]:
        """All silences, for a while expired ones too."""
        return await self._ask(Ask.SILENCES, "GET", "/silences", read_silences)

    async def silence(
        self,
        labels: Mapping[str, str],
        *,
        starts_at: datetime,
        ends_at: datetime,
        created_by: str,
        comment: str,
        known_as: str | None = None,
    ) -> str:
        """Silence the alert that has all of these labels, and return the silence's id; `known_as` extends that one."""
        body: dict[str, Any] = {
            "matchers": [
                {"name": name, "value": value, "isRegex": False, "isEqual": True} for name, value in labels.items()
            ],
            "startsAt": _rfc3339(starts_at),
            "endsAt": _rfc3339(ends_at),
            "createdBy": created_by,
            "comment": comment,
        }
        if known_as is not None:
            body["id"] = known_as
        return await self._ask(Ask.SILENCE, "POST", "/silences", read_made, body=body)

    async def expire(self, silence: str) -> bool:
        """End a silence; False: it knows none of that id."""
        try:
            await self._ask(Ask.EXPIRE, "DELETE", f"/silence/{quote(silence, safe='')}", _nothing)
        except AlertmanagerUnavailable as error:
            if error.why is not Why.NOT_FOUND:
                raise
            return False
        return True

    async def standing(self) -> Standing:
        """Since when it runs, and its config."""
        return await self._ask(Ask.STATUS, "GET", "/status", read_standing)

    async def _ask(
        self,
        ask: Ask,
        method: str,
        path: str,
        read: Callable[[bytes], T],
        *,
        query: Sequence[tuple[str, str]] = (),
        body: object = None,
    ) -> T:
        started = time.monotonic()
        try:
            answer = await self._send(method, path, query, body)
            # Megabytes of alerts would hold up everybody else while they are read.
            result = read(answer) if len(answer) < 1 << 20 else await asyncio.to_thread(read, answer)
        except AlertmanagerUnavailable as error:
            self._observe(ask, time.monotonic() - started, error.why)
            raise
        self._observe(ask, time.monotonic() - started, None)
        return result

    async def _send(self, method: str, path: str, query: Sequence[tuple[str, str]], body: object) -> bytes:
        try:
            async with self._session.request(
                method,
                self._base + path,
                params=list(query),
                json=body,
                headers=self._headers(),
                allow_redirects=False,
                timeout=self._timeout,
                ssl=self._trust(),
            ) as response:
                told = await _bounded(response)
                if response.status != 200:
                    raise _refused(response.status, told)
                return told
        except TimeoutError:
            raise AlertmanagerUnavailable(Why.TIMEOUT, f"no answer within {self._timeout.total:g} s") from None
        except (aiohttp.ClientPayloadError, aiohttp.ClientResponseError):
            raise AlertmanagerUnavailable(Why.UNREADABLE, "the answer was cut off or is not HTTP") from None
        except (aiohttp.ClientError, OSError) as error:
            raise AlertmanagerUnavailable(Why.CONNECTION, _cause(error)) from None

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": f"callbridge/{__version__}"}
        if self._credentials is None:
            return headers
        try:
            return headers | {"Authorization": self._credentials()}
        except CallbridgeError as error:
            raise AlertmanagerUnavailable(Why.AUTHENTICATION, str(error)) from None

    def _trust(self) -> ssl.SSLContext | bool:
        if self._ca_file is None:
            return True
        if self._context is None:
            try:
                self._context = ssl.create_default_context(cafile=str(self._ca_file))
            except OSError as error:
                why = error.strerror or "not a file of certificates"
                raise AlertmanagerUnavailable(Why.CONNECTION, f"tls_config.ca_file: {self._ca_file}: {why}") from None
            # As strict as Prometheus is: many an authority of a company's own has not all that Python 3.13 asks for.
            self._context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return self._context


def _nothing(_body: bytes) -> None:
    return None


def _rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > LARGEST_ANSWER:
            raise AlertmanagerUnavailable(Why.UNREADABLE, f"the answer is larger than {LARGEST_ANSWER} bytes")
    return bytes(body)


def _refused(status: int, told: bytes) -> AlertmanagerUnavailable:
    why = REASONS.get(status) or (Why.SERVER_ERROR if status >= 500 else Why.REFUSED)
    words = " ".join(told[:200].decode("utf-8", "replace").split())
    return AlertmanagerUnavailable(why, f"it answers {status}: {words}")


def _cause(error: Exception) -> str:
    match error:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError():
            return "its certificate cannot be trusted; look at its url and at tls_config.ca_file"
        case aiohttp.ClientConnectorDNSError():
            return "its name is not known; look at its url"
        case aiohttp.ClientConnectorError():
            return f"it cannot be reached ({error.os_error.strerror or type(error.os_error).__name__})"
    return f"the connection broke ({type(error).__name__})"
