"""The doors that strangers knock at, and those of the people who run it."""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from http import HTTPStatus

from aiohttp import web
from aiohttp.http_exceptions import PayloadEncodingError

from bridge.alert import Source, check_body
from bridge.call import Report, signed_call
from bridge.clock import Clock
from bridge.config import Config, Secret
from bridge.database import Database
from bridge.dispatch import Dispatch, Door, Message
from bridge.errors import CallbridgeError, NotAWebhook, StoreUnavailable
from bridge.gateway import Ignored, Keypress, read_reports
from bridge.logs import fields
from bridge.metrics import Metrics
from bridge.rota import Rota
from bridge.server.asking import asks, question
from bridge.server.signatures import (
    GRAFANA_SIGNATURE,
    GRAFANA_TIMESTAMP,
    WINDOW,
    Nonces,
    Signed,
    signed_by_grafana,
    signed_report,
)
from bridge.sms import Receipt
from bridge.store.reading import counts

log = logging.getLogger(__name__)

BODY_LIMIT = 10 * 1024 * 1024
SCHEMES = ("bearer",)
POST = ("POST",)
POST_OR_PUT = ("POST", "PUT")
POST_OR_GET = ("POST", "GET")
# Seconds. A scrape must be answered while the database hangs: that is when its figures are wanted most.
GAUGES_WITHIN = 2.0


@dataclass
class Doors:
    """What the doors need. `config` is replaced as one at a reload; `ready` says whether work can be taken.

    `external_url` is where others reach this server, `route_prefix` what precedes the paths that arrive here.
    """

    config: Config
    dispatch: Dispatch
    database: Database
    metrics: Metrics
    clock: Clock
    rota: Rota
    reload: Callable[[], Awaitable[None]]
    link_secret: Callable[[], str]
    started_at: datetime
    ready: bool = False
    external_url: str = ""
    route_prefix: str = ""
    nonces: Nonces = field(default_factory=Nonces)


DOORS = web.AppKey("doors", Doors)


def door_routes() -> list[web.RouteDef]:
    """Every door; those for alerts stand with and without a trailing slash, for a redirect would lose alerts.

    Webhook doors take every method, so that what they turn away is counted too.
    """
    return [
        web.route("*", "/webhook/alertmanager", alertmanager),
        web.route("*", "/webhook/alertmanager/", alertmanager),
        web.route("*", "/webhook/grafana", grafana),
        web.route("*", "/webhook/grafana/", grafana),
        web.route("*", "/webhook/sms77/{token}", sms77),
        web.route("*", "/webhook/keypress/{token}", keypress),
        web.get("/metrics", metrics),
        web.get("/-/healthy", healthy),
        web.get("/-/ready", ready),
        web.post("/-/reload", reload),
        web.put("/-/reload", reload),
    ]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a door says: a status and one short line; `last`: nothing more can be read on this connection."""

    status: int
    text: str
    allow: tuple[str, ...] = ()
    challenge: str = "Bearer"
    last: bool = False

    def response(self) -> web.Response:
        headers = {"X-Content-Type-Options": "nosniff"}
        if self.status == HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = self.challenge
        if self.allow:
            headers["Allow"] = ", ".join(self.allow)
        response = web.Response(status=self.status, text=self.text + "\n", headers=headers)
        if self.last:
            response.force_close()
        return response


OK = Answer(200, "OK")


async def alertmanager(request: web.Request) -> web.Response:
    """Alertmanager's webhook: 200 only once it is durable; 4xx only for what can never become one."""
    return await _counted(request, "alertmanager", _alertmanager, POST)


async def _alertmanager(request: web.Request, doors: Doors) -> Answer:
    denied = _denied(request, doors.config.webhooks.alertmanager, "webhooks.alertmanager")
    if denied is not None:
        return denied
    body = await request.read()
    check_body(body)
    return await _keep(doors, Message(Door.ALERTMANAGER, doors.clock.now(), body))


async def grafana(request: web.Request) -> web.Response:
    """Grafana Alerting's webhook: the same promise, and its own way to say who it is."""
    return await _counted(request, "grafana", _grafana, POST_OR_PUT)


async def _grafana(request: web.Request, doors: Doors) -> Answer:
    webhooks = doors.config.webhooks
    if webhooks.grafana is None:
        # Were it open beside a locked Alertmanager's, any stranger could ring people by this door instead.
        denied = _denied(request, webhooks.alertmanager, "webhooks.alertmanager")
        if denied is not None:
            return denied
    body = await request.read()
    if webhooks.grafana is not None:
        signed = signed_by_grafana(webhooks.grafana.read(), request.headers, body, doors.clock.now())
        if signed is None or not signed.fresh:
            return Answer(401, NOT_BY_GRAFANA if signed is None else _stale(signed), challenge=GRAFANA_SIGNATURE)
    check_body(body, Source.GRAFANA)
    return await _keep(doors, Message(Door.GRAFANA, doors.clock.now(), body))


NOT_BY_GRAFANA = (
    f"wrong or no {GRAFANA_SIGNATURE}: give the contact point the content of webhooks.grafana.hmac_secret_file as its"
    f" HMAC secret; if it sends a timestamp, by the header {GRAFANA_TIMESTAMP}"
)


