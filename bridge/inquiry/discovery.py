"""Alerts that no webhook brought: lost to an answer of 4xx, or cut off by `max_alerts`. Found, and called for.

What is found goes into the inbox like the notification that should have brought it. When that comes later all the
same, it joins the same incident.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Connection

from bridge.alert import Alert, AlertStatus, quote_receiver
from bridge.alertmanager import Cluster, Heard, Shown, ShownGroup
from bridge.clock import Clock
from bridge.database import Database
from bridge.dispatch import Dispatch, Door, Message
from bridge.dispatch.found import FOUND, body, key_of
from bridge.dispatch.watchdogs import seen_in
from bridge.inquiry.ways import Ways
from bridge.logs import fields
from bridge.metrics import Metrics
from bridge.route import match, muted
from bridge.store.doubts import Firing, KnownGroup, Told, known_group, told_of

log = logging.getLogger(__name__)

# Seen for so long, and told by nobody: with a look every quarter of a minute that is within a minute.
FOUND_AFTER = timedelta(seconds=40)
# A webhook takes a moment, also one that is tried again.
ON_ITS_WAY = timedelta(seconds=10)
# What our own digest did not take, told once more after this time.
TOLD_AGAIN = timedelta(hours=1)
MOST_AT_ONCE = 500

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Lot:
    """Alerts of one group that nobody told of."""

    receiver: str
    labels: Mapping[str, str]
    alerts: tuple[Alert, ...]


class Discovery:
    """Compares what `cluster` shows with what the store knows; `ways`: how Alertmanager sends."""

    def __init__(self, *, dispatch: Dispatch, database: Database, metrics: Metrics, clock: Clock) -> None:
        self.cluster = Cluster(())
        self.ways = Ways()
        self._dispatch = dispatch
        self._database = database
        self._metrics = metrics
        self._clock = clock
        self._since: dict[Key, datetime] = {}
        self._told: dict[Key, datetime] = {}

    async def look(self, known: Iterable[Firing], heard: Heard, ours: Callable[[str], bool]) -> None:
        """One look; `ours` says which receivers send to us. Raises StoreUnavailable."""
        now = self._clock.now()
        present = {(one.receiver, one.fingerprint) for one in known}
        missing = {key: shown for key, shown in _shown(heard, ours) if key not in present and self._rings(key, shown)}
        self._since = {key: self._since.get(key, now) for key in missing}
        self._told = {key: at for key, at in self._told.items() if key in missing and now - at < TOLD_AGAIN}
        ripe = {key: one for key, one in missing.items() if now - self._since[key] >= FOUND_AFTER}
        ripe = {key: one for key, one in ripe.items() if key not in self._told}
        if ripe:
            await self._tell(await self._news(ripe))

    def _rings(self, key: Key, shown: Shown) -> bool:
        """Whether a notification of it would be more than recorded: not what is awaited, nor what is muted now."""
        world, now = self._dispatch.world, self._clock.now()
        if seen_in(world, [_alert(shown)]) or self.ways.muted(key[0], shown.labels, now):
            return False
        return any(not muted(route, world.intervals, now) for route in match(world.route, shown.labels))

    async def _news(self, ripe: Mapping[Key, Shown]) -> Mapping[Key, Shown]:
        """Without what was told before, and was then closed by hand."""
        receivers = sorted({receiver for receiver, _ in ripe})

        def look(connection: Connection) -> dict[str, dict[str, Told]]:
            return {one: told_of(connection, one, [print_ for to, print_ in ripe if to == one]) for one in receivers}

        told = await self._database.read(look)
        return {key: one for key, one in ripe.items() if _is_news(one, told[key[0]].get(key[1]))}

    async def _tell(self, news: Mapping[Key, Shown]) -> None:
        if not news:
            return
        receivers = sorted({receiver for receiver, _ in news})
        groups = await self.cluster.groups(anchored(receivers)) or ()
        for lot in _lots(dict(list(news.items())[:MOST_AT_ONCE]), groups):
            await self._tell_lot(lot)

    async def _tell_lot(self, lot: Lot) -> None:
        known = await self._database.read(lambda connection: known_group(connection, lot.receiver, lot.labels))
        now = self._clock.now()
        ripe = tuple(one for one in lot.alerts if self._is_ripe(lot.receiver, one, known, now))
        if not ripe:
            return
        told = body(lot.receiver, lot.labels, ripe, known)
        self._told |= {(lot.receiver, one.fingerprint): now for one in ripe}
        await self._dispatch.submit(Message(Door.ALERTMANAGER, now, msgspec.json.encode(told), {FOUND: "yes"}))
        self._metrics.alertmanager_found_total.inc(len(ripe))
        log.warning(
            "alerts that no webhook brought; look why Alertmanager's notifications do not come in",
            extra=fields(receiver=lot.receiver, alerts=len(ripe), group=known.key if known else key_of(lot.labels)),
        )

    def _is_ripe(self, receiver: str, one: Alert, known: KnownGroup | None, now: datetime) -> bool:
        """Whether its notification would have come by now: of a new group soon, of one told lately at its next turn."""
        since = self._since.get((receiver, one.fingerprint), now)
        wait = self.ways.first_wait(receiver, one.labels)
        turn = self.ways.next_wait(receiver, one.labels)
        lately = known is not None and turn is not None and (known.open or now - known.heard_at <= turn)
        if lately and turn is not None and known is not None and not known.truncated:
            wait = max(wait, turn)
        return now - since >= max(FOUND_AFTER, wait + ON_ITS_WAY)


def anchored(receivers: Iterable[str]) -> str:
    """A regular expression for exactly these receivers."""
    return "|".join(quote_receiver(one) for one in receivers)


def _shown(heard: Heard, ours: Callable[[str], bool]) -> Iterator[tuple[Key, Shown]]:
    """What is told to us, by receiver and fingerprint: neither what is silenced nor what is inhibited."""
    for one in heard.alerts.values():
        if one.tells:
            yield from (((receiver, one.fingerprint), one) for receiver in one.receivers if ours(receiver))


def _is_news(shown: Shown, told: Told | None) -> bool:
    """Not what a human has closed while it fired; what was told to have resolved is news, for it fires."""
    if told is None or not told.fired_on:
        return True
    return told.over_at is not None and shown.starts_at > told.over_at


def _lots(news: Mapping[Key, Shown], groups: Sequence[ShownGroup]) -> Iterator[Lot]:
    """What is news, by group. Without groups each alert name is taken for one."""
    left = dict(news)
    for group in groups:
        mine = [one for one in group.alerts if (group.receiver, one.fingerprint) in left]
        for one in mine:
            del left[group.receiver, one.fingerprint]
        telling = tuple(_alert(one) for one in mine if one.tells)
        if telling:
            yield Lot(group.receiver, group.labels, telling)
    if groups:
        return
    by_name: dict[Key, list[Alert]] = {}
    for (receiver, _), one in left.items():
        by_name.setdefault((receiver, one.labels.get("alertname", "")), []).append(_alert(one))
    for (receiver, name), alerts in by_name.items():
        yield Lot(receiver, {"alertname": name} if name else {}, tuple(alerts))


def _alert(shown: Shown) -> Alert:
    return Alert(
        fingerprint=shown.fingerprint,
        status=AlertStatus.FIRING,
        labels=shown.labels,
        annotations=shown.annotations,
        starts_at=shown.starts_at,
        ends_at=None,
        generator_url=shown.generator_url,
    )
