"""The one room in which an incident can change: messages and events in, load, decide, commit.

Doors `submit` messages; `run` digests them in order and in batches. The worker tells what came of its calls. Each
change is one transaction in the database's thread; what it brings with it (counts, hang-ups, work for the worker)
follows its commit.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec
from sqlalchemy import Connection

from bridge.call import Call, CallState, Report, spent
from bridge.clock import Clock
from bridge.database import Database, Lane
from bridge.database.speaking import say
from bridge.dispatch import digest as digesting
from bridge.dispatch import lookup
from bridge.dispatch import outcome as outcomes
from bridge.dispatch import watchdogs as watching
from bridge.dispatch.claims import LEASE
from bridge.dispatch.digest import Command
from bridge.dispatch.firing import AT_ONCE, fire, fire_all
from bridge.dispatch.ledger import Effects, Ledger
from bridge.dispatch.limits import HeldBack, hold_all, spending
from bridge.dispatch.lookup import Sought
from bridge.dispatch.outcome import Begun
from bridge.dispatch.progress import Progress
from bridge.dispatch.saying import tell
from bridge.dispatch.world import World
from bridge.errors import GatewayError, LostRace, StoreUnavailable
from bridge.logs import fields
from bridge.metrics import Metrics
from bridge.store import calls, inbox, incidents, pages, retention, watchdogs
from bridge.store.ids import Ids
from bridge.store.inbox import Door, Inbox, Message
from bridge.store.incidents import Policies

__all__ = ["Begun", "Command", "Dispatch", "Door", "HeldBack", "Message", "World"]

log = logging.getLogger(__name__)
T = TypeVar("T")

BATCH_MESSAGES = 500
RACES = 5
# While a storm comes in, a batch is digested after so many commits of the inbox, as long as nobody waits for longer.
TURNS = 250
PATIENCE = timedelta(seconds=5)
POISON_PAUSE = timedelta(minutes=1)
# What processes on one database say to each other: there may be something to do, or only to show.
WORK, CHANGED = "work", "changed"


class Dispatch:
    """`world` may be replaced at any time: each transaction uses the one it began with."""

    def __init__(self, database: Database, world: World, metrics: Metrics, clock: Clock) -> None:
        self.world = world
        self.inbox = Inbox(database)
        self.work, self.writing = asyncio.Event(), asyncio.Event()  # for calls, for SMS
        # Set whenever something was decided on an incident, for whoever follows that.
        self.decided = asyncio.Event()
        # Set after each commit that changed something: for whoever shows it. Who waits for it clears it.
        self.changed = asyncio.Event()
        self.hang_ups: list[str] = []
        self._oldest = self._started_at = clock.now()
        self._database = database
        self._metrics = metrics
        self._clock = clock
        self._arrived = asyncio.Event()
        self._progress = Progress(database)
        self.snapshots = Policies()
        self._ids = Ids()

    @property
    def shared(self) -> bool:
        """Whether other processes may do the same work."""
        return self._database.shared

    # --- the doors' side

    async def submit(self, message: Message) -> int:
        """Keep a message; it is durable when this returns. Raises StoreUnavailable."""
        seq = await self.inbox.put(message)
        self._arrived.set()
        return seq

    async def ask(self, command: Command, timeout: float = 10.0) -> bool:
        """Submit what a human asked for and wait until it is done; False: kept, but not done within `timeout` s."""
        body = msgspec.json.encode(command)
        seq = await self.submit(Message(Door.API, self._clock.now(), body))
        try:
            async with asyncio.timeout(timeout):
                await self._progress.until_digested(seq)
        except (TimeoutError, StoreUnavailable):
            return False
        return True

    def heard(self, word: str) -> None:
        """Another process says that something changed, or (no word) it is time to look for ourselves."""
        if word != CHANGED:
            self.work.set()
            self.writing.set()
            self._arrived.set()
            self.decided.set()
        if word:
            self.changed.set()
        self._progress.made()

    async def run(self, stop: asyncio.Event) -> None:
        """Digest what arrives until `stop`; what is not digested then is digested after the next start."""
        while not stop.is_set():
            self._arrived.clear()
            try:
                done = await self.digest()
                until = None if done else await self._database.read(inbox.next_retry)
            except StoreUnavailable as error:
                log.error("cannot digest now", extra=fields(err=str(error)))
                done, until = 0, self._clock.now() + inbox.RETRY_STEPS[0]
            if not done:
                await self._clock.wait(until, self._arrived, stop)
            elif self._clock.now() - self._oldest < PATIENCE:
                # The senders wait for their answer, what we have will not run away: theirs first, within reason.
                await self.inbox.let_in(TURNS)

    async def digest(self) -> int:
        """Digest one batch; returns how many messages were dealt with. Raises StoreUnavailable."""
        now = self._clock.now()
        if not await self._database.read(lambda connection: inbox.anything_waits(connection, now)):
            return 0
        try:
            done = await self.transact(self._batch)
        except StoreUnavailable:
            raise
        except Exception:
            # One of them is more than our code can take: each alone, so that only that one waits.
            log.exception("a batch could not be digested; its messages are tried one by one")
            done = await self._one_by_one()
        if done:
            self._progress.made()
        return done

    def _batch(self, ledger: Ledger) -> int:
        messages = inbox.claim(ledger.connection, ledger.now, BATCH_MESSAGES)
        if not messages:
            return 0
        digesting.digest(ledger, messages)
        inbox.mark_digested(ledger.connection, [message.seq for message in messages], ledger.now)
        # Whoever was kept from theirs by ours may try again; whoever waits for one of these looks whether it is done.
        say(ledger.connection, WORK)
        self._oldest = messages[0].received_at
        return len(messages)

    async def _one_by_one(self) -> int:
        now = self._clock.now()
        messages = await self._database.read(lambda connection: inbox.waiting(connection, now, BATCH_MESSAGES))
        for message in messages:
            await self._alone(message)
        return len(messages)

    async def _alone(self, message: Message) -> None:
        def understand(ledger: Ledger) -> None:
            mine = inbox.claim(ledger.connection, ledger.now, 1, message.seq)
            digesting.digest(ledger, mine)
            inbox.mark_digested(ledger.connection, [one.seq for one in mine], ledger.now)

        try:
            await self.transact(understand)
        except StoreUnavailable:
            raise
        except Exception as error:
            log.exception("a message could not be digested; it is kept and tried again", extra=fields(seq=message.seq))
            self._metrics.inbox_failures_total.inc()
            said = f"{type(error).__name__}: {error}"
            now = self._clock.now()
            await self._database.write(lambda connection: inbox.mark_failed(connection, message, said, now))

    # --- the worker's side

    async def fire_due(self) -> int:
        """Tell the incidents whose time has come; returns how many."""
        now = self._clock.now()
        ids = await self._database.read(lambda connection: incidents.due(connection, now, AT_ONCE))
        if not ids:
            return 0
        try:
            return await self.transact(fire_all)
        except StoreUnavailable:
            raise
        except Exception:
            log.exception("what is due could not be decided together; each is tried alone")
            for id_ in ids:
                await self._fire_alone(id_)
        return len(ids)

    async def _fire_alone(self, id_: str) -> None:
        try:
            await self.transact(lambda ledger: fire(ledger, [id_]))
        except StoreUnavailable:
            raise
        except Exception:
            # Pushed ahead, so that one that our code cannot take does not hold up all the others.
            log.exception("an incident could not be decided; it is tried again", extra=fields(incident=id_))
            later = self._clock.now() + POISON_PAUSE
            await self._database.write(lambda connection: incidents.postpone(connection, id_, later))

    async def watch(self) -> datetime | None:
        """Tell of watchdogs that are silent for too long, and know new and removed ones; returns when to come back."""
        now, started_at = self._clock.now(), self._started_at
        kept = await self._database.read(watchdogs.watches)
        if not watching.changes(self.world, kept, now, started_at):
            return watching.next_due(self.world, kept, started_at)
        try:
            return await self.transact(lambda ledger: watching.look(ledger, started_at))
        except StoreUnavailable:
            raise
        except Exception:
            # What is missing must not keep those from being called who are waited for.
            log.exception("the watchdogs could not be looked after; it is tried again")
            return now + POISON_PAUSE

    async def watchdogs_seen(self) -> dict[str, datetime | None]:
        """When each watchdog was seen last; None: never."""
        kept = await self._database.read(watchdogs.watches)
        seen = {name: watch.since for name, watch in kept.items() if watch.seen}
        return {one.name: seen.get(one.name) for one in self.world.watchdogs}

    async def next_due(self) -> datetime | None:
        """When the next incident or call is due."""

        def look(connection: Connection) -> datetime | None:
            times = (incidents.next_due(connection), calls.next_due(connection))
            return min((time for time in times if time is not None), default=None)

        return await self._database.read(look)

    async def people_waiting(self) -> list[str]:
        """Everybody for whom a page waits."""
        return await self._database.read(pages.people_waiting)

    async def spent_today(self) -> float:
        """What calls and SMS since the last local midnight cost, in euro, known or expected."""
        return spent(await self._database.read(lambda one: spending(one, self._clock.now(), self.world.timezone)))

    async def calls_due(self, busy: Collection[str]) -> list[Call]:
        """The calls about which something must be done now, but for those in `busy`; ours, as long as `renew` says so.

        Where nobody else is there, they need not be claimed.
        """
        now = self._clock.now()
        due = await self._database.read(lambda connection: calls.due(connection, now, AT_ONCE))
        due = [call for call in due if call.id not in busy]
        if not due or not self._database.shared:
            return due
        return await self._database.write(lambda connection: calls.claim(connection, now, now + LEASE, AT_ONCE, busy))

    async def renew(self, busy: Mapping[str, int]) -> None:
        """Keep calls that are being looked after (by id and version) from being taken for a dead process's."""
        until = self._clock.now() + LEASE
        await self._database.write(lambda connection: calls.renew(connection, busy, until), Lane.DOOR)

    async def live_calls(self) -> list[Call]:
        """The calls that are not over."""
        return await self._database.read(calls.live)

    async def call(self, id_: str) -> Call | None:
        """The call with our id."""
        return await self._database.read(lambda connection: calls.get(connection, id_))

    async def gateway_ids_to(self, call: Call, since: datetime) -> list[str]:
        """The ids of our calls since then to the same number, by the same account."""
        return await self._database.read(
            lambda connection: calls.gateway_ids_to(connection, call.number, since, call.account)
        )

    async def wake_orphans(self) -> int:
        """At start: calls whose request was under way when the process died are looked up at once.

        Where other processes are at work, it may be theirs: each has its lease.
        """
        if self._database.shared:
            return 0
        now = self._clock.now()
        return await self._database.write(lambda connection: calls.wake_orphans(connection, now))

    async def hurry(self) -> int:
        """An account takes calls again: those that wait for their next request need not wait any longer."""
        now = self._clock.now()
        return await self._database.write(lambda connection: calls.hurry(connection, now))

    async def hold_all(self, people: Sequence[str], until: datetime) -> None:
        """No account takes calls before `until`: said in the story of what waits for these people."""
        await self.transact(lambda ledger: hold_all(ledger, people, until))

    async def begin(self, person: str, account: str) -> Begun | HeldBack | None:
        """Write down a call to `person` with all that waits for them, to be requested by `account`."""
        return await self.transact(lambda ledger: outcomes.begin(ledger, person, self.snapshots, self._ids, account))

    async def begin_again(self, id_: str, account: str) -> Begun | HeldBack | None:
        """Request a call again that no account took; None: nothing is left to tell, or it is under way."""

        def again(ledger: Ledger) -> Begun | HeldBack | None:
            call = calls.get(ledger.connection, id_)
            if call is None or call.state is not CallState.QUEUED:
                return None
            return outcomes.begin_again(ledger, call, self.snapshots, account)

        return await self.transact(again)

    async def placed(self, id_: str, gateway_id: str | None, note: str = "") -> None:
        """The gateway took the call."""
        await self._with_call(id_, lambda ledger, call: outcomes.placed(ledger, call, gateway_id, note))

    async def failed(self, asked: Call, error: GatewayError) -> None:
        """The gateway did not take the call as it was `asked` for, or nobody knows whether it did."""

        await self._with_call(asked.id, lambda ledger, call: outcomes.failed(ledger, call, asked, error))

    async def reported(self, id_: str, report: Report) -> None:
        """The gateway's own journal says something of the call."""
        await self._with_call(id_, lambda ledger, call: outcomes.apply_report(ledger, call, report))

    async def not_found(self, asked: Call, sought: Sought) -> None:
        """The gateway knows nothing of a call that was looked up, or it could not be asked."""

        def tell(ledger: Ledger, call: Call) -> None:
            if call.state is CallState.PLACING and call.version == asked.version:
                lookup.not_found(ledger, call, sought)

        await self._with_call(asked.id, tell)

    async def not_taken(self, asked: Call, error: GatewayError) -> None:
        """An account did not take the call as it was `asked` for, and another is asked for it at once."""
        await self._with_call(asked.id, lambda ledger, call: outcomes.not_taken(ledger, call, asked, error))

    async def unconfirmed(self, asked: Call) -> None:
        """No final report came in time, and the gateway's journal has none either."""

        await self._with_call(asked.id, lambda ledger, call: lookup.unconfirmed(ledger, call, asked))

    async def forget(self) -> int:
        """Delete what is older than the retention, a little at a time; returns how many incidents and messages went."""
        before = self._clock.now() - self.world.retention
        return await self._database.write(lambda connection: retention.forget_before(connection, before))

    async def _with_call(self, id_: str, change: Callable[[Ledger, Call], object]) -> None:
        def find(ledger: Ledger) -> None:
            call = calls.get(ledger.connection, id_)
            if call is not None:
                change(ledger, call)

        await self.transact(find)

    # --- one transaction

    async def transact(self, change: Callable[[Ledger], T]) -> T:
        """Run `change` on a ledger of its own and commit; a race lost to another process is run again."""
        world, now = self.world, self._clock.now()

        def transaction(connection: Connection) -> tuple[T, Effects]:
            ledger = Ledger(connection, world, self.snapshots, self._ids, now)
            result = change(ledger)
            ledger.flush()
            say(connection, WORK if ledger.effects.work else CHANGED)
            return result, ledger.effects

        for _ in range(RACES):
            try:
                result, effects = await self._database.write(transaction)
            except LostRace:
                continue
            self._follow(effects)
            return result
        raise LostRace(f"somebody else was first {RACES} times in a row")

    def _follow(self, effects: Effects) -> None:
        effects.apply(self._metrics)
        tell(effects)
        self.hang_ups += effects.hang_up
        if effects.told:
            self.decided.set()
        self.changed.set()
        if effects.wake or effects.hang_up:
            self.work.set()
        if effects.write:
            self.writing.set()
