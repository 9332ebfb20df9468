"""The clock's door and the only hands: fires what is due, merges pages into calls, places them, asks after silent ones.

Whatever it starts it starts in its own task group; whatever it knows is in the database, so that a restart goes on
where it was. Each call is written down before it is requested.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from bridge.accounts import Account, Accounts
from bridge.call import Call, CallState, CallStatus, Report, settle
from bridge.clock import Clock
from bridge.dispatch import Begun, Dispatch, HeldBack
from bridge.dispatch.leases import Leases
from bridge.dispatch.lookup import Sought
from bridge.errors import GatewayError, GatewayRefused, GatewayUnavailable, StoreUnavailable
from bridge.gateway import JournalRow, Request
from bridge.logs import fields
from bridge.metrics import Metrics

log = logging.getLogger(__name__)

FORGET_EVERY = timedelta(minutes=10)
STORE_PAUSE = timedelta(seconds=2)
# While calls run, where the gateway's journal is asked of them; less often as long as it does not answer.
POLL_EVERY = timedelta(seconds=5)
POLL_PAUSE = timedelta(seconds=15)
# The journal dates a call by when it was set up, by a clock that may be off from ours. What lies beyond this is found
# after report_timeout, when each silent call is asked for by itself.
POLL_BACK = timedelta(minutes=10)


class Doubts(Protocol):
    """Asks whether what is late still fires, before anybody is called for it."""

    async def late(self, person: str, call: str | None) -> list[str]:
        """The incidents to ask about before `person` is called (by a call that is there already)."""
        ...

    async def ask(self, person: str, ids: Sequence[str]) -> None:
        """Ask about these incidents before `person` is called; they may be over afterwards, and are not late then."""
        ...


class Worker:
    """`accounts` may be replaced at any time (a reload): each request uses those it began with.

    `doubts`, where there are any, are asked before a call that is late.
    """

    def __init__(self, dispatch: Dispatch, accounts: Accounts, metrics: Metrics, clock: Clock) -> None:
        self.accounts = accounts
        self.doubts: Doubts | None = None
        self.last_pass: datetime | None = None
        self._dispatch = dispatch
        self._metrics = metrics
        self._clock = clock
        self._busy = Leases(dispatch, clock)
        self._forget_at = clock.now() + FORGET_EVERY
        self._poll_at: datetime | None = None
        self._polling = False

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`; requests that are under way then are finished within their own time-out."""
        await self._dispatch.wake_orphans()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._busy.run(stop))
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
        for call in await self._dispatch.calls_due(self._busy.ids()):
            self._start(tasks, call, self._look_after(call))
        held_until = await self._call_those_waiting(tasks)
        poll_at = await self._poll(tasks)
        await self._forget()
        ask_at = self.accounts.upkeep(tasks)
        now = self._clock.now()
        self.last_pass = now
        self._metrics.worker_last_pass_timestamp_seconds.set(now.timestamp())
        due = await self._dispatch.next_due()
        times = [due, held_until, watch_until, poll_at, self._forget_at, ask_at]
        # A call that is being looked after stays due until its request is answered: its end wakes us.
        if due is not None and due <= now and self._busy:
            times = [now + STORE_PAUSE, held_until, watch_until, poll_at, ask_at]
        return min((time for time in times if time is not None), default=None)

    async def _call_those_waiting(self, tasks: asyncio.TaskGroup) -> datetime | None:
        """Request what waits for it, as far as accounts take calls and have lines free; returns when to look again.

        First the calls that no account took, then a new one for everybody who has pages waiting.
        """
        if self.accounts.reopened:
            self.accounts.reopened = False
            await self._dispatch.hurry()
        people, live = await self._dispatch.people_waiting(), await self._dispatch.live_calls()
        now, engaged = self._clock.now(), {call.person for call in live}
        fresh = [person for person in people if person not in engaged and person not in self._busy]
        queued = [call for call in live if call.state is CallState.QUEUED and call.id not in self._busy]
        held = [call.due_at for call in queued if call.due_at is not None and call.due_at > now]
        again = [call.id for call in queued if call.due_at is None or call.due_at <= now]
        owners = {call.id: call.person for call in queued}
        for name in [*again, *fresh]:
            choice = self.accounts.in_order(live)
            if choice is None or choice[1] <= 0:
                break
            if await self._doubted(tasks, name, owners):
                continue
            begun = await self._begin(name, choice[0], again=name in again)
            if isinstance(begun, HeldBack):
                held.append(begun.until)
            elif begun is not None:
                live = [*(call for call in live if call.id != begun.call.id), begun.call]
                self._start(tasks, begun.call, self._place(begun, choice[0]))
        if fresh and self.accounts.out:
            await self._dispatch.hold_all(fresh, self.accounts.asked_at(now))
        return min(held, default=None)

    async def _doubted(self, tasks: asyncio.TaskGroup, name: str, owners: Mapping[str, str]) -> bool:
        """Whether a call must wait until it is known that what it tells still fires; the answer wakes us."""
        if self.doubts is None:
            return False
        person = owners.get(name, name)
        late = await self.doubts.late(person, name if name in owners else None)
        if late:
            self._start(tasks, name, self.doubts.ask(person, late))
        return bool(late)

    async def _begin(self, name: str, account: Account, *, again: bool) -> Begun | HeldBack | None:
        """A call to the person of that name, or `again` the one with that id."""
        begin = self._dispatch.begin_again if again else self._dispatch.begin
        try:
            return await begin(name, account.name)
        except StoreUnavailable:
            raise
        except Exception:
            # The pages of one person must not hold up those of the others.
            log.exception("a call could not be begun; it is tried again", extra=fields(who=name))
            return HeldBack(self._clock.now() + STORE_PAUSE)

    def _start(self, tasks: asyncio.TaskGroup, what: Call | str, work: object) -> None:
        """Look after a call, or a person, in a task of its own; what is already being looked after is left alone."""
        assert asyncio.iscoroutine(work)
        name = what if isinstance(what, str) else what.id
        if name in self._busy:
            work.close()
            return
        self._busy.take(what)
        tasks.create_task(self._guarded(name, work))

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
            self._busy.drop(call)
            self._dispatch.work.set()

    # --- placing

    async def _place(self, begun: Begun, account: Account) -> None:
        """Request the call; where an account has called nobody, the next one in order is asked at once."""
        accounts, asked = self.accounts, [account.name]
        again: GatewayError | None = None
        while (error := await self._request(accounts, account, begun)) is not None:
            again = error if isinstance(error, GatewayUnavailable) else again
            following = accounts.after(error, await self._dispatch.live_calls(), asked)
            if following is None:
                # One that may take it later outweighs one that never will.
                final = again if again is not None and isinstance(error, GatewayRefused) else error
                await self._dispatch.failed(begun.call, final)
                return
            await self._dispatch.not_taken(begun.call, error)
            once_more = await self._dispatch.begin_again(begun.call.id, following.name)
            if not isinstance(once_more, Begun):
                return
            begun, account = once_more, following
            self._busy.take(begun.call)
            asked.append(account.name)

    async def _request(self, accounts: Accounts, account: Account, begun: Begun) -> GatewayError | None:
        call = begun.call
        request = Request(number=call.number, text=call.text, xml=begun.xml, foreign_id=call.id)
        try:
            placed = await accounts.place(account, request)
        except GatewayError as error:
            self._say_failed(call, error)
            return error
        note = "debug: the gateway calls nobody" if placed.debug else ""
        about = fields(call=call.id, gateway=account.name, gateway_id=placed.gateway_id, person=call.person, note=note)
        log.info("call placed", extra=about)
        await self._dispatch.placed(call.id, placed.gateway_id, note)
        return None

    def _say_failed(self, call: Call, error: GatewayError) -> None:
        level = logging.WARNING if isinstance(error, GatewayUnavailable) else logging.ERROR
        kind = {GatewayRefused: "refused", GatewayUnavailable: "unavailable"}.get(type(error), "uncertain")
        about = fields(
            call=call.id, gateway=call.account, person=call.person, reason=error.reason.value, err=str(error)
        )
        log.log(level, "call %s", kind, extra=about)

    # --- calls about which something must be done

    async def _look_after(self, call: Call) -> None:
        match call.state:
            case CallState.PLACING:
                await self._look_up(call)
            case CallState.PLACED:
                await self._ask_after(call)
            case CallState.QUEUED | CallState.ENDED:
                return

    async def _look_up(self, call: Call) -> None:
        """Was a request taken whose answer never came? Look before trying again."""
        try:
            row = await self._find(call)
        except GatewayError as error:
            log.warning("cannot look up a call", extra=fields(call=call.id, reason=error.reason.value, err=str(error)))
            self.accounts.unreachable(self.accounts.of(call.account), error)
            await self._dispatch.not_found(call, self._sought(call, sure=False))
            return
        if row is not None:
            await self._found(call, row)
        else:
            await self._dispatch.not_found(call, self._sought(call, sure=True))

    def _sought(self, call: Call, *, sure: bool) -> Sought:
        return Sought(sure, out=self.accounts.out, troubled=self.accounts.troubled(call))

    async def _find(self, call: Call) -> JournalRow | None:
        """The row of a call whose gateway id is not known; never that of another call of ours to the same number."""
        since = call.requested_at or call.created_at
        others = await self._dispatch.gateway_ids_to(call, since - timedelta(hours=1))
        gateway = self.accounts.of(call.account).gateway
        return await gateway.find(call.number, call.text, since, self._clock.now(), known=others)

    async def _found(self, call: Call, row: JournalRow) -> None:
        log.info("call found in the gateway's journal", extra=fields(call=call.id, gateway_id=row.gateway_id))
        self.accounts.taken(self.accounts.of(call.account))
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
        await self._dispatch.unconfirmed(call)

    async def _rows(self, call: Call) -> tuple[JournalRow, ...]:
        if call.gateway_id is None:
            found = await self._find(call)
            return () if found is None else (found,)
        since = call.created_at - timedelta(days=1)
        until = self._clock.now() + timedelta(days=1)
        gateway = self.accounts.of(call.account).gateway
        return await gateway.journal(number=call.number, since=since, until=until, gateway_id=call.gateway_id)

    # --- calls that run, where nobody reports

    async def _poll(self, tasks: asyncio.TaskGroup) -> datetime | None:
        """Ask of all calls that run, where their account's `reports` wants it; returns when to ask next."""
        running = await self._running() if any(account.polls for account in self.accounts) else []
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
        placed = [call for call in live if call.state is CallState.PLACED and call.gateway_id is not None]
        return [call for call in placed if self.accounts.of(call.account).polls]

    async def _ask_of(self, running: list[Call]) -> None:
        """One question to the journal of each account for all of its calls; what it says counts like reports."""
        accounts, well = self.accounts, True
        try:
            for account in accounts:
                mine = [call for call in running if accounts.of(call.account) is account]
                well = (not mine or await self._hear(account, mine)) and well
        except StoreUnavailable as error:
            log.error("what the gateway says of the calls that run could not be kept", extra=fields(err=str(error)))
        except Exception:
            log.exception("asking of the calls that run failed; it is done again")
        finally:
            self._polling = False
            self._poll_at = self._clock.now() + (POLL_EVERY if well else POLL_PAUSE)
            self._dispatch.work.set()

    async def _hear(self, account: Account, running: list[Call]) -> bool:
        """What the account's journal says of these calls, once each; whether it could be asked."""
        since = min(call.requested_at or call.created_at for call in running) - POLL_BACK
        until = self._clock.now() + timedelta(days=1)
        try:
            found = await account.gateway.journal(number=None, since=since, until=until)
        except GatewayError as error:
            told = fields(gateway=account.name, calls=len(running), reason=error.reason.value, err=str(error))
            log.warning("cannot ask the gateway of the calls that run", extra=told)
            return False
        rows = {row.gateway_id: row for row in found}
        for call in running:
            row = rows.get(call.gateway_id or "")
            # What is known already is no report: nobody sent it twice, we asked twice.
            if row is not None and settle(call, _report(row), self._clock.now()) != call:
                await self._dispatch.reported(call.id, _report(row))
        return True

    # --- around it

    async def _hang_up(self, tasks: asyncio.TaskGroup) -> None:
        """Cut off calls that nobody needs any more; their report says what became of them."""
        wanted, self._dispatch.hang_ups = self._dispatch.hang_ups, []
        for id_ in wanted:
            call = await self._dispatch.call(id_)
            if call is not None and call.live and call.gateway_id and not call.acknowledged:
                tasks.create_task(self._cut(call.id, self.accounts.of(call.account), call.gateway_id))

    async def _cut(self, call: str, account: Account, gateway_id: str) -> None:
        try:
            done = await account.gateway.hang_up(gateway_id)
        except GatewayError as error:
            log.warning("cannot hang up", extra=fields(call=call, reason=error.reason.value, err=str(error)))
            return
        log.info("hung up" if done else "not in progress, cannot be hung up", extra=fields(call=call))

    async def _forget(self) -> None:
        now = self._clock.now()
        if now < self._forget_at:
            return
        self._forget_at = now + FORGET_EVERY
        gone = await self._dispatch.forget()
        if gone:
            log.info("forgotten what is older than the retention", extra=fields(rows=gone))


def _report(row: JournalRow) -> Report:
    return Report(
        status=row.status,
        gateway_id=row.gateway_id,
        recipient=row.number,
        duration=row.duration,
        cost=row.cost,
    )
