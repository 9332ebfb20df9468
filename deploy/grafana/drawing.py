"""A dashboard drawn as a web page from its JSON and what Prometheus answered: for pictures where there is no Grafana.

It knows the kinds of panels that `panels.py` makes, and draws them as Grafana does, near enough to be judged by eye.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

from deploy.grafana.asking import PIXELS, Asked

ROW, GAP, HEAD, FOOT = 34, 8, 26, 18
LEFT, RIGHT, TOP, BOTTOM = 44, 10, 6, 18
NAMED = {"green": "#73BF69", "orange": "#FF9830", "red": "#F2495C", "blue": "#5794F2", "text": "#CCCCDC"}
CLASSIC = ("#73BF69", "#F2CC0C", "#8AB8FF", "#FF780A", "#F2495C", "#5794F2", "#B877D9", "#96D98D", "#FFB357", "#C0D8FF")
SCHEMES = {"Blues": "#5794F2", "Oranges": "#FF9830", "Greens": "#73BF69", "Purples": "#B877D9"}
STYLE = """
body { margin: 0; background: #111217; color: #CCCCDC; font: 13px/1.3 Inter, "Helvetica Neue", Arial, sans-serif }
main { position: relative; width: %dpx; height: %dpx }
h1 { position: absolute; left: 12px; top: 10px; margin: 0; font-size: 18px; font-weight: 500 }
h1 small { color: #8E8E96; font-size: 13px; font-weight: 400; margin-left: 12px }
h2 { position: absolute; left: 12px; margin: 0; font-size: 15px; font-weight: 500 }
section { position: absolute; box-sizing: border-box; background: #181B1F; border: 1px solid #25282E; overflow: hidden }
section h3 { margin: 0; padding: 5px 9px 0; font-size: 13px; font-weight: 500; white-space: nowrap }
.figures { position: absolute; inset: 24px 0 4px; display: flex; flex-direction: column }
.figures { justify-content: space-evenly; align-items: center }
.figure { font-size: 32px; font-weight: 500; text-align: center; line-height: 1.1 }
.figure small { display: block; color: #CCCCDC; font-size: 13px }
.gauges { position: absolute; inset: 30px 12px 8px; display: grid; gap: 0 8px; align-items: center }
.gauges { grid-template-columns: max-content 1fr max-content }
.gauges i { display: block; height: 62%%; min-height: 8px; background: #22252B; border-radius: 2px }
.gauges b { display: block; height: 100%%; border-radius: 2px }
.legend { position: absolute; left: 10px; bottom: 5px; right: 6px; font-size: 11px; white-space: nowrap }
.legend i { display: inline-block; width: 12px; height: 4px; border-radius: 2px; margin: 0 5px 2px 0 }
.legend span { margin-right: 13px }
table { width: 100%%; border-collapse: collapse; font-size: 12px; margin-top: 6px }
th, td { text-align: left; padding: 5px 10px; border-bottom: 1px solid #25282E }
th { color: #6E9FFF; font-weight: 500 }
.none { position: absolute; inset: 0; display: grid; place-items: center; color: #8E8E96; font-size: 16px }
text { fill: #9A9AA4; font-size: 11px }
"""

Series = Mapping[str, Any]
Answered = Sequence[tuple[Asked, Sequence[Series]]]


@dataclass(frozen=True, slots=True)
class Line:
    """One series: its name as the legend has it, its points in (seconds, value), its colour."""

    name: str
    points: Sequence[tuple[float, float]]
    colour: str = ""

    @property
    def last(self) -> float:
        return self.points[-1][1]


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a panel's values are drawn: pixels of its inside, and what the axes reach from and to."""

    width: float
    height: float
    begins: float
    ends: float
    low: float = 0.0
    high: float = 1.0

    def x(self, seconds: float) -> float:
        share = (seconds - self.begins) / (self.ends - self.begins)
        return LEFT + share * (self.width - LEFT - RIGHT)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.height - BOTTOM - share * (self.height - TOP - BOTTOM)


def page(board: Mapping[str, Any], answers: Mapping[int, Answered], shown: tuple[float, float], zone: ZoneInfo) -> str:
    """The whole dashboard; `answers` by the panels' ids, `shown` from and to in seconds since the epoch."""
    bottom = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
    style = STYLE % (PIXELS, 44 + bottom * ROW + GAP)
    begins, ends = (datetime.fromtimestamp(at, zone).strftime("%Y-%m-%d %H:%M") for at in shown)
    head = f"<h1>{escape(board['title'])}<small>{begins} to {ends}, {zone.key}</small></h1>"
    drawn = "".join(_panel(panel, answers.get(panel["id"], ()), shown, zone) for panel in board["panels"])
    return f"<!doctype html><meta charset=utf-8><style>{style}</style><main>{head}{drawn}</main>"


def _panel(panel: Mapping[str, Any], answered: Answered, shown: tuple[float, float], zone: ZoneInfo) -> str:
    place = panel["gridPos"]
    left, top = place["x"] * PIXELS / 24 + GAP / 2, 44 + place["y"] * ROW
    if panel["type"] == "row":
        return f'<h2 style="top:{top + 8}px">{escape(panel["title"])}</h2>'
    width, height = place["w"] * PIXELS / 24 - GAP, place["h"] * ROW - GAP
    frame = Frame(width, height - HEAD - FOOT, *shown)
    kinds: Mapping[str, Callable[[], str]] = {
        "stat": lambda: _figures(panel, lines_of(panel, answered)),
        "bargauge": lambda: _gauges(panel, lines_of(panel, answered)),
        "timeseries": lambda: _over_time(panel, lines_of(panel, answered), frame, zone, answered),
        "heatmap": lambda: _heat(panel, answered, frame, zone),
        "barchart": lambda: _hours(panel, answered, frame),
        "state-timeline": lambda: _states(panel, lines_of(panel, answered), frame, zone),
        "table": lambda: _table(panel, answered),
    }
    inside = kinds[panel["type"]]() if any(series for _, series in answered) else _none(panel)
    place_css = f"left:{left:.0f}px;top:{top:.0f}px;width:{width:.0f}px;height:{height:.0f}px"
    return f'<section style="{place_css}"><h3>{escape(panel["title"])}</h3>{inside}</section>'


# --- what is drawn


def lines_of(panel: Mapping[str, Any], answered: Answered) -> list[Line]:
    """The series of all queries by their legends, coloured as the panel says, without what is no number."""
    found: list[Line] = []
    for query, series in answered:
        for one in sorted(series, key=lambda one: sorted(one["metric"].items())):
            points = [(float(at), float(value)) for at, value in one["values"]]
            points = [(at, value) for at, value in points if math.isfinite(value)]
            if points:
                found.append(Line(_named(query.legend, one["metric"]), points))
    fixed = {rule["matcher"]["options"]: rule["properties"][0]["value"] for rule in _overrides(panel)}
    colours = (CLASSIC[index % len(CLASSIC)] for index in range(len(found)))
    return [
        replace(line, colour=fixed.get(line.name, {}).get("fixedColor", colour))
        for line, colour in zip(found, colours, strict=True)
    ]


def _overrides(panel: Mapping[str, Any]) -> list[Any]:
    return [rule for rule in panel["fieldConfig"]["overrides"] if rule["properties"][0]["id"] == "color"]


def _named(legend: str, labels: Mapping[str, str]) -> str:
    for label, value in labels.items():
        legend = legend.replace(f"{{{{{label}}}}}", value)
    return legend


def written(value: float, unit: str, decimals: int | None = None) -> str:
    """A value with its unit, as short as Grafana writes it."""
    if unit == "s":
        return _duration(value)
    if unit == "bytes":
        return f"{value / 2**20:.0f} MiB"
    if unit == "percentunit":
        return f"{value * 100:.{0 if value == 0 or value >= 0.1 else 1}f}%"
    whole = value == int(value)
    if unit == "currencyEUR":
        return f"€{value:.{0 if whole else 2}f}"
    return f"{value:.{decimals if decimals is not None else 0 if whole else 1}f}"


def _duration(seconds: float) -> str:
    if seconds == 0:
        return "0 s"
    for size, name in ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if abs(seconds) >= size:
            return f"{seconds / size:.1f}".removesuffix(".0") + f" {name}"
    return f"{seconds * 1000:.0f} ms"


def threshold(panel: Mapping[str, Any], value: float) -> str:
    """The colour of the step that the value has reached."""
    colour = ""
    for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]:
        if step["value"] is None or value >= step["value"]:
            colour = step["color"]
    return NAMED.get(colour, colour)


def _unit(panel: Mapping[str, Any]) -> tuple[str, int | None]:
    defaults = panel["fieldConfig"]["defaults"]
    return defaults["unit"], defaults.get("decimals")


def _none(panel: Mapping[str, Any]) -> str:
    return f'<div class="none">{escape(panel["fieldConfig"]["defaults"].get("noValue", "No data"))}</div>'


# --- kinds of panels


def _figures(panel: Mapping[str, Any], lines: Sequence[Line]) -> str:
    if not lines:
        return _none(panel)
    words = {
        value: option["text"]
        for mapping in panel["fieldConfig"]["defaults"].get("mappings", [])
        for value, option in mapping["options"].items()
    }
    figures = []
    for line in lines:
        said = words.get(f"{line.last:.0f}") or written(line.last, *_unit(panel))
        name = f"<small>{escape(line.name)}</small>" if len(lines) > 1 else ""
        figures.append(f'<div class="figure" style="color:{threshold(panel, line.last)}">{name}{escape(said)}</div>')
    return f'<div class="figures">{"".join(figures)}</div>'


def _gauges(panel: Mapping[str, Any], lines: Sequence[Line]) -> str:
    most = max((line.last for line in lines), default=0.0) or 1.0
    bars = [
        f'<span>{escape(line.name)}</span><i><b style="width:{100 * line.last / most:.1f}%;'
        f'background:{threshold(panel, line.last)}"></b></i><span>{escape(written(line.last, *_unit(panel)))}</span>'
        for line in lines
    ]
    return f'<div class="gauges">{"".join(bars)}</div>' if bars else _none(panel)


def _over_time(
    panel: Mapping[str, Any], lines: Sequence[Line], frame: Frame, zone: ZoneInfo, answered: Answered
) -> str:
    custom = panel["fieldConfig"]["defaults"]["custom"]
    stacked = custom.get("drawStyle") == "bars"
    if not lines:
        return _none(panel)
    frame = _reaching(frame, _sums(lines) if stacked else [value for line in lines for _, value in line.points])
    step = answered[0][0].step
    if stacked:
        drawn = _stack(lines, frame, step)
    else:
        drawn = "".join(_path(line, frame, custom.get("lineInterpolation") == "stepAfter", step) for line in lines)
    return _svg(frame, _grid(frame, *_unit(panel)) + _clock(frame, zone) + drawn) + _legend(lines)


def _sums(lines: Sequence[Line]) -> list[float]:
    at: dict[float, float] = {}
    for line in lines:
        for seconds, value in line.points:
            at[seconds] = at.get(seconds, 0.0) + value
    return list(at.values())


def _reaching(frame: Frame, values: Sequence[float]) -> Frame:
    """The frame with a vertical axis that holds all values, ends on a round one, and begins at 0."""
    most = max([*values, 0.0])
    if most <= 0:
        return replace(frame, high=1.0)
    size = 10 ** math.floor(math.log10(most))
    return replace(frame, high=next(size * step for step in (1, 2, 4, 5, 8, 10) if size * step >= most))


def _stack(lines: Sequence[Line], frame: Frame, step: float) -> str:
    below: dict[float, float] = {}
    drawn = []
    width = max((frame.x(step) - frame.x(0)) * 0.8, 3.0)
    for line in lines:
        for at, value in line.points:
            if value <= 0 or at < frame.begins:
                continue
            bottom = below.get(at, 0.0)
            below[at] = bottom + value
            top = frame.y(bottom + value)
            drawn.append(_box(frame, at, width, (top, frame.y(bottom)), f'fill="{line.colour}"'))
    return "".join(drawn)


def _box(frame: Frame, at: float, width: float, rows: tuple[float, float], ink: str) -> str:
    """What happened in the step that ends `at`, as far as it lies within the frame."""
    right = min(frame.x(at), frame.x(frame.ends))
    left = max(frame.x(at) - width, LEFT)
    top, bottom = rows
    size = f'width="{max(right - left, 0):.1f}" height="{bottom - top:.1f}"'
    return f'<rect x="{left:.1f}" y="{top:.1f}" {size} {ink}/>'


def _path(line: Line, frame: Frame, stepped: bool, step: float) -> str:
    drawn, before = "", None
    for at, value in line.points:
        x, y = frame.x(min(max(at, frame.begins), frame.ends)), frame.y(value)
        if before is None or at - before > 2.5 * step:
            drawn += f"M{x:.1f} {y:.1f}"
        else:
            drawn += f"H{x:.1f}V{y:.1f}" if stepped else f"L{x:.1f} {y:.1f}"
        before = at
    return f'<path d="{drawn}" fill="none" stroke="{line.colour}" stroke-width="1.6"/>'


def _heat(panel: Mapping[str, Any], answered: Answered, frame: Frame, zone: ZoneInfo) -> str:
    ((query, series),) = answered
    rows = _buckets(series) if query.panel["targets"][0]["format"] == "heatmap" else _rows(query, series)
    most = max((value for _, cells in rows for value in cells.values()), default=0.0)
    if most <= 0:
        return _none(panel)
    frame = replace(frame, high=len(rows))
    colour = SCHEMES[panel["options"]["color"]["scheme"]]
    width = max(frame.x(query.step) - frame.x(0) - 0.5, 3.0)
    drawn = []
    for index, (_, cells) in enumerate(rows):
        top, height = frame.y(index + 1), frame.y(index) - frame.y(index + 1) - 1
        for at, value in cells.items():
            if value > 1e-9 and at >= frame.begins:
                ink = f'fill="{colour}" fill-opacity="{0.25 + 0.75 * math.sqrt(value / most):.2f}"'
                drawn.append(_box(frame, at, width, (top, top + height), ink))
    return _svg(frame, _named_rows([name for name, _ in rows], frame) + _clock(frame, zone) + "".join(drawn))


def _rows(query: Asked, series: Sequence[Series]) -> list[tuple[str, dict[float, float]]]:
    found = [
        (_named(query.legend, one["metric"]), {float(at): float(value) for at, value in one["values"]})
        for one in series
    ]
    return sorted(found)


def _buckets(series: Sequence[Series]) -> list[tuple[str, dict[float, float]]]:
    """Cumulative buckets as what is in each; those beyond the longest wait are left out."""
    by_bound = sorted(series, key=lambda one: float(one["metric"]["le"]))
    rows: list[tuple[str, dict[float, float]]] = []
    below: dict[float, float] = {}
    for one in by_bound:
        cells = {float(at): float(value) for at, value in one["values"]}
        bound = float(one["metric"]["le"])
        name = "more" if math.isinf(bound) else _duration(bound)
        rows.append((name, {at: max(value - below.get(at, 0.0), 0.0) for at, value in cells.items()}))
        below = cells
    while len(rows) > 1 and max(rows[-1][1].values(), default=0.0) < 1e-9:
        rows.pop()
    return rows


def _named_rows(names: Sequence[str], frame: Frame) -> str:
    every = math.ceil(len(names) / 8)
    return "".join(
        f'<text x="{LEFT - 6}" y="{frame.y(index + 0.5) + 4:.1f}" text-anchor="end">{escape(name)}</text>'
        for index, name in enumerate(names)
        if index % every == 0
    )


def _hours(panel: Mapping[str, Any], answered: Answered, frame: Frame) -> str:
    ((_, series),) = answered
    label = panel["options"]["xField"]
    bars = sorted((one["metric"][label], float(one["values"][-1][1])) for one in series)
    frame = _reaching(replace(frame, begins=0, ends=len(bars)), [value for _, value in bars])
    drawn = [_grid(frame, *_unit(panel))]
    for index, (name, value) in enumerate(bars):
        left, width, top = frame.x(index + 0.1), frame.x(0.8) - frame.x(0), frame.y(value)
        drawn.append(
            f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{frame.y(0) - top:.1f}" '
            f'fill="{threshold(panel, value)}"/>'
            f'<text x="{left + width / 2:.1f}" y="{frame.height - 4:.1f}" text-anchor="middle">{escape(name)}</text>'
        )
    return _svg(frame, "".join(drawn))


def _states(panel: Mapping[str, Any], lines: Sequence[Line], frame: Frame, zone: ZoneInfo) -> str:
    frame = replace(frame, high=max(len(lines), 1))
    drawn = [_named_rows([line.name[:6] for line in lines], frame), _clock(frame, zone)]
    for index, line in enumerate(lines):
        top, height = frame.y(index + 0.85), frame.y(0) - frame.y(0.7)
        ends = [at for at, _ in line.points[1:]] + [frame.ends]
        for (at, value), until in zip(line.points, ends, strict=True):
            x = frame.x(max(at, frame.begins))
            drawn.append(
                f'<rect x="{x:.1f}" y="{top:.1f}" width="{max(frame.x(min(until, frame.ends)) - x, 0) + 0.3:.1f}" '
                f'height="{height:.1f}" fill="{threshold(panel, value)}"/>'
            )
    return _svg(frame, "".join(drawn))


def _table(panel: Mapping[str, Any], answered: Answered) -> str:
    ((_, series),) = answered
    options = panel["transformations"][-1]["options"]
    columns = {
        label: options["renameByName"][label]
        for label in sorted(options["indexByName"], key=options["indexByName"].get)
    }
    head = "".join(f"<th>{escape(heading)}</th>" for heading in columns.values())
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(one['metric'].get(label, ''))}</td>" for label in columns) + "</tr>"
        for one in series
    )
    return f"<table><tr>{head}</tr>{rows}</table>"


# --- axes


def _svg(frame: Frame, inside: str) -> str:
    return f'<svg width="{frame.width:.0f}" height="{frame.height:.0f}">{inside}</svg>'


def _grid(frame: Frame, unit: str, decimals: int | None) -> str:
    drawn = []
    for part in range(5):
        value = frame.low + (frame.high - frame.low) * part / 4
        if unit == "short" and frame.high >= 2 and value != int(value):
            continue
        y = frame.y(value)
        drawn.append(
            f'<line x1="{LEFT}" x2="{frame.width - RIGHT:.0f}" y1="{y:.1f}" y2="{y:.1f}" stroke="#25282E"/>'
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{escape(written(value, unit))}</text>'
        )
    return "".join(drawn)


def _clock(frame: Frame, zone: ZoneInfo) -> str:
    span = frame.ends - frame.begins
    every = next(size for size in (600, 3600, 7200, 14_400, 21_600, 43_200, 86_400 * 5) if span / size <= 8)
    first = math.ceil(frame.begins / every) * every
    form = "%H:%M" if every < 86_400 else "%m-%d"
    return "".join(
        f'<text x="{frame.x(at):.1f}" y="{frame.height - 4:.1f}" text-anchor="middle">'
        f"{datetime.fromtimestamp(at, zone).strftime(form)}</text>"
        for at in range(first, int(frame.ends), every)
    )


def _legend(lines: Sequence[Line]) -> str:
    shown = [line for line in lines if any(value > 0 for _, value in line.points)] or list(lines)
    marks = (f'<span><i style="background:{line.colour}"></i>{escape(line.name)}</span>' for line in shown)
    return f'<div class="legend">{"".join(marks)}</div>'
