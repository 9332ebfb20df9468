"""The client of sms77/seven: places one call (or sends one SMS) per request, and asks what became of it."""

from __future__ import annotations

import html
import logging
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

import aiohttp

from bridge.errors import GatewayError, GatewayRefused, GatewayUnavailable, GatewayUncertain, Reason
from bridge.gateway.records import (
    harmless,
    read_balance,
    read_hooks,
    read_journal,
    read_outbound,
    read_subscribed,
    read_success,
    read_unsubscribed,
)
from bridge.gateway.replies import Answer, read_placed, read_sent
from bridge.gateway.values import BERLIN, digits, readings
from bridge.gateway.wire import Wire
from bridge.gateway.words import (
    Dialect,
    Hook,
    HookMethod,
    JournalRow,
    Observe,
    Operation,
    OutboundRow,
    Overhear,
    Placed,
    Request,
)

logger = logging.getLogger(__name__)

Read = TypeVar("Read")
Row = TypeVar("Row", JournalRow, OutboundRow)

# The gateway's clock may be off, and its logbook may date a call by when it was set up.
CLOCK_SKEW = timedelta(seconds=90)
JOURNAL_PAGE = 100
JOURNAL_PAGES = 10
# A logbook that cuts long texts off still identifies them by their beginning.
SHORTEST_BEGINNING = 40

# What a request can do without. Not `debug`: without it the phone would ring.
_OPTIONAL = {
    Reason.PARAMETER_UNKNOWN: frozenset({"ringtime", "foreign_id", "json"}),
    Reason.SENDER_INVALID: frozenset({"from"}),
}
_ID = re.compile(r"[A-Za-z0-9_-]+")
# Each part of the journal has its name in the path, or as `type` in the older form.
_VOICE, _OUTBOUND = "voice", "outbound"


@dataclass(frozen=True, slots=True)
class Way:
    """One of the forms in which the eras of the API ask the same thing."""

    method: str
    path: str
    query: Mapping[str, str] | None = None
    form: Mapping[str, str] | None = None


def nothing(operation: Operation, seconds: float, reason: Reason | None) -> None:
    """Observes nothing."""


