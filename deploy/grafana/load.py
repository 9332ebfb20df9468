"""On-call load: how often the phone rings, when, for which policy, at night, and whether somebody is there at all."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models import dashboard as models

from deploy.grafana.board import Variable, board, labels
from deploy.grafana.panels import (
    BLUE,
    DAY,
    GREEN,
    ORANGE,
    OUTCOMES,
    RED,
    TURNS,
    About,
    AnyPanel,
    Format,
    Query,
    Row,
    bars,
    figures,
    gauges,
    heat,
    hours,
    increase,
    lines,
    metric,
    states,
)

AT_NIGHT, BY_DAY = 'hour=~"$night"', 'hour!~"$night"'
POLICY = 'policy=~"$policy"'
NIGHTS = {"22 to 6": "22|23|0[0-5]", "23 to 7": "23|0[0-6]", "20 to 8": "2[0-3]|0[0-7]", "0 to 6": "0[0-5]"}


def load() -> models.Dashboard:
    """What the work does to those who do it."""
    described = (
        "How often the phone rings: by the hour of the day, by policy, at night. Hours are those of global.timezone."
    )
    listed = [
        Row("In this time", _sums()),
        Row("When the phone rings", _when()),
        Row("What it rings for", _what()),
        Row("SMS", _sms()),
        Row("Who is there", _who()),
    ]
    policies = labels("policy", "Policy", f"label_values({metric('policy_calls_total')}, policy)")
    every = models.VariableOption(selected=True, text="All", value="$__all")
    return board(
        "callbridge-load",
        "callbridge / On-call load",
        described,
        listed,
        since="now-30d",
        refresh="5m",
        variables=[policies.current(every), _night()],
    )


def _night() -> Variable:
    options = [
        models.VariableOption(selected=index == 0, text=text, value=value)
        for index, (text, value) in enumerate(NIGHTS.items())
    ]
    # In the text of the query a comma divides options and a colon text from value.
    written = ", ".join(f"{text} : {value}" for text, value in NIGHTS.items())
    made = dashboard.CustomVariable("night").label("Night").values(written).options(options)
    return made.current(options[0]).description("The hours of the day, in global.timezone, that count as night")


def _sums() -> list[AnyPanel]:
    calls = increase("calls_placed_total", over="$__range")
    at_night = increase("calls_placed_total", AT_NIGHT, over="$__range")
    talk, answered = (increase(f"call_duration_seconds_{part}", over="$__range") for part in ("sum", "count"))
    hourly = f"max_over_time(({increase('calls_placed_total', over='1h')})[$__range:$__interval])"
    warm = ((None, GREEN), (1, ORANGE), (10, RED))
    return [
        _sum("Calls", "Phone calls that the gateway took.", calls, "short", ((None, BLUE),)),
        _sum(
            "At night",
            "Calls in the hours that count as night: each woke somebody, or tried to.",
            at_night,
            "short",
            warm,
        ),
        figures(
            About(
                "Share at night",
                "Calls at night among all calls. Evenly spread it would be a third.",
                [Query(f"{at_night} / {calls}", "at night", instant=True)],
                "percentunit",
                4,
                4,
                ((None, GREEN), (0.2, ORANGE), (0.4, RED)),
                decimals=0,
                none="no calls",
            )
        ),
        _sum(
            "Busiest hour",
            "The most calls within any hour of the shown time.",
            hourly,
            "short",
            ((None, BLUE), (10, ORANGE)),
        ),
        figures(
            About(
                "Time on the phone",
                "Minutes and hours of answered calls, as the gateway reports them.",
                [Query(talk, "on the phone", instant=True)],
                "s",
                4,
                4,
            )
        ),
        figures(
            About(
                "Length of a call",
                "The mean of answered calls. A message is at most a minute long; what is much longer was not hung up.",
                [Query(f"{talk} / {answered}", "mean", instant=True)],
                "s",
                4,
                4,
                decimals=0,
                none="none answered",
            )
        ),
    ]


def _sum(title: str, description: str, expr: str, unit: str, steps: tuple[tuple[float | None, str], ...]) -> AnyPanel:
    return figures(About(title, description, [Query(expr, title.lower(), instant=True)], unit, 4, 4, steps, decimals=0))


def _when() -> list[AnyPanel]:
    by_hour = increase("calls_placed_total", by="hour", over="$__range")
    return [
        hours(
            About(
                "Calls by the hour of the day",
                "All calls of the shown time, by the local hour in which the gateway took them.",
                [Query(by_hour, instant=True, format=Format.TABLE)],
                "short",
                12,
                9,
                decimals=0,
            ),
            "hour",
        ),
        heat(
            About(
                "Which hours of which days",
                "Each column is a day, each line an hour of it. A stripe is something that happens every day.",
                [Query(increase("calls_placed_total", by="hour"), "{{hour}}")],
                "short",
                12,
                9,
                interval=DAY,
            ),
            colours="Purples",
        ),
    ]


def _what() -> list[AnyPanel]:
    by_policy = increase("policy_calls_total", POLICY, by="policy", over="$__range")
    return [
        gauges(
            About(
                "Calls per policy",
                "By each policy whose incidents a call told. One call may tell those of several.",
                [Query(f"sort_desc({by_policy})", "{{policy}}", instant=True)],
                "short",
                8,
                9,
                decimals=0,
            )
        ),
        bars(
            About(
                "Calls per policy and day",
                "Whether a policy has become louder, or was so always.",
                [Query(increase("policy_calls_total", POLICY, by="policy"), "{{policy}}")],
                "short",
                8,
                9,
                interval=DAY,
                decimals=0,
            )
        ),
        bars(
            About(
                "By day and by night",
                "How many calls of each day came in the hours that count as night.",
                [
                    Query(increase("calls_placed_total", BY_DAY), "by day"),
                    Query(increase("calls_placed_total", AT_NIGHT), "by night"),
                ],
                "short",
                8,
                9,
                interval=DAY,
                decimals=0,
            ),
            colours=TURNS,
        ),
    ]


def _sms() -> list[AnyPanel]:
    return [
        bars(
            About(
                "SMS by what became of them",
                "What the network reported of each. Sent: the gateway took it, and no receipt came.",
                [Query(increase("sms_total", by="outcome"), "{{outcome}}")],
                "short",
                16,
                7,
                runbook="CallbridgeSmsFailing",
                interval="1h",
                decimals=0,
            ),
            colours=OUTCOMES,
        ),
        figures(
            About(
                "Replies that took nothing",
                "Answers to an SMS that do not begin with a yes: a phone that answers by itself, or a question.",
                [Query(increase("sms_replies_unclear_total", over="$__range"), "replies", instant=True)],
                "short",
                8,
                7,
                ((None, GREEN), (1, ORANGE)),
                decimals=0,
            )
        ),
    ]


def _who() -> list[AnyPanel]:
    return [
        states(
            About(
                "People on call",
                "People with a number who are on call in each schedule. Red is a gap.",
                [Query(f"max by (schedule) ({metric('oncall_people')})", "{{schedule}}")],
                "short",
                12,
                7,
                ((None, RED), (1, GREEN)),
                "CallbridgeScheduleGap",
            )
        ),
        bars(
            About(
                "Held back",
                "Calls and SMS that had to wait: somebody had enough of them, too many at once, or the day's budget.",
                [
                    Query(increase("calls_held_back_total", by="reason"), "calls: {{reason}}"),
                    Query(increase("sms_held_back_total", by="reason"), "SMS: {{reason}}"),
                ],
                "short",
                6,
                7,
                runbook="CallbridgeBudgetSpent",
                interval="1h",
                decimals=0,
            )
        ),
        lines(
            About(
                "Spent per day",
                "Cost since each midnight in global.timezone.",
                [Query(f"max({metric('budget_spent_euros')})", "spent since midnight")],
                "currencyEUR",
                6,
                7,
                decimals=2,
            ),
            steps=True,
        ),
    ]
