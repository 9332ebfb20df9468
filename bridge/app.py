"""The composition root: builds everything from a Config and runs it until it is told to stop.

A reload builds the whole new world first, then swaps references; shutdown is bounded.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from aiohttp import web
from prometheus_client import CollectorRegistry

from bridge import config
from bridge.access import Access, WebConfig, exposed, refuse_strangers
from bridge.accounts import Account, Accounts, open_gateway
from bridge.call import sign
from bridge.clock import Clock, SystemClock
from bridge.config import Config, Webhooks
from bridge.database import Database
from bridge.dispatch import Dispatch
from bridge.dispatch.post import Post
from bridge.dispatch.world import world_of
from bridge.errors import CallbridgeError, Reason
from bridge.gateway import Operation, open_session
from bridge.heartbeat import Heartbeat
from bridge.inquiry import Inquiry
from bridge.logs import conceal, fields
from bridge.metrics import Expected, Metrics
from bridge.rota import Rota, called_by_policies
from bridge.server import HTTP_LOG, KEPT_OPEN, Bounds, Crowd, Doors, make_application
from bridge.web import Live, Site, add_pages
from bridge.worker import Worker
from bridge.writer import Writer

log = logging.getLogger(__name__)

# How long requests that are under way may take to end once we are told to stop.
SHUTDOWN = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says; `listen` as host:port, `external_url` is where others reach this server.

    `web_config` is the file of TLS and passwords; without passwords only loopback is listened on, unless
    `allow_unauthenticated`.
    """

    config: Path
    listen: Sequence[str] = ("127.0.0.1:10077",)
    external_url: str = ""
    route_prefix: str = ""
    web_config: Path | None = None
    allow_unauthenticated: bool = False


