"""Stories of what is one incident and what is two, with the bodies that Alertmanager really sends."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path

import pytest

from bridge.dispatch import Door, Message
from bridge.simulator import answers, presses
from tests.stories.night import ALICE, BOB, CONFIG, alert, body, both, night

PAYLOADS = Path(__file__).parents[1] / "data" / "payloads"


def payload(name: str) -> dict[str, object]:
    """A captured body."""
    found: dict[str, object] = json.loads((PAYLOADS / f"{name}.json").read_text())
    return found


@both
async def test_twice_with_a_slash_and_from_the_other_replica_rings_once(tmp_path: Path) -> None:
    """The same notification again, by the door with a trailing slash, and by the HA pair: one incident, one call."""
    async with night(tmp_path) as it:
        it.phones.script(ALICE, answers(listens=1))
        for path, name in (
            ("/webhook/alertmanager", "am025-ha-replica-a"),
            ("/webhook/alertmanager", "am025-ha-replica-a"),
            ("/webhook/alertmanager/", "am025-ha-replica-a"),
            ("/webhook/alertmanager", "am025-ha-replica-b"),
        ):
            assert await it.post(path, payload(name)) == 200
        await it.passes(minutes=2)

        assert len(await it.incidents()) == 1
        assert len(it.calls()) == 1
        assert await it.metric("callbridge_duplicates_suppressed_total", kind="notification") == 3
        assert await it.metric("callbridge_incidents_opened_total") == 1


async def test_an_incident_resolves_alert_by_alert(tmp_path: Path) -> None:
    """One that is missing from a later body has not resolved; the incident ends with its last alert."""
    async with night(tmp_path) as it:
        await it.fires("A", "B", "C")
        await it.resolves("A")
        assert (await it.story())["state"] == "triggered"
        await it.resolves("B", "C")

        assert (await it.story())["state"] == "resolved"


async def test_the_top_level_status_is_never_believed(tmp_path: Path) -> None:
    """With max_alerts a body says resolved while the alerts that were cut off fire."""
    async with night(tmp_path) as it:
        trap = payload("am025-truncated-status-trap")
        told = trap["alerts"]
        assert isinstance(told, list)
        await it.notify([{**one, "status": "firing"} for one in told] + [alert("CutOff")], group="trap")
        before = body([], group="trap")
        await it.post("/webhook/alertmanager", {**trap, "groupKey": before["groupKey"], "receiver": "pager"})

        story = await it.story()
        assert story["state"] == "triggered"
        assert [one["status"] for one in story["alerts"] if one["labels"]["alertname"] == "CutOff"] == ["firing"]


@both
async def test_firing_again_after_it_resolved_is_a_new_incident(tmp_path: Path) -> None:
    """Same fingerprint, same group, later start: a new incident, and the phone rings again."""
    async with night(tmp_path) as it:
        it.phones.script(ALICE, presses("1"))
        await it.fires("DiskFull")
        await it.passes(minutes=1)
        await it.resolves("DiskFull")
        await it.fires("DiskFull", starts="2026-11-23T22:30:00Z")
        await it.passes(minutes=1)

        assert len(await it.incidents()) == 2
        assert len(it.calls(ALICE)) == 2


@both
async def test_each_alert_is_routed_by_its_own_labels(tmp_path: Path) -> None:
    """One body, two policies: two incidents; an alert that goes nowhere special takes the root's policy."""
    routes = (
        "policies:\n  default: {steps: [{call: [alice]}]}\n  other: {steps: [{call: [bob]}]}\n  nobody: {steps: []}\n"
        "route:\n  policy: default\n  routes:\n"
        "    - {matchers: ['team=\"db\"'], policy: other}\n    - {matchers: ['severity=\"info\"'], policy: nobody}\n"
    )
    text = CONFIG.partition("policies:")[0] + routes.replace("{", "{{").replace("}", "}}")
    async with night(tmp_path, text=text) as it:
        await it.notify([alert("A"), alert("B", team="db"), alert("C", severity="info")])
        await it.passes(seconds=5)

        found = {one["policy"]: [a["labels"]["alertname"] for a in one["alerts"]] for one in await it.incidents()}
        assert found == {"default": ["A"], "other": ["B"], "nobody": ["C"]}
        assert [len(it.calls(ALICE)), len(it.calls(BOB))] == [1, 1]


async def test_alerts_that_join_do_not_ring_again(tmp_path: Path) -> None:
    """Somebody has it: a further alert of the same group joins the incident, and the phone stays quiet."""
    async with night(tmp_path) as it:
        it.phones.script(ALICE, presses("1"))
        await it.fires("A")
        await it.passes(minutes=1)
        await it.fires("A", "B")
        await it.passes(minutes=30)

        assert len(it.calls()) == 1
        assert len((await it.story())["alerts"]) == 2


async def test_a_storm_for_one_person_is_told_in_few_calls(tmp_path: Path) -> None:
    """A hundred groups, one by one: the first call tells what there was, the second everything that came meanwhile."""
    async with night(tmp_path) as it:
        it.phones.script(ALICE, presses("1", after=5, listens=10))
        for number in range(100):
            await it.notify([alert(f"Disk{number}")], group=f"g{number}")
        await it.passes(minutes=3)

        assert len(it.calls(ALICE)) <= 6
        assert not any(call.overlap for call in it.calls(ALICE))
        assert {one["state"] for one in await it.incidents(limit="500")} == {"acknowledged"}


@pytest.mark.parametrize("name", sorted(path.stem for path in PAYLOADS.glob("*.json")))
async def test_every_captured_body_is_taken(tmp_path: Path, name: str) -> None:
    """What Alertmanager sends is answered 200, digested, and opens what fires."""
    async with night(tmp_path) as it:
        assert await it.post("/webhook/alertmanager", payload(name)) == 200
        assert await it.metric("callbridge_inbox_waiting") == 0
        assert await it.metric("callbridge_inbox_failures_total") == 0
        fires = any(one["status"] == "firing" for one in payload(name)["alerts"])  # type: ignore[attr-defined]  # JSON
        assert len(await it.incidents()) == (1 if fires else 0)


@both
async def test_it_ends_and_begins_again_in_one_breath(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An alert that resolves and fires again before we have looked: one incident is over, the next one rings."""
    async with night(tmp_path) as one:
        await one.fires("Disk")
        ended = body([alert("Disk", status="resolved", ends=one.clock.now().isoformat())])
        again = body([alert("Disk", starts="2026-11-23T22:00:00Z")])
        dispatch, now = one.app.dispatch, one.clock.now()
        with caplog.at_level(logging.ERROR):
            kept = [Message(Door.ALERTMANAGER, now, json.dumps(sent).encode()) for sent in (ended, again)]
            await asyncio.gather(*(dispatch.submit(message) for message in kept))
            await one.settle()
        assert [incident["state"] for incident in await one.incidents()] == ["triggered", "resolved"]
        assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
