"""Overview: is somebody being called, was somebody reached, how quickly, at what cost, and what went wrong."""

from __future__ import annotations

from grafana_foundation_sdk.models import dashboard as models

from deploy.grafana.board import ALERTS, board
from deploy.grafana.panels import (
    BAR,
    BLUE,
    GREEN,
    ORANGE,
    OUTCOMES,
    RED,
    STATES,
    About,
    AnyPanel,
    Format,
    Query,
    Row,
    bars,
    figures,
    gauges,
    heat,
    increase,
    lines,
    metric,
    quantile,
    rows,
)


def overview() -> models.Dashboard:
    """What to look at first."""
    described = "Who is being called, what became of it, how quick it was, what it cost, and what went wrong."
    listed = [
        Row("Now", _now()),
        Row("What became of it", _outcomes()),
        Row("How quick it was", _quick()),
        Row("What went wrong", _wrong()),
        Row("Taken by what, and at what cost", _cost()),
    ]
    return board("callbridge-overview", "callbridge / Overview", described, listed, since="now-24h", refresh="30s")


def _now() -> list[AnyPanel]:
    return [
        _state(
            "triggered",
            "Not taken yet",
            "Incidents that nobody has taken: people are being called, or the policy calls nobody, as for a Watchdog.",
            ORANGE,
        ),
        _state("acknowledged", "Taken", "Incidents that somebody has taken and that still fire.", GREEN),
        _state(
            "exhausted",
            "Nobody reached",
            "Incidents whose whole chain was gone through in vain. Somebody must be told by another way.",
            RED,
            "CallbridgeNobodyReached",
        ),
        figures(
            About(
                "On the phone",
                "Calls that are requested and not over yet.",
                [Query(f"max({metric('calls_in_progress')})", "calls")],
                "short",
                4,
                4,
            )
        ),
        figures(
            About(
                "Balance",
                "What each account at the gateway holds, as it last said. At zero it rings no phone.",
                [Query(f"min by (gateway) ({metric('gateway_account_balance_euros')})", "{{gateway}}")],
                "currencyEUR",
                4,
                4,
                ((None, RED), (2, ORANGE), (5, GREEN)),
                "CallbridgeBalanceLow",
                decimals=2,
                none="not known",
            ),
            graph=True,
        ),
        figures(
            About(
                "Spent today",
                "Cost of the calls since midnight in global.timezone: what limits.budget_per_day bounds.",
                [Query(f"max({metric('budget_spent_euros')})", "spent")],
                "currencyEUR",
                4,
                4,
                runbook="CallbridgeBudgetSpent",
                decimals=2,
            )
        ),
    ]


def _state(state: str, title: str, description: str, colour: str, runbook: str = "") -> AnyPanel:
    # Several callbridges on one database see the same incidents: the largest count, never the sum.
    shown = f'state="{state}"'
    query = Query(f"max({metric('incidents', shown)})", title.lower())
    return figures(About(title, description, [query], "short", 4, 4, ((None, BLUE), (1, colour)), runbook))


def _outcomes() -> list[AnyPanel]:
    shown = 'state!="resolved"'
    return [
        lines(
            About(
                "Open incidents",
                "How many incidents are being called for, are taken, or have reached nobody.",
                [Query(f"max by (state) ({metric('incidents', shown)})", "{{state}}")],
                "short",
                8,
                8,
            ),
            steps=True,
            colours=STATES,
        ),
        bars(
            About(
                "Calls by what became of them",
                "Phone calls that ended, by what the gateway reported, not by what was hoped.",
                [Query(increase("calls_total", by="outcome"), "{{outcome}}")],
                "short",
                10,
                8,
                interval=BAR,
                decimals=0,
            ),
            colours=OUTCOMES,
        ),
        gauges(
            About(
                "Outcomes in this time",
                "The same calls, summed over the shown time.",
                [Query(increase("calls_total", by="outcome", over="$__range"), "{{outcome}}", instant=True)],
                "short",
                6,
                8,
                decimals=0,
            )
        ),
    ]


