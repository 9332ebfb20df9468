"""Internals: what comes in, what is made of it, the worker, the gateway, and the process itself."""

from __future__ import annotations

from grafana_foundation_sdk.models import dashboard as models

from deploy.grafana.board import board
from deploy.grafana.panels import (
    BAR,
    GREEN,
    ORANGE,
    RED,
    About,
    AnyPanel,
    Format,
    Query,
    Row,
    Steps,
    bars,
    figures,
    heat,
    increase,
    lines,
    metric,
    quantile,
    rows,
    states,
)


def internals() -> models.Dashboard:
    """What to look at when the overview says that something is wrong."""
    described = (
        "What comes in by the doors, what is made of it, how far behind the worker is, and how the process feels."
    )
    listed = [
        Row("State", _state()),
        Row("What comes in", _doors()),
        Row("What is made of it", _decisions()),
        Row("The worker and the gateway", _gateway()),
        Row("Alertmanager, asked back", _asked_back()),
        Row("What others owe us", _others()),
        Row("The process", _process()),
    ]
    return board("callbridge-internals", "callbridge / Internals", described, listed, since="now-6h", refresh="30s")


def _state() -> list[AnyPanel]:
    reloaded = "config_last_reload_success_timestamp_seconds"
    up = metric("up")
    answered = {"0": ("failed", RED), "1": ("in force", GREEN)}
    return [
        _figure(
            "Up",
            "Callbridges that answer Prometheus.",
            f"sum({up})",
            "short",
            ((None, RED), (1, GREEN)),
            "CallbridgeAbsent",
        ),
        figures(
            About(
                "Last reload",
                "Whether the config that was loaded last is in force; a faulty one leaves the old one there.",
                [Query(f"min({metric('config_last_reload_successful')})", "config")],
                "short",
                3,
                4,
                ((None, RED), (1, GREEN)),
                "CallbridgeReloadFailed",
            ),
            mappings=answered,
        ),
        _figure(
            "Configs in force",
            "How many different configs run. More than one: an instance has missed a reload.",
            f'count(count_values("hash", {metric("config_hash")}))',
            "short",
            ((None, GREEN), (2, ORANGE)),
        ),
        _figure(
            "Config since",
            "How long ago the config in force was loaded.",
            f"time() - max({metric(reloaded)})",
            "s",
            ((None, GREEN),),
        ),
        _figure(
            "Longest up",
            "How long the oldest process runs.",
            f"time() - min({metric('process_start_time_seconds')} and on (job, instance) {metric('build_info')})",
            "s",
            ((None, GREEN),),
            "CallbridgeCrashLooping",
        ),
        figures(
            About(
                "Heartbeat",
                "Whether callbridge says of itself that it could call. Withheld: it could not, and the log says why.",
                [Query(f"min({metric('heartbeat_ok')})", "heartbeat")],
                "short",
                3,
                4,
                ((None, RED), (1, GREEN)),
                "CallbridgeHeartbeatWithheld",
                none="none configured",
            ),
            mappings={"0": ("withheld", RED), "1": ("well", GREEN)},
        ),
        rows(
            About(
                "Builds",
                "Which version runs where.",
                [Query(metric("build_info"), instant=True, format=Format.TABLE)],
                "short",
                6,
                4,
            ),
            {"instance": "Instance", "version": "Version"},
        ),
    ]


def _figure(title: str, description: str, expr: str, unit: str, steps: Steps, runbook: str = "") -> AnyPanel:
    return figures(About(title, description, [Query(expr, title.lower())], unit, 3, 4, steps, runbook))


def _doors() -> list[AnyPanel]:
    return [
        bars(
            About(
                "Requests at the doors",
                "By who knocked and what they were answered. Anything but 200 is worth a look.",
                [Query(f"{increase('webhooks_total', by='source, code')} > 0", "{{source}} {{code}}")],
                "short",
                8,
                8,
                runbook="CallbridgeWebhooksRefused",
                interval="1m",
                decimals=0,
                none="nobody knocked",
            )
        ),
        heat(
            About(
                "Time to take a webhook in",
                "From a request's arrival to its answer, which follows the commit: how quick the disk is.",
                [Query(increase("webhook_duration_seconds_bucket", by="le"), "{{le}}", format=Format.HEATMAP)],
                "s",
                8,
                8,
                interval="1m",
            ),
            colours="Greens",
        ),
        lines(
            About(
                "Inbox",
                "Messages that are stored and not understood yet, and attempts to understand one that failed.",
                [
                    Query(f"max({metric('inbox_waiting')})", "waiting"),
                    Query(increase("inbox_failures_total"), "failed attempts"),
                ],
                "short",
                8,
                8,
                runbook="CallbridgeInboxNotDigested",
            ),
        ),
    ]


