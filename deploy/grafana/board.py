"""What the dashboards have in common: variables, links to each other, alerts as marks on the time axis."""

from __future__ import annotations

from collections.abc import Sequence

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as models

from deploy.grafana.panels import SOURCE, Row

TAG = "callbridge"
# Where docs/ of this repository can be read; each installation sets its own.
DOCS = "https://callbridge.example.org/docs"
ALERTS = 'ALERTS{alertname=~"Callbridge.*", alertstate="firing"}'
Variable = Builder[models.VariableModel]


def board(
    uid: str,
    title: str,
    description: str,
    rows: Sequence[Row],
    *,
    since: str,
    refresh: str,
    variables: Sequence[Variable] = (),
) -> models.Dashboard:
    """A dashboard of these rows that shows the time `since`; panels are numbered in their order."""
    made = dashboard.Dashboard(title).uid(uid).description(description).tags([TAG]).readonly()
    made.time(since, "now").refresh(refresh).timezone("browser").tooltip(models.DashboardCursorSync.CROSSHAIR)
    made.variables([*_variables(), *variables, _docs()]).annotations([_alerts()]).links([_siblings()])
    for row in rows:
        made.with_row(dashboard.Row(row.title))
        for panel in row.panels:
            made.with_panel(panel)
    whole = made.build()
    for number, placed in enumerate(whole.panels or [], start=1):
        placed.id_val = number
    return whole


def _variables() -> list[Variable]:
    every = models.VariableOption(selected=True, text="All", value="$__all")
    return [
        dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"),
        labels("job", "Job", "label_values(callbridge_build_info, job)").current(every),
        labels("instance", "Instance", 'label_values(callbridge_build_info{job=~"$job"}, instance)').current(every),
    ]


def labels(name: str, label: str, query: str) -> dashboard.QueryVariable:
    """A variable of the values that a label has in the shown time; all of them, unless some are chosen."""
    made = dashboard.QueryVariable(name).label(label).datasource(SOURCE).query(query)
    made.refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(models.VariableSort.ALPHABETICAL_ASC)
    return made.multi(True).include_all(True).all_value(".+")


def _docs() -> Variable:
    made = dashboard.TextBoxVariable("docs").label("Docs").default_value(DOCS)
    made.current(models.VariableOption(selected=True, text=DOCS, value=DOCS))
    return made.description("Where docs/ of callbridge can be read, for the links to the runbooks")


def _alerts() -> Builder[models.AnnotationQuery]:
    made = dashboard.AnnotationQuery().name("Alerts about callbridge").datasource(SOURCE).enable(True)
    return made.icon_color("red").expr(ALERTS)


def _siblings() -> Builder[models.DashboardLink]:
    made = dashboard.DashboardLink("callbridge").type(models.DashboardLinkType.DASHBOARDS).tags([TAG])
    return made.as_dropdown(True).include_vars(True).keep_time(True)
