"""How late a page comes, and how long nobody is called: Alertmanager's intervals against callbridge's policies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from bridge.config.scalars import brief
from bridge.config.spot import Spot
from bridge.doctor.finding import Findings, Level
from bridge.doctor.reading import EACH_ALERT, Branch
from bridge.doctor.witness import contradiction, follows
from bridge.escalation import NEWS_TIMEOUT, Policy
from bridge.route import Matcher, Route

LONGEST_GROUP_WAIT = timedelta(minutes=5)
LONGEST_GROUP_INTERVAL = timedelta(minutes=15)
# So long nobody may be called before it is worth a hint, and before it is late.
SHORT_SILENCE = timedelta(minutes=10)
LONG_SILENCE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Chains:
    """callbridge's own tree and policies, by which an alert comes to a chain of people."""

    route: Route
    policies: dict[str, Policy]

    def callable(self, known: Sequence[Matcher]) -> Iterator[Policy]:
        """The policies with somebody to call that alerts may take for which `known` holds."""
        names = dict.fromkeys(_may_take(self.route, tuple(known)))
        return (self.policies[name] for name in names if self.policies[name].steps)


def _may_take(route: Route, known: tuple[Matcher, ...]) -> Iterator[str]:
    for child in route.routes:
        within = (*known, *child.matchers)
        if contradiction(within) is not None:
            continue
        yield from _may_take(child, within)
        if not child.continue_ and all(follows(matcher, known) for matcher in child.matchers):
            return
    yield route.policy


def longest(policy: Policy) -> timedelta:
    """The time after which the chain is gone through at the latest: every step ends when its `wait` is over."""
    return sum((step.wait for step in policy.steps), timedelta(0)) * policy.rounds


def repeat(branch: Branch) -> timedelta:
    """When what still fires is told again: Alertmanager looks only every group_interval."""
    interval, asked = branch.settings.group_interval.value, branch.settings.repeat_interval.value
    return max(-(-asked // interval), 1) * interval if interval else asked


def check_timing(takers: Sequence[Branch], top: Branch, chains: Chains | None, findings: Findings) -> None:
    """Tell what makes pages late on the ways to callbridge; what is Alertmanager's default is told of `top`."""
    for branch in takers:
        _check_group(branch, findings)
        _check_repeat(branch, findings)
        if chains is not None:
            _check_chains(branch, _set_at(branch, top), chains, findings)
        else:
            _check_unknown_chains(branch, _set_at(branch, top), findings)


def _check_group(branch: Branch, findings: Findings) -> None:
    settings = branch.settings
    if settings.group_wait.value > LONGEST_GROUP_WAIT and settings.group_wait.spot is not None:
        findings.warning(
            settings.group_wait.spot,
            f"nobody is called before an alert has fired for another {brief(settings.group_wait.value)}",
            "write 30s on the routes to callbridge",
        )
    if settings.group_interval.value > LONGEST_GROUP_INTERVAL and settings.group_interval.spot is not None:
        findings.warning(
            settings.group_interval.spot,
            f"a new alert in a group that is told of already waits up to {brief(settings.group_interval.value)},"
            " and so does the news that one is over",
            "write 5m or less on the routes to callbridge",
        )
    if EACH_ALERT in settings.group_by:
        findings.hint(
            settings.group_by_spot or branch.spot,
            "groups by every label: each alert is an incident of its own, to be taken one by one"
            " (a storm still comes in one call per person)",
            "group by what one person would mend at once, such as [alertname, cluster]",
        )
    empty = branch.spot.at("group_by")
    if empty is not None and empty.texts == () and settings.group_by:
        findings.warning(
            empty,
            f"means one group of everything since Alertmanager 0.31, and before it that of the route above"
            f" ({', '.join(settings.group_by)}): it is not clear what is one incident",
            "name the labels to group by",
        )


def _check_repeat(branch: Branch, findings: Findings) -> None:
    settings = branch.settings
    spot = settings.repeat_interval.spot or settings.group_interval.spot
    if spot is None:
        return
    if settings.repeat_interval.value < settings.group_interval.value:
        findings.warning(
            spot,
            f"repeat_interval {brief(settings.repeat_interval.value)} is shorter than group_interval"
            f" {brief(settings.group_interval.value)}, and nothing is told more often than that",
            "make repeat_interval a multiple of group_interval",
        )
    if repeat(branch) + settings.group_interval.value > NEWS_TIMEOUT:
        findings.warning(
            spot,
            f"what still fires is told again only after {brief(repeat(branch))} or a group_interval later, and"
            " callbridge"
            f" takes an incident without news for {brief(NEWS_TIMEOUT)} for over: then the repeat opens another and"
            " rings"
            " again, whoever had taken it",
            "write 12h or less on the routes to callbridge",
        )


def _check_chains(branch: Branch, spot: Spot, chains: Chains, findings: Findings) -> None:
    again = repeat(branch)
    ends = sorted((longest(policy), policy.name) for policy in chains.callable(branch.required))
    if not ends:
        return
    first, name = ends[0]
    level = _late(again - first)
    if level is not None:
        findings.tell(
            level,
            spot,
            f"policy {name} is gone through after at most {brief(first)}; if nobody took it, the next notification"
            " comes after"
            f" {brief(again)}, and for {brief(again - first)} nobody is called",
            f"write repeat_interval: {_advised(first)} (repeats ring nobody while somebody is called or has taken it),"
            " or give the policy more rounds",
        )


def _check_unknown_chains(branch: Branch, spot: Spot, findings: Findings) -> None:
    again = repeat(branch)
    if again <= LONG_SILENCE:
        return
    findings.hint(
        spot,
        f"a policy that was gone through without anybody taking it is started again only after {brief(again)}",
        "give --config.file to have that compared with the policies; a shorter repeat_interval rings nobody needlessly",
    )


def _set_at(branch: Branch, top: Branch) -> Spot:
    """Where the repeat_interval in force is set; a default stands nowhere, so it is told of the root."""
    return branch.settings.repeat_interval.spot or top.spot


def _late(silence: timedelta) -> Level | None:
    if silence > LONG_SILENCE:
        return Level.WARNING
    return Level.HINT if silence > SHORT_SILENCE else None


def _advised(chain: timedelta) -> str:
    """The chain's time in whole steps of five minutes."""
    step = timedelta(minutes=5)
    return brief(max(-(-chain // step), 1) * step)