class Gateway:
    """One account at the gateway; `session` (of `open_session`) is the caller's, who also bounds how many calls run.

    `key` is asked for the API key at each request, `sender` is the caller id (None: one of the gateway's), `ring_time`
    from 5 to 60 s (dialect seven only), `timeout` for one HTTP request. With `debug` the gateway answers and calls
    nobody.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        api_url: str,
        dialect: Dialect,
        key: Callable[[], str],
        sender: str | None,
        ring_time: timedelta,
        timeout: timedelta,
        debug: bool,
        observe: Observe = nothing,
        overhear: Overhear | None = None,
    ) -> None:
        seven = dialect is Dialect.SEVEN
        self._wire = Wire(
            session, api_url=api_url, key=key, timeout=timeout, json=seven, observe=observe, overhear=overhear
        )
        self._seven = seven
        self._sender = digits(sender)
        self._ring_time = ring_time
        self._debug = debug
        self._bare: set[Operation] = set()
        self._newer_journal = seven

    async def place(self, request: Request) -> Placed:
        """Request one call; raises GatewayRefused, GatewayUnavailable (nobody called) or GatewayUncertain (look it up).

        Where the gateway refuses an optional parameter or the caller id, and so called nobody, it is asked once more at
        once without it; that it knows no optional ones is remembered until the program ends.
        """
        form = self._form(request) | ({"xml": "1"} if request.xml else {})
        optional = self._foreign_id(request)
        if self._seven:
            optional["ringtime"] = str(round(self._ring_time.total_seconds()))
        return self._told(await self._accepted(Operation.VOICE, "/voice", read_placed, form, optional))

    async def send(self, request: Request) -> Placed:
        """Send one SMS; raises GatewayRefused, GatewayUnavailable (nothing sent) or GatewayUncertain (look it up).

        `xml` means nothing here. Of an SMS with the same text to the same number a moment ago the gateway says
        DUPLICATE, which is uncertain. What it refuses is left out as with a call.
        """
        form, optional = self._form(request), self._foreign_id(request)
        return self._told(await self._accepted(Operation.SMS, "/sms", read_sent, form, optional))

    def _told(self, placed: Placed) -> Placed:
        if placed.debug and not self._debug:
            logger.error(
                "the gateway called nobody: its answer is that of a sandbox key or of debug mode; put a live key into "
                "gateway.api_key_file"
            )
        return placed

    async def _accepted(
        self,
        operation: Operation,
        path: str,
        read: Callable[[Answer], Placed],
        form: dict[str, str],
        optional: dict[str, str],
    ) -> Placed:
        whole = form if operation in self._bare else form | optional
        return await self._asked(operation, path, read, whole)

    async def _asked(
        self, operation: Operation, path: str, read: Callable[[Answer], Placed], form: dict[str, str]
    ) -> Placed:
        try:
            return await self._wire.exchange(operation, "POST", path, read, form=form)
        except (GatewayRefused, GatewayUnavailable) as error:
            dropped = _OPTIONAL.get(error.reason, frozenset()) & form.keys()
            if not dropped:
                raise
            _log_dropped(error, dropped)
            reason = error.reason
        rest = {name: value for name, value in form.items() if name not in dropped}
        placed = await self._asked(operation, path, read, rest)
        if reason is Reason.PARAMETER_UNKNOWN:
            self._bare.add(operation)
        return placed

    def _form(self, request: Request) -> dict[str, str]:
        number = digits(request.number)
        if number is None:
            raise GatewayRefused(Reason.NUMBER_INVALID, "not a telephone number: correct the person's phone")
        form = {"to": number, "text": request.text.encode("utf-8", "replace").decode()}
        if self._sender:
            form["from"] = self._sender
        if self._debug:
            form["debug"] = "1"
        return form

    def _foreign_id(self, request: Request) -> dict[str, str]:
        """What may be left out: our own id, or in the dialect that has none the wish for an answer in JSON."""
        if not self._seven:
            return {"json": "1"}
        return {"foreign_id": request.foreign_id} if request.foreign_id else {}

    async def find(
        self, number: str, text: str, since: datetime, now: datetime, known: Collection[str] = ()
    ) -> JournalRow | None:
        """The newest journal row of a call whose answer was lost, or None; raises GatewayError.

        It is to the same number, says the same (but for blanks and escapes; a row without text may be any), was created
        not before `since` less ninety seconds, and is none of the `known` gateway ids, those of other calls. A row with
        another text is another call: to take it for ours would leave the phone silent.
        """
        rows = await self.journal(number=number, since=since - CLOCK_SKEW, until=now + CLOCK_SKEW)
        return _ours(rows, text, known)

    async def find_sms(
        self, number: str, text: str, since: datetime, now: datetime, *, foreign_id: str, known: Collection[str] = ()
    ) -> OutboundRow | None:
        """The newest journal row of an SMS whose answer was lost, by our own id where it has one, else as `find`."""
        rows = await self.outbound(number=number, since=since - CLOCK_SKEW, until=now + CLOCK_SKEW)
        named = next((row for row in rows if foreign_id and row.foreign_id == foreign_id), None)
        return named or _ours([row for row in rows if not row.foreign_id], text, known)

    async def journal(
        self, *, number: str | None, since: datetime, until: datetime, gateway_id: str | None = None
    ) -> tuple[JournalRow, ...]:
        """The calls created from `since` to `until`, newest first, at most a thousand; raises GatewayError."""
        return await self._journal(_VOICE, read_journal, number, since, until, gateway_id)

    async def outbound(
        self, *, number: str | None, since: datetime, until: datetime, gateway_id: str | None = None
    ) -> tuple[OutboundRow, ...]:
        """The SMS sent from `since` to `until`, newest first, at most a thousand; raises GatewayError."""
        return await self._journal(_OUTBOUND, read_outbound, number, since, until, gateway_id)

    async def _journal(
        self,
        kind: str,
        read: Callable[[Answer], tuple[tuple[Row, ...], int]],
        number: str | None,
        since: datetime,
        until: datetime,
        gateway_id: str | None,
    ) -> tuple[Row, ...]:
        """Rows of one part of the journal.

        The gateway filters by whole days of its own time zone, and whether a last day is included is not documented; so
        it is asked for all since the day before, and the rest is done here.
        """
        wanted = digits(number)
        query = {"date_from": (since - timedelta(hours=12)).astimezone(BERLIN).date().isoformat()}
        if wanted:
            query["to"] = wanted
        if gateway_id:
            query["id"] = gateway_id
        if self._seven:
            query["limit"] = str(JOURNAL_PAGE)
        rows = [_placed_in_time(row, since, until) for row in await self._journal_since(kind, read, since, query)]
        return tuple(
            row
            for row in rows
            if row is not None
            and (number is None or row.number == wanted)
            and (gateway_id is None or row.gateway_id == gateway_id)
        )

    async def _journal_since(
        self,
        kind: str,
        read: Callable[[Answer], tuple[tuple[Row, ...], int]],
        since: datetime,
        query: Mapping[str, str],
    ) -> list[Row]:
        """Page by page until the rows are older than `since`, the page is not full, or it brings nothing new."""
        rows: dict[str, Row] = {}
        for page in range(JOURNAL_PAGES):
            offset = {"offset": str(page * JOURNAL_PAGE)} if page else {}
            found, sent = await self._journal_page(kind, read, {**query, **offset})
            fresh = {row.gateway_id: row for row in found if row.gateway_id not in rows}
            rows |= fresh
            if sent < JOURNAL_PAGE or not fresh or max(readings(found[-1].at)) < since:
                break
        return sorted(rows.values(), key=lambda row: row.at, reverse=True)

    async def _journal_page(
        self, kind: str, read: Callable[[Answer], tuple[tuple[Row, ...], int]], query: Mapping[str, str]
    ) -> tuple[tuple[Row, ...], int]:
        newer, older = Way("GET", f"/journal/{kind}", query), Way("GET", "/journal", {"type": kind, **query})
        first, second = (newer, older) if self._newer_journal else (older, newer)
        try:
            return await self._ask(Operation.JOURNAL, first, read)
        except (GatewayRefused, GatewayUnavailable) as error:
            if not _of_another_era(error):
                raise
        page = await self._ask(Operation.JOURNAL, second, read)
        self._newer_journal = first is older
        return page

    async def hang_up(self, gateway_id: str) -> bool:
        """End the call; False if it was not in progress (a ringing one cannot be ended) or the dialect knows no way."""
        if not self._seven or not _ID.fullmatch(gateway_id):
            return False
        done, told = await self._ask(Operation.HANG_UP, Way("POST", f"/voice/{gateway_id}/hangup"), read_success)
        if not done:
            logger.info("the gateway did not hang up", extra={"fields": {"call": gateway_id, "told": told}})
        return done

    async def balance(self) -> float:
        """The account's balance in euro; raises GatewayError."""
        return await self._ask(Operation.BALANCE, Way("GET", "/balance"), read_balance)

    async def hooks(self) -> tuple[Hook, ...]:
        """The webhook subscriptions of the account; raises GatewayError."""
        newer, older = Way("GET", "/hooks"), Way("GET", "/hooks", {"action": "read"})
        return await self._ask_hooks(newer, older, read_hooks)

    async def subscribe(
        self, url: str, event: str = "all", method: HookMethod = "POST", headers: Mapping[str, str] | None = None
    ) -> str:
        """Subscribe `url` to `event` and return the subscription's id; raises GatewayError.

        `headers` are sent along with each report; a line break in one is a ValueError. After a lost answer the
        subscription may be there: `hooks` shows it.
        """
        form = {"target_url": url, "event_type": event, "request_method": method}
        if headers:
            form["headers"] = _header_lines(headers)
        older = Way("POST", "/hooks", form={"action": "subscribe", **form})
        return await self._ask_hooks(Way("POST", "/hooks", form=form), older, read_subscribed)

    async def unsubscribe(self, hook_id: str) -> bool:
        """End a subscription; False if the gateway says that there was none; raises GatewayError."""
        newer = Way("DELETE", "/hooks", {"id": hook_id})
        older = Way("POST", "/hooks", form={"action": "unsubscribe", "id": hook_id})
        return await self._ask_hooks(newer, older, read_unsubscribed)

    async def _ask_hooks(self, newer: Way, older: Way, read: Callable[[Answer], Read]) -> Read:
        first, second = (newer, older) if self._seven else (older, newer)
        try:
            return await self._ask(Operation.HOOKS, first, read)
        except (GatewayRefused, GatewayUnavailable) as error:
            if not _of_another_era(error):
                raise
        return await self._ask(Operation.HOOKS, second, read)

    async def _ask(self, operation: Operation, way: Way, read: Callable[[Answer], Read]) -> Read:
        try:
            return await self._wire.exchange(operation, way.method, way.path, read, form=way.form, query=way.query)
        except GatewayUncertain as error:
            raise harmless(error) from None


