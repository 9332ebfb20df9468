"""What Grafana would ask Prometheus for a dashboard: its committed JSON, with every variable filled in.

Rules of Grafana's Prometheus data source: the step is the shown time over the pixels, rounded to a usual one and not
below the panel's own; `$__rate_interval` is the step and one scrape, four scrapes at least; both ends lie on the step.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# What is below the first becomes the second, in seconds: Grafana's roundInterval.
ROUNDED = (
    *((1.5, 1), (3.5, 2), (7.5, 5), (12.5, 10), (17.5, 15), (25, 20), (45, 30), (90, 60), (210, 120), (450, 300)),
    *((750, 600), (1050, 900), (1500, 1200), (2700, 1800), (5400, 3600), (9000, 7200), (16200, 10800)),
    *((32400, 21600), (86400, 43200), (604800, 86400)),
)
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
# The width of a dashboard in pixels: 24 units.
PIXELS = 1400


@dataclass(frozen=True, slots=True)
class Span:
    """The shown time, in seconds since the epoch, and how often Prometheus scrapes, in seconds."""

    begins: float
    ends: float
    scrape: float


@dataclass(frozen=True, slots=True)
class Asked:
    """One query of a panel: `step` 0 asks for the value at `ends` only. Times in seconds since the epoch."""

    panel: Mapping[str, Any]
    legend: str
    expr: str
    begins: float
    ends: float
    step: float


def read_dashboard(path: Path) -> dict[str, Any]:
    """The dashboard in a file."""
    loaded: dict[str, Any] = json.loads(path.read_text())
    return loaded


def panels(board: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Its panels, without the rows that only name them."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def asked(board: Mapping[str, Any], span: Span) -> Iterator[Asked]:
    """Every query of every panel, ready for Prometheus' API."""
    chosen = chosen_variables(board)
    for panel in panels(board):
        step = step_of(panel, span)
        for target in panel["targets"]:
            expr = filled(target["expr"], chosen | spans(span, step))
            # Range queries that end on the step after the last scrape see it, whatever their step.
            ends = math.ceil(span.ends / step) * step
            begins = math.floor(span.begins / step) * step
            instant = bool(target.get("instant"))
            at = span.ends if instant else ends
            yield Asked(panel, target.get("legendFormat", ""), expr, begins, at, 0 if instant else step)


def step_of(panel: Mapping[str, Any], span: Span) -> float:
    """Seconds from one value to the next."""
    wanted = (span.ends - span.begins) / (PIXELS * panel["gridPos"]["w"] / 24)
    usual = next(step for below, step in ROUNDED if wanted < below)
    return max(usual, seconds(panel["interval"]) if panel.get("interval") else span.scrape)


def spans(span: Span, step: float) -> dict[str, str]:
    """The variables that stand for times."""
    rate = max(step + span.scrape, 4 * span.scrape)
    shown = math.ceil(span.ends - span.begins)
    return {"__rate_interval": f"{math.ceil(rate)}s", "__interval": f"{math.ceil(step)}s", "__range": f"{shown}s"}


def chosen_variables(board: Mapping[str, Any]) -> dict[str, str]:
    """What each variable of a dashboard stands for when nobody has chosen anything."""
    found: dict[str, str] = {}
    for variable in board["templating"]["list"]:
        value = variable.get("current", {}).get("value", variable.get("query", ""))
        found[variable["name"]] = variable["allValue"] if value == "$__all" else value
    return found


def filled(text: str, variables: Mapping[str, str]) -> str:
    """`text` with its variables. Raises KeyError for one that nobody knows."""
    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda match: variables[match[1] or match[2]], text)


def seconds(written: str) -> int:
    """`5m` and the like."""
    return int(written[:-1]) * SECONDS[written[-1]]


def label_values(query: str) -> tuple[str, str]:
    """The selector and the label of a variable's query. Raises ValueError for another kind of query."""
    match = re.fullmatch(r"label_values\((.*), (\w+)\)", query)
    if match is None:
        raise ValueError(f"{query}: not label_values(selector, label)")
    return match[1], match[2]
