"""Watchdogs: alerts that must keep coming. The silence of one is an incident of its own, until it comes again.

Runs in the database's thread, inside the ledger's transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from bridge.alert import Alert, AlertStatus, Group, Source, Stream, fingerprint
from bridge.config import Watchdog
from bridge.dispatch.ledger import Ledger
from bridge.dispatch.world import World
from bridge.escalation import Cleared, Fired
from bridge.route import all_hold
from bridge.store import inbox
from bridge.store import watchdogs as store
from bridge.store.watchdogs import Watch

RECEIVER = "callbridge"
# What is silent sends no notification that it still is. So it is told again as one would be: an incident does not end
# for want of news then, and a chain in which nobody was reached is started again.
TOLD_AGAIN = timedelta(hours=1)
# Whoever could not deliver while callbridge was down tries again within this time.
AFTER_START = timedelta(minutes=1)
# Messages that came in time may still wait to be understood.
UNREAD_PAUSE = timedelta(seconds=1)


def seen_in(world: World, alerts: Iterable[Alert]) -> set[str]:
    """The watchdogs that a notification with these alerts is a sign of life of: one that matches must fire."""
    if not world.watchdogs:
        return set()
    firing = [alert.labels for alert in alerts if alert.firing]
    return {one.name for one in world.watchdogs if any(all_hold(one.matchers, labels) for labels in firing)}


def saw(ledger: Ledger, seen: Mapping[str, datetime]) -> None:
    """Note when each of these was seen last; an incident of its silence is over with it."""
    if not seen:
        return
    kept = store.watches(ledger.connection)
    for name, at in seen.items():
        before = kept.get(name)
        if before is None:
            store.begin(ledger.connection, Watch(name, at, seen=True))
            continue
        if before.seen and before.since >= at:
            continue
        store.save(ledger.connection, before, Watch(name, max(at, before.since), seen=True))
        if before.told_at is not None:
            _end(ledger, before)


def changes(world: World, kept: Mapping[str, Watch], now: datetime, started_at: datetime) -> bool:
    """Whether there is anything for `look` to change."""
    wanted = {one.name for one in world.watchdogs}
    return wanted != kept.keys() or any(due_at(one, kept[one.name], started_at) <= now for one in world.watchdogs)


def next_due(world: World, kept: Mapping[str, Watch], started_at: datetime) -> datetime | None:
    """When the silence of one becomes an incident, or must be told again."""
    known = [one for one in world.watchdogs if one.name in kept]
    return min((due_at(one, kept[one.name], started_at) for one in known), default=None)


def due_at(watchdog: Watchdog, watch: Watch, started_at: datetime) -> datetime:
    """When its silence must be told (again); not in the first moments after a start, when nobody could deliver."""
    if watch.told_at is not None:
        return watch.told_at + TOLD_AGAIN
    return max(watch.since + watchdog.every, min(started_at + AFTER_START, started_at + watchdog.every))


def look(ledger: Ledger, started_at: datetime) -> datetime | None:
    """Begin to count for new ones, forget removed ones, and tell what is silent too long; returns when to come back.

    Sooner than the next one is due only where what came in is not understood yet.
    """
    kept, wanted = store.watches(ledger.connection), {one.name: one for one in ledger.world.watchdogs}
    for watch in [watch for name, watch in kept.items() if name not in wanted]:
        store.forget(ledger.connection, watch.name)
        _end(ledger, watch)
    for name in [name for name in wanted if name not in kept]:
        kept[name] = Watch(name, ledger.now)
        store.begin(ledger.connection, kept[name])
    for name, watchdog in wanted.items():
        if due_at(watchdog, kept[name], started_at) > ledger.now:
            continue
        if inbox.unread(ledger.connection, kept[name].since + watchdog.every, ledger.now):
            return ledger.now + UNREAD_PAUSE
        told = replace(kept[name], told_at=ledger.now)
        store.save(ledger.connection, kept[name], told)
        kept[name] = told
        _tell(ledger, watchdog, told)
    return next_due(ledger.world, kept, started_at)


def _tell(ledger: Ledger, watchdog: Watchdog, watch: Watch) -> None:
    """Its silence, as a notification would tell it: a new incident, or one more word of the one that is open."""
    group = _group(ledger, watch, AlertStatus.FIRING)
    ledger.load_streams([group.stream])
    present = list(ledger.open_in(group.stream).values())
    for held in present:
        ledger.happen(held, Fired())
    if present:
        return
    held = ledger.open(group, ledger.world.policies[watchdog.policy], ledger.now)
    for alert in group.alerts:
        ledger.put_alert(held, alert, 0)
    ledger.describe(held, group, group.alerts)
    ledger.begin(held)


def _end(ledger: Ledger, watch: Watch) -> None:
    """It came again, or nobody waits for it any more."""
    group = _group(ledger, watch, AlertStatus.RESOLVED)
    ledger.load_streams([group.stream])
    for held in list(ledger.open_in(group.stream).values()):
        for alert in group.alerts:
            ledger.put_alert(held, alert, 0)
        ledger.happen(held, Cleared())
    # The worker waits for an hour of silence to be over, and this one may be silent again much sooner.
    ledger.effects.wake = True


def _group(ledger: Ledger, watch: Watch, status: AlertStatus) -> Group:
    labels = {"alertname": "WatchdogMissing", "watchdog": watch.name, "severity": "critical"}
    alert = Alert(
        fingerprint=fingerprint(labels),
        status=status,
        labels=labels,
        annotations={"summary": _summary(ledger, watch)},
        starts_at=watch.since,
        ends_at=None if status is AlertStatus.FIRING else ledger.now,
    )
    stream = Stream(Source.ALERTMANAGER, RECEIVER, f"{store.STREAMS}{watch.name}")
    return Group(stream, (alert,), {"alertname": "WatchdogMissing", "watchdog": watch.name}, "")


def _summary(ledger: Ledger, watch: Watch) -> str:
    at = f"{watch.since.astimezone(ledger.world.timezone):%H:%M on %Y-%m-%d}"
    if watch.seen:
        return f"No sign of life from {watch.name} since {at}"
    return f"There was never a sign of life from {watch.name}, which is awaited since {at}"
