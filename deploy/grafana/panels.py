"""The kinds of panels that the dashboards are made of, each in the one way in which it is drawn here.

What all have in common stands in `About`: a panel without a title, a description, a unit or a query cannot be written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, Self, TypeVar

from grafana_foundation_sdk.builders import barchart as charts
from grafana_foundation_sdk.builders import bargauge, common, dashboard, heatmap, prometheus, stat, table, timeseries
from grafana_foundation_sdk.builders import statetimeline as timelines
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import heatmap as heat_models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
ALL_OF_IT = 'job=~"$job", instance=~"$instance"'
# Events are rare: a bar is at least as long as this, so that a call is one bar and not a rate.
BAR = "5m"
DAY = "1d"

GREEN, ORANGE, RED, BLUE, GREY = "green", "orange", "red", "blue", "text"
# One colour for one word, wherever it is drawn.
OUTCOMES = {
    "answered": "#73BF69",
    "no_answer": "#FADE2A",
    "failed": "#FF9830",
    "refused": "#F2495C",
    "unconfirmed": "#B877D9",
    "cancelled": "#8E8E8E",
    # Of an SMS: the phone has it; the gateway took it, and nothing more is known.
    "delivered": "#73BF69",
    "sent": "#8AB8FF",
}
STATES = {"triggered": "#FF9830", "acknowledged": "#73BF69", "exhausted": "#F2495C"}
NO_COLOURS: Mapping[str, str] = {}
TURNS = {"by day": "#5794F2", "by night": "#8F3BB8"}
Steps = Sequence[tuple[float | None, str]]
PLAIN: Steps = ((None, BLUE),)
AnyPanel = Builder[models.Panel]


class Format(StrEnum):
    """What a query's answer is read as."""

    SERIES = "time_series"
    HEATMAP = "heatmap"
    TABLE = "table"


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL expression; `legend` names its series, `instant` asks for the last value only."""

    expr: str
    legend: str = ""
    instant: bool = False
    format: Format = Format.SERIES


@dataclass(frozen=True, slots=True)
class About:
    """What every panel says of itself. `unit` is Grafana's word for it, `width` of 24, `height` in its rows of 30 px.

    `steps` are the thresholds: from which value which colour. `runbook` is an alert's name. `interval` is the shortest
    step of its queries.
    """

    title: str
    description: str
    queries: Sequence[Query]
    unit: str
    width: int
    height: int
    steps: Steps = PLAIN
    runbook: str = ""
    interval: str = ""
    decimals: int | None = None
    none: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of panels under a title."""

    title: str
    panels: Sequence[AnyPanel] = field(default_factory=tuple)


def metric(name: str, *matchers: str) -> str:
    """A selector of ours (`name` without callbridge_, or whole) that obeys the dashboard's variables."""
    whole = name if name == "up" or name.startswith("process_") else f"callbridge_{name}"
    return f"{whole}{{{', '.join([ALL_OF_IT, *matchers])}}}"


def increase(name: str, *matchers: str, by: str = "", over: str = "$__rate_interval") -> str:
    """How much a counter has grown, over one step or the whole range, summed over instances."""
    grouped = f" by ({by})" if by else ""
    return f"sum{grouped} (increase({metric(name, *matchers)}[{over}]))"


def quantile(q: float, histogram: str, *, by: str = "", over: str = "$__rate_interval") -> str:
    """The `q` quantile of a histogram, by its buckets."""
    grouped = f"le, {by}" if by else "le"
    return f"histogram_quantile({q}, sum by ({grouped}) (rate({metric(f'{histogram}_bucket')}[{over}])))"


class _Common(Protocol):
    """What the builders of all panels have, though they share no class."""

    def title(self, title: str) -> Self: ...
    def description(self, description: str) -> Self: ...
    def datasource(self, datasource: models.DataSourceRef) -> Self: ...
    def span(self, w: int) -> Self: ...
    def height(self, h: int) -> Self: ...
    def unit(self, unit: str) -> Self: ...
    def decimals(self, decimals: float) -> Self: ...
    def no_value(self, no_value: str) -> Self: ...
    def interval(self, interval: str) -> Self: ...
    def with_target(self, target: Builder[Dataquery]) -> Self: ...
    def thresholds(self, thresholds: Builder[models.ThresholdsConfig]) -> Self: ...
    def links(self, links: list[Builder[models.DashboardLink]]) -> Self: ...