def _stale(signed: Signed) -> str:
    """Refused like a wrong one: Grafana repeats nothing by itself, and signs its next notification anew."""
    off = f"{abs(signed.age):.0f} s {'ago' if signed.age > 0 else 'ahead of our clock'}"
    return f"rightly signed, but {off}: a replay, or one of the two clocks is wrong"


async def sms77(request: web.Request) -> web.Response:
    """What the gateway reports of calls; anything it may send is kept, and answered before it is understood."""
    return await _counted(request, "sms77", _sms77, POST_OR_GET)


async def _sms77(request: web.Request, doors: Doors) -> Answer:
    secret = doors.config.webhooks.report_token
    # Without a token of its own the door is shut: a stranger's report could end a call, or take an incident.
    if secret is None or not _same(request.match_info["token"], secret.read()):
        return Answer(404, "not found")
    body = await request.read()
    key = doors.config.webhooks.signing_key
    signed = None if key is None else _signature(request, doors, key.read(), body)
    if key is not None and signed is None:
        return Answer(401, NOT_SIGNED, challenge="X-Signature")
    meta = {"content_type": request.headers.get("Content-Type", ""), "query": request.rel_url.raw_query_string}
    told = read_reports(content_type=meta["content_type"], query=meta["query"], body=body)
    message = Message(Door.SMS77, doors.clock.now(), body, meta)
    if signed is None:
        return await _keep(doors, message)
    return await (_keep_once(doors, message, signed) if signed.fresh else _keep_late(doors, message, signed, told))


NOT_SIGNED = (
    "wrong or no signature: put the account's signing key into webhooks.sms77.signing_key_file, and start with"
    " --web.external-url as the gateway knows this address"
)


def _signature(request: web.Request, doors: Doors, key: str, body: bytes) -> Signed | None:
    """What the signature says, over the address as the gateway knows it; None where there is no right one.

    Without --web.external-url the sender's `Host` stands for it: only the gateway can have signed whatever it says.
    """
    path, now = request.raw_path, doors.clock.now()
    outside = doors.external_url
    if outside:
        bases = [outside + path.removeprefix(doors.route_prefix)]
    else:
        bases = [f"{scheme}://{request.host}{path}" for scheme in ("https", "http")]
    found = [signed_report(key, request.headers, request.method, url, body, now) for url in bases]
    return next((one for one in found if one is not None), None)


async def _keep_once(doors: Doors, message: Message, signed: Signed) -> Answer:
    """A nonce that came before is refused, once what it came with is on the disk: nothing is lost by it."""
    if doors.nonces.seen(signed.nonce, message.received_at):
        return Answer(401, "this very report was taken before: its X-Nonce is known", challenge="X-Signature")
    with doors.nonces.keeping(signed.nonce, message.received_at):
        # Kept with it: what takes an incident does so once, whichever process it comes to, before a restart or after.
        return await _keep(doors, replace(message, meta={**message.meta, "nonce": signed.mark}))


async def _keep_late(doors: Doors, message: Message, signed: Signed, told: Sequence[object]) -> Answer:
    """Signed by the gateway, but not now: a retry of days, a replay, or one of two clocks is wrong.

    What became of a call is taken whenever it comes, for it says nothing new the second time, and to refuse it would
    lose it for good. So is a key of a named call (the digest lets it count once). An SMS could take any later call to
    its sender: that one is refused; signed ahead of our clock it may come again, for then time heals.
    """
    log.warning(
        "a report is signed outside the window; if this goes on, set this machine's clock",
        extra=fields(seconds_late=round(signed.age), window=round(WINDOW.total_seconds())),
    )
    if all(_harmless_late(one) for one in told):
        return await _keep(doors, replace(message, meta={**message.meta, "late": "yes"}))
    if signed.age < 0:
        return Answer(503, "signed in the future, come again")
    return Answer(401, "signed too long ago to take an incident by it", challenge="X-Signature")


def _harmless_late(told: object) -> bool:
    if isinstance(told, Keypress):
        return bool(told.gateway_id or told.foreign_id)
    return isinstance(told, Report | Receipt | Ignored)


async def keypress(request: web.Request) -> web.Response:
    """The signed link of one call or SMS: whoever has it takes what that told; that of an SMS asks first."""
    if asks(request) and signed_call(request.app[DOORS].link_secret(), request.match_info["token"]) is not None:
        return question()
    return await _counted(request, "keypress", _keypress, POST_OR_GET)


async def _keypress(request: web.Request, doors: Doors) -> Answer:
    call = signed_call(doors.link_secret(), request.match_info["token"])
    if call is None:
        return Answer(404, "not found")
    return await _keep(doors, Message(Door.KEYPRESS, doors.clock.now(), call.encode()))


async def _keep(doors: Doors, message: Message) -> Answer:
    if not doors.ready:
        # Nobody commits any more: to wait for it would end in a cut connection instead of an answer.
        raise StoreUnavailable("starting or stopping")
    await doors.dispatch.submit(message)
    return OK


Opening = Callable[[web.Request, Doors], Awaitable[Answer]]


