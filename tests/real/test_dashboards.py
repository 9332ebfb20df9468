"""Every query of every dashboard and every rule, asked of a real Prometheus that has scraped the real server."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from html import escape
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bridge.clock import SystemClock
from deploy.grafana.asking import Asked, Span, asked, chosen_variables, filled, label_values, panels, read_dashboard
from deploy.grafana.drawing import page
from deploy.grafana.make import FOLDER
from tests.busy_night import BRIEF, asking_back, evening, there_and_back, through
from tests.prometheus import SCRAPE, Prometheus, prometheus
from tests.requirements import require

BOARDS = {path.stem: read_dashboard(path) for path in sorted(FOLDER.glob("*.json"))}
PANELS = [
    pytest.param(name, panel["id"], id=f"{name}: {panel['title']}")
    for name, board in BOARDS.items()
    for panel in panels(board)
]
# What is 0 after this night, and has to be.
ZERO = {"Not taken yet", "On the phone", "Inbox", "Nobody reached", "Taken"}
# At this pace everything has happened by then.
PACE, SHORT = 0.35, timedelta(hours=3, minutes=45)
Series = Sequence[Mapping[str, Any]]


@dataclass
class Seen:
    """What Prometheus answered: by dashboard and panel, by variable, for the marks in time, and of the rules."""

    panels: dict[tuple[str, int], list[tuple[Asked, Series]]] = field(default_factory=dict)
    variables: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    marks: dict[str, Series] = field(default_factory=dict)
    rules: list[Mapping[str, Any]] = field(default_factory=list)
    shown: tuple[float, float] = (0.0, 0.0)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """The night, scraped as it passes; then everything is asked once."""
    program = require("prometheus", "prometheus")
    folder = tmp_path_factory.mktemp("dashboards")
    for one in ("one", "two"):
        (folder / one).mkdir()
    return asyncio.run(_look(program, folder))


async def _look(program: str, folder: Path) -> Seen:
    clock = SystemClock()
    begins = clock.now()
    # The night ends about now, so that what is measured against Prometheus' clock is what it would be.
    async with evening(folder / "one", begins - SHORT) as it, prometheus(program, folder) as prom:
        prom.scrape(it.url)
        await _scraped(prom, "callbridge_incidents_opened_total")
        await through(it, length=SHORT, pace=PACE)
        async with asking_back(folder / "two", begins - BRIEF) as (other, alertmanager):
            prom.scrape(it.url, other.url)
            await _scraped(prom, "count(callbridge_incidents_opened_total) == 2")
            await there_and_back(other, alertmanager)
            # One more, so that the last of it is within every window.
            await _scraped(prom, f"count(timestamp(callbridge_build_info) > {clock.now().timestamp() + SCRAPE}) == 2")
            return await _asked(prom, Span(begins.timestamp() - 1, clock.now().timestamp(), SCRAPE))


async def _scraped(prom: Prometheus, expr: str) -> None:
    for _ in range(200):
        if (await prom.get("query", query=expr))["result"]:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"never true: {expr}")


async def _asked(prom: Prometheus, span: Span) -> Seen:
    seen = Seen(shown=(span.begins, span.ends))
    for name, board in BOARDS.items():
        for query in asked(board, span):
            answered = seen.panels.setdefault((name, query.panel["id"]), [])
            answered.append((query, await prom.answer(query)))
        chosen = chosen_variables(board)
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                selector, label = label_values(filled(variable["query"], chosen))
                seen.variables[name, variable["name"]] = await prom.look(
                    f"label/{label}/values", **{"match[]": selector}
                )
        for mark in board["annotations"]["list"]:
            times = {"start": str(span.begins), "end": str(span.ends), "step": "1"}
            found = await prom.get("query_range", query=filled(mark["expr"], chosen), **times)
            seen.marks[f"{name}: {mark['name']}"] = found["result"]
    for group in (await prom.look("rules"))["groups"]:
        seen.rules += group["rules"]
    return seen


def numbers(series: Series) -> list[float]:
    found = [float(value) for one in series for _, value in one["values"]]
    return [number for number in found if not math.isnan(number)]


@pytest.mark.parametrize(("name", "panel"), PANELS)
def test_a_panel_shows_something(seen: Seen, name: str, panel: int) -> None:
    """Each of its queries returns numbers, each series has what its legend names, and what happened is not 0."""
    answers = seen.panels[name, panel]

    for query, series in answers:
        assert numbers(series), f"no data: {query.expr}"
        for label in [word[2:] for word in query.legend.split("}}") if word[:2] == "{{"]:
            assert all(label in one["metric"] for one in series), query.expr
    if BOARDS[name]["panels"][panel - 1]["title"] not in ZERO:
        assert any(number > 0 for _, series in answers for number in numbers(series))


@pytest.mark.parametrize("name", BOARDS)
def test_a_dashboard_can_be_drawn(seen: Seen, name: str) -> None:
    """What draws the README's picture draws every panel of each dashboard, with its title and what was answered."""
    answers = {panel: tuple(found) for (board, panel), found in seen.panels.items() if board == name}
    drawn = page(BOARDS[name], answers, seen.shown, ZoneInfo("Europe/Berlin"))

    titles = re.findall(r"<h3>(.*?)</h3>", drawn)
    assert titles == [escape(panel["title"]) for panel in panels(BOARDS[name])]
    assert drawn.count('class="none"') == 0
    assert "NaN" not in drawn
    assert "{{" not in drawn


def test_each_variable_has_values(seen: Seen) -> None:
    """Job, instance and policies can be chosen from what there is."""
    assert {name for _, name in seen.variables} == {"job", "instance", "policy"}
    assert all(values for values in seen.variables.values())
    assert {"backup", "database", "nobody", "website"} <= set(seen.variables["load", "policy"])


def test_marks_on_the_time_axis(seen: Seen) -> None:
    """That an alert about callbridge fired is marked on every dashboard."""
    assert len(seen.marks) == len(BOARDS)
    for found in seen.marks.values():
        assert "CallbridgeNobodyReached" in {one["metric"]["alertname"] for one in found}


def test_rules_are_evaluated(seen: Seen) -> None:
    """Prometheus evaluates every rule on the real metrics without an error, and the Watchdog fires."""
    assert {(rule["name"], rule["lastError"]) for rule in seen.rules if rule.get("lastError")} == set()
    assert {rule["health"] for rule in seen.rules} == {"ok"}
    assert {rule["name"] for rule in seen.rules if rule["state"] == "firing"} >= {"Watchdog"}
