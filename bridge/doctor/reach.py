"""The way through Alertmanager's tree: which routes bring alerts to callbridge, which never, and which twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bridge.config.spot import Spot
from bridge.doctor.finding import Findings
from bridge.doctor.reading import Branch, named
from bridge.doctor.witness import contradiction, example, written
from bridge.route import Matcher, Route, match, shadowed

# Pairs of routes that are looked at, and that are tried with an alert, for one that takes both; more than that is told.
MOST_PAIRS = 200_000
MOST_TRIED = 2_000
WHEN_MUTED = {"mute_time_intervals": "while any of them is", "active_time_intervals": "while none of them is"}


@dataclass(frozen=True, slots=True)
class Tree:
    """The tree, also as bridge.route knows it; receivers with callbridge (`ours`), and with nothing (`silent`)."""

    top: Branch
    route: Route
    branches: Mapping[str, Branch]
    ours: frozenset[str]
    silent: frozenset[str] = frozenset()

    def rings(self, branch: Branch) -> bool:
        """Whether what ends at this node goes to callbridge."""
        return branch.receiver in self.ours

    def takers(self, branch: Branch) -> tuple[Branch, ...]:
        """This node and those below it that go to callbridge."""
        return tuple(one for one in branch.walk() if self.rings(one))

    def taken(self, labels: Mapping[str, str]) -> tuple[Branch, ...]:
        """The nodes at which an alert with `labels` ends, as Alertmanager would decide it."""
        return tuple(self.branches[route.policy] for route in match(self.route, labels))

    def at(self, path: Sequence[int]) -> Branch:
        """The node at `path`."""
        return self.branches[named(path)]


def tree_of(top: Branch, ours: Iterable[str], silent: Iterable[str]) -> Tree:
    """The tree with its index."""
    branches = {named(branch.path): branch for branch in top.walk()}
    return Tree(top, top.route(), branches, frozenset(ours), frozenset(silent))


def check_reach(tree: Tree, root: Spot, findings: Findings) -> tuple[Branch, ...]:
    """Tell what never comes to callbridge and what comes twice; the nodes that alerts can come to it by."""
    lost = [*_check_shadowed(tree, findings), *_check_contradictions(tree, findings)]
    dead = {one.path for branch in lost for one in branch.walk()}
    takers = tuple(one for one in tree.takers(tree.top) if one.path not in dead)
    if not takers:
        names = ", ".join(sorted(tree.ours))
        findings.error(
            root.at("route") or root,
            f"no alert comes to callbridge: no route that alerts can take names its receiver ({names})",
            f"write receiver: {sorted(tree.ours)[0]} into the routes whose alerts should ring the phone",
        )
    for branch in takers:
        _check_intervals(branch, findings)
    _check_doubles(tree, frozenset(one.path for one in takers), findings)
    return takers


def _check_shadowed(tree: Tree, findings: Findings) -> Iterator[Branch]:
    for one in shadowed(tree.route):
        hidden, by = tree.at(one.path), tree.at(one.by)
        lost, instead = tree.takers(hidden), tree.takers(by)
        remedy = f"put it before line {by.spot.line}, or write continue: true there"
        if lost and not instead:
            what = (
                f"never reached: the route on line {by.spot.line} takes all that it would, and its alerts ring no phone"
            )
            findings.error(hidden.spot, what, remedy)
        elif lost:
            what = f"never reached: the route on line {by.spot.line} takes all that it would"
            findings.warning(hidden.spot, what, remedy)
        elif instead:
            what = (
                f"never reached: the route on line {by.spot.line} takes all that it would,"
                f" and what is meant for {hidden.receiver} rings the phone"
            )
            findings.warning(hidden.spot, what, f"put it before line {by.spot.line}")
        yield hidden


def _check_contradictions(tree: Tree, findings: Findings) -> Iterator[Branch]:
    for branch, (fixed, other) in _contradictory(tree.top):
        yield branch
        if not tree.takers(branch):
            continue
        told = findings.warning if tree.rings(tree.at(branch.path[:-1])) else findings.error
        told(
            branch.spot,
            f"never reached: no alert has {fixed} and {other}, and both must hold here",
            "take one of them away, or move the route out of the one around it",
        )


def _contradictory(branch: Branch) -> Iterator[tuple[Branch, tuple[Matcher, Matcher]]]:
    clash = contradiction(branch.required)
    if clash is not None:
        yield branch, clash
        return
    for child in branch.branches:
        yield from _contradictory(child)


def _check_intervals(branch: Branch, findings: Findings) -> None:
    for key, when in WHEN_MUTED.items():
        spot = branch.spot.at(key)
        names = spot.texts if spot else None
        if spot is not None and names:
            findings.hint(
                spot,
                f"{when} ({', '.join(names)}), Alertmanager drops notifications and does not keep them: what begins"
                " then is"
                " told by the first change or repeat afterwards",
                "remember that nobody is called in that time, however bad it is",
            )


# --- twice


def _check_doubles(tree: Tree, takers: frozenset[tuple[int, ...]], findings: Findings) -> None:
    told: set[tuple[int, ...]] = set()
    tried = 0
    for number, (first, second) in enumerate(_pairs(tree.top, takers)):
        if number > MOST_PAIRS or tried > MOST_TRIED:
            what = "has so many routes with continue: true that not every pair was tried for alerts that take both"
            findings.hint(tree.top.spot, what, "try those that matter with amtool config routes test")
            return
        if second.path in told or contradiction((*first.required, *second.required)) is not None:
            continue
        tried += 1
        labels = _both(tree, first, second)
        if labels is not None:
            told.add(second.path)
            _tell_double(first, second, labels, findings)


def _pairs(branch: Branch, takers: frozenset[tuple[int, ...]]) -> Iterator[tuple[Branch, Branch]]:
    """Two nodes that go to callbridge and that one alert might take both: the first below a `continue: true`."""
    below = [[one for one in child.walk() if one.path in takers] for child in branch.branches]
    for index, child in enumerate(branch.branches):
        yield from _pairs(child, takers)
        if not child.continue_:
            continue
        for first in below[index]:
            for later in below[index + 1 :]:
                yield from ((first, second) for second in later)


def _both(tree: Tree, first: Branch, second: Branch) -> dict[str, str] | None:
    """Labels of an alert that really ends at both nodes."""
    labels = example((*first.required, *second.required))
    if labels is None:
        return None
    ends = {one.path for one in tree.taken(labels)}
    return labels if {first.path, second.path} <= ends else None


def _tell_double(first: Branch, second: Branch, labels: Mapping[str, str], findings: Findings) -> None:
    alert = f"an alert with {written(labels)}" if labels else "every alert"
    if _one_key(first, second):
        findings.warning(
            second.spot,
            f"has the receiver and the matchers of the route on line {first.spot.line}: {alert} takes both under one"
            " groupKey,"
            " and in Alertmanager's notification log each overwrites the other",
            "leave only one of the two",
        )
        return
    findings.warning(
        second.spot,
        f"{alert} comes to callbridge by this route and by that on line {first.spot.line}, which continues: two"
        " streams,"
        " two incidents, and the same people are called for both",
        f"take continue: true away from line {first.spot.line} (or what is around it), or give one of them another"
        " receiver",
    )


def _one_key(first: Branch, second: Branch) -> bool:
    """Whether both nodes have one receiver and one groupKey for the same alert."""
    levels = [[frozenset(level) for level in (*one.above, one.matchers)] for one in (first, second)]
    return (
        first.receiver == second.receiver
        and levels[0] == levels[1]
        and set(first.settings.group_by) == set(second.settings.group_by)
    )
