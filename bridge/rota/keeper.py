"""Rota: what keeps the rosters current while the server runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

import aiohttp
from sqlalchemy import Connection

from bridge.clock import Clock
from bridge.config import Config
from bridge.database import Database
from bridge.database.speaking import say
from bridge.dispatch import Dispatch
from bridge.errors import StoreUnavailable
from bridge.logs import conceal, fields
from bridge.metrics import Metrics
from bridge.rota.calendars import AHEAD, BEHIND, UNFOLD_AGAIN, Calendar, around, failed, in_force, listed, unfold
from bridge.rota.sources import Fetched, SourceUnreadable, fetch
from bridge.schedule import CalendarError, Override, Roster, Schedule
from bridge.store import overrides as store
from bridge.store.calendars import Copy, confirm, copies, keep
from bridge.store.ids import Ids
from bridge.store.overrides import KeptOverride

log = logging.getLogger("bridge.rota")
T = TypeVar("T")

# What processes on one database say to each other when an override was made or taken back.
OVERRIDES = "overrides"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A config that is about to come into force, with its calendars as far as they could be read."""

    config: Config
    calendars: Mapping[str, Calendar]


class Rota:
    """The schedules in force; each change of theirs becomes `dispatch.world`'s roster at once.

    A config comes into force by `adopt(await prepare(config))`, after its world. `schedules` are whole ones, to be
    asked for spans around now (see AHEAD, BEHIND); `schedules_for` for any span.
    """

    def __init__(
        self,
        *,
        database: Database,
        dispatch: Dispatch,
        metrics: Metrics,
        clock: Clock,
        session: aiohttp.ClientSession,
    ) -> None:
        self.schedules: Mapping[str, Schedule] = {}
        self._database = database
        self._dispatch = dispatch
        self._metrics = metrics
        self._clock = clock
        self._session = session
        self._config: Config | None = None
        self._calendars: Mapping[str, Calendar] = {}
        self._copies: Mapping[str, Copy] = {}
        self._overrides: tuple[KeptOverride, ...] = ()
        self._said: dict[str, tuple[str, tuple[str, ...]]] = {}
        self._changed = asyncio.Event()
        self._heard = False
        self._writing = asyncio.Lock()
        self._unfolding = asyncio.Lock()
        self._ids = Ids()

    async def start(self, config: Config) -> None:
        """Bring the first config into force, with what is remembered. Raises StoreUnavailable."""
        since = self._clock.now() - AHEAD
        self._copies, self._overrides = await self._database.read(
            lambda connection: (copies(connection), store.standing(connection, since))
        )
        self.adopt(await self.prepare(config))
        self._copies = {}

    async def run(self) -> None:
        """Look at each calendar again in its time, until cancelled."""
        while True:
            self._changed.clear()
            if self._heard:
                await self._look_again()
            now, config = self._clock.now(), self._config
            due = {name: one for name, one in self._calendars.items() if one.due <= now}
            if due and config is not None:
                async with asyncio.TaskGroup() as tasks:
                    for name, one in due.items():
                        tasks.create_task(self._refresh(one, config.schedules[name], config))
                continue
            await self._clock.wait(min((one.due for one in self._calendars.values()), default=None), self._changed)

    # --- a config

    async def prepare(self, config: Config) -> Prepared:
        """Read what `config` names and was not known before, so that it comes into force whole. Raises nothing."""
        wanted = {name: schedule for name, schedule in config.schedules.items() if schedule.ical is not None}
        async with asyncio.TaskGroup() as tasks:
            under_way = {name: tasks.create_task(self._prepared(schedule, config)) for name, schedule in wanted.items()}
        return Prepared(config, {name: task.result() for name, task in under_way.items()})

    def adopt(self, prepared: Prepared) -> None:
        """Bring what was prepared into force; to be called in the same breath as its world is swapped to."""
        self._config, self._calendars = prepared.config, prepared.calendars
        gauges = (
            self._metrics.oncall_people,
            self._metrics.calendar_unknown_names,
            self._metrics.calendar_last_success_timestamp_seconds,
        )
        for gauge in gauges:
            gauge.clear()
        self._said = {name: said for name, said in self._said.items() if name in prepared.calendars}
        for name, one in prepared.calendars.items():
            if one.ical.url:
                conceal(one.ical.url)
            self._tell(name, one)
        self._tell_lost(prepared.config)
        self._swap()
        self._changed.set()

    async def _prepared(self, schedule: Schedule, config: Config) -> Calendar:
        known = self._known(schedule)
        assert schedule.ical is not None
        moved = known.ical != schedule.ical
        if moved:
            # What the former source said of itself (ETag) means nothing to the new one.
            body = Fetched(known.fetched.body) if known.fetched is not None else None
            known = replace(known, ical=schedule.ical, fetched=body, due=self._clock.now())
        # People and zone may be others than before.
        known = replace(known, unfolded_at=None)
        if moved or known.fetched is None or schedule.ical.file is not None:
            return await self._looked_at(known, schedule, config)
        if schedule.name not in self._calendars:
            told = fields(schedule=schedule.name, of=known.fetched_at)
            log.info("a calendar is in force as it was kept, until its server answers", extra=told)
        # A server that may hang is not waited for where there is a copy: it is asked in its time.
        return await self._kept_up(known, schedule, config)

    def _known(self, schedule: Schedule) -> Calendar:
        assert schedule.ical is not None
        now = self._clock.now()
        if schedule.name in self._calendars:
            return self._calendars[schedule.name]
        copy = self._copies.get(schedule.name)
        if copy is None:
            return Calendar(schedule.ical, now)
        return Calendar(schedule.ical, now, Fetched(copy.body), copy.fetched_at)

    # --- a calendar

    async def _refresh(self, known: Calendar, schedule: Schedule, config: Config) -> None:
        name = schedule.name
        fresh = await self._looked_at(known, schedule, config)
        if self._calendars.get(name) is not known:
            return  # a reload was faster; what it brought is newer
        self._calendars = {**self._calendars, name: fresh}
        self._tell(name, fresh)
        if fresh.entries != known.entries:
            log.info("a calendar has changed", extra=fields(schedule=name, entries=len(fresh.entries)))
            self._swap()

    async def _looked_at(self, known: Calendar, schedule: Schedule, config: Config) -> Calendar:
        """The calendar after a look at its source; where that failed as it was, with the fault. Raises nothing."""
        try:
            fetched = await fetch(self._session, known.ical, known.fetched)
            fresh = await self._taken(known, fetched, schedule, config)
        except (SourceUnreadable, CalendarError) as error:
            return await self._kept_up(failed(known, str(error), self._clock.now()), schedule, config)
        except Exception as error:
            # A fault of our own in one calendar must end neither the others nor the server.
            log.exception("a calendar cannot be read", extra=fields(schedule=schedule.name))
            why = f"{type(error).__name__}; look at the lines above"
            return await self._kept_up(failed(known, why, self._clock.now()), schedule, config)
        await self._keep(schedule.name, known, fresh)
        return fresh

    async def _taken(self, known: Calendar, fetched: Fetched, schedule: Schedule, config: Config) -> Calendar:
        now = self._clock.now()
        good = replace(known, fetched_at=now, due=now + known.ical.refresh, fault="", failures=0)
        same = known.fetched is not None and known.fetched.body == fetched.body
        if same and not self._stale(known):
            return replace(good, fetched=fetched)
        return await self._unfolded(good, fetched, schedule, config)

    async def _kept_up(self, known: Calendar, schedule: Schedule, config: Config) -> Calendar:
        """Without a look at its source a calendar is still unfolded further, day by day. Raises nothing."""
        if known.fetched is None or not self._stale(known):
            return known
        try:
            return await self._unfolded(known, known.fetched, schedule, config)
        except Exception as error:
            # It could be read once: a series that is thirty years old by now, or a fault of our own.
            log.exception("a calendar cannot be unfolded any more", extra=fields(schedule=schedule.name))
            return failed(known, str(error), self._clock.now())

    def _stale(self, known: Calendar) -> bool:
        return known.unfolded_at is None or self._clock.now() - known.unfolded_at >= UNFOLD_AGAIN

    async def _unfolded(self, known: Calendar, fetched: Fetched, schedule: Schedule, config: Config) -> Calendar:
        now = self._clock.now()
        span = around(now)
        entries = await asyncio.to_thread(unfold, fetched.body, span, schedule, config.people)
        return replace(known, fetched=fetched, entries=entries, span=span, unfolded_at=now)

    async def _keep(self, name: str, known: Calendar, fresh: Calendar) -> None:
        assert fresh.fetched is not None
        at = fresh.fetched_at or self._clock.now()
        copy = Copy(fresh.fetched.body, at)
        same = known.fetched is not None and known.fetched.body == copy.body

        def write(connection: Connection) -> None:
            confirm(connection, name, at) if same else keep(connection, name, copy)

        try:
            await self._database.write(write)
        except StoreUnavailable as error:
            log.warning("the copy of a calendar was not kept", extra=fields(schedule=name, err=str(error)))

    def _tell(self, name: str, one: Calendar) -> None:
        """Log and metrics: what is wrong is said once per change."""
        strangers = one.strangers(self._clock.now())
        fault, before = self._said.get(name, ("", ()))
        self._said[name] = (one.fault, strangers)
        if one.fault and one.fault != fault:
            state = "there is none in force" if one.fetched is None else f"that of {one.fetched_at} stays in force"
            log.error("a calendar cannot be read, %s", state, extra=fields(schedule=name, why=one.fault))
        if fault and not one.fault:
            log.info("a calendar can be read again", extra=fields(schedule=name))
        if strangers and strangers != before:
            log.warning(
                "a calendar names nobody known; correct its summaries, or people in the config",
                extra=fields(schedule=name, summaries=listed(strangers)),
            )
        self._metrics.calendar_unknown_names.labels(name).set(len(strangers))
        read_at = one.fetched_at.timestamp() if one.fetched_at is not None else 0
        self._metrics.calendar_last_success_timestamp_seconds.labels(name).set(read_at)

    # --- overrides

    async def override(self, schedule: str, override: Override) -> KeptOverride:
        """Keep a new override (its id is given here); in force when this returns. Raises StoreUnavailable."""
        now = self._clock.now()
        kept = KeptOverride(schedule, replace(override, id=self._ids.new(now)), now)
        await self._write(lambda connection: store.add(connection, kept))
        log.info("an override was made", extra=fields(**_told(kept)))
        return kept

    async def take_back(self, id_: str) -> KeptOverride | None:
        """End an override for good; None for an unknown id. Raises StoreUnavailable."""
        now = self._clock.now()
        kept = await self._write(lambda connection: store.take_back(connection, id_, now))
        if kept is not None:
            log.info("an override was taken back", extra=fields(**_told(kept)))
        return kept

    async def _write(self, change: Callable[[Connection], T]) -> T:
        """Change what is kept and take it into force; one after the other, so that the last one wins here too."""
        since = self._clock.now() - AHEAD

        def transaction(connection: Connection) -> tuple[T, tuple[KeptOverride, ...]]:
            result = change(connection)
            say(connection, OVERRIDES)
            return result, store.standing(connection, since)

        async with self._writing:
            result, self._overrides = await self._database.write(transaction)
            self._swap()
        return result

    def heard(self, word: str) -> None:
        """Another process says what it changed, or (no word) it is time to look for ourselves."""
        if word in (OVERRIDES, ""):
            self._heard = True
            self._changed.set()

    async def _look_again(self) -> None:
        """Take into force what other processes were told. Raises nothing: what fails is done again when next heard."""
        self._heard = False
        since = self._clock.now() - AHEAD
        try:
            async with self._writing:
                found = await self._database.read(lambda connection: store.standing(connection, since))
                if found != self._overrides:
                    self._overrides = found
                    self._swap()
        except StoreUnavailable as error:
            log.warning("the overrides cannot be looked at now", extra=fields(err=str(error)))

    def _tell_lost(self, config: Config) -> None:
        now = self._clock.now()
        for kept in self._overrides:
            person = kept.override.person
            if kept.override.ends > now and (person not in config.people or kept.schedule not in config.schedules):
                log.warning(
                    "an override has no effect: its person or its schedule is no longer in the config",
                    extra=fields(id=kept.override.id, schedule=kept.schedule, person=person),
                )

    # --- the schedules

    async def schedules_for(self, starts: datetime, ends: datetime) -> Mapping[str, Schedule]:
        """The schedules in force with all that their calendars hold from `starts` to `ends`.

        Beyond what they are unfolded for that takes a while for each. Raises CalendarError where it cannot be done.
        """
        schedules, config = dict(self.schedules), self._config
        assert config is not None
        for name, one in self._calendars.items():
            if one.fetched is None or one.holds(starts, ends):
                continue
            span = starts - BEHIND, ends + BEHIND
            async with self._unfolding:
                found = await asyncio.to_thread(unfold, one.fetched.body, span, schedules[name], config.people)
            schedules[name] = replace(schedules[name], calendar=found)
        return schedules

    def _swap(self) -> None:
        assert self._config is not None
        self.schedules = in_force(self._config, self._calendars, self._overrides)
        roster = Roster(self._config.people, self.schedules)
        self._dispatch.world = replace(self._dispatch.world, roster=roster)
        self._dispatch.changed.set()


def _told(kept: KeptOverride) -> dict[str, object]:
    one = kept.override
    return {
        "id": one.id,
        "schedule": kept.schedule,
        "person": one.person,
        "starts": one.starts,
        "ends": one.ends,
        "by": one.author,
    }
