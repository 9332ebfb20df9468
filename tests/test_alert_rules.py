"""The alert rules about callbridge itself: each has tests, a runbook to follow, and words to be said."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from bridge.cli import parser
from bridge.metrics import Metrics
from tests.speaking import firing, say, subject

ROOT = Path(__file__).parent.parent
RULES = yaml.safe_load((ROOT / "deploy" / "prometheus" / "callbridge.rules.yml").read_text())
ALERTS: dict[str, dict[str, Any]] = {rule["alert"]: rule for group in RULES["groups"] for rule in group["rules"]}
RUNBOOKS = ROOT / "docs" / "runbooks"
UNIT_TESTS = ROOT / "deploy" / "prometheus" / "tests"
SECTIONS = ["What it means", "What the person on call sees", "Check", "Do", "Escalate"]
BASE = "https://callbridge.example.org/docs/runbooks"


def exported() -> set[str]:
    """The name of every sample that the program exports."""
    registry = CollectorRegistry()
    Metrics(registry)
    found = set()
    for family in registry.collect():
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"], "info": ["_info"]}
        found |= {family.name + suffix for suffix in suffixes.get(family.type, [""])}
    return found


def metrics_named(text: str) -> set[str]:
    return set(re.findall(r"\bcallbridge_[a-z_]+[a-z]\b", text))


def commands(markdown: str) -> list[str]:
    """The command lines of its code blocks, and those within its sentences, without comments."""
    blocks = re.findall(r"```console\n(.*?)```", markdown, re.DOTALL)
    lines = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    return lines + re.findall(r"`(callbridge [^`]+)`", re.sub(r"```.*?```", "", markdown, flags=re.DOTALL))


def unit_tests(alert: str) -> list[dict[str, Any]]:
    tests: list[dict[str, Any]] = yaml.safe_load((UNIT_TESTS / f"{alert}.yml").read_text())["tests"]
    return [check for test in tests for check in test["alert_rule_test"]]


def spoken(alert: str) -> str:
    """The summary as it arrives: with the labels that its test expects."""
    fires = next(check for check in unit_tests(alert) if check["exp_alerts"])
    return str(fires["exp_alerts"][0]["exp_annotations"]["summary"])


def test_each_alert_has_its_runbook_and_each_runbook_its_alert() -> None:
    """Nobody is woken by an alert without a runbook, and no runbook speaks of an alert that is gone."""
    assert {path.stem for path in RUNBOOKS.glob("*.md")} == set(ALERTS)
    assert {path.stem for path in UNIT_TESTS.glob("*.yml")} == set(ALERTS)


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_is_whole(alert: str) -> None:
    """It says how bad it is, what is wrong, and where to read on; and it asks for what is really exported."""
    rule = ALERTS[alert]

    assert rule["labels"] == {"severity": rule["labels"]["severity"]}
    assert rule["labels"]["severity"] in ({"none"} if alert == "Watchdog" else {"critical", "warning"})
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"{BASE}/{alert}.md"
    assert metrics_named(rule["expr"]) <= exported()
    assert "[1m]" not in rule["expr"]


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_is_tested_both_ways(alert: str) -> None:
    """Its tests have it fire and have it keep silent; only the Watchdog never does."""
    checks = unit_tests(alert)
    fires = [bool(check["exp_alerts"]) for check in checks]

    assert {check["alertname"] for check in checks} == {alert}
    assert True in fires
    assert (False in fires) == (alert != "Watchdog")


@pytest.mark.parametrize("alert", ALERTS)
def test_what_is_said_of_an_alert_can_be_understood(alert: str) -> None:
    """On the phone the summary is heard whole, and holds nothing that nobody can follow: no name of ours, no sign."""
    summary = spoken(alert)
    labels = {"alertname": alert, **ALERTS[alert]["labels"], "instance": "cb:10077", "job": "callbridge"}
    speech = say([subject(firing(labels, {"summary": summary}))])

    assert not speech.fallback
    assert summary.rstrip(".") in speech.text
    assert not re.search(r"[_/{}<>=%#|\\]|https?:|\d{3}", summary)
    assert summary.endswith(".")
    assert len(summary) <= 110
    described = [one["exp_annotations"]["description"] for check in unit_tests(alert) for one in check["exp_alerts"]]
    assert not any(
        re.search(r"[_<>|\\%]|https?:|\d[hms]\b|\d{4}[^\d:]", text.replace("10077", "")) for text in described
    )
    assert all(text.endswith(".") for text in described)


@pytest.mark.parametrize("alert", ALERTS)
def test_a_runbook_can_be_followed(alert: str) -> None:
    """It has every part, its metrics exist, and each callbridge command is one."""
    text = (RUNBOOKS / f"{alert}.md").read_text()

    assert text.startswith(f"# {alert}\n")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == SECTIONS
    assert all(part.strip() for part in re.split(r"^## .*$", text, flags=re.MULTILINE))
    # What is looked for with grep may be the beginning of several.
    assert [name for name in metrics_named(text) if not any(one.startswith(name) for one in exported())] == []
    assert "```console" in text
    for line in commands(text):
        for command in re.findall(r"(?:^|[;|] )(callbridge .*)", line):
            words = shlex.split(command, comments=True)[1:]
            assert parser(words).parse_args(words).command == words[0]


def test_a_runbook_with_a_wrong_command_would_be_found() -> None:
    """What the test of the runbooks rests on: an unknown command or flag ends the parser, not the test's patience."""
    for words in (["incident", "list"], ["incidents", "lst"], ["oncall", "--conf=x"]):
        with pytest.raises(SystemExit):
            parser(words).parse_args(words)
