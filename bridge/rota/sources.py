"""A calendar's bytes, from a file or a URL. What can go wrong is told with the remedy; a URL is never shown."""

from __future__ import annotations

import asyncio
import stat
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import aiohttp

from bridge import __version__
from bridge.errors import CallbridgeError
from bridge.schedule import Ical

MOST_BYTES = 5 << 20
PATIENCE = timedelta(seconds=15)
MOST_REDIRECTS = 5

# Compressed answers are not asked for: a small one could unfold without end.
_HEADERS = {
    "Accept": "text/calendar, */*;q=0.1",
    "Accept-Encoding": "identity",
    "User-Agent": f"callbridge/{__version__}",
}
_TOO_LONG = f"is longer than {MOST_BYTES >> 20} MiB; let it hold the shifts of a year or two only"


class SourceUnreadable(CallbridgeError):
    """The calendar could not be had; the text says why and what to do about it."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A calendar as it came; `etag` and `modified` are what its server wants to be asked with the next time."""

    body: bytes = field(repr=False)
    etag: str = ""
    modified: str = ""


async def fetch(
    session: aiohttp.ClientSession, ical: Ical, known: Fetched | None, patience: timedelta = PATIENCE
) -> Fetched:
    """The calendar as it is now; `known`, the very object, where the server says that nothing has changed.

    Raises SourceUnreadable, after `patience` at the latest.
    """
    try:
        async with asyncio.timeout(patience.total_seconds()):
            if ical.file is not None:
                return Fetched(await asyncio.to_thread(read_file, ical.file))
            return await _ask(session, ical.url or "", known)
    except TimeoutError:
        raise SourceUnreadable(f"does not come within {patience.total_seconds():.0f} s; look at its source") from None


def read_file(path: Path) -> bytes:
    """The content of the file. Raises SourceUnreadable."""
    try:
        # A pipe would keep whoever opens it waiting for ever.
        if not stat.S_ISREG(path.stat().st_mode):
            raise SourceUnreadable(f"{path}: is no file; name one in ical.file")
        with path.open("rb") as file:
            body = file.read(MOST_BYTES + 1)
    except OSError as error:
        what = f"{path}: {error.strerror or error}"
        raise SourceUnreadable(f"{what}; put the calendar there, or correct ical.file") from None
    if len(body) > MOST_BYTES:
        raise SourceUnreadable(f"{path}: {_TOO_LONG}")
    return body


async def _ask(session: aiohttp.ClientSession, url: str, known: Fetched | None) -> Fetched:
    headers = dict(_HEADERS)
    if known is not None and known.etag:
        headers["If-None-Match"] = known.etag
    if known is not None and known.modified:
        headers["If-Modified-Since"] = known.modified
    try:
        # A redirect to anything but http(s) is an error in aiohttp.
        async with session.get(url, headers=headers, max_redirects=MOST_REDIRECTS) as response:
            if response.status == 304 and known is not None:
                return known
            if response.status != 200:
                raise SourceUnreadable(_refused(response.status))
            body = await _bounded(response)
            return Fetched(body, response.headers.get("ETag", ""), response.headers.get("Last-Modified", ""))
    except (aiohttp.ClientError, ValueError, OSError) as error:
        raise SourceUnreadable(_why(error)) from None


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(65536):
        body += chunk
        if len(body) > MOST_BYTES:
            raise SourceUnreadable(_TOO_LONG)
    return bytes(body)


def _refused(status: int) -> str:
    if status in (401, 403, 404, 410):
        remedy = "look whether its private address was reset, and write the present one into ical.url"
    else:
        remedy = "it is asked again"
    return f"its server answers {status}; {remedy}"


def _why(error: Exception) -> str:
    """What went wrong, without the texts of the libraries: they show the URL, which is often a secret."""
    match error:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError():
            return "its server's certificate cannot be trusted; look at ical.url and at this machine's certificates"
        case aiohttp.TooManyRedirects() | aiohttp.RedirectClientError():
            return "its server redirects too often, or to what is not http(s); write the last address into ical.url"
        case aiohttp.ClientConnectorError():
            what = error.os_error.strerror or type(error.os_error).__name__
            return f"its server cannot be reached ({what}); look at ical.url and at this machine's network"
        case aiohttp.InvalidURL():
            return "its address is none; correct ical.url"
    return f"its server breaks off ({type(error).__name__}); it is asked again"
