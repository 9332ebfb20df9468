"""Alerts that always fire, and those that are no alerts: they must never ring, and somebody should miss them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from bridge.config.scalars import brief
from bridge.doctor.finding import Findings
from bridge.doctor.reach import Tree
from bridge.doctor.reading import Branch
from bridge.doctor.timing import repeat
from bridge.doctor.witness import written
from bridge.route import Matcher, Route, match

# As the rule sets of kube-prometheus have them.
WATCHDOG = {"alertname": "Watchdog", "severity": "none"}
INHIBITOR = {"alertname": "InfoInhibitor", "severity": "none"}
CRITICAL = {"severity": "critical"}
ALWAYS = ("Watchdog", "DeadMansSwitch", "DeadMansSnitch", "AlwaysFiring", "Heartbeat")


@dataclass(frozen=True, slots=True)
class Listener:
    """callbridge's own tree, which of its policies call nobody, and the alerts that it misses, with how soon."""

    route: Route
    nobody: frozenset[str]
    missed: tuple[tuple[tuple[Matcher, ...], timedelta], ...]

    def rings(self, labels: Mapping[str, str]) -> str | None:
        """The policy by which an alert with `labels` calls somebody; None where it does not."""
        names = (route.policy for route in match(self.route, labels))
        return next((name for name in names if name not in self.nobody), None)

    def awaited(self, labels: Mapping[str, str]) -> timedelta | None:
        """How soon the absence of an alert with `labels` is noticed; None where nobody waits for it."""
        spans = [every for matchers, every in self.missed if all(one.matches(labels) for one in matchers)]
        return min(spans, default=None)


def check_alive(tree: Tree, listener: Listener | None, findings: Findings) -> None:
    """Tell of alerts that always fire and would ring, and of those that nobody would miss."""
    _check_ringing(tree, WATCHDOG, "it always fires, and says only that alerting works", listener, findings)
    _check_ringing(tree, INHIBITOR, "it is there to inhibit others, and asks nobody to act", listener, findings)
    _check_missed(tree, listener, findings)


def _check_ringing(
    tree: Tree, labels: Mapping[str, str], why: str, listener: Listener | None, findings: Findings
) -> None:
    branch = next((one for one in tree.taken(labels) if tree.rings(one)), None)
    if branch is None:
        return
    name = labels["alertname"]
    remedy = (
        f'route alertname="{name}" to a receiver without callbridge, or in callbridge\'s config to a policy without'
        " steps"
    )
    if listener is None:
        what = f"{name} comes to callbridge: {why}; unless callbridge's own routes say otherwise, it rings the phone"
        findings.warning(branch.spot, what, f"{remedy}; give --config.file to have that decided")
    elif (policy := listener.rings(labels)) is not None:
        what = f"{name} ({written(labels)}) comes to callbridge and rings the phone by policy {policy}: {why}"
        findings.warning(branch.spot, what, remedy)


def _check_missed(tree: Tree, listener: Listener | None, findings: Findings) -> None:
    """Somebody outside has to notice that Watchdog stays away: that is how a dead Prometheus is found."""
    ends = tree.taken(WATCHDOG)
    ours = [one for one in ends if tree.rings(one)]
    every = listener.awaited(WATCHDOG) if listener is not None else None
    if ours and every is not None:
        _check_often(ours[0], every, findings)
    elif listener is not None and every is not None:
        findings.warning(
            ends[0].spot,
            "Watchdog ends here and does not come to callbridge, whose config waits for it under watchdogs:"
            " its absence is an incident that never ends",
            "add a route with matchers: ['alertname=\"Watchdog\"'], callbridge as its receiver and a short"
            " repeat_interval",
        )
    elif (ours and listener is not None) or not _watched(tree):
        findings.hint(
            ends[0].spot,
            "nobody notices when Prometheus or Alertmanager die: the alert that always fires (Watchdog) goes nowhere"
            " of its own",
            "give it a route of its own with a repeat_interval of a minute or a few, to callbridge (watchdogs: in its"
            " config) or to a dead man's switch outside",
        )


def _watched(tree: Tree) -> bool:
    """Whether an always-firing alert has a route of its own that tells somebody, or comes to callbridge."""
    ends = [branch for name in ALWAYS for branch in tree.taken({**WATCHDOG, "alertname": name})]
    return any(tree.rings(one) or (_of_its_own(one) and one.receiver not in tree.silent) for one in ends)


def _of_its_own(branch: Branch) -> bool:
    return any(one.name == "alertname" and not one.holds("Example") for one in branch.required)


def _check_often(branch: Branch, every: timedelta, findings: Findings) -> None:
    told = repeat(branch) + branch.settings.group_interval.value
    if told <= every:
        return
    findings.warning(
        branch.settings.repeat_interval.spot or branch.spot,
        f"Watchdog is told again only after up to {brief(told)}, and callbridge misses it after {brief(every)}:"
        " it rings though everything is well",
        f"give the Watchdog a route of its own with repeat_interval and group_interval well below {brief(every)}",
    )


def check_critical(tree: Tree, findings: Findings) -> None:
    """Tell where a critical alert that no route foresees goes nowhere at all."""
    for branch in tree.taken(CRITICAL):
        if branch.receiver in tree.silent:
            findings.warning(
                branch.spot,
                f"an alert with {written(CRITICAL)} that no other route takes ends here, and receiver {branch.receiver}"
                " tells nobody",
                "add a last route with matchers: ['severity=\"critical\"'] to callbridge",
            )
