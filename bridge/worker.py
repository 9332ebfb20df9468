"""The clock's door and the only hands: fires what is due, merges pages into calls, places them, asks after silent ones.

Whatever it starts it starts in its own task group; whatever it knows is in the database, so that a restart goes on
where it was. Each call is written down before it is requested.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta

from bridge.call import Call, CallState, CallStatus, Report, settle
from bridge.clock import Clock
from bridge.dispatch import Begun, Dispatch, HeldBack
from bridge.errors import GatewayError, GatewayRefused, GatewayUnavailable, StoreUnavailable
from bridge.gateway import Gateway, JournalRow, Request
from bridge.logs import fields
from bridge.metrics import Metrics

log = logging.getLogger(__name__)

FORGET_EVERY = timedelta(minutes=10)
BALANCE_EVERY = timedelta(minutes=5)
STORE_PAUSE = timedelta(seconds=2)
# While calls run, where the gateway's journal is asked of them; less often as long as it does not answer.
POLL_EVERY = timedelta(seconds=5)
POLL_PAUSE = timedelta(seconds=15)
# The journal dates a call by when it was set up, by a clock that may be off from ours. What lies beyond this is found
# after report_timeout, when each silent call is asked for by itself.
POLL_BACK = timedelta(minutes=10)


class Worker:
    """`gateway` may be replaced at any time (a reload): each request uses the one it began with."""

    def __init__(self, dispatch: Dispatch, gateway: Gateway, metrics: Metrics, clock: Clock) -> None:
        self.gateway = gateway
        self._dispatch = dispatch
        self._metrics = metrics
        self._clock = clock
        self._busy: set[str] = set()
        self._forget_at = clock.now() + FORGET_EVERY
        self._balance_at = clock.now()
        self._poll_at: datetime | None = None
        self._polling = False

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`; requests that are under way then are finished within their own time-out."""
        await self._dispatch.wake_orphans()
        async with asyncio.TaskGroup() as tasks:
            while not stop.is_set():
                self._dispatch.work.clear()
                try:
                    until = await self.look(tasks)
                except StoreUnavailable as error:
                    log.error("cannot work now", extra=fields(err=str(error)))
                    until = self._clock.now() + STORE_PAUSE
                except Exception:
                    # A fault of ours must not end the only hands there are: it is told, and the rest is tried again.
                    log.exception("a look at what is due failed")
                    until = self._clock.now() + STORE_PAUSE
                await self._clock.wait(until, self._dispatch.work, stop)

    async def look(self, tasks: asyncio.TaskGroup) -> datetime | None:
        """One look at all there is; returns when to look again at the latest."""
        while await self._dispatch.fire_due():
            continue
        watch_until = await self._dispatch.watch()
        await self._hang_up(tasks)
        for call in await self._dispatch.calls_due():
            self._start(tasks, call.id, self._look_after(call))
        held_until = await self._call_those_waiting(tasks)
        poll_at = await self._poll(tasks)
        await self._upkeep(tasks)
        now = self._clock.now()
        self._metrics.worker_last_pass_timestamp_seconds.set(now.timestamp())
        due = await self._dispatch.next_due()
        times = [due, held_until, watch_until, poll_at, self._forget_at, self._balance_at]
        # A call that is being looked after stays due until its request is answered: its end wakes us.
        if due is not None and due <= now and self._busy:
            times = [now + STORE_PAUSE, held_until, watch_until, poll_at]
        return min((time for time in times if time is not None), default=None)

    async def _call_those_waiting(self, tasks: asyncio.TaskGroup) -> datetime | None:
        """Begin a call for everybody who has pages waiting, as far as there are lines free."""
        waiting = await self._dispatch.people_waiting()
        if not waiting:
            return None
        live = await self._dispatch.live_calls()
        engaged = {call.person for call in live}
        free = self._dispatch.world.max_concurrent_calls - sum(call.state is not CallState.QUEUED for call in live)
        held: list[datetime] = []
        for person in waiting:
            if person in engaged or free <= 0:
                continue
            begun = await self._begin(person)
            if isinstance(begun, HeldBack):
                held.append(begun.until)
            elif begun is not None:
                free -= 1
                self._start(tasks, begun.call.id, self._place(begun))
        return min(held, default=None)

    async def _begin(self, person: str) -> Begun | HeldBack | None:
        try:
            return await self._dispatch.begin(person)
        except StoreUnavailable:
            raise
        except Exception:
            # The pages of one person must not hold up those of the others.
            log.exception("a call could not be begun; it is tried again", extra=fields(person=person))
            return HeldBack(self._clock.now() + STORE_PAUSE)

    def _start(self, tasks: asyncio.TaskGroup, call: str, work: object) -> None:
        """Look after a call in a task of its own; one that is already being looked after is left alone."""
        assert asyncio.iscoroutine(work)
        if call in self._busy:
            work.close()
            return
        self._busy.add(call)
        tasks.create_task(self._guarded(call, work))

    async def _guarded(self, call: str, work: object) -> None:
        assert asyncio.iscoroutine(work)
        try:
            await work
        except StoreUnavailable as error:
            # The call stays as it was written down: it is due again, and then looked up.
            log.error("what became of a call could not be kept", extra=fields(call=call, err=str(error)))
            await self._clock.wait(self._clock.now() + STORE_PAUSE)
        except Exception:
            log.exception("a call could not be looked after; it is due again", extra=fields(call=call))
            await self._clock.wait(self._clock.now() + STORE_PAUSE)
        finally:
            self._busy.discard(call)
            self._dispatch.work.set()

    # --- placing

    async def _place(self, begun: Begun) -> None:
        call, gateway = begun.call, self.gateway
        request = Request(number=call.number, text=call.text, xml=begun.xml, foreign_id=call.id)
        try:
            placed = await gateway.place(request)
        except GatewayError as error:
            self._say_failed(call, error)
            await self._dispatch.failed(call.id, error)
            return
        if placed.balance is not None:
            self._metrics.gateway_balance_euros.set(placed.balance)
        note = "debug: the gateway calls nobody" if placed.debug else ""
        log.info("call placed", extra=fields(call=call.id, gateway_id=placed.gateway_id, person=call.person, note=note))
        await self._dispatch.placed(call.id, placed.gateway_id, note)

    def _say_failed(self, call: Call, error: GatewayError) -> None:
        level = logging.WARNING if isinstance(error, GatewayUnavailable) else logging.ERROR
        kind = {GatewayRefused: "refused", GatewayUnavailable: "unavailable"}.get(type(error), "uncertain")
        log.log(
            level,
            "call %s",
            kind,
            extra=fields(call=call.id, person=call.person, reason=error.reason.value, err=str(error)),
        )

    # --- calls about which something must be done

    async def _look_after(self, call: Call) -> None:
        match call.state:
            case CallState.QUEUED:
                begun = await self._dispatch.begin_again(call.id)
                if begun is not None:
                    await self._place(begun)
            case CallState.PLACING:
                await self._look_up(call)
            case CallState.PLACED:
                await self._ask_after(call)
            case CallState.ENDED:
                return

    async def _look_up(self, call: Call) -> None:
        """Was a request taken whose answer never came? Look before trying again."""
        try:
            row = await self._find(call)
        except GatewayError as error:
            log.warning("cannot look up a call", extra=fields(call=call.id, reason=error.reason.value, err=str(error)))
            begun = await self._dispatch.not_found(call.id, sure=False)
        else:
            if row is not None:
                await self._found(call, row)
                return
            begun = await self._dispatch.not_found(call.id, sure=True)
        if begun is not None:
            await self._place(begun)

    async def _find(self, call: Call) -> JournalRow | None:
        """The row of a call whose gateway id is not known; never that of another call of ours to the same number."""
        since = call.requested_at or call.created_at
        others = await self._dispatch.gateway_ids_to(call.number, since - timedelta(hours=1))
        return await self.gateway.find(call.number, call.text, since, self._clock.now(), known=others)

    async def _found(self, call: Call, row: JournalRow) -> None:
        log.info("call found in the gateway's journal", extra=fields(call=call.id, gateway_id=row.gateway_id))
        await self._dispatch.placed(call.id, row.gateway_id, "found in the gateway's journal")
        await self._dispatch.reported(call.id, _report(row))

    async def _ask_after(self, call: Call) -> None:
        """No final report came in time: the gateway's journal may know; if it does not, the call is unconfirmed."""
        row = None
        try:
            rows = await self._rows(call)
            row = next((one for one in rows if one.gateway_id == call.gateway_id), None)
        except GatewayError as error:
            log.warning("cannot look up a call", extra=fields(call=call.id, reason=error.reason.value, err=str(error)))
        if row is not None and row.status in (CallStatus.COMPLETED, CallStatus.NO_ANSWER, CallStatus.FAILED):
            await self._dispatch.reported(call.id, _report(row))
            return
        log.warning("no report of a call came in time", extra=fields(call=call.id, gateway_id=call.gateway_id))
        await self._dispatch.unconfirmed(call.id)

    async def _rows(self, call: Call) -> tuple[JournalRow, ...]:
        if call.gateway_id is None:
            found = await self._find(call)
            return () if found is None else (found,)
        since = call.created_at - timedelta(days=1)
        until = self._clock.now() + timedelta(days=1)
        return await self.gateway.journal(number=call.number, since=since, until=until, gateway_id=call.gateway_id)

    # --- calls that run, where nobody reports

    async def _poll(self, tasks: asyncio.TaskGroup) -> datetime | None:
        """Ask of all calls that run, where `gateway.reports` wants it and it is time; returns when to ask next."""
        running = await self._running() if self._dispatch.world.polls else []
        if not running or self._polling:
            self._poll_at = self._poll_at if running else None
            return None
        now = self._clock.now()
        # Never further away than that: our clock may have been set back.
        self._poll_at = min(self._poll_at or now + POLL_EVERY, now + POLL_PAUSE)
        if now < self._poll_at:
            return self._poll_at
        self._polling = True
        tasks.create_task(self._ask_of(running))
        return None

    async def _running(self) -> list[Call]:
        """One whose id the gateway did not tell is left to report_timeout: no row of the journal is surely its own."""
        live = await self._dispatch.live_calls()
        return [call for call in live if call.state is CallState.PLACED and call.gateway_id is not None]

    async def _ask_of(self, running: list[Call]) -> None:
        """One question to the journal for all of them; what it says counts like reports, once each."""
        pause = POLL_PAUSE
        try:
            await self._hear(running)
            pause = POLL_EVERY
        except GatewayError as error:
            told = fields(calls=len(running), reason=error.reason.value, err=str(error))
            log.warning("cannot ask the gateway of the calls that run", extra=told)
        except StoreUnavailable as error:
            log.error("what the gateway says of the calls that run could not be kept", extra=fields(err=str(error)))
        except Exception:
            log.exception("asking of the calls that run failed; it is done again")
        finally:
            self._polling = False
            self._poll_at = self._clock.now() + pause
            self._dispatch.work.set()

    async def _hear(self, running: list[Call]) -> None:
        since = min(call.requested_at or call.created_at for call in running) - POLL_BACK
        until = self._clock.now() + timedelta(days=1)
        rows = {row.gateway_id: row for row in await self.gateway.journal(number=None, since=since, until=until)}
        for call in running:
            row = rows.get(call.gateway_id or "")
            # What is known already is no report: nobody sent it twice, we asked twice.
            if row is not None and settle(call, _report(row), self._clock.now()) != call:
                await self._dispatch.reported(call.id, _report(row))

    # --- around it

    async def _hang_up(self, tasks: asyncio.TaskGroup) -> None:
        """Cut off calls that nobody needs any more; their report says what became of them."""
        wanted, self._dispatch.hang_ups = self._dispatch.hang_ups, []
        for id_ in wanted:
            call = await self._dispatch.call(id_)
            if call is not None and call.live and call.gateway_id and not call.acknowledged:
                tasks.create_task(self._cut(call.id, call.gateway_id))

    async def _cut(self, call: str, gateway_id: str) -> None:
        try:
            done = await self.gateway.hang_up(gateway_id)
        except GatewayError as error:
            log.warning("cannot hang up", extra=fields(call=call, reason=error.reason.value, err=str(error)))
            return
        log.info("hung up" if done else "not in progress, cannot be hung up", extra=fields(call=call))

    async def _upkeep(self, tasks: asyncio.TaskGroup) -> None:
        now = self._clock.now()
        if now >= self._forget_at:
            self._forget_at = now + FORGET_EVERY
            gone = await self._dispatch.forget()
            if gone:
                log.info("forgotten what is older than the retention", extra=fields(rows=gone))
        if now >= self._balance_at:
            self._balance_at = now + BALANCE_EVERY
            tasks.create_task(self._ask_balance())

    async def _ask_balance(self) -> None:
        try:
            self._metrics.gateway_balance_euros.set(await self.gateway.balance())
        except GatewayError as error:
            log.warning("cannot ask for the balance", extra=fields(reason=error.reason.value, err=str(error)))


def _report(row: JournalRow) -> Report:
    return Report(
        status=row.status,
        gateway_id=row.gateway_id,
        recipient=row.number,
        duration=row.duration,
        cost=row.cost,
    )
