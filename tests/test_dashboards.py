"""The dashboards as they are committed: current, and built by the rules that Grafana's own linter has, and ours."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.grafana.asking import Span, asked, chosen_variables, filled, label_values, panels, read_dashboard, step_of
from deploy.grafana.make import FOLDER, dashboards
from tests.test_alert_rules import ALERTS, exported, metrics_named

BOARDS = {path.stem: read_dashboard(path) for path in sorted(FOLDER.glob("*.json"))}
PANELS = [
    pytest.param(name, panel, id=f"{name}: {panel['title']}")
    for name, board in BOARDS.items()
    for panel in panels(board)
]
UNITS = {"short", "s", "currencyEUR", "percentunit", "bytes"}
PROVISIONING = Path(__file__).parent.parent / "deploy" / "grafana" / "provisioning"


def test_what_is_committed_is_current() -> None:
    """The JSON is what its source makes; make it with `make dashboards`. Nothing else lies in that folder."""
    assert {path.name: path.read_text() for path in FOLDER.iterdir()} == dict(dashboards())


@pytest.mark.parametrize("name", BOARDS)
def test_a_dashboard_fits_in_anywhere(name: str) -> None:
    """No id, no fixed data source: source, job and instance are chosen, and their values follow the shown time."""
    board = BOARDS[name]
    by_name = {variable["name"]: variable for variable in board["templating"]["list"]}

    assert board["uid"] == f"callbridge-{name}"
    assert board.get("id") is None
    assert board["editable"] is False
    assert board["description"]
    assert list(by_name)[:3] == ["datasource", "job", "instance"]
    assert by_name["datasource"]["type"] == "datasource"
    assert by_name["datasource"]["query"] == "prometheus"
    for variable in by_name.values():
        assert variable["label"]
        if variable["type"] == "query":
            assert (variable["refresh"], variable["multi"], variable["allValue"]) == (2, True, ".+")
            assert variable["datasource"]["uid"] == "${datasource}"
    assert [link["type"] for link in board["links"]] == ["dashboards"]


@pytest.mark.parametrize("name", BOARDS)
def test_no_two_panels_are_alike(name: str) -> None:
    """Titles, ids and queries are each there once, the panels do not overlap, and there are several kinds of them."""
    listed = panels(BOARDS[name])
    # The same figure may stand as it is now and over time, never twice in the same way.
    queries = Counter((panel["type"], target["expr"]) for panel in listed for target in panel["targets"])
    cells = Counter(
        (x, y)
        for panel in BOARDS[name]["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    )

    assert max(Counter(panel["title"] for panel in listed).values()) == 1
    assert max(Counter(panel["id"] for panel in BOARDS[name]["panels"]).values()) == 1
    assert [query for query, count in queries.items() if count > 1] == []
    assert max(cells.values()) == 1
    assert max(x for x, _ in cells) == 23
    assert len({panel["type"] for panel in listed}) >= 4


@pytest.mark.parametrize(("name", "panel"), PANELS)
def test_a_panel_explains_itself(name: str, panel: dict[str, Any]) -> None:
    """It says what is seen, in which unit, and its runbook is one that there is."""
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert len(panel["description"]) <= 240
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    for link in panel.get("links", []):
        runbook = re.fullmatch(r"\$\{docs\}/runbooks/(\w+)\.md", link["url"])
        assert runbook is not None
        assert runbook[1] in ALERTS


@pytest.mark.parametrize(("name", "panel"), PANELS)
def test_a_query_obeys_the_variables(name: str, panel: dict[str, Any]) -> None:
    """Each selector is bound to job and instance, each rate to the step, and no counter is shown as it stands."""
    assert panel["targets"]
    for target in panel["targets"]:
        expr = target["expr"]
        if expr.startswith("ALERTS{"):  # of an absent callbridge there is neither job nor instance
            continue
        selectors = re.findall(r"(\w+)\{([^}]*)\}", expr)
        assert metrics_named(expr) <= exported()
        assert metrics_named(expr) <= {metric for metric, _ in selectors}
        assert all('job=~"$job", instance=~"$instance"' in matchers for _, matchers in selectors)
        assert set(re.findall(r"\[([^\]]+)\]", expr)) <= {
            "$__rate_interval",
            "$__range",
            "1h",
            "$__range:$__interval",
        }
        for metric, _ in selectors:
            if metric.endswith(("_total", "_bucket", "_sum", "_count")):
                assert re.search(rf"(rate|increase)\({metric}\{{", expr)
        assert target["datasource"]["uid"] == "${datasource}"


def test_every_family_of_the_contract_is_seen_somewhere() -> None:
    """What is counted is looked at: no family of ours is on no dashboard and in no rule, but those named here."""
    shown = {
        name
        for board in BOARDS.values()
        for panel in panels(board)
        for target in panel["targets"]
        for name in metrics_named(target["expr"])
    }
    ruled = {name for rule in ALERTS.values() for name in metrics_named(rule["expr"])}
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in exported() if name.startswith("callbridge_")}
    seen = {re.sub(r"_(bucket|sum|count)$", "", name) for name in shown | ruled}

    # Pages are calls but for storms, and the first account is one of all.
    assert families - seen == {
        "callbridge_pages_total",
        "callbridge_gateway_balance_euros",
        "callbridge_gateway_min_balance_euros",
    }


def test_steps_and_variables_are_those_of_grafana() -> None:
    """What the tests ask is what Grafana would: steps, times and variables by the rules of its data source."""
    day = Span(0, 86_400, 15)
    panel = {"gridPos": {"w": 12}}

    assert step_of(panel, day) == 120
    assert step_of(panel | {"interval": "5m"}, day) == 300
    assert step_of(panel, Span(0, 60, 15)) == 15
    assert filled('x{job=~"$job"}[${__range}]', {"job": ".+", "__range": "60s"}) == 'x{job=~".+"}[60s]'
    with pytest.raises(KeyError):
        filled("$unknown", {})
    with pytest.raises(ValueError, match="not label_values"):
        label_values("query_result(up)")
    assert label_values('label_values(a{b=~"$c"}, d)') == ('a{b=~"$c"}', "d")


def test_nobody_has_chosen_anything() -> None:
    """At first all jobs, instances and policies are shown, and the night is that of most people."""
    chosen = chosen_variables(BOARDS["load"])
    queries = list(asked(BOARDS["load"], Span(0, 3600, 15)))

    assert (chosen["job"], chosen["instance"], chosen["policy"]) == (".+", ".+", ".+")
    assert re.fullmatch(chosen["night"], "03")
    assert re.fullmatch(chosen["night"], "22")
    assert not re.fullmatch(chosen["night"], "12")
    assert all("$" not in query.expr for query in queries)


def test_provisioning_finds_them() -> None:
    """Grafana is given a Prometheus and the folder of the dashboards, both read-only for those who only look."""
    sources = yaml.safe_load((PROVISIONING / "datasources" / "callbridge.yaml").read_text())
    providers = yaml.safe_load((PROVISIONING / "dashboards" / "callbridge.yaml").read_text())

    (source,), (provider,) = sources["datasources"], providers["providers"]
    assert (source["type"], source["editable"], source["isDefault"]) == ("prometheus", False, True)
    assert provider["type"] == "file"
    assert provider["options"]["path"] == "/var/lib/grafana/dashboards/callbridge"
    assert provider["allowUiUpdates"] is False
