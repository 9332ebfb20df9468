"""Inhibition rules that hide more than somebody meant."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.config.spot import Spot
from bridge.doctor.alive import INHIBITOR, WATCHDOG
from bridge.doctor.finding import Findings
from bridge.doctor.reading import matchers_of
from bridge.doctor.witness import example, written
from bridge.route import Matcher

# To hide these hides no page; rule sets do it on purpose.
NO_LOSS = (WATCHDOG["alertname"], INHIBITOR["alertname"])
REMEDY = "name labels that both must share, such as equal: [alertname, cluster, namespace]"


def check_inhibition(root: Spot, findings: Findings) -> None:
    """Tell of rules without `equal` that hide everything they aim at, always or for any one alert."""
    for rule in root.each("inhibit_rules"):
        equal = rule.at("equal")
        if rule.node.entries is None or (equal is not None and equal.texts):
            continue
        source, target = matchers_of(rule, "source_"), matchers_of(rule, "target_")
        hidden = example(target)
        if hidden is not None and hidden.get("alertname") in NO_LOSS:
            continue
        if _holds(source, WATCHDOG) and hidden is not None and not _both_sides(source, target, hidden):
            findings.warning(
                rule,
                "the always-firing Watchdog is a source of this rule, and equal names no label: every alert that is"
                " a target,"
                f" such as one with {written(hidden)}, is hidden for as long as Watchdog fires, and rings nobody",
                f"narrow source_matchers, and {REMEDY}",
            )
        elif _wide(source) and _wide(target):
            findings.hint(
                rule,
                "equal names no label: one source alert, wherever it fires, hides every target everywhere",
                REMEDY,
            )


def _both_sides(source: Sequence[Matcher], target: Sequence[Matcher], hidden: dict[str, str]) -> bool:
    """An alert that is source and target is not hidden by one that is both too (inhibit/inhibit.go, hasEqual)."""
    return _holds(source, hidden) and _holds(target, WATCHDOG)


def _holds(matchers: Sequence[Matcher], labels: dict[str, str]) -> bool:
    return all(one.matches(labels) for one in matchers)


def _wide(matchers: Sequence[Matcher]) -> bool:
    """Whether many kinds of alert satisfy `matchers`: none of them looks at the alert's name."""
    return not any(one.name == "alertname" for one in matchers)
