"""`callbridge check-config F --against=OLD --payloads=DIR`: which recorded webhooks would now go elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bridge import config
from bridge.alert import Alert, Group, Stream
from bridge.cli.words import read_payload
from bridge.config import Config
from bridge.errors import CallbridgeError
from bridge.escalation import Channel, Incident, Policy, opened
from bridge.rota import with_file_calendars
from bridge.route import match, muted
from bridge.schedule import Roster

AHEAD = timedelta(hours=1)
LONGEST = 60


@dataclass(frozen=True, slots=True)
class Way:
    """Where an alert goes: its policies, muted ones marked, and whom their first step calls."""

    policies: tuple[str, ...]
    people: tuple[str, ...]

    def __str__(self) -> str:
        return f"{', '.join(self.policies)} ({', '.join(self.people) or 'nobody'})"


@dataclass(frozen=True, slots=True)
class Counts:
    """How many bodies were read, how many could not be, the alerts in them, and how many of these go elsewhere."""

    bodies: int
    unread: int
    alerts: int
    elsewhere: int


def compare(new: Path, old: Path, payloads: Path) -> Counts:
    """Print each alert of the recorded bodies (*.json) that goes elsewhere under `new` than under `old`; and counts.

    Raises ConfigError for a config that cannot be used, CallbridgeError for a folder without bodies.
    """
    now, before = config.load(new), config.load(old)
    found = sorted(payloads.glob("*.json"))
    if not found:
        raise CallbridgeError(
            f"--payloads={payloads}: there is no *.json in it; name the folder of the recorded bodies"
        )
    bodies = alerts = elsewhere = 0
    for path in found:
        try:
            group = read_payload(path)
        except CallbridgeError as error:
            print(f"not compared: {error}")
            continue
        bodies, alerts = bodies + 1, alerts + len(group.alerts)
        for line in _differences(path, group, before, now):
            elsewhere += 1
            print(line)
    counts = Counts(bodies, len(found) - bodies, alerts, elsewhere)
    print(_told(counts, old))
    return counts


def _told(counts: Counts, old: Path) -> str:
    unread = f", {counts.unread} not compared" if counts.unread else ""
    bodies, alerts = (_counted(counts.bodies, "webhook"), _counted(counts.alerts, "alert"))
    return f"against {old}: {bodies} with {alerts}, {counts.elsewhere} would go elsewhere{unread}"


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'s' * (count != 1)}"


def _differences(path: Path, group: Group, before: Config, now: Config) -> Iterator[str]:
    at = time_of(group)
    # Each config as it would have been then: a calendar's entries of that day.
    then, today = (with_file_calendars(one, at, AHEAD) for one in (before, now))
    for index, alert in enumerate(group.alerts):
        old, new = way(then, group.stream, alert, at), way(today, group.stream, alert, at)
        if old != new:
            yield f"{path.name}: alerts[{index}] {_shown(alert)}: {old} -> {new}"


def time_of(group: Group) -> datetime:
    """When the body was sent, as near as it tells: the latest start or end in it."""
    times = [time for alert in group.alerts for time in (alert.starts_at, alert.ends_at) if time is not None]
    return max(times, default=datetime(1970, 1, 1, tzinfo=UTC))


def way(loaded: Config, stream: Stream, alert: Alert, at: datetime) -> Way:
    """Where the alert goes at that time."""
    taken: dict[str, bool] = {}
    for route in match(loaded.route, alert.labels):
        # One route that is not muted is enough for its policy.
        taken[route.policy] = taken.get(route.policy, True) and muted(route, loaded.time_intervals, at)
    names = tuple(f"{name} (muted)" if silent else name for name, silent in taken.items())
    told = [loaded.policies[name] for name, silent in taken.items() if not silent]
    return Way(names, tuple(dict.fromkeys(_first_called(told, stream, Roster(loaded.people, loaded.schedules), at))))


def _first_called(policies: Sequence[Policy], stream: Stream, roster: Roster, at: datetime) -> Iterator[str]:
    for policy in policies:
        incident = Incident("", stream, policy, opened_at=at, news_at=at)
        for page in opened(incident, roster, at).pages:
            yield page.person if page.channel is Channel.VOICE else f"{page.person} by SMS"


def _shown(alert: Alert) -> str:
    """The alert's labels, fit for a line: they are strangers' text."""
    pairs = sorted((name[:LONGEST], value[:LONGEST]) for name, value in alert.labels.items())
    return "{" + ",".join(f"{json.dumps(name)[1:-1]}={json.dumps(value)}" for name, value in pairs) + "}"