P = TypeVar("P", bound=_Common)


def _dressed(panel: P, about: About) -> P:
    """The panel with everything that `about` says."""
    panel.title(about.title).description(about.description).datasource(SOURCE)
    panel.span(about.width).height(about.height).unit(about.unit).thresholds(_thresholds(about.steps))
    for letter, query in zip("ABCDEFGH", about.queries, strict=False):
        panel.with_target(_target(query, letter))
    if about.interval:
        panel.interval(about.interval)
    if about.decimals is not None:
        panel.decimals(about.decimals)
    if about.none:
        panel.no_value(about.none)
    if about.runbook:
        url = f"${{docs}}/runbooks/{about.runbook}.md"
        link = dashboard.DashboardLink(f"Runbook {about.runbook}").type(models.DashboardLinkType.LINK).url(url)
        panel.links([link.target_blank(True)])
    return panel


def _target(query: Query, letter: str) -> Builder[Dataquery]:
    target = prometheus.Dataquery().expr(query.expr).ref_id(letter).datasource(SOURCE)
    target.format(PromQueryFormat(query.format.value))
    if query.legend:
        target.legend_format(query.legend)
    return target.instant() if query.instant else target.range()


def _thresholds(steps: Steps) -> Builder[models.ThresholdsConfig]:
    listed = [models.Threshold(value=value, color=colour) for value, colour in steps]
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(listed)


def _last() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"]).values(False)


def figures(about: About, *, graph: bool = False, mappings: Mapping[str, tuple[str, str]] | None = None) -> AnyPanel:
    """One or a few large figures, in the colour of their threshold; `mappings` say a value in words and colour."""
    panel = _dressed(stat.Panel(), about).reduce_options(_last())
    panel.color_mode(shapes.BigValueColorMode.VALUE)
    panel.graph_mode(shapes.BigValueGraphMode.AREA if graph else shapes.BigValueGraphMode.NONE)
    panel.text_mode(shapes.BigValueTextMode.AUTO).color_scheme(_by_threshold())
    if mappings:
        options = {
            value: models.ValueMappingResult(text=text, color=colour) for value, (text, colour) in mappings.items()
        }
        panel.mappings([models.ValueMap(options=options)])
    return panel


def _by_threshold() -> dashboard.FieldColor:
    return dashboard.FieldColor().mode(models.FieldColorModeId.THRESHOLDS)


def lines(
    about: About,
    *,
    steps: bool = False,
    floor: bool = True,
    bounds: bool = False,
    colours: Mapping[str, str] = NO_COLOURS,
) -> AnyPanel:
    """Values over time; `steps` where they jump, `floor` begins at 0, `bounds` draws the thresholds."""
    panel = _over_time(about, 8, floor, colours)
    panel.line_width(2).span_nulls(False)
    shape = shapes.LineInterpolation.STEP_AFTER if steps else shapes.LineInterpolation.LINEAR
    if bounds:
        panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(shapes.GraphTresholdsStyleMode.LINE))
    return panel.line_interpolation(shape)


def bars(about: About, *, colours: Mapping[str, str] = NO_COLOURS) -> AnyPanel:
    """Events over time, stacked: as many as happened within each bar."""
    panel = _over_time(about, 80, True, colours)
    panel.draw_style(shapes.GraphDrawStyle.BARS).line_width(0)
    return panel.stacking(common.StackingConfig().mode(shapes.StackingMode.NORMAL).group("A"))


