"""How Alertmanager itself sends: by which ways an alert comes to us, how long it waits there, and when it is muted.

Read from the config that its status tells (without secrets). Where it tells none, its defaults are taken for granted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bridge.config.spot import Spot, root_of
from bridge.config.tree import compose
from bridge.doctor.address import DOOR
from bridge.doctor.reading import GROUP_WAIT, Branch, named, receivers, tree
from bridge.intervals import IntervalError, TimeInterval, parse_interval
from bridge.route import Route, match


@dataclass(frozen=True, slots=True)
class Ways:
    """The routing tree of an Alertmanager; without one nothing is known of its ways.

    `ours`: receivers with a webhook to callbridge's door, as far as their URLs are shown.
    """

    route: Route | None = None
    branches: Mapping[str, Branch] = field(default_factory=dict)
    intervals: Mapping[str, TimeInterval] = field(default_factory=dict)
    ours: frozenset[str] = frozenset()

    def first_wait(self, receiver: str, labels: Mapping[str, str]) -> timedelta:
        """How long a new group waits before it is told (group_wait); the longest, where there are several ways."""
        waits = [branch.settings.group_wait.value for branch in self._of(receiver, labels)]
        return max(waits, default=GROUP_WAIT)

    def next_wait(self, receiver: str, labels: Mapping[str, str]) -> timedelta | None:
        """How long a group that was told waits before it is told again (group_interval); None: it is not known."""
        return max((branch.settings.group_interval.value for branch in self._of(receiver, labels)), default=None)

    def muted(self, receiver: str, labels: Mapping[str, str], now: datetime) -> bool:
        """Whether every way to `receiver` is muted now; older Alertmanagers do not say so of an alert."""
        ways = list(self._of(receiver, labels))
        return bool(ways) and all(self._muted(branch, now) for branch in ways)

    def _of(self, receiver: str, labels: Mapping[str, str]) -> Iterator[Branch]:
        if self.route is None:
            return
        for route in match(self.route, labels):
            branch = self.branches[route.policy]
            if branch.receiver == receiver:
                yield branch

    def _muted(self, branch: Branch, now: datetime) -> bool:
        mute, active = (self._named(branch, key) for key in ("mute_time_intervals", "active_time_intervals"))
        if any(interval.contains(now) for interval in mute):
            return True
        return bool(active) and not any(interval.contains(now) for interval in active)

    def _named(self, branch: Branch, key: str) -> list[TimeInterval]:
        spot = branch.spot.at(key)
        names = (spot.texts if spot else None) or ()
        return [self.intervals[name] for name in names if name in self.intervals]


def read_ways(config: str) -> Ways:
    """The ways of an Alertmanager's config; what cannot be read is left out. Never raises."""
    root = compose(config, lambda *_: None) if config.strip() else None
    spot = root_of(root) if root is not None else None
    top = tree(spot) if spot is not None else None
    if spot is None or top is None:
        return Ways()
    return Ways(
        route=top.route(),
        branches={named(branch.path): branch for branch in top.walk()},
        intervals=dict(_intervals(spot)),
        ours=frozenset(one.name for one in receivers(spot) for webhook in one.webhooks if _is_door(webhook.url or "")),
    )


def _is_door(url: str) -> bool:
    return url.partition("?")[0].rstrip("/").endswith(DOOR)


def _intervals(root: Spot) -> Iterator[tuple[str, TimeInterval]]:
    for key in ("time_intervals", "mute_time_intervals"):
        for one in root.each(key):
            name, specs = one.at("name"), list(one.each("time_intervals"))
            if name is None or name.text is None:
                continue
            try:
                yield name.text, parse_interval([spec for row in specs if isinstance(spec := row.node.plain, dict)])
            except IntervalError:
                continue  # Alertmanager would not have started with it