def _decisions() -> list[AnyPanel]:
    return [
        bars(
            About(
                "Decisions",
                "Every decision on an incident by its reason: the same words stand in the journal and the log.",
                [Query(f"{increase('decisions_total', by='verdict')} > 0", "{{verdict}}")],
                "short",
                8,
                8,
                interval="1m",
                decimals=0,
                none="none",
            )
        ),
        bars(
            About(
                "Incidents opened and closed",
                "What began, and by what it ended. No news is a day without any notification.",
                [
                    Query(increase("incidents_opened_total"), "opened"),
                    Query(increase("incidents_closed_total", by="reason"), "closed: {{reason}}"),
                ],
                "short",
                8,
                8,
                interval=BAR,
                decimals=0,
            )
        ),
        bars(
            About(
                "Nothing new",
                "What said nothing new and rang nobody: repeats, retries, a second replica. And calls that told the "
                "plain sentence because their template failed.",
                [
                    Query(increase("duplicates_suppressed_total", by="kind"), "{{kind}}"),
                    Query(increase("speech_fallbacks_total"), "plain sentence"),
                ],
                "short",
                8,
                8,
                interval="1m",
                decimals=0,
            )
        ),
    ]


def _gateway() -> list[AnyPanel]:
    operations = "operation"
    return [
        lines(
            About(
                "How far behind the worker is",
                "Since its last look, and how long the oldest work has been due. Some seconds are normal.",
                [
                    Query(f"time() - min({metric('worker_last_pass_timestamp_seconds')})", "last look"),
                    Query(f"max({metric('oldest_due_seconds')})", "oldest due"),
                ],
                "s",
                6,
                8,
                ((None, GREEN), (60, ORANGE), (120, RED)),
                "CallbridgeWorkerStuck",
            ),
            bounds=True,
        ),
        bars(
            About(
                "Requests to the gateway",
                "By what was asked; failed ones are among them.",
                [Query(f"{increase('gateway_requests_total', by=operations)} > 0", "{{operation}}")],
                "short",
                6,
                8,
                runbook="CallbridgeGatewayFailing",
                interval="1m",
                decimals=0,
                none="none",
            )
        ),
        lines(
            About(
                "Time of a request to the gateway",
                "19 of 20 requests are answered, or have failed, within this time. gateway.timeout bounds it.",
                [Query(quantile(0.95, "gateway_request_duration_seconds", by=operations), "{{operation}}")],
                "s",
                6,
                8,
                interval=BAR,
                none="none",
            )
        ),
        states(
            About(
                "Accounts at the gateway",
                "Whether each takes calls, as far as is known: while one is out, the next one of the file takes over.",
                [Query(f"min by (gateway) ({metric('gateway_up')})", "{{gateway}}")],
                "short",
                6,
                8,
                ((None, RED), (1, GREEN)),
                "CallbridgeAccountOut",
            )
        ),
    ]


def _asked_back() -> list[AnyPanel]:
    operations = "operation"
    none = "nobody is asked"
    return [
        bars(
            About(
                "What Alertmanager said",
                "Before a late call: whether it still fires. What is gone, silenced or suppressed rings nobody.",
                [
                    Query(f"{increase('alertmanager_rechecks_total', by='finding')} > 0", "{{finding}}"),
                    Query(increase("alertmanager_found_total"), "found, no webhook brought it"),
                ],
                "short",
                6,
                8,
                interval=BAR,
                decimals=0,
            )
        ),
        bars(
            About(
                "Requests to Alertmanager",
                "By what was asked; failed ones are among them.",
                [Query(f"{increase('alertmanager_requests_total', by=operations)} > 0", "{{operation}}")],
                "short",
                6,
                8,
                interval="1m",
                decimals=0,
                none=none,
            )
        ),
        bars(
            About(
                "Errors of Alertmanager's API",
                "By the reason. Where it does not answer, the phone rings.",
                [Query(f"{increase('alertmanager_requests_failed_total', by='reason')} > 0", "{{reason}}")],
                "short",
                6,
                8,
                runbook="CallbridgeAlertmanagerFailing",
                interval="1m",
                decimals=0,
                none="none",
            )
        ),
        lines(
            About(
                "Time of a request to Alertmanager",
                "19 of 20 requests are answered, or have failed, within this time. A late call waits as long.",
                [Query(quantile(0.95, "alertmanager_request_duration_seconds", by=operations), "{{operation}}")],
                "s",
                6,
                8,
                interval=BAR,
                none=none,
            )
        ),
    ]