def _header_lines(headers: Mapping[str, str]) -> str:
    lines = [f"{name}: {value}" for name, value in headers.items()]
    if not all(line.isprintable() for line in lines):
        raise ValueError("a header of a subscription has a line break or a control character")
    return "\n".join(lines)


def _log_dropped(error: GatewayError, dropped: Collection[str]) -> None:
    fields = {"code": error.code, "dropped": ",".join(sorted(dropped))}
    if error.reason is Reason.SENDER_INVALID:
        logger.error("the gateway refused the caller id, asking without: verify gateway.from", extra={"fields": fields})
    else:
        logger.warning("the gateway knows fewer parameters, asking without them", extra={"fields": fields})


def _of_another_era(error: GatewayError) -> bool:
    """Whether the gateway did not understand the question, rather than answer it with a no."""
    return error.reason is Reason.PARAMETER_UNKNOWN or (
        error.code is None and error.reason in (Reason.GATEWAY_ERROR, Reason.UNREADABLE)
    )


def _ours(rows: Sequence[Row], text: str, known: Collection[str]) -> Row | None:
    """The newest row with that text, else the newest without any; none of the `known` ids."""
    candidates = [row for row in rows if row.gateway_id not in known]
    same = [row for row in candidates if _same_text(row.text, text)]
    return next(iter(same + [row for row in candidates if not row.text]), None)


def _placed_in_time(row: Row, since: datetime, until: datetime) -> Row | None:
    """The row with the first reading of its time that lies in the span, or None."""
    return next((replace(row, at=at) for at in readings(row.at) if since <= at <= until), None)


def _same_text(logged: str, sent: str) -> bool:
    logged, sent = _squeezed(logged), _squeezed(sent)
    return logged == sent or (len(logged) >= SHORTEST_BEGINNING and sent.startswith(logged))


def _squeezed(text: str) -> str:
    return " ".join(html.unescape(text).split())