@dataclass
class App:
    """Everything that runs, as long as it runs.

    `addresses` are the base URLs it listens on, `patience` is how long requests to the gateway may take to end,
    `bounds` what one connection may take, and all of them.
    """

    options: Options
    clock: Clock = field(default_factory=SystemClock)
    load: Callable[[Path], Config] = config.load
    patience: timedelta = SHUTDOWN
    bounds: Bounds = field(default_factory=Bounds)
    addresses: list[str] = field(default_factory=list)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    started: asyncio.Event = field(default_factory=asyncio.Event)
    reloading: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self) -> None:
        """Serve until `stop` is set. Raises CallbridgeError (ConfigError) where it cannot start."""
        loaded = self.load(self.options.config)
        self._conceal(loaded)
        self._open(loaded)
        self.metrics = Metrics(CollectorRegistry())
        self._in_force(loaded)
        self.database = Database(loaded.storage.url)
        try:
            await self.database.start()
            async with open_session() as session:
                self._session = session
                await self._serve(loaded)
        finally:
            await self.database.close()
            log.info("stopped")

    async def _serve(self, loaded: Config) -> None:
        self.dispatch = Dispatch(self.database, world_of(loaded, self._link), self.metrics, self.clock)
        self.rota = Rota(
            database=self.database,
            dispatch=self.dispatch,
            metrics=self.metrics,
            clock=self.clock,
            session=self._session,
        )
        await self.rota.start(loaded)
        accounts = self._accounts(loaded)
        self.worker = Worker(self.dispatch, accounts, self.metrics, self.clock)
        self.writer = Writer(Post(self.dispatch, self.database), accounts, self.clock)
        self.inquiry = self.worker.doubts = Inquiry(
            dispatch=self.dispatch,
            database=self.database,
            metrics=self.metrics,
            clock=self.clock,
            session=self._session,
        )
        self.writer.ask_first = self.inquiry.ask_first
        self.inquiry.adopt(loaded)
        self.heartbeat = Heartbeat(
            dispatch=self.dispatch,
            database=self.database,
            metrics=self.metrics,
            clock=self.clock,
            session=self._session,
            last_pass=lambda: self.worker.last_pass,
            accounts=lambda: self.worker.accounts,
        )
        self.heartbeat.adopt(loaded)
        self.doors = Doors(
            config=loaded,
            dispatch=self.dispatch,
            database=self.database,
            metrics=self.metrics,
            clock=self.clock,
            rota=self.rota,
            reload=self.reload,
            link_secret=self._link_secret,
            started_at=self.clock.now(),
            external_url=self.options.external_url.rstrip("/"),
            route_prefix=self.options.route_prefix,
        )
        self.live = Live(self.database, self.dispatch, self.clock)
        # The addresses are bound before any work begins: a second callbridge that cannot listen must not call anybody.
        async with AsyncExitStack() as doors:
            await doors.enter_async_context(self._listening())
            await self._flow(doors)

    async def _flow(self, doors: AsyncExitStack) -> None:
        """Let the river flow until `stop`; then nobody is let in, what came in is kept, and the work ends."""
        halt = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.dispatch.inbox.run(halt, self.clock))
            tasks.create_task(self.dispatch.run(halt))
            work = tasks.create_task(self.worker.run(halt))
            writing = tasks.create_task(self.writer.run(halt))
            calendars = tasks.create_task(self.rota.run())
            asking = tasks.create_task(self.inquiry.run(halt))
            beating = tasks.create_task(self.heartbeat.run(halt))
            tasks.create_task(self.live.run(halt))
            tasks.create_task(self.database.listen(self._heard, halt))
            self.doors.ready = True
            self.started.set()
            await self.stop.wait()
            log.info("stopping")
            self.doors.ready = False
            await doors.aclose()
            halt.set()
            calendars.cancel()
            asking.cancel()
            beating.cancel()
            tasks.create_task(self._bound(work, writing))

    def _heard(self, word: str) -> None:
        """Another process on the same database says something, or (no word) it is time to look for ourselves."""
        self.dispatch.heard(word)
        self.rota.heard(word)

    async def _bound(self, *works: asyncio.Task[None]) -> None:
        """Whatever is under way at the gateway may end; what does not end in time is looked up after the next start."""
        _, late = await asyncio.wait(works, timeout=self.patience.total_seconds())
        for task in late:
            log.warning("requests to the gateway were cut off; they are looked up after the next start")
            task.cancel()

    def _open(self, loaded: Config) -> None:
        """Read the web config; see that nobody gets in from elsewhere without credentials. Raises CallbridgeError."""
        listen, file = self.options.listen, self.options.web_config
        first = exposed([parse_address(one)[0] for one in listen])
        self.reachable = "" if first is None or self.options.allow_unauthenticated else listen[first]
        self.webhooks = loaded.webhooks
        self.access = Access(file, lambda found: self._approve(self.webhooks, found)) if file else None
        if self.access is None:
            self._approve(loaded.webhooks, None)

    def _approve(self, webhooks: Webhooks, found: WebConfig | None) -> None:
        if self.reachable:
            refuse_strangers(self.reachable, webhooks=webhooks.alertmanager is not None, found=found)

    @asynccontextmanager
    async def _listening(self) -> AsyncIterator[None]:
        application = make_application(self.doors, self.options.route_prefix)
        add_pages(application, self._site())
        # Without a web config there is no middleware at all: the webhook's way is no longer for it.
        if self.access is not None:
            self.access.guard(application, self.options.route_prefix)
        runner = web.AppRunner(
            application,
            access_log=None,
            logger=HTTP_LOG,
            shutdown_timeout=5,
            handle_signals=False,
            keepalive_timeout=KEPT_OPEN,
        )
        await runner.setup()
        assert runner.server is not None
        crowd, servers = Crowd(runner.server, self.bounds), list[asyncio.Server]()
        context = self.access.context if self.access is not None else None
        try:
            for address in self.options.listen:
                host, port = parse_address(address)
                try:
                    servers.append(await crowd.listen(host, port, context))
                except (OSError, UnicodeError) as error:
                    raise CallbridgeError(f"--web.listen-address={address}: {_why(error)}") from None
            for bound in [opened.getsockname() for server in servers for opened in server.sockets]:
                name = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
                self.addresses.append(
                    f"{'https' if context else 'http'}://{name}:{bound[1]}{self.options.route_prefix}"
                )
                log.info("Listening on", extra=fields(address=f"{name}:{bound[1]}"))
            log.info("TLS is enabled." if context else "TLS is disabled.", extra=fields(http2=False))
            yield
        finally:
            for server in servers:
                server.close()
            await runner.cleanup()
            crowd.close()

    def _site(self) -> Site:
        access, doors = self.access, self.doors
        return Site(
            config=lambda: doors.config,
            ready=lambda: doors.ready,
            dispatch=self.dispatch,
            database=self.database,
            metrics=self.metrics,
            clock=self.clock,
            rota=self.rota,
            live=self.live,
            visitor=access.visitor if access is not None else lambda _request: None,
            secret=self._link_secret,
            started_at=doors.started_at,
            external_url=doors.external_url,
            route_prefix=doors.route_prefix,
        )

    # --- the world

    async def reload(self) -> None:
        """Read the file again and swap to it at once, or leave everything as it is. Raises CallbridgeError."""
        # One at a time: of two, the one that read the older file must not come last.
        async with self.reloading:
            await self._reload()

    async def _reload(self) -> None:
        try:
            loaded = await asyncio.to_thread(self.load, self.options.config)
            self._approve(loaded.webhooks, self.access.found if self.access is not None else None)
            if loaded.storage.url != self.doors.config.storage.url:
                log.warning("storage.url is only read at start: the change takes effect after a restart")
            world = world_of(loaded, self._link)
            prepared = await self.rota.prepare(loaded)
        except CallbridgeError as error:
            self.metrics.config_refused()
            log.error("the config was not reloaded, the old one stays in force", extra=fields(err=str(error)))
            raise
        except Exception as error:
            # A fault of our own in reading a file is no reason to stop calling people.
            self.metrics.config_refused()
            log.exception("the config was not reloaded, the old one stays in force")
            raise CallbridgeError(f"a fault of callbridge itself: {type(error).__name__}, see the log") from None
        self._conceal(loaded)
        self.webhooks = loaded.webhooks
        self.worker.accounts.retire()
        accounts = self._accounts(loaded)
        self.doors.config, self.dispatch.world, self.worker.accounts = loaded, world, accounts
        self.writer.accounts = accounts
        self.rota.adopt(prepared)
        self.inquiry.adopt(loaded)
        self.heartbeat.adopt(loaded)
        self._in_force(loaded)
        self.dispatch.work.set()
        self.dispatch.writing.set()
        log.info("config reloaded", extra=fields(file=self.options.config))

    def _in_force(self, loaded: Config) -> None:
        self.metrics.config_in_force(loaded.hash, self.clock.now())
        self.metrics.expect(_expected(loaded))
        for warning in loaded.warnings:
            log.warning("%s", warning)
        if loaded.webhooks.signing_key is not None and not self.options.external_url:
            log.warning(
                "webhooks.sms77.signing_key_file: what is signed is the address that the gateway knows, here taken from"
                " the Host of each report; behind a proxy that changes it, start with --web.external-url"
            )

    def _accounts(self, loaded: Config) -> Accounts:
        opened = [Account(one, open_gateway(self._session, one, self._observe)) for one in loaded.gateways]
        return Accounts(opened, self.metrics, self.clock, self.dispatch.work.set)

    def _observe(self, operation: Operation, seconds: float, reason: Reason | None) -> None:
        self.metrics.gateway_requests_total.labels(operation.value).inc()
        self.metrics.gateway_request_duration_seconds.labels(operation.value).observe(seconds)
        if reason is not None:
            self.metrics.gateway_requests_failed_total.labels(operation.value, reason.value).inc()

    def _link(self, call: str) -> str:
        """The signed link that acknowledges a call; none where nobody outside could reach it."""
        if not self.options.external_url:
            return ""
        try:
            token = sign(self._link_secret(), call)
        except CallbridgeError:
            return ""
        return f"{self.options.external_url.rstrip('/')}/webhook/keypress/{token}"

    def _link_secret(self) -> str:
        """What signs links: the report token, or the gateway's key; both survive a restart."""
        webhooks = self.doors.config.webhooks
        secret = webhooks.report_token or self.doors.config.gateway.api_key
        if secret is None:
            raise CallbridgeError(
                "webhooks.sms77.token_file: there is none in the config; without it no link is signed"
            )
        return secret.read()

    def _conceal(self, loaded: Config) -> None:
        webhooks = loaded.webhooks
        for secret in (
            *(one.api_key for one in loaded.gateways),
            webhooks.alertmanager,
            webhooks.grafana,
            webhooks.report_token,
            webhooks.signing_key,
        ):
            if secret is None:
                continue
            try:
                conceal(secret.read())
            except CallbridgeError as error:
                log.warning("%s", error)


def _expected(loaded: Config) -> Expected:
    called = called_by_policies(loaded)
    return Expected(
        policies=loaded.policies,
        schedules={name: name in called for name in loaded.schedules},
        watchdogs={one.name: one.every.total_seconds() for one in loaded.watchdogs},
        min_balance=loaded.gateway.min_balance,
        reports=all(one.reports != "poll" for one in loaded.gateways),
    )


def _why(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)


def parse_address(address: str) -> tuple[str, int]:
    """`host:port`, `:port` or `[::1]:port`. Raises CallbridgeError that says what would be right."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port[:6]) > 65535:
        raise CallbridgeError(f"--web.listen-address={address}: write host:port, such as 127.0.0.1:10077")
    return host.removeprefix("[").removesuffix("]"), int(port)