def _over_time(about: About, fill: float, floor: bool, colours: Mapping[str, str]) -> timeseries.Panel:
    panel = _dressed(timeseries.Panel(), about).fill_opacity(fill)
    panel.show_points(shapes.VisibilityMode.NEVER)
    legend = common.VizLegendOptions().display_mode(shapes.LegendDisplayMode.LIST)
    panel.legend(legend.placement(shapes.LegendPlacement.BOTTOM).show_legend(True))
    panel.tooltip(common.VizTooltipOptions().mode(shapes.TooltipDisplayMode.MULTI).sort(shapes.SortOrder.DESCENDING))
    for name, colour in colours.items():
        panel.override_by_name(name, [models.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour})])
    return panel.min(0) if floor else panel


def hours(about: About, field_name: str) -> AnyPanel:
    """One bar for each value of a label, in the label's own order."""
    panel = _dressed(charts.Panel(), about).x_field(field_name).fill_opacity(80)
    panel.with_transformation(_only(field_name, about.title))
    panel.with_transformation(_sorted(field_name, descending=False))
    panel.legend(common.VizLegendOptions().show_legend(False).display_mode(shapes.LegendDisplayMode.HIDDEN))
    return panel.show_value(shapes.VisibilityMode.AUTO).color_scheme(_by_threshold()).min(0)


def gauges(about: About) -> AnyPanel:
    """Lying bars, one for each series, for a comparison over the whole range."""
    panel = _dressed(bargauge.Panel(), about).reduce_options(_last()).min(0)
    panel.orientation(shapes.VizOrientation.HORIZONTAL).display_mode(shapes.BarGaugeDisplayMode.BASIC)
    return panel.show_unfilled(True).color_scheme(_by_threshold())


def heat(about: About, *, colours: str = "Oranges") -> AnyPanel:
    """How often which value occurred, over time: the darker the more often."""
    panel = _dressed(heatmap.Panel(), about).calculate(False).cell_gap(1)
    scheme = heatmap.HeatmapColorOptions().mode(heat_models.HeatmapColorMode.SCHEME).scheme(colours).steps(64)
    panel.color(scheme.exponent(0.5)).y_axis(heatmap.YAxisConfig().unit(about.unit))
    return panel.filter_values(heatmap.FilterValueRange().le(1e-9)).show_legend().show_tooltip()


def states(about: About) -> AnyPanel:
    """A band for each series, in the colour of its threshold."""
    panel = _dressed(timelines.Panel(), about).merge_values(True).fill_opacity(80).line_width(0)
    panel.legend(common.VizLegendOptions().show_legend(False).display_mode(shapes.LegendDisplayMode.HIDDEN))
    return panel.show_value(shapes.VisibilityMode.AUTO).color_scheme(_by_threshold())


def rows(about: About, columns: Mapping[str, str], *, links: Mapping[str, str] | None = None) -> AnyPanel:
    """A table of the labels in `columns` (label to heading), in that order; `links` lead from a column to a page."""
    panel = _dressed(table.Panel(), about).show_header(True)
    names = {"include": {"names": list(columns)}}
    panel.with_transformation(models.DataTransformerConfig(id_val="filterFieldsByName", options=names))
    panel.with_transformation(_ordered(columns))
    for column, url in (links or {}).items():
        target = [{"title": "${__value.text}", "url": url, "targetBlank": True}]
        panel.override_by_name(columns[column], [models.DynamicConfigValue("links", target)])
    return panel


def _ordered(columns: Mapping[str, str]) -> models.DataTransformerConfig:
    return models.DataTransformerConfig(
        id_val="organize",
        options={
            "excludeByName": {},
            "indexByName": {label: index for index, label in enumerate(columns)},
            "renameByName": dict(columns),
        },
    )


def _only(label: str, heading: str) -> models.DataTransformerConfig:
    return models.DataTransformerConfig(
        id_val="organize",
        options={"excludeByName": {"Time": True}, "indexByName": {label: 0}, "renameByName": {"Value": heading}},
    )


def _sorted(label: str, *, descending: bool) -> models.DataTransformerConfig:
    return models.DataTransformerConfig(id_val="sortBy", options={"sort": [{"field": label, "desc": descending}]})
