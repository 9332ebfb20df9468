"""The metrics are those of the contract, closed, and there from the start."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from bridge import __version__
from bridge.alertmanager import Ask, Why
from bridge.dispatch.answers import Finding
from bridge.gateway import Operation
from bridge.metrics import Expected, Metrics
from bridge.metrics.closed import FINDINGS
from deploy.prometheus.reference import TARGET, reference

OUTCOMES = "answered no_answer failed refused unconfirmed cancelled"
SOURCES = "alertmanager grafana sms77 keypress api"
OPERATIONS = "voice journal hang_up balance hooks sms"
REASONS = (
    "number_invalid sender_invalid text_invalid parameter_unknown recipient_limit no_credit authentication carrier "
    "gateway_error connection timeout unreadable duplicate"
)
ASKS = "alerts groups silences silence expire status"
WHYS = "connection timeout authentication not_found refused server_error unreadable"

# What the outside relies on: family, type, and each label with all of its values. Written out, not derived: changing a
# word here breaks somebody's alert rules. Names are those of samples, without `callbridge_`.
CONTRACT: list[tuple[str, str, dict[str, str]]] = [
    ("webhooks_total", "counter", {"source": SOURCES, "code": "200 400 401 404 405 413 503"}),
    ("webhook_duration_seconds", "histogram", {"source": SOURCES}),
    ("incidents", "gauge", {"state": "triggered acknowledged exhausted resolved"}),
    ("incidents_opened_total", "counter", {}),
    ("incidents_closed_total", "counter", {"reason": "resolved resolved_by_hand no_news"}),
    ("incidents_exhausted_total", "counter", {}),
    ("pages_total", "counter", {"result": OUTCOMES}),
    ("calls_total", "counter", {"outcome": OUTCOMES}),
    ("calls_placed_total", "counter", {"hour": " ".join(f"{hour:02}" for hour in range(24))}),
    ("calls_in_progress", "gauge", {}),
    ("calls_held_back_total", "counter", {"reason": "budget person minute gateway"}),
    ("budget_spent_euros", "gauge", {}),
    ("call_duration_seconds", "histogram", {}),
    ("call_cost_euros_total", "counter", {}),
    ("acknowledgements_total", "counter", {"by": "keypress reply answer hang_up web api silence"}),
    ("time_to_call_seconds", "histogram", {}),
    ("time_to_answer_seconds", "histogram", {}),
    ("time_to_acknowledge_seconds", "histogram", {}),
    ("gateway_requests_total", "counter", {"operation": OPERATIONS}),
    ("gateway_requests_failed_total", "counter", {"operation": OPERATIONS, "reason": REASONS}),
    ("gateway_request_duration_seconds", "histogram", {"operation": OPERATIONS}),
    ("gateway_balance_euros", "gauge", {}),
    ("gateway_min_balance_euros", "gauge", {}),
    ("reports_expected", "gauge", {}),
    ("alertmanager_requests_total", "counter", {"operation": ASKS}),
    ("alertmanager_requests_failed_total", "counter", {"operation": ASKS, "reason": WHYS}),
    ("alertmanager_request_duration_seconds", "histogram", {"operation": ASKS}),
    ("alertmanager_rechecks_total", "counter", {"finding": "fires gone silenced suppressed unknown"}),
    ("alertmanager_found_total", "counter", {}),
    ("heartbeats_total", "counter", {"result": "sent failed withheld"}),
    ("reports_total", "counter", {"status": "initiated ringing in-progress completed no-answer failed unknown"}),
    ("reports_unmatched_total", "counter", {}),
    ("duplicates_suppressed_total", "counter", {"kind": "notification report acknowledgement"}),
    ("oldest_due_seconds", "gauge", {}),
    ("worker_last_pass_timestamp_seconds", "gauge", {}),
    ("config_last_reload_successful", "gauge", {}),
    ("config_last_reload_success_timestamp_seconds", "gauge", {}),
    ("config_hash", "gauge", {}),
]
EXTRA = {
    "heartbeat_ok",
    "sms_total",
    "sms_cost_euros_total",
    "sms_held_back_total",
    "sms_replies_unclear_total",
    "inbox_waiting",
    "inbox_failures_total",
    "speech_fallbacks_total",
    "nobody_there_total",
    "decisions_total",
}
OPEN = {
    "oncall_people",
    "watchdog_last_seen_timestamp_seconds",
    "watchdog_every_seconds",
    "schedule_called",
    "policy_calls_total",
    "calendar_unknown_names",
    "calendar_last_success_timestamp_seconds",
    "gateway_up",
    "gateway_account_balance_euros",
    "gateway_account_min_balance_euros",
    "build_info",
}

Samples = dict[str, dict[tuple[tuple[str, str], ...], float]]


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


def scraped(metrics: Metrics) -> tuple[Samples, dict[str, str]]:
    """What a scrape finds: the value of each series by family and labels, and the type of each family."""
    body, _ = metrics.exposition("")
    series: Samples = {}
    types: dict[str, str] = {}
    for family in parse_text(body.decode()):
        for sample in family.samples:
            name = sample.name.removeprefix("callbridge_")
            types[name] = family.type
            series.setdefault(name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return series, types


@pytest.mark.parametrize(("name", "kind", "labels"), CONTRACT, ids=[name for name, _, _ in CONTRACT])
def test_family_of_the_contract(metrics: Metrics, name: str, kind: str, labels: dict[str, str]) -> None:
    """Every series of the contract is there before anything has happened, at 0, and no other."""
    series, types = scraped(metrics)
    sample = f"{name}_count" if kind == "histogram" else name

    expected: set[tuple[tuple[str, str], ...]] = {()}
    for label, values in sorted(labels.items()):
        expected = {(*former, (label, value)) for former in expected for value in values.split()}

    assert types[sample] == kind
    assert set(series[sample]) == expected
    if not name.endswith("_balance_euros"):
        assert set(series[sample].values()) == {0.0}
    assert hasattr(metrics, name)


def test_nothing_beside_the_contract(metrics: Metrics) -> None:
    """There is no family that nobody has written down, and no `_created` series."""
    body, _ = metrics.exposition("")

    names = {family.name for family in parse_text(body.decode()) if family.name.startswith("callbridge_")}
    known = {name for name, _, _ in CONTRACT} | EXTRA | OPEN

    assert names == {f"callbridge_{name.removesuffix('_total')}" for name in known}
    assert b"_created" not in body


def test_reference_is_current() -> None:
    """docs/metrics.md has every family, as it is; else run `make dashboards`."""
    text = reference()

    assert TARGET.read_text(encoding="utf-8") == text
    for name, kind, labels in CONTRACT:
        assert f"| `callbridge_{name}` | {kind} | {''.join(f'`{label}`: ' for label in [*labels][:1])}" in text


def test_unknown_balance(metrics: Metrics) -> None:
    """A balance that nobody has asked for yet is no number, nor is a bound that nobody set: no alert can fire."""
    series, _ = scraped(metrics)

    assert math.isnan(series["gateway_balance_euros"][()])
    assert math.isnan(series["gateway_min_balance_euros"][()])


def test_what_a_config_lets_one_expect(metrics: Metrics) -> None:
    """Policies start at 0 and stay when they are gone, as counters must; all else is that of the config in force."""
    metrics.expect(Expected(["day", "night"], {"primary": True, "spare": False}, {"prometheus": 600.0}, 5.0, False))
    metrics.policy_calls_total.labels("day").inc()
    before, _ = scraped(metrics)
    metrics.expect(Expected(["night"], {"spare": True}))
    after, _ = scraped(metrics)

    assert before["policy_calls_total"] == {(("policy", "day"),): 1.0, (("policy", "night"),): 0.0}
    assert before["schedule_called"] == {(("schedule", "primary"),): 1.0, (("schedule", "spare"),): 0.0}
    assert before["watchdog_every_seconds"] == {(("watchdog", "prometheus"),): 600.0}
    assert (before["gateway_min_balance_euros"][()], before["reports_expected"][()]) == (5.0, 0.0)
    assert after["policy_calls_total"] == before["policy_calls_total"]
    assert after["schedule_called"] == {(("schedule", "spare"),): 1.0}
    assert "watchdog_every_seconds" not in after
    assert math.isnan(after["gateway_min_balance_euros"][()])
    assert after["reports_expected"][()] == 1.0


def test_operations_are_the_gateways() -> None:
    """The operations that are counted are those that the gateway's client knows."""
    assert set(OPERATIONS.split()) == set(Operation)


