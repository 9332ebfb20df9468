"""What the page needs, who visits it, and how each answer leaves: its headers, and a page for what went wrong.

Who has no credentials reads, with every number masked, and changes nothing. Credentials are those of
--web.config.file: behind it nobody comes this far without.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from aiohttp import web

from bridge.clock import Clock
from bridge.config import Config
from bridge.database import Database
from bridge.dispatch import Dispatch
from bridge.errors import CallbridgeError, StoreUnavailable
from bridge.logs import fields
from bridge.metrics import Metrics
from bridge.origin import SAFE_METHODS, for_another_site
from bridge.rota import Rota
from bridge.web.looks import render
from bridge.web.tokens import token_fits, token_of

if TYPE_CHECKING:
    from bridge.web.live import Live

log = logging.getLogger(__name__)

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "media-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not `no-referrer`: browsers would then hide from us, too, where a form comes from.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
# Who of the people of the config sits at this browser: chosen once, where the login is nobody's key.
ME = "callbridge_me"
A_YEAR = 365 * 24 * 3600
LONGEST_FORM = 1 << 20


class Problem(Exception):
    """What went wrong, in words for whoever looks at the page; `status` is the answer's."""

    status = 400


class NotFound(Problem):
    """There is nothing of that name."""

    status = 404


class Forbidden(Problem):
    """This visitor may not do that."""

    status = 403


@dataclass(frozen=True, slots=True)
class Site:
    """What the page needs.

    `visitor` names who came in with credentials, None where nobody needs any; `secret` signs forms; `external_url` is
    where others reach this server, `route_prefix` what precedes the paths that arrive here.
    """

    config: Callable[[], Config]
    ready: Callable[[], bool]
    dispatch: Dispatch
    database: Database
    metrics: Metrics
    clock: Clock
    rota: Rota
    live: Live
    visitor: Callable[[web.Request], str | None]
    secret: Callable[[], str]
    started_at: datetime
    external_url: str = ""
    route_prefix: str = ""
    own_secret: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    # One at a time: it costs a core, and anybody may ask for it.
    voice: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1), repr=False)

    @property
    def base(self) -> str:
        """What precedes every path in a link: as others see it."""
        return urlsplit(self.external_url).path.rstrip("/") if self.external_url else self.route_prefix

    def signing(self) -> str:
        """What signs forms: what other processes have too, or else one of this process."""
        try:
            return self.secret()
        except CallbridgeError:
            return self.own_secret


SITE = web.AppKey("site", Site)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks at the page. `login`: the name they came in with; `person`: their key in people, if that is known."""

    may_act: bool
    login: str = ""
    person: str = ""

    @property
    def name(self) -> str:
        """As whom they act."""
        return self.person or self.login

    @property
    def remark(self) -> str:
        """What the story says beside a name that was chosen, not proven."""
        return f"signed in as {self.login}" if self.person and self.login and self.person != self.login else ""


@dataclass(frozen=True, slots=True)
class Visit:
    """One request for a page, at `now`."""

    request: web.Request
    site: Site
    visitor: Visitor
    now: datetime

    @property
    def config(self) -> Config:
        return self.site.config()

    async def page(self, template: str, shown: Mapping[str, object], status: int = 200) -> web.Response:
        """A page of what is `shown`."""
        site, config = self.site, self.config
        known = {
            "base": site.base,
            "visitor": self.visitor,
            "people": config.people,
            "token": self.token,
            "path": self.request.path.removeprefix(site.route_prefix) or "/",
        }
        # In a thread: a page of a hundred incidents must not hold up a webhook.
        text = await asyncio.to_thread(render, template, config.timezone, self.now, known | dict(shown))
        return web.Response(text=text, status=status, content_type="text/html", charset="utf-8", headers=HEADERS)

    @property
    def token(self) -> str:
        """What this visitor's forms carry; nothing for who may not act."""
        visitor = self.visitor
        return token_of(self.site.signing(), visitor.login, self.now) if visitor.may_act else ""

    def away(self, path: str) -> web.Response:
        """The answer that leads to another page, `path` below the base, once something is done."""
        return web.Response(status=303, headers={**HEADERS, "Location": self.site.base + path})

    def remember(self, response: web.Response, person: str) -> None:
        """Let this browser say who sits at it."""
        secure = self.request.secure or self.site.external_url.startswith("https:")
        path = (self.site.base or "") + "/"
        response.set_cookie(
            ME, quote(person), max_age=A_YEAR, path=path, httponly=True, samesite="Strict", secure=secure
        )

    async def form(self) -> dict[str, str]:
        """What was filled in. Raises Forbidden unless a visitor with credentials sent it from our own page."""
        if not self.visitor.may_act:
            raise Forbidden(
                "Without credentials nothing can be changed here. Start callbridge with --web.config.file and name"
                " basic_auth_users in that file."
            )
        if for_another_site(self.request.method, self.request.headers) or not self._from_here():
            raise Forbidden("A page of another site may not act here.")
        if self.request.content_type != "application/x-www-form-urlencoded":
            raise Problem("That is not a form of this page.")
        if (self.request.content_length or 0) > LONGEST_FORM:
            raise Problem("That is more than a form of this page can hold.")
        filled = await self.request.post()
        given = filled.get("token", "")
        if not isinstance(given, str) or not token_fits(given, self.site.signing(), self.visitor.login, self.now):
            raise Forbidden("The page was open for too long, or is not ours. Go back, reload it, and try again.")
        if not self.site.ready():
            raise StoreUnavailable("starting or stopping")
        return {name: value for name, value in filled.items() if isinstance(value, str)}

    def _from_here(self) -> bool:
        origin = self.request.headers.get("Origin")
        if origin is None:
            return True  # the token says it
        outside = urlsplit(self.site.external_url).netloc
        return urlsplit(origin).netloc in {self.request.host, outside} - {""}


View = Callable[[Visit], Awaitable[web.StreamResponse]]


def shown(view: View) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The view as a door: what it raises becomes a page that says what to do."""

    async def door(request: web.Request) -> web.StreamResponse:
        site = request.app[SITE]
        visit = Visit(request, site, _visitor(request, site), site.clock.now())
        try:
            return await view(visit)
        except Problem as problem:
            return await _wrong(visit, problem.status, str(problem))
        except StoreUnavailable as error:
            log.error("a page cannot be shown", extra=fields(path=request.path, err=str(error)))
            return await _wrong(visit, 503, "The database cannot do this now. Try again in a moment.")
        except web.HTTPRequestEntityTooLarge:
            return await _wrong(visit, 413, "That is more than a form of this page can hold.")
        except web.HTTPException:
            raise
        except Exception:
            log.exception("a page is broken", extra=fields(path=request.path))
            return web.Response(status=500, text="callbridge itself is at fault, its log says why\n", headers=HEADERS)

    return door


async def _wrong(visit: Visit, status: int, what: str) -> web.Response:
    if visit.request.method not in SAFE_METHODS:
        log.warning("a form was turned away", extra=fields(path=visit.request.path, code=status, why=what))
    return await visit.page("wrong.html.j2", {"what": what, "status": status}, status)


def _visitor(request: web.Request, site: Site) -> Visitor:
    login = site.visitor(request)
    if login is None:
        return Visitor(may_act=False)
    people = site.config().people
    chosen = unquote(request.cookies.get(ME, ""))
    person = login if login in people else chosen if chosen in people else ""
    return Visitor(True, login, person)