async def _counted(request: web.Request, source: str, door: Opening, methods: tuple[str, ...]) -> web.Response:
    """Open `door`, turn what it raises into an answer, and count both."""
    doors = request.app[DOORS]
    started = time.perf_counter()
    if request.method in methods:
        answer = await _opened(request, source, door)
    else:
        answer = Answer(405, f"send {' or '.join(methods)}", methods)
    if answer.status not in (200, 503):
        log.warning(
            "turned away", extra=fields(source=source, code=answer.status, why=answer.text, sender=request.remote)
        )
    doors.metrics.webhooks_total.labels(source, str(answer.status)).inc()
    doors.metrics.webhook_duration_seconds.labels(source).observe(time.perf_counter() - started)
    return answer.response()


async def _opened(request: web.Request, source: str, door: Opening) -> Answer:
    try:
        return await door(request, request.app[DOORS])
    except NotAWebhook as error:
        return Answer(400, _line(str(error)))
    except web.HTTPRequestEntityTooLarge:
        return Answer(413, f"the body is larger than {BODY_LIMIT} bytes")
    except (web.RequestPayloadError, PayloadEncodingError, ConnectionError):
        return Answer(400, "the body was cut off, or is not encoded as its headers say", last=True)
    except StoreUnavailable as error:
        log.error("a message could not be kept", extra=fields(source=source, err=str(error)))
        return Answer(503, "cannot store it now, come again")
    except CallbridgeError as error:
        # A secret that cannot be read: nobody can be let in, and nothing may be lost for it.
        log.error("a door is shut", extra=fields(source=source, err=str(error)))
        return Answer(503, "cannot check credentials now, come again")
    except Exception:
        # A fault of our own: the sender keeps the message and comes again, until it is mended.
        log.exception("a door is broken", extra=fields(source=source))
        return Answer(503, "cannot take it now, come again")


def _denied(request: web.Request, secret: Secret | None, where: str) -> Answer | None:
    """401 unless the request carries `Authorization: Bearer <secret>`; None where it may come in."""
    if secret is None:
        return None
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() in SCHEMES and _same(credentials.strip(), secret.read()):
        return None
    return Answer(
        401, f"wrong or no credentials: send Authorization: Bearer with the content of {where}.credentials_file"
    )


def _same(given: str, secret: str) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), secret.encode())


def _line(text: str) -> str:
    """One short line, whatever a stranger's body made of the error."""
    return " ".join(text.split())[:300]


# --- for those who run it


async def metrics(request: web.Request) -> web.Response:
    """Prometheus text or OpenMetrics, as `Accept` asks for."""
    doors = request.app[DOORS]
    try:
        async with asyncio.timeout(GAUGES_WITHIN):
            await _gauges(doors)
    except (StoreUnavailable, TimeoutError) as error:
        why = str(error) or f"no answer within {GAUGES_WITHIN:g} s"
        log.error("gauges are stale: the database cannot be read", extra=fields(err=why))
    except Exception:
        # A fault of our own in one gauge must not hide all that is counted.
        log.exception("gauges are stale")
    body, content_type = doors.metrics.exposition(request.headers.get("Accept", ""))
    return web.Response(body=body, headers={"Content-Type": content_type})


async def _gauges(doors: Doors) -> None:
    found = await doors.database.read(counts)
    shown, now = doors.metrics, doors.clock.now()
    for state in ("triggered", "acknowledged", "exhausted", "resolved"):
        shown.incidents.labels(state).set(found.incidents.get(state, 0))
    shown.calls_in_progress.set(found.calls_in_progress)
    shown.budget_spent_euros.set(await doors.dispatch.spent_today())
    seen = await doors.dispatch.watchdogs_seen()
    shown.watchdog_last_seen_timestamp_seconds.clear()
    for name, at in seen.items():
        shown.watchdog_last_seen_timestamp_seconds.labels(name).set(0 if at is None else at.timestamp())
    shown.inbox_waiting.set(found.inbox_waiting)
    overdue = 0.0 if found.oldest_due is None else (now - found.oldest_due).total_seconds()
    shown.oldest_due_seconds.set(max(overdue, 0.0))
    world = doors.dispatch.world
    for schedule in doors.config.schedules:
        shown.oncall_people.labels(schedule).set(len(world.roster.on_call(schedule, now)))


async def healthy(_request: web.Request) -> web.Response:
    """The process is alive."""
    return web.Response(text="OK\n")


async def ready(request: web.Request) -> web.Response:
    """Work can be taken: started, not stopping, and the database takes it."""
    doors = request.app[DOORS]
    if not doors.ready:
        return Answer(503, "starting or stopping").response()
    if doors.database.failing:
        try:
            await doors.database.probe()
        except StoreUnavailable as error:
            return Answer(503, _line(f"no database: {error}")).response()
    return OK.response()


async def reload(request: web.Request) -> web.Response:
    """Read the config again: 200, or 500 with everything that is wrong, and the old one stays in force."""
    try:
        await request.app[DOORS].reload()
    except CallbridgeError as error:
        return web.Response(status=500, text=f"failed to reload config: {error}\n")
    return web.Response()
