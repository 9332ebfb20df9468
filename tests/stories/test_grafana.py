"""Stories of alerts that Grafana sends."""

from __future__ import annotations

from pathlib import Path

from bridge.simulator import presses, sleeps
from tests.grafana import grafana_alert, grafana_body, no_data
from tests.stories.night import ALICE, BOB, night

GRAFANA = "/webhook/grafana"


async def test_a_grafana_alert_rings_and_resolves(tmp_path: Path) -> None:
    """It fires: she is called and takes it by a key; it resolves: the incident closes, nobody is called any more."""
    async with night(tmp_path) as it:
        it.phones.script(ALICE, presses("1"))
        assert await it.post(GRAFANA, grafana_body(grafana_alert("DiskFull"))) == 200
        await it.passes(minutes=1)
        story = await it.story()
        assert (story["state"], story["acknowledged_by"]) == ("acknowledged", "alice")
        assert "Disk Full is wrong. It has been firing for 1 minute." in it.calls(ALICE)[0].spoken

        assert await it.post(GRAFANA, grafana_body(grafana_alert("DiskFull", status="resolved"))) == 200
        await it.passes(minutes=10)
        assert (await it.story())["state"] == "resolved"
        assert len(it.calls()) == 1
        assert await it.metric("callbridge_webhooks_total", source="grafana", code="200") == 2
        assert await it.metric("callbridge_webhooks_total", source="alertmanager", code="200") == 0


async def test_no_data_resolves_only_when_both_are_over(tmp_path: Path) -> None:
    """The rule fires and then has no data, in one group: one incident, which ends with the last of its alerts."""
    async with night(tmp_path) as it:
        it.phones.script(ALICE, sleeps())
        await it.post(GRAFANA, grafana_body(grafana_alert("DiskFull")))
        await it.post(GRAFANA, grafana_body(grafana_alert("DiskFull"), no_data()))
        await it.post(GRAFANA, grafana_body(grafana_alert("DiskFull", status="resolved"), no_data()))
        assert len(await it.incidents()) == 1
        assert (await it.story())["state"] == "triggered"
        await it.post(GRAFANA, grafana_body(no_data("resolved")))
        assert (await it.story())["state"] == "resolved"


async def test_the_same_group_of_alertmanager_is_another_stream(tmp_path: Path) -> None:
    """Same receiver, same group key, other source: two incidents, and what one of them resolves is its own."""
    async with night(tmp_path) as it:
        for number in (ALICE, BOB):
            it.phones.script(number, sleeps())
        body = grafana_body(grafana_alert("DiskFull"))
        await it.post(GRAFANA, body)
        await it.post("/webhook/alertmanager", body | {"version": "4"})
        assert len(await it.incidents()) == 2
        await it.post(GRAFANA, grafana_body(grafana_alert("DiskFull", status="resolved")))
        assert sorted(one["state"] for one in await it.incidents()) == ["resolved", "triggered"]
