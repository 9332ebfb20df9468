"""Inquiry: when Alertmanager is asked, and about what.

Several processes on one database may each do all of this: what they find is the same, and the store takes it once.
"""

from __future__ import annotations

import asyncio
import logging
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

import aiohttp

from bridge.alertmanager import Ask, Cluster, Heard, Member, Why
from bridge.clock import Clock
from bridge.config import AlertmanagerSettings, Config
from bridge.database import Database
from bridge.dispatch import Dispatch
from bridge.errors import StoreUnavailable
from bridge.escalation import State
from bridge.inquiry.discovery import Discovery, anchored
from bridge.inquiry.recheck import Recheck
from bridge.inquiry.silences import Silences
from bridge.inquiry.ways import Ways, read_ways
from bridge.logs import conceal, fields
from bridge.metrics import Metrics
from bridge.route import Matcher, MatchOp
from bridge.store import pages, silences
from bridge.store.doubts import Firing, firing, late, receivers

log = logging.getLogger(__name__)

LOOK_EVERY = timedelta(seconds=10)
# A storm of acknowledgements is silenced in a few looks, not in one for each.
TEND_PAUSE = timedelta(seconds=1)
WAYS_EVERY = timedelta(minutes=5)
# A call is late when what it tells was queued, or last heard of, so long ago; so is every one but the first.
LATE = timedelta(seconds=15)
# Between the answer and the call: who is held back for longer is asked about again.
ANSWER_HOLDS = timedelta(seconds=5)
# To compare so many alerts takes a moment, and the database's: of more than that a look is made less often.
ALERTS_A_LOOK = 5000
# An alert that is not shown any more for so long has resolved, whatever became of the notification that should say so:
# it comes within a group_interval (5m).
GONE_AFTER = timedelta(minutes=6)


