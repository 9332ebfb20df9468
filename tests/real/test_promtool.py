"""What Prometheus' own tool says of the metrics, and of the alert rules about them."""

from __future__ import annotations

import subprocess
from pathlib import Path

from prometheus_client import CollectorRegistry

from bridge.metrics import Expected, Metrics
from tests.requirements import require

PROMETHEUS = Path(__file__).parents[2] / "deploy" / "prometheus"


def test_promtool_is_silent() -> None:
    """`promtool check metrics` finds nothing to say of any family, the open ones with a series in them."""
    promtool = require("promtool", "prometheus")
    metrics = Metrics(CollectorRegistry())
    metrics.expect(Expected(["default"], {"primary": True}, {"prometheus": 600.0}, 5.0))
    metrics.oncall_people.labels(schedule="primary").set(1)
    metrics.calendar_unknown_names.labels(schedule="primary").set(0)
    metrics.calendar_last_success_timestamp_seconds.labels(schedule="primary").set(0)
    body, _ = metrics.exposition("")

    checked = subprocess.run([promtool, "check", "metrics"], input=body, capture_output=True, check=False, timeout=30)

    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_promtool_takes_the_rules() -> None:
    """`promtool check rules` finds every rule, and none of them doubled."""
    promtool = require("promtool", "prometheus")

    checked = subprocess.run(
        [promtool, "check", "rules", PROMETHEUS / "callbridge.rules.yml"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "SUCCESS" in checked.stdout


def test_each_alert_fires_and_keeps_silent() -> None:
    """`promtool test rules` passes every test of every alert, the words with the numbers in them too."""
    promtool = require("promtool", "prometheus")
    tests = sorted((PROMETHEUS / "tests").glob("*.yml"))

    tested = subprocess.run(
        [promtool, "test", "rules", *tests], capture_output=True, text=True, check=False, timeout=60
    )

    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert tested.stdout.count("SUCCESS") == len(tests) > 0
