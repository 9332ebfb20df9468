"""The routing tree is searched exactly as Alertmanager searches it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.intervals import parse_interval
from bridge.route import Matcher, MatchOp, Route, match, muted, parse_utf8, shadowed

LABELS = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.sampled_from(["", "1", "2", "12"]), max_size=3)
MATCHERS = st.builds(
    Matcher,
    st.sampled_from(["a", "b", "c"]),
    st.sampled_from(list(MatchOp)),
    st.sampled_from(["", "1", "2", ".*", "1|2", ".+", "1.?"]),
)


def routes(depth: int = 3) -> st.SearchStrategy[Route]:
    """Random trees, at most `depth` levels below the root."""
    below = st.lists(routes(depth - 1), max_size=3).map(tuple) if depth else st.just(())
    return st.builds(
        Route, st.just(""), st.lists(MATCHERS, max_size=2).map(tuple), continue_=st.booleans(), routes=below
    )


def every(route: Route, path: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], Route]]:
    """All routes of a tree with their paths, depth first."""
    yield path, route
    for index, child in enumerate(route.routes):
        yield from every(child, (*path, index))


def named(route: Route, path: tuple[int, ...] = ()) -> Route:
    """The same tree with each route's path as its policy, so that equal routes can be told apart."""
    below = tuple(named(child, (*path, index)) for index, child in enumerate(route.routes))
    return Route(str(path), route.matchers, route.continue_, routes=below)


def admits(route: Route, labels: Mapping[str, str]) -> bool:
    return all(matcher.matches(labels) for matcher in route.matchers)


def tree(*children: Route) -> Route:
    return Route("root", routes=children)


def leaf(policy: str, text: str = "", *children: Route, go_on: bool = False) -> Route:
    return Route(policy, parse_utf8(text), go_on, routes=children)


TREES = {
    "no child": (tree(), ["root"]),
    "the first child wins": (tree(leaf("one", "a=1"), leaf("two", "a=1")), ["one"]),
    "continue asks the next sibling": (tree(leaf("one", "a=1", go_on=True), leaf("two", "a=1")), ["one", "two"]),
    "continue of a route that does not match is nothing": (tree(leaf("one", "a=2", go_on=True)), ["root"]),
    "continue never brings the parent": (tree(leaf("one", "a=1", go_on=True)), ["one"]),
    "no child matches": (tree(leaf("one", "a=1", leaf("two", "b=9"))), ["one"]),
    "a grandchild replaces its parent": (tree(leaf("one", "a=1", leaf("two", "b=2"))), ["two"]),
    "a grandchild's match ends the search above": (tree(leaf("one", "", leaf("two", "b=2")), leaf("three")), ["two"]),
    "continue of a grandchild is for its level only": (
        tree(leaf("one", "", leaf("two", "b=2", go_on=True)), leaf("three")),
        ["two"],
    ),
    "two that agree are told twice": (tree(leaf("one", "a=1", go_on=True), leaf("one", "b=2")), ["one", "one"]),
}


@pytest.mark.parametrize(("route", "policies"), TREES.values(), ids=TREES)
def test_match(route: Route, policies: list[str]) -> None:
    """The tree is searched depth first, left to right, as Alertmanager searches it."""
    assert [one.policy for one in match(route, {"a": "1", "b": "2"})] == policies


def test_match_of_nothing() -> None:
    """A route whose own matchers do not hold takes nobody, whatever its children say."""
    assert match(leaf("one", "a=1", leaf("two")), {}) == ()


@given(routes(), LABELS)
def test_match_laws(route: Route, labels: dict[str, str]) -> None:
    """Whoever matches is found at the lowest level, in order, once, and never together with an ancestor."""
    tagged = named(route)
    by_policy = {one.policy: path for path, one in every(tagged)}
    nodes = dict(every(tagged))
    paths = [by_policy[one.policy] for one in match(tagged, labels)]
    assert bool(paths) == admits(route, labels)
    assert paths == sorted(set(paths))
    for path in paths:
        assert all(admits(nodes[path[:level]], labels) for level in range(len(path) + 1))
        assert not any(admits(child, labels) for child in nodes[path].routes)
        for level, index in enumerate(path):
            passed = nodes[path[:level]].routes[:index]
            assert all(one.continue_ for one in passed if admits(one, labels))


