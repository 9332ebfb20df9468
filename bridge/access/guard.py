"""The middleware before the page, the API and the metrics.

The file is read again when it, or one that it names, changes. That needs no reload and no restart, but for switching
TLS on or off and for another curve. While the file is broken the doors behind the guard answer 500, and TLS goes on as
it was, for the webhooks' sake.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler

from bridge.access.passwords import Passwords, TooManyWaitError, user_of
from bridge.access.reading import WebConfig, read_web_config
from bridge.access.tls import set_rules
from bridge.errors import CallbridgeError
from bridge.logs import fields

log = logging.getLogger(__name__)

# Doors with credentials of their own, or without need of any.
EXEMPT = ("/webhook/", "/-/healthy", "/-/ready")

Stamp = tuple[int, int, int] | None


class Access:
    """`--web.config.file` in force.

    `approve` raises CallbridgeError for a file that may not be used although nothing is wrong in it.
    """

    def __init__(self, path: Path, approve: Callable[[WebConfig], None] = lambda _: None) -> None:
        """Read the file. Raises CallbridgeError (ConfigError with every fault)."""
        self.path = path
        self.approve = approve
        self.passwords = Passwords()
        self.fault = ""
        own = self._stamps(())
        self.found = self._read()
        self.stamps = own + self._stamps(self.found.files)[1:]
        self.context = self._listening_context()

    def refresh(self) -> None:
        """Read the file again if it, or a file that it names, has changed; what is wrong then is logged, once."""
        stamps = self._stamps(self.found.files)
        # While it is broken it is looked at each time: what mends it may be a file that it names only now.
        if stamps == self.stamps and not self.fault:
            return
        try:
            found = self._read()
        except CallbridgeError as error:
            if str(error) != self.fault:
                log.error("the web config cannot be used, page and API are shut", extra=fields(err=str(error)))
            self.stamps, self.fault = stamps, str(error)
            return
        # Taken before it was read: a change in between is found the next time.
        self.stamps = stamps if found.files == self.found.files else stamps[:1] + self._stamps(found.files)[1:]
        self.found, self.fault = found, ""
        if self.context is not None and found.tls is not None:
            set_rules(self.context, found.tls)
        elif (self.context is None) != (found.tls is None):
            log.warning("switching TLS on or off takes effect after a restart", extra=fields(file=self.path))
        log.info("web config reloaded", extra=fields(file=self.path))

    def visitor(self, request: web.Request) -> str | None:
        """The name of who came in with credentials ("" where a certificate was all of them); None: nobody needs any.

        To be asked behind the guard only: the password is not looked at again.
        """
        if self.found.users:
            return user_of(request.headers.get("Authorization", ""))
        return "" if self.found.knows_clients else None

    def guard(self, application: web.Application, prefix: str) -> None:
        """Stand before every door of `application` (below `prefix`) but the exempt ones."""
        exempt = tuple(prefix + one for one in EXEMPT)

        @web.middleware
        async def guarding(request: web.Request, handler: Handler) -> web.StreamResponse:
            if _where(request).startswith(exempt):
                return await handler(request)
            refusal = await self._refusal(request)
            return await handler(request) if refusal is None else refusal

        async def with_headers(request: web.Request, response: web.StreamResponse) -> None:
            if self.found.headers and not _where(request).startswith(exempt):
                response.headers.update(self.found.headers)

        application.middlewares.append(guarding)
        application.on_response_prepare.append(with_headers)

    async def _refusal(self, request: web.Request) -> web.Response | None:
        """What is answered instead of opening the door; None where it may be opened."""
        self.refresh()
        if self.fault:
            return _answer(500, "the file of --web.config.file cannot be used, the log says why")
        if not self.found.users:
            return None
        try:
            if await self.passwords.fit(request.headers.get("Authorization", ""), self.found.users):
                return None
        except TooManyWaitError:
            return _answer(503, "too many sign in at once, come again", **{"Retry-After": "1"})
        if "Authorization" in request.headers:
            # Not the name that was given: people type passwords there.
            log.warning("wrong user or password", extra=fields(path=request.path, sender=request.remote))
        return _answer(401, "Unauthorized", **{"WWW-Authenticate": "Basic"})

    def _read(self) -> WebConfig:
        found = read_web_config(self.path)
        self.approve(found)
        for warning in found.warnings:
            log.warning("%s", warning)
        return found

    def _stamps(self, files: Sequence[Path]) -> tuple[Stamp, ...]:
        return tuple(_stamp(path) for path in (self.path, *files))

    def _listening_context(self) -> ssl.SSLContext | None:
        """The context that is listened with: it asks at each handshake which one is in force now."""
        tls = self.found.tls
        if tls is None:
            return None
        context = read_web_config(self.path).context
        assert context is not None

        def choose(connection: ssl.SSLSocket | ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
            self.refresh()
            if self.found.context is not None:
                connection.context = self.found.context

        context.sni_callback = choose
        return context


def _where(request: web.Request) -> str:
    """The door that the router chose, so that no spelling of a path gets by; the path where it found none."""
    resource = request.match_info.route.resource
    return request.path if resource is None else resource.canonical


def _stamp(path: Path) -> Stamp:
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _answer(status: int, text: str, **headers: str) -> web.Response:
    return web.Response(status=status, text=text + "\n", headers={"X-Content-Type-Options": "nosniff", **headers})
