"""The routing tree and the way through it, as Alertmanager's dispatch/route.go has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bridge.intervals import TimeInterval
from bridge.route.matcher import Matcher, MatchOp


@dataclass(frozen=True, slots=True)
class Route:
    """A node of the tree. `policy` is already inherited; matchers, `continue_` and the intervals never are.

    `mute` and `active` are names of time intervals.
    """

    policy: str
    matchers: tuple[Matcher, ...] = ()
    continue_: bool = False
    mute: tuple[str, ...] = ()
    active: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()


@dataclass(frozen=True, slots=True)
class Shadowed:
    """A route that nothing ever reaches, and the earlier sibling that takes all before it.

    Both are the way from the root: the index of the child on each level, from 0.
    """

    path: tuple[int, ...]
    by: tuple[int, ...]
    route: Route

    def __str__(self) -> str:
        return (
            f"{_written(self.path)} is never reached: {_written(self.by)} takes all that it would; "
            "put it before that one, or give that one `continue: true`"
        )


def match(route: Route, labels: Mapping[str, str]) -> tuple[Route, ...]:
    """The routes that an alert with `labels` takes, depth first, left to right; () if `route` itself does not match.

    A route counts only where none of its children matches; the first child that matches is the last one asked, unless
    it says `continue`.
    """
    return _below(route, labels) if all_hold(route.matchers, labels) else ()


def _below(route: Route, labels: Mapping[str, str]) -> tuple[Route, ...]:
    found: list[Route] = []
    for child in route.routes:
        if not all_hold(child.matchers, labels):
            continue
        found += _below(child, labels)
        if not child.continue_:
            break
    return tuple(found) or (route,)


def all_hold(matchers: Sequence[Matcher], labels: Mapping[str, str]) -> bool:
    """Whether `labels` satisfy every one of `matchers`."""
    # This runs for every alert and every route.
    for matcher in matchers:  # noqa: SIM110 - a generator would double its cost
        if not matcher.holds(labels.get(matcher.name, "")):
            return False
    return True


def muted(route: Route, intervals: Mapping[str, TimeInterval], now: datetime) -> bool:
    """Whether `route` tells nobody at `now`: inside any of its mute intervals, or outside all of its active ones.

    A muted route still ends the search of `match`. Raises KeyError for a name that `intervals` does not define.
    """
    if any(intervals[name].contains(now) for name in route.mute):
        return True
    return bool(route.active) and not any(intervals[name].contains(now) for name in route.active)


def shadowed(route: Route) -> tuple[Shadowed, ...]:
    """The routes that can never be reached, because an earlier sibling without `continue` takes all that they would.

    Each finding is certain, but not every unreachable route is found. What lies below a shadowed route is not listed.
    """
    return tuple(_shadowed(route, (), frozenset(route.matchers)))


def _shadowed(route: Route, path: tuple[int, ...], known: frozenset[Matcher]) -> list[Shadowed]:
    found: list[Shadowed] = []
    for index, child in enumerate(route.routes):
        here = known.union(child.matchers)
        before = next((one for one, other in enumerate(route.routes[:index]) if _takes_all(other, here)), None)
        if before is None:
            found += _shadowed(child, (*path, index), here)
        else:
            found.append(Shadowed((*path, index), (*path, before), child))
    return found


def _takes_all(route: Route, known: frozenset[Matcher]) -> bool:
    """Whether `route` matches, and lets nothing past, wherever all of `known` hold."""
    return not route.continue_ and all(_follows(matcher, known) for matcher in route.matchers)


def _follows(matcher: Matcher, known: frozenset[Matcher]) -> bool:
    """Whether `matcher` must hold where all of `known` do: it is among them, or one of them fixes the label's value."""
    return matcher in known or any(
        one.op is MatchOp.EQUAL and one.name == matcher.name and matcher.holds(one.value) for one in known
    )


def _written(path: tuple[int, ...]) -> str:
    return ".".join(["route", *(f"routes[{index}]" for index in path)])