@given(routes(), LABELS)
def test_shadowed_routes_are_never_reached(route: Route, labels: dict[str, str]) -> None:
    """No label set reaches a route that is called shadowed, or anything below it."""
    reached = [one.policy for one in match(named(route), labels)]
    for one in shadowed(named(route)):
        assert not {below.policy for _, below in every(one.route)} & set(reached)


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        (tree(leaf("one"), leaf("two")), [((1,), (0,))]),
        (tree(leaf("one", "a=1"), leaf("two", "a=1,b=2")), [((1,), (0,))]),
        (tree(leaf("one", "a=1,b=2"), leaf("two", "a=1")), []),
        (tree(leaf("one", "a=1", go_on=True), leaf("two", "a=1")), []),
        (tree(leaf("one", 'a=~"1|2"'), leaf("two", "a=1")), [((1,), (0,))]),
        (tree(leaf("one", "a!=1"), leaf("two", "a=2"), leaf("three", "a=1")), [((1,), (0,))]),
        (tree(leaf("one", "a=1", leaf("two", "a=1"), leaf("three", "b=2"))), [((0, 1), (0, 0))]),
        (tree(leaf("one", "a=1"), leaf("two", "a=2"), leaf("three", "a=2", leaf("four"))), [((2,), (1,))]),
    ],
)
def test_shadowed(route: Route, expected: list[tuple[tuple[int, ...], tuple[int, ...]]]) -> None:
    """A route is shadowed by the first earlier sibling that takes all it would match, counting what its parents ask."""
    assert [(one.path, one.by) for one in shadowed(route)] == expected


def test_shadowed_in_words() -> None:
    """The finding names both routes and the remedy."""
    (found,) = shadowed(tree(leaf("one", "a=1", leaf("two"), leaf("three"))))
    assert str(found) == (
        "route.routes[0].routes[1] is never reached: route.routes[0].routes[0] takes all that it would; "
        "put it before that one, or give that one `continue: true`"
    )


NIGHT = parse_interval([{"times": [{"start_time": "22:00", "end_time": "24:00"}]}])
LATE = parse_interval([{"times": [{"start_time": "23:00", "end_time": "24:00"}]}])


@pytest.mark.parametrize(
    ("mute", "active", "hour", "expected"),
    [
        ((), (), 12, False),
        (("night",), (), 12, False),
        (("night",), (), 22, True),
        (("late", "night"), (), 22, True),
        ((), ("night",), 12, True),
        ((), ("night",), 22, False),
        ((), ("late", "night"), 22, False),
        (("late",), ("night",), 22, False),
        (("late",), ("night",), 23, True),
    ],
)
def test_muted(mute: tuple[str, ...], active: tuple[str, ...], hour: int, expected: bool) -> None:
    """A route is muted inside any mute interval, or outside all its active ones; where both speak, mute wins."""
    route = Route("p", mute=mute, active=active)
    now = datetime(2026, 1, 1, hour, tzinfo=UTC)
    assert muted(route, {"night": NIGHT, "late": LATE}, now) is expected


def test_muted_by_an_unknown_interval() -> None:
    """A name that no interval has is an error of the caller, never silence."""
    with pytest.raises(KeyError):
        muted(Route("p", mute=("nowhere",)), {}, datetime(2026, 1, 1, tzinfo=UTC))


def test_intervals_are_not_inherited() -> None:
    """A route found below a muted one is not muted with it."""
    below = leaf("below", "a=1")
    (found,) = match(Route("root", mute=("night",), routes=(below,)), {"a": "1"})
    assert not muted(found, {"night": NIGHT}, datetime(2026, 1, 1, 22, tzinfo=UTC))
