"""The Prometheus families and their closed label values.

Each family is an attribute of `Metrics`, called as it is exported without `callbridge_`. No number, name of a person,
alert name or group key is ever a label; every label value is known beforehand and starts at 0, so that `rate()` sees
the first event too. The only open labels are the names of schedules, watchdogs, policies and accounts, which come from
the operator's own file.

Source of the rules: prometheus.io, practices/naming and practices/instrumentation, as `promtool check metrics` has
them.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import product

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.openmetrics import exposition as openmetrics

from bridge import __version__
from bridge.call import By, CallStatus, Hold, Outcome
from bridge.errors import Reason
from bridge.escalation import CLOSING, State, Verdict
from bridge.metrics import closed
from bridge.sms import SmsOutcome

NOT_KNOWN = float("nan")


@dataclass(frozen=True, slots=True)
class Expected:
    """What a config lets one expect, so that a rule can compare it with what is.

    `schedules`: whether a policy calls each; `watchdogs`: seconds that each may be silent; `min_balance` in euro;
    `reports`: the gateway's webhook is to report on calls.
    """

    policies: Iterable[str] = ()
    schedules: Mapping[str, bool] = field(default_factory=dict)
    watchdogs: Mapping[str, float] = field(default_factory=dict)
    min_balance: float | None = None
    reports: bool = True


class Metrics:
    """Every family of the program, registered in `registry`; a second one needs a registry of its own."""

    def __init__(self, registry: CollectorRegistry, *, revision: str = "unknown", branch: str = "unknown") -> None:
        # A switch of the whole library: the start time of each single series doubles the scrape and helps nobody.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library gives this one function no types
        self._registry = registry
        self._add_doors()
        self._add_incidents()
        self._add_calls()
        self._add_gateway()
        self._add_alertmanager()
        self._add_heartbeat()
        self._add_upkeep()
        self._add_build(revision, branch)

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """The body of /metrics and its content type: OpenMetrics if the request's `Accept` names it, else text.

        The library's own `choose_encoder` raises on a version that is no number, and sends a stranger's words back.
        """
        if "application/openmetrics-text" in accept:
            body: bytes = openmetrics.generate_latest(self._registry)  # type: ignore[no-untyped-call]  # nor this one
            return body, openmetrics.CONTENT_TYPE_LATEST
        return generate_latest(self._registry), CONTENT_TYPE_PLAIN_0_0_4

    def sample(self, name: str, **labels: str) -> float | None:
        """The present value of one sample, by its name without `callbridge_`; None where there is none."""
        return self._registry.get_sample_value(f"callbridge_{name}", labels)

    def config_in_force(self, digest: int, now: datetime) -> None:
        """The config whose hash is `digest` (under 2**53, as a gauge is a float) is in force since `now`."""
        self.config_last_reload_successful.set(1)
        self.config_last_reload_success_timestamp_seconds.set(now.timestamp())
        self.config_hash.set(digest)

    def expect(self, expected: Expected) -> None:
        """What the config in force lets one expect; a policy that is gone keeps its counter, as counters must."""
        for policy in expected.policies:
            self.policy_calls_total.labels(policy)
        self.schedule_called.clear()
        for schedule, called in expected.schedules.items():
            self.schedule_called.labels(schedule).set(called)
        self.watchdog_every_seconds.clear()
        for watchdog, every in expected.watchdogs.items():
            self.watchdog_every_seconds.labels(watchdog).set(every)
        self.gateway_min_balance_euros.set(NOT_KNOWN if expected.min_balance is None else expected.min_balance)
        self.reports_expected.set(expected.reports)

    def gateways(self, min_balances: Mapping[str, float | None]) -> None:
        """The accounts of the file in force, by name, each with the least balance that it should have in euro."""
        for family in (self.gateway_up, self.gateway_account_balance_euros, self.gateway_account_min_balance_euros):
            family.clear()
        for name, least in min_balances.items():
            self.gateway_up.labels(name).set(1)
            self.gateway_account_balance_euros.labels(name).set(NOT_KNOWN)
            if least is not None:
                self.gateway_account_min_balance_euros.labels(name).set(least)

    def config_refused(self) -> None:
        """A config was refused and the one before stays in force, with its hash and its time."""
        self.config_last_reload_successful.set(0)

    def _add_doors(self) -> None:
        self.webhooks_total = self._counter(
            "webhooks_total",
            "Requests that came in by a door, by the answer they got.",
            source=closed.SOURCES,
            code=closed.CODES,
        )
        self.webhook_duration_seconds = self._histogram(
            "webhook_duration_seconds",
            "Time from a request's arrival at a door to its answer, which follows the commit.",
            closed.WEBHOOK_BUCKETS,
            source=closed.SOURCES,
        )
        self.inbox_waiting = self._gauge("inbox_waiting", "Messages that are stored and not digested yet.")
        self.inbox_failures_total = self._counter(
            "inbox_failures_total", "Attempts to digest a message that failed; the message stays and is tried again."
        )
        self.duplicates_suppressed_total = self._counter(
            "duplicates_suppressed_total",
            "Messages that said nothing new: repeats, retries and those of a second replica.",
            kind=closed.DUPLICATES,
        )

    def _add_incidents(self) -> None:
        self.incidents = self._gauge("incidents", "Incidents in the store by state.", state=State)
        self.incidents_opened_total = self._counter("incidents_opened_total", "Incidents opened.")
        self.incidents_closed_total = self._counter(
            "incidents_closed_total", "Incidents closed by what closed them.", reason=CLOSING
        )
        self.incidents_exhausted_total = self._counter(
            "incidents_exhausted_total", "Times that a whole chain was gone through and nobody took the incident."
        )
        self.decisions_total = self._counter(
            "decisions_total", "Decisions on incidents by their reason.", verdict=Verdict
        )
        self.nobody_there_total = self._counter(
            "nobody_there_total", "Steps passed over because nobody with a number was on call."
        )
        self.acknowledgements_total = self._counter(
            "acknowledgements_total", "Acknowledgements by the way they came.", by=By
        )
        self.time_to_acknowledge_seconds = self._histogram(
            "time_to_acknowledge_seconds",
            "Time from the opening of an incident to its first acknowledgement.",
            closed.TO_ACKNOWLEDGE_BUCKETS,
        )

    def _add_calls(self) -> None:
        self.pages_total = self._counter(
            "pages_total", "Pages, one incident told to one person, by what became of them.", result=Outcome
        )
        self.calls_total = self._counter("calls_total", "Phone calls by what became of them.", outcome=Outcome)
        self.calls_placed_total = self._counter(
            "calls_placed_total",
            "Phone calls that the gateway took, by the hour of the day in global.timezone.",
            hour=closed.HOURS,
        )
        self.policy_calls_total = self._open_counter(
            "policy_calls_total",
            "Phone calls that the gateway took, by each policy whose incidents they told.",
            "policy",
        )
        self.calls_in_progress = self._gauge("calls_in_progress", "Phone calls requested and not over yet.")
        self.call_duration_seconds = self._histogram(
            "call_duration_seconds", "Duration of answered calls as the gateway reports it.", closed.CALL_BUCKETS
        )
        self.call_cost_euros_total = self._counter(
            "call_cost_euros_total", "Cost of calls in euro as far as the gateway tells it."
        )
        self.calls_held_back_total = self._counter(
            "calls_held_back_total", "Phone calls that had to wait, by the limit that held them back.", reason=Hold
        )
        self.budget_spent_euros = self._gauge(
            "budget_spent_euros",
            "Cost of the calls since midnight in global.timezone in euro, as told or expected.",
        )
        self.time_to_call_seconds = self._histogram(
            "time_to_call_seconds",
            "Time from the acceptance of a webhook to the gateway's acceptance of the first call for it.",
            closed.TO_CALL_BUCKETS,
        )
        self.time_to_answer_seconds = self._histogram(
            "time_to_answer_seconds",
            "Time from the gateway's acceptance of a call to its being answered.",
            closed.TO_ANSWER_BUCKETS,
        )
        self.sms_total = self._counter("sms_total", "SMS by what became of them.", outcome=SmsOutcome)
        self.sms_cost_euros_total = self._counter(
            "sms_cost_euros_total", "Cost of SMS in euro as far as the gateway tells it."
        )
        self.sms_held_back_total = self._counter(
            "sms_held_back_total", "SMS that had to wait, by the limit that held them back.", reason=closed.SMS_HOLDS
        )
        self.sms_replies_unclear_total = self._counter(
            "sms_replies_unclear_total", "Replies to an SMS that took nothing, for they do not begin with a yes."
        )
        self.speech_fallbacks_total = self._counter(
            "speech_fallbacks_total", "Calls that told the plain sentence because their template failed."
        )

    def _add_gateway(self) -> None:
        self.gateway_requests_total = self._counter(
            "gateway_requests_total", "Requests to the gateway, including failed ones.", operation=closed.OPERATIONS
        )
        self.gateway_requests_failed_total = self._counter(
            "gateway_requests_failed_total",
            "Requests to the gateway that failed, by the reason.",
            operation=closed.OPERATIONS,
            reason=Reason,
        )
        self.gateway_request_duration_seconds = self._histogram(
            "gateway_request_duration_seconds",
            "Time from a request to the gateway to its answer or failure.",
            closed.REQUEST_BUCKETS,
            operation=closed.OPERATIONS,
        )
        self.gateway_balance_euros = self._gauge(
            "gateway_balance_euros", "Balance of the gateway's (first) account in euro, NaN until it is known."
        )
        self.gateway_min_balance_euros = self._gauge(
            "gateway_min_balance_euros",
            "The min_balance of the gateway's (first) account in euro, NaN where there is none.",
        )
        # Not 0: an alert on a low balance must not fire before anybody has asked for it, nor where none is too low.
        self.gateway_balance_euros.set(NOT_KNOWN)
        self.gateway_min_balance_euros.set(NOT_KNOWN)
        self.gateway_account_balance_euros = self._open_gauge(
            "gateway_account_balance_euros", "Balance of each account in euro, NaN until it is known.", "gateway"
        )
        self.gateway_account_min_balance_euros = self._open_gauge(
            "gateway_account_min_balance_euros", "The min_balance of each account that has one, in euro.", "gateway"
        )
        self.gateway_up = self._open_gauge(
            "gateway_up",
            "Whether an account takes calls, as far as is known: 0 while none is requested there.",
            "gateway",
        )
        self.reports_expected = self._gauge(
            "reports_expected",
            "Whether the gateway's webhook is to report on calls: 0 where its journal is asked instead.",
        )
        self.reports_total = self._counter(
            "reports_total",
            "Reports on calls that the gateway's webhook brought, by the status they tell; not what its journal says.",
            status=CallStatus,
        )
        self.reports_unmatched_total = self._counter(
            "reports_unmatched_total", "Reports of the gateway that belong to no known call."
        )

    def _add_alertmanager(self) -> None:
        self.alertmanager_requests_total = self._counter(
            "alertmanager_requests_total",
            "Requests to Alertmanager's API, including failed ones.",
            operation=closed.ALERTMANAGER_OPERATIONS,
        )
        self.alertmanager_requests_failed_total = self._counter(
            "alertmanager_requests_failed_total",
            "Requests to Alertmanager's API that failed, by the reason.",
            operation=closed.ALERTMANAGER_OPERATIONS,
            reason=closed.ALERTMANAGER_REASONS,
        )
        self.alertmanager_request_duration_seconds = self._histogram(
            "alertmanager_request_duration_seconds",
            "Time from a request to Alertmanager's API to its answer or failure.",
            closed.REQUEST_BUCKETS,
            operation=closed.ALERTMANAGER_OPERATIONS,
        )
        self.alertmanager_rechecks_total = self._counter(
            "alertmanager_rechecks_total",
            "Incidents that Alertmanager was asked about, by what it said; unknown: nothing to go by.",
            finding=closed.FINDINGS,
        )
        self.alertmanager_found_total = self._counter(
            "alertmanager_found_total", "Alerts that Alertmanager's API showed and no webhook had brought."
        )

    def _add_heartbeat(self) -> None:
        self.heartbeat_ok = self._gauge(
            "heartbeat_ok", "Whether all was well at the last heartbeat, NaN where none is configured."
        )
        self.heartbeat_ok.set(float("nan"))
        self.heartbeats_total = self._counter(
            "heartbeats_total",
            "Heartbeats by what became of them; withheld: callbridge was not well.",
            result=closed.HEARTBEATS,
        )

    def _add_upkeep(self) -> None:
        self.oncall_people = self._open_gauge(
            "oncall_people", "People with a number who are on call in a schedule now.", "schedule"
        )
        self.schedule_called = self._open_gauge(
            "schedule_called",
            "Whether any policy calls a schedule: a gap in one that none calls harms nobody.",
            "schedule",
        )
        self.calendar_unknown_names = self._open_gauge(
            "calendar_unknown_names",
            "Summaries in a schedule's calendar, from now on, that name nobody known.",
            "schedule",
        )
        self.calendar_last_success_timestamp_seconds = self._open_gauge(
            "calendar_last_success_timestamp_seconds",
            "Timestamp of the last time that a schedule's calendar could be read, 0 if it never could.",
            "schedule",
        )
        self.watchdog_last_seen_timestamp_seconds = self._open_gauge(
            "watchdog_last_seen_timestamp_seconds",
            "Timestamp of the last notification in which a watchdog's alert fired, 0 if there was none yet.",
            "watchdog",
        )
        self.watchdog_every_seconds = self._open_gauge(
            "watchdog_every_seconds", "How long a watchdog's alert may be silent.", "watchdog"
        )
        self.oldest_due_seconds = self._gauge(
            "oldest_due_seconds", "How long the oldest work that is due has been waiting, 0 if nothing is due."
        )
        self.worker_last_pass_timestamp_seconds = self._gauge(
            "worker_last_pass_timestamp_seconds", "Timestamp of the last completed look at what is due."
        )
        self.config_last_reload_successful = self._gauge(
            "config_last_reload_successful", "Whether the last configuration reload attempt was successful."
        )
        self.config_last_reload_success_timestamp_seconds = self._gauge(
            "config_last_reload_success_timestamp_seconds", "Timestamp of the last successful configuration reload."
        )
        self.config_hash = self._gauge("config_hash", "Hash of the currently loaded configuration.")

    def _add_build(self, revision: str, branch: str) -> None:
        build = Info("callbridge_build", "What this callbridge was built from.", registry=self._registry)
        build.info(
            {
                "version": __version__,
                "revision": revision,
                "branch": branch,
                "python_version": platform.python_version(),
            }
        )
        self.build_info = build
        # process_start_time_seconds, memory and open files: what alerts on a crash loop are made of.
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def _counter(self, name: str, documentation: str, **labels: Iterable[str]) -> Counter:
        family = Counter(f"callbridge_{name}", documentation, tuple(labels), registry=self._registry)
        _start(family, labels)
        return family

    def _gauge(self, name: str, documentation: str, **labels: Iterable[str]) -> Gauge:
        family = Gauge(f"callbridge_{name}", documentation, tuple(labels), registry=self._registry)
        _start(family, labels)
        return family

    def _open_gauge(self, name: str, documentation: str, *labels: str) -> Gauge:
        return Gauge(f"callbridge_{name}", documentation, labels, registry=self._registry)

    def _open_counter(self, name: str, documentation: str, *labels: str) -> Counter:
        return Counter(f"callbridge_{name}", documentation, labels, registry=self._registry)

    def _histogram(
        self, name: str, documentation: str, buckets: tuple[float, ...], **labels: Iterable[str]
    ) -> Histogram:
        family = Histogram(f"callbridge_{name}", documentation, tuple(labels), buckets=buckets, registry=self._registry)
        _start(family, labels)
        return family


def _start(family: Counter | Gauge | Histogram, labels: Mapping[str, Iterable[str]]) -> None:
    """Make every series of the family exist, at 0."""
    if not labels:
        return
    for values in product(*labels.values()):
        family.labels(*values)
