"""The hands that write: sends SMS and asks after them, beside the worker, whom nothing of it can hold up.

Whatever it knows is in the database, so that a restart goes on where it was. Each SMS is written down before it is
requested; one whose answer was lost is looked up before it is requested again, and then once at most.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import datetime, timedelta

from bridge.accounts import Account, Accounts
from bridge.clock import Clock
from bridge.dispatch import HeldBack
from bridge.dispatch.post import Post
from bridge.errors import GatewayError, GatewayUnavailable, StoreUnavailable
from bridge.gateway import OutboundRow, Request, another_may
from bridge.logs import fields
from bridge.sms import FINAL, Sms, SmsState

log = logging.getLogger(__name__)

PAUSE = timedelta(seconds=2)
# Requests at once; an SMS takes a fraction of a second.
AT_ONCE = 10
DAY = timedelta(days=1)


AskFirst = Callable[[str, str | None], Awaitable[None]]


class Writer:
    """`accounts` may be replaced at any time (a reload): each SMS uses those it began with.

    `ask_first` asks whether what is late of that which a person is to be told (by an SMS of ours too) still fires.
    """

    def __init__(self, post: Post, accounts: Accounts, clock: Clock) -> None:
        self.accounts = accounts
        self.ask_first: AskFirst | None = None
        self._post = post
        self._clock = clock

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`; requests that are under way then are finished within their own time-out."""
        while not stop.is_set():
            self._post.writing.clear()
            try:
                until = await self.look()
            except StoreUnavailable as error:
                log.error("cannot send SMS now", extra=fields(err=str(error)))
                until = self._clock.now() + PAUSE
            except Exception:
                # A fault of ours must not end it: it is told, and the rest is tried again.
                log.exception("a look at the SMS that are due failed")
                until = self._clock.now() + PAUSE
            await self._clock.wait(until, self._post.writing, stop)

    async def look(self) -> datetime | None:
        """One look at all there is; returns when to look again at the latest."""
        now = self._clock.now()
        held: list[datetime] = []
        await self._all([self._look_after(sms) for sms in await self._post.due(now)], held)
        await self._all([self._write(person, held) for person in await self._post.people_waiting()], held)
        due = await self._post.next_due()
        return min(held if due is None else [due, *held], default=None)

    async def _all(self, works: list[Coroutine[None, None, None]], held: list[datetime]) -> None:
        """Some at a time; what goes wrong with one keeps none of the others, and is tried again after a pause."""
        turns = asyncio.Semaphore(AT_ONCE)

        async def guarded(work: Coroutine[None, None, None]) -> None:
            async with turns:
                try:
                    await work
                except Exception:
                    log.exception("an SMS could not be looked after; it is tried again")
                    await self._clock.wait(self._clock.now() + PAUSE)
                    held.append(self._clock.now())

        async with asyncio.TaskGroup() as tasks:
            for work in works:
                tasks.create_task(guarded(work))

    async def _write(self, person: str, held: list[datetime]) -> None:
        accounts = self.accounts.for_sms()
        if self.ask_first is not None:
            await self.ask_first(person, None)
        begun = await self._post.begin(person, accounts[0].name)
        if isinstance(begun, HeldBack):
            held.append(begun.until)
        elif begun is not None:
            await self._send(begun, accounts)

    async def _send(self, sms: Sms, accounts: Sequence[Account]) -> None:
        """Request it of the first account; where that has sent nothing, the next one is asked at once."""
        for number, account in enumerate(accounts, 1):
            error = await self._request(sms, account)
            if error is None:
                return
            if number == len(accounts) or not another_may(error):
                await self._post.failed(sms.id, error)
                return
            await self._post.not_taken(sms.id, error)
            again = await self._post.begin_again(sms.id, accounts[number].name)
            if again is None:
                return
            sms = again

    async def _request(self, sms: Sms, account: Account) -> GatewayError | None:
        try:
            placed = await account.gateway.send(Request(number=sms.number, text=sms.text, foreign_id=sms.id))
        except GatewayError as error:
            level = logging.WARNING if isinstance(error, GatewayUnavailable) else logging.ERROR
            about = fields(sms=sms.id, gateway=account.name, person=sms.person, reason=error.reason.value)
            log.log(level, "SMS not sent, or nobody knows: %s", error, extra=about)
            return error
        note = "debug: the gateway sends nothing" if placed.debug else ""
        about = fields(sms=sms.id, gateway=account.name, gateway_id=placed.gateway_id, person=sms.person, note=note)
        log.info("SMS sent", extra=about)
        await self._post.sent(sms.id, placed.gateway_id, placed.price, note)
        return None

    async def _look_after(self, sms: Sms) -> None:
        match sms.state:
            case SmsState.QUEUED:
                accounts = self.accounts.for_sms()
                if self.ask_first is not None:
                    await self.ask_first(sms.person, sms.id)
                begun = await self._post.begin_again(sms.id, accounts[0].name)
                if begun is not None:
                    await self._send(begun, accounts)
            case SmsState.SENDING:
                await self._look_up(sms)
            case SmsState.SENT:
                await self._ask_after(sms)
            case SmsState.ENDED:
                return

    async def _look_up(self, sms: Sms) -> None:
        """Was a request taken whose answer never came? Look before trying again."""
        since = sms.requested_at or sms.created_at
        known = await self._post.others_to(sms)
        gateway = self.accounts.of(sms.account).gateway
        try:
            row = await gateway.find_sms(sms.number, sms.text, since, self._clock.now(), foreign_id=sms.id, known=known)
        except GatewayError as error:
            self._cannot_look_up(sms, error)
            await self._post.not_found(sms, sure=False)
            return
        if row is not None:
            await self._post.found(sms.id, row)
        else:
            await self._post.not_found(sms, sure=True)

    async def _ask_after(self, sms: Sms) -> None:
        """No receipt came in time: the gateway's journal may have it."""
        row: OutboundRow | None = None
        try:
            rows = await self._rows(sms)
            row = next((one for one in rows if one.gateway_id == sms.gateway_id), None)
        except GatewayError as error:
            self._cannot_look_up(sms, error)
        if row is not None and row.delivery in FINAL:
            await self._post.found(sms.id, row)
        else:
            await self._post.give_up(sms.id)

    async def _rows(self, sms: Sms) -> tuple[OutboundRow, ...]:
        if sms.gateway_id is None:
            return ()
        since, until = sms.created_at - DAY, self._clock.now() + DAY
        gateway = self.accounts.of(sms.account).gateway
        return await gateway.outbound(number=sms.number, since=since, until=until, gateway_id=sms.gateway_id)

    def _cannot_look_up(self, sms: Sms, error: GatewayError) -> None:
        told = fields(sms=sms.id, reason=error.reason.value, err=str(error))
        log.warning("cannot look up an SMS", extra=told)