class Inquiry:
    """Asks the Alertmanagers of the config in force; without any, nothing is asked and nobody waits.

    A config comes into force by `adopt`. What is `late` the worker lets it `ask` about before it calls anybody.
    """

    def __init__(
        self, *, dispatch: Dispatch, database: Database, metrics: Metrics, clock: Clock, session: aiohttp.ClientSession
    ) -> None:
        self._dispatch = dispatch
        self._database = database
        self._metrics = metrics
        self._clock = clock
        self._session = session
        self._cluster = Cluster(())
        self._recheck = Recheck(dispatch=dispatch, database=database, metrics=metrics, clock=clock)
        self._silences = Silences(database=database, clock=clock)
        self._discovery = Discovery(dispatch=dispatch, database=database, metrics=metrics, clock=clock)
        self._changed = asyncio.Event()
        self._weight = 1
        self._pattern = ""
        self._seen: set[str] = set()
        self._seen_to = ""
        self._ways_at: datetime | None = None
        self._started_at = clock.now()
        self._asked: dict[str, datetime] = {}
        self._absent: dict[tuple[str, str], datetime] = {}

    def adopt(self, config: Config) -> None:
        """Bring the Alertmanagers of `config` into force."""
        members = config.alertmanagers
        cluster = Cluster([self._member(one) for one in members])
        self._cluster = self._recheck.cluster = self._silences.cluster = self._discovery.cluster = cluster
        self._silences.length = max((one.silence_on_acknowledge for one in members), default=timedelta(0))
        self._pattern = "|".join(dict.fromkeys(f"(?:{one.receivers})" for one in members if one.receivers))
        self._ways_at = None
        self._changed.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Look every few seconds, and tend the silences whenever something was decided, until `stop`."""
        look_at = self._clock.now()
        while not stop.is_set():
            self._changed.clear()
            self._dispatch.decided.clear()
            if not self._cluster.members:
                await self._clock.wait(None, self._changed, stop)
                look_at = self._clock.now()
                continue
            if self._clock.now() >= look_at:
                await self._safely(self.look)
                look_at = self._clock.now() + LOOK_EVERY * self._weight
            elif self._silences.length:
                await self._safely(self._silences.tend)
                await self._clock.wait(self._clock.now() + TEND_PAUSE, stop)
            # Never further away than that: our clock may have been set back.
            look_at = min(look_at, self._clock.now() + LOOK_EVERY * self._weight)
            await self._clock.wait(look_at, self._changed, self._dispatch.decided, stop)

    async def _safely(self, look: Callable[[], object]) -> None:
        try:
            await look()  # type: ignore[misc]  # both are coroutine functions
        except StoreUnavailable as error:
            log.error("what Alertmanager says cannot be kept now", extra=fields(err=str(error)))
        except Exception:
            # A fault of ours in asking must keep nobody from being called.
            log.exception("a look at Alertmanager failed; it is done again")

    # --- before a call

    async def late(self, person: str, call: str | None) -> list[str]:
        """What is late of that which `person` is to be told (by `call` too): incidents. Raises StoreUnavailable."""
        now = self._clock.now()
        self._asked = {who: at for who, at in self._asked.items() if now - ANSWER_HOLDS < at <= now}
        if not self._cluster.members or person in self._asked:
            return []
        before, started_at = now - LATE, self._started_at
        return await self._database.read(
            lambda connection: late(connection, person, before=before, started_at=started_at, call=call)
        )

    async def ask(self, person: str, ids: Sequence[str]) -> None:
        """Ask about these incidents before `person` is called; what is not answered rings. Raises StoreUnavailable."""
        try:
            await self._recheck.ask(ids)
        finally:
            # Whatever came of it: nothing is asked again before they are called.
            self._asked[person] = self._clock.now()

    async def ask_first(self, person: str, carrier: str | None = None) -> None:
        """Ask about what is late of that which `person` is to be told (by `carrier` too). Raises StoreUnavailable."""
        found = await self.late(person, carrier)
        if found:
            await self.ask(person, found)

    # --- from time to time

    async def look(self) -> None:
        """One look at what fires, here and there. Raises StoreUnavailable."""
        known = await self._database.read(firing)
        self._weight = 1 + len(known) // ALERTS_A_LOOK
        await self._learn_ways()
        await self._learn_receivers()
        if self._pattern or self._seen:
            heard = await self._cluster.alerts(receiver=self._pattern or anchored(sorted(self._seen)))
            if heard is not None:
                self._silences.shown_by = heard.shown_by
                await self._compare(known, heard)
            else:
                await self._recheck.ask(await self._database.read(pages.kept_back))
        await self._silences.tend()

    async def _compare(self, known: Sequence[Firing], heard: Heard) -> None:
        rows, kept_back = await self._database.read(
            lambda connection: (silences.kept(connection), pages.kept_back(connection))
        )
        prints = {one.fingerprint for one in known}
        shown = [one for one in heard.alerts.values() if one.fingerprint in prints]
        await self._recheck.silences({id_ for one in shown for id_ in one.silenced_by})
        ask = dict.fromkeys(kept_back)
        ask |= dict.fromkeys(self._silenced(known, heard))
        ask |= dict.fromkeys(self._over(known, heard, {(row.incident, row.fingerprint): row.ours for row in rows}))
        await self._recheck.ask(ask)
        await self._discovery.look(known, heard, self._is_ours)

    def _silenced(self, known: Iterable[Firing], heard: Heard) -> list[str]:
        """The incidents that nobody has taken, and of which humans have silenced something and nothing is loud."""
        loud: set[str] = set()
        silenced: dict[str, None] = {}
        for one in known:
            shown = heard.alerts.get(one.fingerprint)
            if shown is None or one.state is State.ACKNOWLEDGED:
                continue
            if shown.tells:
                loud.add(one.incident)
            elif self._recheck.by_humans(shown):
                silenced[one.incident] = None
        return [incident for incident in silenced if incident not in loud]

    def _over(self, known: Iterable[Firing], heard: Heard, rows: dict[tuple[str, str], bool]) -> list[str]:
        """The incidents of which something is gone without a word, or is no longer silenced by whom it was.

        Of what is silenced Alertmanager tells no end; of the rest it does, and is given the time to.
        """
        now = self._clock.now()
        found: dict[str, None] = {}
        absent: dict[tuple[str, str], datetime] = {}
        for one in known:
            key = (one.incident, one.fingerprint)
            shown = heard.alerts.get(one.fingerprint)
            if shown is None or shown.ended:
                absent[key] = self._absent.get(key, now)
                if key in rows or now - absent[key] >= GONE_AFTER:
                    found[one.incident] = None
            elif rows.get(key) is False and not self._recheck.by_humans(shown):
                found[one.incident] = None
        self._absent = absent
        return list(found)

    async def _learn_ways(self) -> None:
        now = self._clock.now()
        if self._ways_at is not None and now < self._ways_at:
            return
        standings = await self._cluster.standings()
        told = next((one.config for one in standings.values() if one.config), "")
        self._discovery.ways = await asyncio.to_thread(read_ways, told) if told else Ways()
        self._ways_at = now + (WAYS_EVERY if standings else LOOK_EVERY)

    async def _learn_receivers(self) -> None:
        """Who sends to us: whose webhooks came, and whose webhooks are seen to lead here."""
        found, self._seen_to = await self._database.read(lambda connection: receivers(connection, self._seen_to))
        self._seen |= found | self._discovery.ways.ours

    def _is_ours(self, receiver: str) -> bool:
        if self._pattern:
            return Matcher("receiver", MatchOp.REGEX, self._pattern).holds(receiver)
        return receiver in self._seen

    # --- the members

    def _member(self, one: AlertmanagerSettings) -> Member:
        return Member(
            self._session,
            url=one.url,
            timeout=one.timeout,
            observe=self._observe,
            credentials=credentials(one),
            ca_file=one.ca_file,
        )

    def _observe(self, ask: Ask, seconds: float, why: Why | None) -> None:
        self._metrics.alertmanager_requests_total.labels(ask.value).inc()
        self._metrics.alertmanager_request_duration_seconds.labels(ask.value).observe(seconds)
        if why is not None:
            self._metrics.alertmanager_requests_failed_total.labels(ask.value, why.value).inc()


def credentials(one: AlertmanagerSettings) -> Callable[[], str] | None:
    """What makes the Authorization header, anew for each request; None: there is none."""
    bearer, password = one.credentials, one.password
    if bearer is not None:
        return lambda: f"Bearer {_concealed(bearer.read())}"
    if password is not None:
        return lambda: f"Basic {_encoded(one.username, _concealed(password.read()))}"
    return None


def _encoded(username: str, password: str) -> str:
    encoded = b64encode(f"{username}:{password}".encode()).decode()
    conceal(encoded)
    return encoded


def _concealed(secret: str) -> str:
    conceal(secret)
    return secret