def test_questions_and_findings_are_alertmanagers() -> None:
    """What is counted of Alertmanager is what its client asks, and what dispatch makes of the answers."""
    assert set(ASKS.split()) == set(Ask)
    assert set(WHYS.split()) == set(Why)
    assert set(FINDINGS) == set(Finding)


def test_unknown_heartbeat(metrics: Metrics) -> None:
    """A heartbeat that nobody has configured is neither well nor unwell."""
    series, _ = scraped(metrics)

    assert math.isnan(series["heartbeat_ok"][()])


def test_build_info(metrics: Metrics) -> None:
    """The build says its version and the Python that runs it."""
    series, _ = scraped(metrics)

    (labels,) = series["build_info"]

    assert {"branch", "python_version", "revision", "version"} == set(dict(labels))
    assert dict(labels)["version"] == __version__


def test_process_start(metrics: Metrics) -> None:
    """The start time of the process is told, which alerts on crash loops are made of."""
    assert scraped(metrics)[0]["process_start_time_seconds"][()] > 0


def test_config_in_force_and_refused(metrics: Metrics) -> None:
    """A refused config changes only the flag: hash and time stay those of the one in force."""
    loaded_at = datetime(2026, 11, 23, 6, 11, tzinfo=UTC)

    metrics.config_in_force(2**48 - 1, loaded_at)
    loaded, _ = scraped(metrics)
    metrics.config_refused()
    refused, _ = scraped(metrics)

    assert loaded["config_last_reload_successful"][()] == 1
    assert loaded["config_last_reload_success_timestamp_seconds"][()] == loaded_at.timestamp()
    assert loaded["config_hash"][()] == 2**48 - 1
    assert refused["config_last_reload_successful"][()] == 0
    assert refused["config_hash"] == loaded["config_hash"]
    assert (
        refused["config_last_reload_success_timestamp_seconds"]
        == loaded["config_last_reload_success_timestamp_seconds"]
    )


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8"),
        ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text;version=1.0.0,text/plain;q=0.5", "application/openmetrics-text"),
        ("application/openmetrics-text;version=none", "application/openmetrics-text"),
        ("text/plain;version=x;escaping=y", "text/plain; version=0.0.4; charset=utf-8"),
    ],
)
def test_content_type(metrics: Metrics, accept: str, content_type: str) -> None:
    """OpenMetrics is sent to who asks for it, text to everybody else, whatever the header says otherwise."""
    assert metrics.exposition(accept)[1].startswith(content_type)


