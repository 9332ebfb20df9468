"""An Alertmanager config as far as it concerns callbridge: receivers, webhooks and the routing tree, inherited out.

It is tolerant: what cannot be read is left out here, and told by `refused`. Source of the rules: Alertmanager's
config/config.go and dispatch/route.go, 0.22 to 0.34.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from bridge.config.scalars import boolean, duration
from bridge.config.spot import Spot
from bridge.route import Matcher, MatcherError, MatchOp, Route, parse_matchers

# dispatch/route.go, DefaultRouteOpts.
GROUP_WAIT = timedelta(seconds=30)
GROUP_INTERVAL = timedelta(minutes=5)
REPEAT_INTERVAL = timedelta(hours=4)
EACH_ALERT = "..."


@dataclass(frozen=True, slots=True)
class Webhook:
    """One webhook_config. `http` is the http_config in force: its own, or the global one as a whole."""

    spot: Spot
    receiver: str
    url: str | None
    http: Spot | None


@dataclass(frozen=True, slots=True)
class Receiver:
    """A receiver; `silent`: nothing is sent anywhere by it."""

    spot: Spot
    name: str
    webhooks: tuple[Webhook, ...]
    silent: bool


@dataclass(frozen=True, slots=True)
class Span:
    """A duration, and where it is set; `spot` None: it is Alertmanager's default."""

    value: timedelta
    spot: Spot | None = None


@dataclass(frozen=True, slots=True)
class Inherited:
    """What a route takes from the one above it where it says nothing itself."""

    receiver: str = ""
    group_by: tuple[str, ...] = ()
    group_by_spot: Spot | None = None
    group_wait: Span = Span(GROUP_WAIT)
    group_interval: Span = Span(GROUP_INTERVAL)
    repeat_interval: Span = Span(REPEAT_INTERVAL)


@dataclass(frozen=True, slots=True)
class Branch:
    """A node of the tree. `path`: the index of the child on each level; `above`: the matchers of every ancestor."""

    spot: Spot
    path: tuple[int, ...]
    settings: Inherited
    matchers: tuple[Matcher, ...]
    above: tuple[tuple[Matcher, ...], ...]
    continue_: bool
    branches: tuple[Branch, ...]

    @property
    def receiver(self) -> str:
        return self.settings.receiver

    @property
    def required(self) -> tuple[Matcher, ...]:
        """Everything that an alert must satisfy to come here: the matchers of the way, and its own."""
        return (*(matcher for level in self.above for matcher in level), *self.matchers)

    def walk(self) -> Iterator[Branch]:
        """This node and all below it, in the order of the file."""
        yield self
        for child in self.branches:
            yield from child.walk()

    def route(self) -> Route:
        """The same tree for bridge.route; the policy of each node is its path, so that it can be found again."""
        return Route(
            policy=named(self.path),
            matchers=self.matchers,
            continue_=self.continue_,
            routes=tuple(child.route() for child in self.branches),
        )


def named(path: Iterable[int]) -> str:
    """The path of a node in one word."""
    return ".".join(map(str, path))


def receivers(root: Spot) -> tuple[Receiver, ...]:
    """Every receiver, in the order of the file."""
    common = root.at("global")
    everywhere = common.at("http_config") if common else None
    return tuple(_receiver(spot, everywhere) for spot in root.each("receivers"))


def _receiver(spot: Spot, everywhere: Spot | None) -> Receiver:
    name = text_at(spot, "name")
    webhooks = tuple(
        Webhook(one, name, url.text if (url := one.at("url")) else None, one.at("http_config") or everywhere)
        for one in spot.each("webhook_configs")
    )
    silent = not any(one.node.rows for key, one in spot.entries() if key.endswith("_configs"))
    return Receiver(spot, name, webhooks, silent)


def tree(root: Spot) -> Branch | None:
    """The routing tree; None where there is none."""
    spot = root.at("route")
    return _branch(spot, (), Inherited(), ()) if spot is not None and spot.node.entries is not None else None


def _branch(spot: Spot, path: tuple[int, ...], inherited: Inherited, above: tuple[tuple[Matcher, ...], ...]) -> Branch:
    settings = _settings(spot, inherited)
    # At the root Alertmanager refuses them (and says so); to go on as if they held would hide all the rest.
    matchers = matchers_of(spot) if path else ()
    children = tuple(
        _branch(child, (*path, index), settings, (*above, matchers)) for index, child in enumerate(spot.each("routes"))
    )
    return Branch(spot, path, settings, matchers, above, is_true(spot.at("continue")), children)


def _settings(spot: Spot, inherited: Inherited) -> Inherited:
    group_by = spot.at("group_by")
    names = group_by.texts if group_by else None
    return replace(
        inherited,
        receiver=text_at(spot, "receiver") or inherited.receiver,
        group_by=names or inherited.group_by,
        group_by_spot=group_by if names else inherited.group_by_spot,
        group_wait=_span(spot.at("group_wait")) or inherited.group_wait,
        group_interval=_span(spot.at("group_interval")) or inherited.group_interval,
        repeat_interval=_span(spot.at("repeat_interval")) or inherited.repeat_interval,
    )


def _span(spot: Spot | None) -> Span | None:
    if spot is None or spot.text is None:
        return None
    try:
        return Span(duration(spot.text), spot)
    except ValueError:
        return None


def matchers_of(spot: Spot, prefix: str = "") -> tuple[Matcher, ...]:
    """The matchers of a route, or with `prefix` (`source_`) those of an inhibition rule: both ways of writing them."""
    found: list[Matcher] = []
    for key, operator in (("match", MatchOp.EQUAL), ("match_re", MatchOp.REGEX)):
        pairs = spot.at(prefix + key)
        for name, value in pairs.entries() if pairs else ():
            found += _matcher(name, operator, value.text or "")
    for row in spot.each(f"{prefix}matchers"):
        found += _parsed(row.text or "")
    return tuple(found)


def _matcher(name: str, operator: MatchOp, value: str) -> tuple[Matcher, ...]:
    try:
        return (Matcher(name, operator, value),)
    except MatcherError:
        return ()


def _parsed(text: str) -> tuple[Matcher, ...]:
    try:
        return parse_matchers(text).matchers
    except MatcherError:
        return ()


def text_at(spot: Spot, key: str) -> str:
    """The scalar under `key`; empty where there is none."""
    found = spot.at(key)
    return (found.text if found else None) or ""


def is_true(spot: Spot | None) -> bool:
    """Whether a switch is on; one that cannot be read is off."""
    return _switch(spot) is True


def is_false(spot: Spot | None) -> bool:
    """Whether a switch is written, and off."""
    return _switch(spot) is False


def _switch(spot: Spot | None) -> bool | None:
    try:
        return boolean(spot.text) if spot is not None and spot.text is not None else None
    except ValueError:
        return None
