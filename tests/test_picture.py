"""The picture of a dashboard: what is drawn is what was answered, and what was answered is what was scraped."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from deploy.grafana.asking import Asked, panels, read_dashboard
from deploy.grafana.drawing import Line, lines_of, page, threshold, written
from deploy.grafana.make import FOLDER
from deploy.grafana.picture import PICTURE, firing, photograph, read
from tests.requirements import require

BOARD = read_dashboard(FOLDER / "overview.json")
UTC = ZoneInfo("UTC")


def panel(title: str) -> dict[str, Any]:
    return next(one for one in panels(BOARD) if one["title"] == title)


def answered(title: str, *series: tuple[dict[str, str], list[tuple[float, str]]], step: float = 60) -> Any:
    """One query of the panel with this answer."""
    one = panel(title)
    query = Asked(one, one["targets"][0].get("legendFormat", ""), "", 0, 600, step)
    return [(query, [{"metric": labels, "values": values} for labels, values in series])]


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (0, "s", "0 s"),
        (0.025, "s", "25 ms"),
        (36, "s", "36 s"),
        (558, "s", "9.3 min"),
        (7200, "s", "2 h"),
        (200_000, "s", "2.3 d"),
        (7.2, "currencyEUR", "€7.20"),
        (50, "currencyEUR", "€50"),
        (0.731, "percentunit", "73%"),
        (0.011, "percentunit", "1.1%"),
        (90_000_000, "bytes", "86 MiB"),
        (3, "short", "3"),
        (1.5, "short", "1.5"),
    ],
)
def test_values_are_written_with_their_unit(value: float, unit: str, said: str) -> None:
    """As short as a human would."""
    assert written(value, unit) == said


def test_colours_are_those_of_the_panel() -> None:
    """A series has the colour of its word, a figure that of the step that it has reached."""
    (line,) = lines_of(
        panel("Calls by what became of them"),
        answered("Calls by what became of them", ({"outcome": "refused"}, [(60, "1"), (120, "NaN")])),
    )

    assert line == Line("refused", [(60.0, 1.0)], "#F2495C")
    assert threshold(panel("Nobody reached"), 0) == "#5794F2"
    assert threshold(panel("Nobody reached"), 1) == "#F2495C"


def test_strangers_words_are_escaped() -> None:
    """What a label holds is text in the picture, never markup."""
    one = panel("Open incidents")
    drawn = page(
        {"title": "<b>", "panels": [one]},
        {one["id"]: answered("Open incidents", ({"state": "<script>"}, [(60, "2")]))},
        (0, 600),
        UTC,
    )

    assert "<script>" not in drawn
    assert "&lt;script&gt;" in drawn
    assert "<h1>&lt;b&gt;<small>" in drawn


def test_buckets_are_drawn_each_for_itself() -> None:
    """Of cumulative buckets only that is drawn in which something is: one answer of 3 s is one cell."""
    one = panel("Time to answer")
    series = [({"le": bound}, [(60.0, count)]) for bound, count in (("+Inf", "1"), ("2.5", "0"), ("5.0", "1"))]
    drawn = page({"title": "", "panels": [one]}, {one["id"]: answered("Time to answer", *series)}, (0, 600), UTC)

    assert drawn.count("<rect") == 1
    assert re.findall(r'text-anchor="end">([^<]*)<', drawn) == ["2.5 s", "5 s"]


def test_bars_stand_on_each_other() -> None:
    """Two outcomes in one step are one bar in two colours, and nothing is drawn of what did not happen."""
    title = "Calls by what became of them"
    one = panel(title)
    counts = [("answered", "2"), ("failed", "0"), ("no_answer", "1")]
    series = [({"outcome": outcome}, [(300.0, count)]) for outcome, count in counts]
    drawn = page({"title": "", "panels": [one]}, {one["id"]: answered(title, *series, step=300)}, (0, 600), UTC)

    boxes = re.findall(r'y="([\d.]+)" width="[\d.]+" height="([\d.]+)" fill="(#\w+)"', drawn)
    assert [colour for _, _, colour in boxes] == ["#73BF69", "#FADE2A"]
    (lower, height, _), (upper, other, _) = boxes
    assert float(upper) + float(other) == pytest.approx(float(lower), abs=0.2)
    assert float(height) == pytest.approx(2 * float(other), abs=0.2)


def test_nothing_is_said_to_be_nothing() -> None:
    """A panel without an answer says so in the words that it has for it."""
    one = panel("Gateway errors")

    assert '<div class="none">none</div>' in page({"title": "", "panels": [one]}, {}, (0, 600), UTC)


def test_scrapes_become_one_file() -> None:
    """Families stay together over all scrapes, each sample with the target's labels and its time."""
    series: dict[str, list[str]] = {}
    types: dict[str, str] = {}
    for at, count in ((60.0, 1), (120.0, 2)):
        text = f'# HELP x_total X.\n# TYPE x_total counter\nx_total{{a="b c"}} {count}.0\n# TYPE y gauge\ny NaN\n'
        read(text, at, series, types)
    whole = "".join(f"# TYPE {name} {kind}\n{''.join(series[name])}" for name, kind in types.items()) + "# EOF\n"

    families = {one.name: one for one in text_string_to_metric_families(whole)}  # type: ignore[no-untyped-call]  # none
    assert set(families) == {"x", "y", "up"}
    assert [(one.value, float(one.timestamp)) for one in families["x"].samples] == [(1.0, 60.0), (2.0, 120.0)]
    assert families["x"].samples[0].labels == {"job": "callbridge", "instance": "callbridge:10077", "a": "b c"}


def test_alerts_wait_as_long_as_their_rule() -> None:
    """An alert fires once its expression has been true for so long without a gap."""
    true_at = [0.0, 60.0, 120.0, 180.0, 360.0, 420.0, 480.0]

    assert firing(true_at, 0) == true_at
    assert firing(true_at, 120) == [120.0, 180.0, 480.0]


async def test_a_picture_is_taken(tmp_path: Path) -> None:
    """Chromium makes a PNG of the page; the one that the README shows is small enough for it."""
    chromium = require("chromium", "chromium")
    await photograph(page(BOARD, {}, (0, 600), UTC), tmp_path / "picture.png", chromium)

    assert (tmp_path / "picture.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert PICTURE.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert PICTURE.stat().st_size < 200_000