@given(accept=st.text(alphabet="aopentxtmrics/-;=,.q01 é", max_size=60))
def test_any_accept_header(accept: str) -> None:
    """No Accept header breaks a scrape, and none comes back as a content type of its sender's choice."""
    body, content_type = Metrics(CollectorRegistry()).exposition(accept)

    assert b"callbridge_calls_total" in body
    assert content_type.startswith(("text/plain; version=", "application/openmetrics-text; version="))


def test_openmetrics_can_be_read(metrics: Metrics) -> None:
    """The OpenMetrics exposition passes the strict parser, with the same counters in it."""
    metrics.calls_total.labels(outcome="answered").inc()

    body, _ = metrics.exposition("application/openmetrics-text; version=1.0.0")
    read = parse_openmetrics(body.decode())  # type: ignore[no-untyped-call]  # the library gives it no types
    families = {family.name: family for family in read}

    assert {sample.value for sample in families["callbridge_calls"].samples} == {0.0, 1.0}


def test_buckets_stand_where_things_happen(metrics: Metrics) -> None:
    """A call answered after 12 seconds is told apart from one that took 18, and a webhook of 2 ms from one of 20."""
    metrics.time_to_answer_seconds.observe(12)
    metrics.time_to_answer_seconds.observe(18)
    metrics.webhook_duration_seconds.labels(source="alertmanager").observe(0.002)
    metrics.webhook_duration_seconds.labels(source="alertmanager").observe(0.02)

    series, _ = scraped(metrics)

    assert series["time_to_answer_seconds_bucket"][(("le", "15.0"),)] == 1
    assert series["webhook_duration_seconds_bucket"][(("le", "0.01"), ("source", "alertmanager"))] == 1