def _quick() -> list[AnyPanel]:
    stages = {"call": "called", "answer": "answered", "acknowledge": "acknowledged"}
    told = [
        Query(quantile(0.9, f"time_to_{stage}_seconds", over="$__range"), word, instant=True)
        for stage, word in stages.items()
    ]
    return [
        figures(
            About(
                "Nine of ten within",
                "Nine of ten were called, had picked up, had taken the incident within this time. Called counts from "
                "the webhook, answered from the call, acknowledged from the opening of the incident.",
                told,
                "s",
                6,
                8,
                ((None, GREEN), (300, ORANGE), (900, RED)),
                none="none yet",
            )
        ),
        _waits(
            "answer",
            "Time to answer",
            "From the gateway's acceptance of a call to somebody picking up. A band near the ring time is a mailbox.",
            "Blues",
        ),
        _waits(
            "acknowledge",
            "Time to acknowledge",
            "From the opening of an incident to the first who takes it, retries and steps included.",
            "Oranges",
        ),
    ]


def _waits(stage: str, title: str, description: str, colours: str) -> AnyPanel:
    buckets = Query(increase(f"time_to_{stage}_seconds_bucket", by="le"), "{{le}}", format=Format.HEATMAP)
    return heat(About(title, description, [buckets], "s", 9, 8, interval=BAR), colours=colours)


def _wrong() -> list[AnyPanel]:
    return [
        bars(
            About(
                "Where nobody was reached",
                "Chains gone through in vain, steps passed over because nobody with a number was on call, and calls "
                "that a limit held back.",
                [
                    Query(increase("incidents_exhausted_total"), "chains exhausted"),
                    Query(increase("nobody_there_total"), "steps with nobody on call"),
                    Query(increase("calls_held_back_total"), "calls held back"),
                ],
                "short",
                8,
                8,
                runbook="CallbridgeNobodyReached",
                interval=BAR,
                decimals=0,
            )
        ),
        bars(
            About(
                "Gateway errors",
                "Requests to the gateway that failed, by the reason. What is wrong with one number is among them.",
                [Query(f"{increase('gateway_requests_failed_total', by='reason')} > 0", "{{reason}}")],
                "short",
                8,
                8,
                runbook="CallbridgeGatewayFailing",
                interval=BAR,
                decimals=0,
                none="none",
            )
        ),
        rows(
            About(
                "Alerts about callbridge",
                "What fires of deploy/prometheus/callbridge.rules.yml, with a link to the runbook of each.",
                [Query(ALERTS, instant=True, format=Format.TABLE)],
                "short",
                8,
                8,
                none="none",
            ),
            {"alertname": "Alert", "severity": "Severity", "instance": "Instance"},
            links={"alertname": "${docs}/runbooks/${__value.text}.md"},
        ),
    ]


def _cost() -> list[AnyPanel]:
    return [
        gauges(
            About(
                "Taken by",
                "Acknowledgements by the way they came. Answering proves less than a key: a mailbox answers too.",
                [Query(increase("acknowledgements_total", by="by", over="$__range"), "{{by}}", instant=True)],
                "short",
                8,
                8,
                decimals=0,
            )
        ),
        bars(
            About(
                "Cost of calls and SMS",
                "Euro in each hour, as far as the gateway tells what one cost.",
                [
                    Query(increase("call_cost_euros_total"), "calls"),
                    Query(increase("sms_cost_euros_total"), "SMS"),
                ],
                "currencyEUR",
                8,
                8,
                interval="1h",
                decimals=2,
            )
        ),
        lines(
            About(
                "Balance and its minimum",
                "Each account at the gateway, and its min_balance of the config where it has one.",
                [
                    Query(f"min by (gateway) ({metric('gateway_account_balance_euros')})", "{{gateway}}"),
                    Query(f"max by (gateway) ({metric('gateway_account_min_balance_euros')})", "least of {{gateway}}"),
                ],
                "currencyEUR",
                8,
                8,
                runbook="CallbridgeBalanceLow",
                decimals=2,
            ),
            steps=True,
        ),
    ]
