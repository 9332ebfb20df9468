"""What Prometheus' own linter says of the metrics."""

from __future__ import annotations

import subprocess

from prometheus_client import CollectorRegistry

from bridge.metrics import Expected, Metrics
from tests.requirements import require


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
