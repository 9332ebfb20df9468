"""`python -m deploy.grafana.picture`: draws docs/pictures/dashboard.png from the overview's JSON.

The night of tests/busy_night.py passes in the real server, on its own clock. What /metrics says each minute becomes
blocks of a real Prometheus (promtool), which answers the dashboard's queries; Chromium takes the picture of the page
that drawing.py makes of it. Needs Debian's prometheus and chromium.
"""

from __future__ import annotations

import asyncio
import math
import re
import tempfile
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml
from playwright.async_api import async_playwright

from deploy.grafana.asking import PIXELS, Span, asked, read_dashboard, seconds
from deploy.grafana.drawing import Answered, page
from deploy.grafana.make import FOLDER
from tests.busy_night import EVENING, evening, through
from tests.prometheus import RULES, Prometheus, prometheus

PICTURE = Path(__file__).parents[2] / "docs" / "pictures" / "dashboard.png"
# Until amid the last trouble but one: somebody is on the phone.
LENGTH = timedelta(hours=12, minutes=23)
SCRAPE = 60
ZONE = ZoneInfo("Europe/Berlin")
LABELS = 'job="callbridge",instance="callbridge:10077"'


def main() -> None:
    """Draw the picture that the documents show."""
    with tempfile.TemporaryDirectory(prefix="callbridge-picture-") as folder:
        asyncio.run(_draw(Path(folder)))


async def _draw(folder: Path) -> None:
    await kept(folder, await scraped(folder))
    begins = EVENING.timestamp()
    span = Span(begins, begins + LENGTH.total_seconds(), SCRAPE)
    async with prometheus("prometheus", folder) as prom:
        alerts = await fired(prom, span)
    await kept(folder, alerts)
    board = read_dashboard(FOLDER / "overview.json")
    async with prometheus("prometheus", folder) as prom:
        drawn = page(board, await answers(prom, board, span), (span.begins, span.ends), ZONE)
    PICTURE.parent.mkdir(exist_ok=True)
    await photograph(drawn, PICTURE)


async def kept(folder: Path, openmetrics: str) -> None:
    """Make blocks of it in folder/data."""
    source = folder / "some.om"
    source.write_text(openmetrics)
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(source), str(folder / "data")]
    made = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
    if await made.wait():
        raise RuntimeError(f"promtool made no blocks of {len(openmetrics)} characters")


async def scraped(folder: Path) -> str:
    """What /metrics said each minute of the night, as one OpenMetrics file with times."""
    series: dict[str, list[str]] = {}
    types: dict[str, str] = {}
    async with evening(folder) as it:

        async def look() -> None:
            async with it.session.get(it.url + "/metrics") as response:
                read(await response.text(), it.clock.now().timestamp(), series, types)

        await look()
        await through(it, look, LENGTH)
    return "".join(f"# TYPE {name} {kind}\n{''.join(series[name])}" for name, kind in types.items()) + "# EOF\n"


def read(text: str, at: float, series: dict[str, list[str]], types: dict[str, str]) -> None:
    """Add the samples of one scrape to those of their families, each with its labels and its time."""
    family = ""
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            family, kind = line.split()[2:]
            types.setdefault(family.removesuffix("_total") if kind == "counter" else family, kind)
            family = family.removesuffix("_total") if kind == "counter" else family
        elif not line.startswith("#"):
            name, labels, value = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line).groups()  # type: ignore[union-attr]  # ours
            joined = f"{LABELS},{labels}" if labels else LABELS
            series.setdefault(family, []).append(f"{name}{{{joined}}} {value} {at:.3f}\n")
    types.setdefault("up", "gauge")
    series.setdefault("up", []).append(f"up{{{LABELS}}} 1 {at:.3f}\n")


async def fired(prom: Prometheus, span: Span) -> str:
    """The series ALERTS as Prometheus would have written it, had it evaluated our rules each minute of the night."""
    samples: list[str] = []
    for rule in (rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]):
        times = {"start": str(span.begins), "end": str(span.ends), "step": str(SCRAPE)}
        for series in (await prom.get("query_range", query=rule["expr"], **times))["result"]:
            labels = {key: value for key, value in series["metric"].items() if key != "__name__"}
            labels |= {"alertname": rule["alert"], "alertstate": "firing", **rule["labels"]}
            written = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
            moments = firing([at for at, _ in series["values"]], seconds(rule.get("for", "0s")))
            samples += [f"ALERTS{{{written}}} 1 {at}\n" for at in moments]
    return f"# TYPE ALERTS gauge\n{''.join(samples)}# EOF\n"


def firing(true_at: Sequence[float], wait: float) -> list[float]:
    """When an alert fires whose expression is true at these times, and that waits so long without a gap before it."""
    found: list[float] = []
    since = before = -math.inf
    for at in true_at:
        since = at if at - before > SCRAPE else since
        before = at
        if at - since >= wait:
            found.append(at)
    return found


async def answers(prom: Prometheus, board: Mapping[str, Any], span: Span) -> dict[int, Answered]:
    """What Prometheus answers to every query of a dashboard, by the panels' ids."""
    found: dict[int, list[Any]] = {}
    for query in asked(board, span):
        found.setdefault(query.panel["id"], []).append((query, await prom.answer(query)))
    return {panel: tuple(queries) for panel, queries in found.items()}


async def photograph(html: str, path: Path, chromium: str = "/usr/bin/chromium") -> None:
    """The page as a picture, taken by that Chromium."""
    async with async_playwright() as player:
        browser = await player.chromium.launch(executable_path=chromium)
        view = await browser.new_page(viewport={"width": PIXELS, "height": 800})
        await view.set_content(html)
        await view.locator("main").screenshot(path=path)
        await browser.close()


if __name__ == "__main__":
    main()