def _others() -> list[AnyPanel]:
    seen, every = metric("watchdog_last_seen_timestamp_seconds"), metric("watchdog_every_seconds")
    return [
        bars(
            About(
                "Reports of calls",
                "What the gateway's webhook brings, by the state it tells, and reports that belong to no known call.",
                [
                    Query(f"{increase('reports_total', by='status')} > 0", "{{status}}"),
                    Query(increase("reports_unmatched_total"), "of no known call"),
                ],
                "short",
                8,
                8,
                runbook="CallbridgeNoReports",
                interval="1m",
                decimals=0,
            )
        ),
        lines(
            About(
                "Silence of the watchdogs",
                "How long each watchdog's alert has been silent, as a share of how long it may be. At 100 % somebody "
                "is called. One that was never seen is not shown.",
                [Query(f"max by (watchdog) ((time() - ({seen} > 0)) / {every})", "{{watchdog}}")],
                "percentunit",
                8,
                8,
                ((None, GREEN), (1, RED)),
                "CallbridgeWatchdogSilent",
                none="no watchdogs",
            ),
            bounds=True,
            floor=False,
        ),
        bars(
            About(
                "Heartbeats",
                "Withheld where callbridge could not call, failed where whoever awaits it was not reached.",
                [Query(increase("heartbeats_total", by="result"), "{{result}}")],
                "short",
                8,
                8,
                runbook="CallbridgeHeartbeatFailing",
                interval=BAR,
                decimals=0,
            )
        ),
        lines(
            About(
                "Age of the calendars",
                "Since when the calendar of a schedule was not read anew.",
                [
                    Query(
                        f"time() - max by (schedule) ({metric('calendar_last_success_timestamp_seconds')})",
                        "{{schedule}}",
                    ),
                ],
                "s",
                12,
                6,
                ((None, GREEN), (86_400, RED)),
                "CallbridgeCalendarStale",
                none="no calendars",
            ),
            floor=False,
        ),
        lines(
            About(
                "Unknown names in calendars",
                "Summaries in a schedule's calendar that name nobody in the config: nobody has that shift.",
                [Query(f"max by (schedule) ({metric('calendar_unknown_names')})", "{{schedule}}")],
                "short",
                12,
                6,
                ((None, GREEN), (1, ORANGE)),
                "CallbridgeScheduleGap",
                none="no calendars",
            ),
            steps=True,
        ),
    ]


def _process() -> list[AnyPanel]:
    # Other programs may run under the same job and instance names: only what says that it is callbridge.
    ours = f"and on (job, instance) {metric('build_info')}"
    return [
        lines(
            About(
                "Processor",
                "Share of one core; callbridge cannot use more than one and a half.",
                [Query(f"rate({metric('process_cpu_seconds_total')}[$__rate_interval]) {ours}", "{{instance}}")],
                "percentunit",
                8,
                7,
                ((None, GREEN), (0.8, ORANGE)),
            )
        ),
        lines(
            About(
                "Memory",
                "Resident memory. 10,000 open incidents take some 100 MiB.",
                [Query(f"{metric('process_resident_memory_bytes')} {ours}", "{{instance}}")],
                "bytes",
                8,
                7,
            )
        ),
        lines(
            About(
                "Open files",
                "Open files and connections, as a share of what the system allows. At 100 % no webhook gets in.",
                [Query(f"{metric('process_open_fds')} / {metric('process_max_fds')} {ours}", "{{instance}}")],
                "percentunit",
                8,
                7,
                ((None, GREEN), (0.8, RED)),
                "CallbridgeCannotStore",
            )
        ),
    ]
