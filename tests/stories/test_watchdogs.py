"""Stories of an alert that must keep coming, and of what happens when it does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from bridge.clock import ManualClock
from bridge.simulator import Simulator, presses, sleeps
from tests.stories.night import ALICE, BOB, DUSK, Night, both, night, running, with_policies, write_config

EXTRA = """
watchdogs:
  - {name: prometheus, matchers: ['alertname="Watchdog"', 'severity="none"'], every: 10m, policy: loud}
"""
OTHER = EXTRA.replace("name: prometheus", "name: other")
CALM = with_policies(
    "policies:\n  loud: {steps: [{call: [alice]}]}\n  default: {steps: [{call: [bob]}]}\n  nobody: {steps: []}\n"
).replace(
    "route: {{policy: default}}",
    "route: {{policy: default, routes: [{{matchers: ['alertname=\"Watchdog\"'], policy: nobody}}]}}",
)
LAST_SEEN = "callbridge_watchdog_last_seen_timestamp_seconds"


async def comes(it: Night, **more: Any) -> None:
    """The watchdog's alert comes, as it should."""
    await it.fires("Watchdog", group="w", **{"severity": "none", **more})


async def missing(it: Night) -> list[dict[str, Any]]:
    """The incidents of silence, newest first."""
    listed = await it.incidents(limit="100")
    return [one for one in listed if one["alerts"][0]["labels"]["alertname"] == "WatchdogMissing"]


async def after(it: Night, **length: float) -> int:
    """How many calls there are after that time."""
    await it.passes(**length)
    return len(it.calls())


@both
async def test_silence_is_an_incident_and_ends_when_it_comes_again(tmp_path: Path) -> None:
    """Ten minutes without the alert ring its policy's people, who hear since when; when it comes, it is over."""
    async with night(tmp_path, EXTRA, text=CALM) as it:
        it.phones.script(ALICE, presses("1"))
        for _ in range(4):
            await comes(it)
            await it.passes(minutes=5)
        assert it.calls() == []
        assert await it.metric(LAST_SEEN, watchdog="prometheus") == (DUSK + timedelta(minutes=15)).timestamp()

        assert await after(it, minutes=4, seconds=59) == 0
        assert await after(it, seconds=1) == 1
        await it.passes(minutes=1)

        call = it.calls()[0]
        assert call.to == ALICE.removeprefix("+")
        assert "sign of life" in call.text
        [incident] = await missing(it)
        assert (incident["state"], incident["policy"]) == ("acknowledged", "loud")
        [told] = incident["alerts"]
        assert told["labels"] == {"alertname": "WatchdogMissing", "watchdog": "prometheus", "severity": "critical"}
        assert told["annotations"]["summary"] == "No sign of life from prometheus since 23:15 on 2026-11-23"

        await comes(it)
        [incident] = await missing(it)
        assert (incident["state"], incident["alerts"][0]["status"]) == ("resolved", "resolved")
        assert await after(it, minutes=9, seconds=59) == 1
        # Silent again: an incident of its own.
        assert await after(it, seconds=2) == 2
        assert [one["state"] for one in await missing(it)] == ["triggered", "resolved"]


async def test_only_what_matches_and_fires_is_a_sign_of_life(tmp_path: Path) -> None:
    """Another alert, one of another severity, and a resolved one do not count."""
    async with night(tmp_path, EXTRA, text=CALM) as it:
        await it.passes(minutes=9)
        await comes(it, severity="info")
        await it.fires("Watchdogs", group="x", severity="none")
        await it.resolves("Watchdog", group="w", severity="none")
        assert await it.metric(LAST_SEEN, watchdog="prometheus") == 0
        await it.passes(minutes=1, seconds=1)

        [incident] = await missing(it)
        summary = incident["alerts"][0]["annotations"]["summary"]
        assert summary == "There was never a sign of life from prometheus, which is awaited since 23:00 on 2026-11-23"


@both
async def test_a_restart_in_the_middle_keeps_the_clock(tmp_path: Path) -> None:
    """Seen, restarted after seven minutes: the silence of ten minutes is over three minutes later, not ten."""
    clock = ManualClock(DUSK)
    async with Simulator(clock) as phones:
        async with running(tmp_path, phones, clock, EXTRA, text=CALM) as it:
            await comes(it)
            await it.passes(minutes=7)
        async with running(tmp_path, phones, clock, EXTRA, text=CALM) as it:
            assert await after(it, minutes=2, seconds=59) == 0
            assert await after(it, seconds=2) == 1
            assert len(await missing(it)) == 1
        # Once more, while it is missing: nothing is told twice, and it still ends.
        async with running(tmp_path, phones, clock, EXTRA, text=CALM) as it:
            await it.passes(minutes=2)
            assert len(await missing(it)) == 1
            await comes(it)
            assert [one["state"] for one in await missing(it)] == ["resolved"]


async def test_nobody_listened(tmp_path: Path) -> None:
    """callbridge was down for longer than the alert may be away: whoever could not deliver has a minute to."""
    clock = ManualClock(DUSK)
    async with Simulator(clock) as phones:
        async with running(tmp_path, phones, clock, EXTRA, text=CALM) as it:
            await comes(it)
        clock.advance(timedelta(minutes=30))
        async with running(tmp_path, phones, clock, EXTRA, text=CALM) as it:
            await it.passes(seconds=30)
            await comes(it)
            assert await after(it, minutes=5) == 0
        clock.advance(timedelta(minutes=30))
        async with running(tmp_path, phones, clock, EXTRA, text=CALM) as it:
            assert await after(it, seconds=59) == 0
            assert await after(it, seconds=2) == 1


async def test_a_reload_keeps_the_clock(tmp_path: Path) -> None:
    """A reload begins nothing anew; a shorter `every` counts from the same last sign of life."""
    async with night(tmp_path, EXTRA, text=CALM) as it:
        await comes(it)
        await it.passes(minutes=6)
        write_config(tmp_path, it.phones.url, EXTRA.replace("10m", "8m"), text=CALM)
        assert await it.post("/-/reload", {}) == 200
        assert await after(it, minutes=1, seconds=59) == 0
        assert await after(it, seconds=1) == 1


async def test_a_new_one_counts_from_its_first_configuration(tmp_path: Path) -> None:
    """A watchdog that a reload brings has all of its time; one that it takes away is over, incident and all."""
    async with night(tmp_path, EXTRA, text=CALM) as it:
        await it.passes(minutes=10, seconds=10)
        assert [one["state"] for one in await missing(it)] == ["triggered"]
        write_config(tmp_path, it.phones.url, OTHER, text=CALM)
        assert await it.post("/-/reload", {}) == 200

        assert [one["state"] for one in await missing(it)] == ["resolved"]
        assert await it.metric(LAST_SEEN, watchdog="other") == 0
        assert await after(it, minutes=9, seconds=59) == 1
        assert await after(it, seconds=1) == 2
        assert (await missing(it))[0]["alerts"][0]["labels"]["watchdog"] == "other"


async def test_nobody_heard_it_so_it_rings_again(tmp_path: Path) -> None:
    """The chain is exhausted and it is still silent: an hour later it starts again, and a day ends nothing."""
    async with night(tmp_path, EXTRA, text=CALM) as it:
        it.phones.script(ALICE, sleeps())
        await it.passes(minutes=30)
        assert [one["state"] for one in await missing(it)] == ["exhausted"]
        assert len(it.calls()) == 1
        assert await after(it, minutes=41) == 2

        await it.act("acknowledge", by="bob")
        await it.passes(hours=30)
        assert [one["state"] for one in await missing(it)] == ["acknowledged"]
        assert len(it.calls()) == 2


async def test_one_that_was_closed_by_hand_comes_back(tmp_path: Path) -> None:
    """Who closes the incident while it is still silent hears of it again within the hour."""
    async with night(tmp_path, EXTRA, text=CALM) as it:
        await it.passes(minutes=11)
        await it.act("resolve", by="bob")
        await it.passes(minutes=58, seconds=59)
        assert [one["state"] for one in await missing(it)] == ["resolved"]
        await it.passes(seconds=2)
        assert [one["state"] for one in await missing(it)] == ["triggered", "resolved"]


async def test_the_alert_itself_takes_its_route(tmp_path: Path) -> None:
    """The watchdog's alert is an alert like any other: without a route to nobody it rings whom the root rings."""
    async with night(tmp_path, EXTRA, text=CALM.replace('"Watchdog"', '"Else"')) as it:
        await comes(it)
        assert [call.to for call in it.calls()] == [BOB.removeprefix("+")]


async def test_a_fault_of_ours_calls_all_the_same(tmp_path: Path) -> None:
    """A watchdog that our code cannot look after keeps nobody from being called for something else."""
    async with night(tmp_path, EXTRA, text=CALM) as it:
        world = it.app.dispatch.world
        it.app.dispatch.world = replace(world, watchdogs=(replace(world.watchdogs[0], policy="gone"),))
        await it.passes(minutes=12)
        assert await missing(it) == []
        await it.fires("DiskFull")
        assert [call.to for call in it.calls()] == [BOB.removeprefix("+")]
        it.app.dispatch.world = world
        await it.passes(minutes=1)
        assert len(await missing(it)) == 1
